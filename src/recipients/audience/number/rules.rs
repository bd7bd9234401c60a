//! Finds the region and the kind of a number under one calling code, in one pass over its digits.
//!
//! `plans.txt` holds libphonenumber's patterns, metadata 9.0.42. Each line has calling code, region, kind, possible lengths
//! and pattern. The regions of a code are in the order in which libphonenumber tries them.
//!
//! All patterns of a code become one automaton. It takes less than a hundredth of the time and memory of separate patterns.

use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::primitives::StateID;
use regex_automata::util::start;
use regex_automata::util::syntax;
use regex_automata::{Anchored, MatchKind};

use crate::base::domain::Country;

const PLANS: &str = include_str!("plans.txt");

/// Kinds of numbers, in the order in which libphonenumber tries them: the first match decides.
const KINDS: [&str; 10] =
    ["premium", "toll-free", "shared", "voip", "personal", "pager", "uan", "voicemail", "fixed", "mobile"];
const FIXED: u32 = 8;
const MOBILE: u32 = 9;
/// Kinds of numbers that hardly ever receive messages.
const UNREACHABLE: [&str; 6] = ["premium", "toll-free", "shared", "pager", "uan", "voicemail"];
/// Any number of the region.
const GENERAL: u32 = 10;
/// Numbers with these leading digits belong to the region, whether or not they exist.
const LEADING: u32 = 11;

pub(super) struct Rules {
    automaton: dense::DFA<Vec<u32>>,
    start: StateID,
    patterns: Vec<Pattern>,
    /// In the order in which libphonenumber tries them.
    regions: Vec<Country>,
}

struct Pattern {
    region: usize,
    kind: u32,
    /// One bit for each possible length; 0 for any length.
    lengths: u32,
}

/// What the digits after a calling code are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) country: Country,
    pub(super) is_fixed: bool,
}

impl Rules {
    /// `None` for a code of no region, or one whose patterns make no automaton: then the crate reads its numbers.
    pub(super) fn of(code: u16) -> Option<Self> {
        let (mut patterns, mut regions, mut expressions) = (Vec::new(), Vec::new(), Vec::new());
        for line in PLANS.lines() {
            let [of, region, kind, lengths, expression] = line.splitn(5, ' ').collect::<Vec<_>>().try_into().ok()?;
            if of.parse() != Ok(code) {
                continue;
            }
            let country = region.parse().unwrap_or(Country::WORLD);
            if regions.last() != Some(&country) {
                regions.push(country);
            }
            let lengths = lengths.split(',').filter_map(|length| length.parse::<u32>().ok());
            let (kind, rest) = match kind {
                "leading" => (LEADING, "[0-9]*"),
                "general" => (GENERAL, ""),
                kind => (u32::try_from(KINDS.iter().position(|known| *known == kind)?).ok()?, ""),
            };
            expressions.push(format!("(?:{expression}){rest}"));
            let lengths = lengths.fold(0, |bits, length| bits | 1 << length);
            patterns.push(Pattern { region: regions.len() - 1, kind, lengths });
        }
        let config = dense::Config::new().start_kind(StartKind::Anchored).match_kind(MatchKind::All).accelerate(false);
        let automaton = dense::Builder::new()
            .configure(config)
            .syntax(syntax::Config::new().unicode(false).utf8(false))
            .thompson(thompson::Config::new().utf8(false))
            .build_many(&expressions)
            .ok()?;
        let start = automaton.start_state(&start::Config::new().anchored(Anchored::Yes)).ok()?;
        (!regions.is_empty()).then_some(Self { automaton, start, patterns, regions })
    }

    /// Looks up the digits after the code; `None` if no such number exists.
    pub(super) fn find(&self, digits: &str) -> Option<Found> {
        let kinds = self.kinds(digits);
        let is_alone = self.regions.len() == 1;
        // As in libphonenumber, the first region that matches decides, even if it has no such number.
        let exists = |kinds: u32| kinds & 1 << GENERAL != 0 && kinds & ((1 << GENERAL) - 1) != 0;
        let region = (0..self.regions.len())
            .find(|region| is_alone || kinds[*region] & 1 << LEADING != 0 || exists(kinds[*region]))?;
        let kinds = kinds[region];
        let kind = kinds.trailing_zeros();
        let is_unreachable = |kind: u32| KINDS.get(kind as usize).is_some_and(|kind| UNREACHABLE.contains(kind));
        let is_fixed = is_unreachable(kind) || (kind == FIXED && kinds & 1 << MOBILE == 0);
        exists(kinds).then(|| Found { country: self.regions[region], is_fixed })
    }

    /// Whether digits have the form of a number of a region, whether or not it exists.
    pub(super) fn is_general(&self, digits: &str, region: Country) -> bool {
        self.matches(digits).any(|pattern| self.is_general_of(pattern, region))
    }

    /// Whether there are more digits than in any number of a region.
    pub(super) fn is_too_long(&self, digits: &str, region: Country) -> bool {
        let general = self.patterns.iter().find(|pattern| self.is_general_of(pattern, region));
        general.is_some_and(|general| digits.len() < 32 && general.lengths >> digits.len() == 0)
    }

    fn is_general_of(&self, pattern: &Pattern, region: Country) -> bool {
        pattern.kind == GENERAL && self.regions.get(pattern.region) == Some(&region)
    }

    /// For each region, one bit for each kind that the digits match.
    fn kinds(&self, digits: &str) -> [u32; REGIONS_MAX] {
        let mut kinds = [0; REGIONS_MAX];
        let length = u32::try_from(digits.len()).ok().and_then(|length| 1_u32.checked_shl(length)).unwrap_or(0);
        for pattern in self.matches(digits) {
            if pattern.lengths == 0 || pattern.lengths & length != 0 {
                kinds[pattern.region] |= 1 << pattern.kind;
            }
        }
        kinds
    }

    /// The patterns that match all of the digits.
    fn matches(&self, digits: &str) -> impl Iterator<Item = &Pattern> {
        let end = digits.bytes().fold(self.start, |state, digit| self.automaton.next_state(state, digit));
        let end = self.automaton.next_eoi_state(end);
        let all = if self.automaton.is_match_state(end) { self.automaton.match_len(end) } else { 0 };
        (0..all).map(move |index| &self.patterns[self.automaton.match_pattern(end, index).as_usize()])
    }
}

/// The most regions that share a calling code: those of North America.
const REGIONS_MAX: usize = 32;
