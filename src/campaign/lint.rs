//! What a campaign may do, but probably does not mean to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::cost::Cost;
use super::shares::{Share, Shares};
use crate::config::Config;
use crate::domain::{
    Category, Channel, Content, Countries, Country, Plan, SmsEncoding, Span, Step, StepIndex, TemplateContent, grouped,
};
use crate::template::{self, Alphabet, Place};

/// A warning: a code that scripts may rely on, and a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    pub code: Lint,
    pub step: Option<StepIndex>,
    pub sentence: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.step {
            Some(step) => write!(f, "step {step}: {} [{}]", self.sentence, self.code),
            None => write!(f, "{} [{}]", self.sentence, self.code),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lint {
    /// A message may still arrive after its step has given way.
    Overlap,
    /// `on_overlap = "wait"` moved a deadline.
    DeadlineMoved,
    /// A template's TTL is none that the provider would have let anyone set.
    TemplateTtl,
    /// The provider will have disabled a template before the campaign is done.
    TemplateFlagged,
    /// A step before the last gives way only on failure.
    NoDeadline,
    /// Receipts of a step are waited for no longer than its deadline.
    ShortWindow,
    /// A deadline, or the next hour at which it may leave, lies behind the campaign's TTL.
    AfterTtl,
    /// A variable without default is empty for some recipients.
    EmptyVariable,
    /// An SMS costs several parts.
    SmsParts,
    /// An SMS has no sender of its own.
    NoSource,
    /// WhatsApp text that is no template.
    FreeText,
    /// Characters that the provider does not like in a template's parameters.
    ParameterText,
    /// A batch needs more tokens at once than its lane's burst.
    BatchOverBurst,
    /// The audience is larger than the portfolio's tier.
    SmallTier,
    /// The campaign ends before everybody's first message has left.
    EndTooSoon,
    /// The time at which it begins has passed already by some people's clocks.
    StartPassed,
    /// A lane of a pool has too many people for its rate.
    UnevenPool,
    /// A limit or a budget lets not everybody get their first message.
    SmallLimit,
    /// A time falls into a change of the clock.
    ClockChange,
    /// No step of the route is for some of the people.
    NoStep,
    /// A step is for none of the people.
    ForNobody,
    /// A step names a country that nobody is of.
    NobodyThere,
    /// A step gives way to others that are for nobody whom it is for.
    NothingFollows,
    /// So few people are of a country that their numbers may be mistyped.
    RareCountry,
    /// Rows of a file of those to leave out hold no number.
    UnreadableExclude,
    /// A lane, or a template on it, may not send now.
    Held,
}

impl Lint {
    pub const fn code(self) -> &'static str {
        match self {
            Self::Overlap => "overlap",
            Self::DeadlineMoved => "deadline_moved",
            Self::TemplateTtl => "template_ttl",
            Self::TemplateFlagged => "template_flagged",
            Self::NoDeadline => "no_deadline",
            Self::ShortWindow => "short_window",
            Self::AfterTtl => "after_ttl",
            Self::EmptyVariable => "empty_variable",
            Self::SmsParts => "sms_parts",
            Self::NoSource => "no_source",
            Self::FreeText => "free_text",
            Self::ParameterText => "parameter_text",
            Self::BatchOverBurst => "batch_over_burst",
            Self::SmallTier => "small_tier",
            Self::EndTooSoon => "end_too_soon",
            Self::StartPassed => "start_passed",
            Self::UnevenPool => "uneven_pool",
            Self::SmallLimit => "small_limit",
            Self::ClockChange => "clock_change",
            Self::NoStep => "no_step",
            Self::ForNobody => "for_nobody",
            Self::NobodyThere => "nobody_there",
            Self::NothingFollows => "nothing_follows",
            Self::RareCountry => "rare_country",
            Self::UnreadableExclude => "unreadable_exclude",
            Self::Held => "held",
        }
    }
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

/// What is known of the people and the time.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub recipients: u64,
    pub countries: &'a BTreeMap<Country, u64>,
    /// For each of the plan's columns, how many recipients have nothing in it.
    pub empty: &'a [u64],
    /// Whoever is of another country is to get nothing, where that is said.
    pub allowed: Option<&'a BTreeSet<Country>>,
    /// For each step of free text on WhatsApp, how many recipients have a 24-hour window open now.
    pub windows: &'a BTreeMap<StepIndex, u64>,
    /// For each limited portfolio, how many recipients take no place in its tier.
    pub passes: &'a BTreeMap<String, u64>,
}

/// Looks a plan over.
pub fn lint(plan: &Plan, config: &Config, facts: &Facts<'_>) -> Vec<Warning> {
    let mut warnings = Warnings { found: Vec::new(), step: StepIndex::FIRST };
    let shares = Shares::of(plan, facts.countries);
    warnings.found.extend(nobodys(&shares, facts));
    warnings.found.extend(rare(&shares, facts));
    warnings.found.extend(limited(plan, &shares, facts));
    let mut deadlines = Span::ZERO;
    for (index, step) in plan.places() {
        warnings.step = index;
        let share = shares.at(index);
        // Where nobody is known to be there, the route alone says whether a step has others behind it.
        let is_last = plan.ends_with(index) || (share.people > 0 && share.followed == 0);
        warnings.time(plan, step, deadlines, is_last);
        warnings.countries(step, share, facts.countries);
        if is_last && step.fallback_after.is_some() {
            let sentence = "no later step is for anybody whom it is for, so for all of them it is the last; its \
                            fallback_after does nothing";
            warnings.warn(Lint::NothingFollows, sentence.to_owned());
        }
        warnings.content(step, facts);
        warnings.empty_cells(plan, step, facts, share);
        warnings.pace((index, step), config, facts, &shares);
        deadlines = Span::from_millis(deadlines.millis() + step.fallback_after.map_or(0, Span::millis));
    }
    warnings.found
}

/// Of a country with fewer than one in so many people it is worth a look whether they really live there.
const RARE: u64 = 1_000;

/// Limits that keep somebody from getting even the first message.
fn limited(plan: &Plan, shares: &Shares, facts: &Facts<'_>) -> Vec<Warning> {
    let beginning: u64 = plan.places().map(|(index, _)| shares.at(index).beginning).sum();
    let cost = Cost::of(plan, facts.countries);
    let mut found = Vec::new();
    let mut warn = |step, sentence| found.push(Warning { code: Lint::SmallLimit, step, sentence });
    let steps = plan.places().map(|(index, step)| (Some(index), step.limits.messages, shares.at(index).beginning));
    for (step, most, people) in steps.chain([(None, plan.limits.messages, beginning)]) {
        if let Some(most) = most.filter(|most| *most < people) {
            let sentence = {
                let [most, people, wait] = [most, people, people - most].map(grouped);
                format!("max_messages is {most}, and {people} people begin here, so {wait} of them wait")
            };
            warn(step, sentence);
        }
    }
    if let (Some(budget), Some(cost)) = (plan.limits.budget, cost.filter(|cost| plan.limits.budget < Some(cost.first)))
    {
        let [first, budget] = [cost.first, budget].map(|money| money.in_currency(plan.currency.as_deref()));
        let sentence = format!(
            "everybody's first message costs about {first} together, and the budget is {budget}, so not everybody gets \
             one"
        );
        warn(None, sentence);
    }
    found
}

/// A digit too few or too many is a number of another country as often as it is none.
fn rare(shares: &Shares, facts: &Facts<'_>) -> Option<Warning> {
    let gets_something = |country: &Country| !shares.nobodys.contains_key(country);
    let is_rare = |people: u64| people.saturating_mul(RARE) < facts.recipients;
    let rare = facts.countries.iter().filter(|(country, people)| is_rare(**people) && gets_something(country));
    let rare: BTreeMap<Country, u64> = rare.map(|(country, people)| (*country, *people)).collect();
    if rare.is_empty() {
        return None;
    }
    let sentence = format!(
        "hardly anybody is of these countries, which may be mistyped numbers: {}; look at them, or name the countries that \
         you write to: allow_countries = [\"SG\", …]",
        named(&rare).join(", ")
    );
    Some(Warning { code: Lint::RareCountry, step: None, sentence })
}

/// Countries named at most: a world's worth of them is no sentence.
const NAMED: usize = 8;

/// People by their countries: `CN 4`.
pub(super) fn named(countries: &BTreeMap<Country, u64>) -> Vec<String> {
    let mut named: Vec<String> =
        countries.iter().take(NAMED).map(|(country, people)| format!("{country} {}", grouped(*people))).collect();
    match countries.len().saturating_sub(NAMED) {
        0 => {}
        1 => named.push("1 other country".to_owned()),
        more => named.push(format!("{more} other countries")),
    }
    named
}

/// Who gets nothing for being of their country: because that is not allowed, or no step is for it.
fn nobodys(shares: &Shares, facts: &Facts<'_>) -> Vec<Warning> {
    let is_allowed = |country: &Country| facts.allowed.is_none_or(|allowed| allowed.contains(country));
    let (no_step, not_allowed): (BTreeMap<Country, u64>, BTreeMap<Country, u64>) = shares
        .nobodys
        .iter()
        .map(|(country, people)| (*country, *people))
        .partition(|(country, _)| is_allowed(country));
    let said = |countries: BTreeMap<Country, u64>, because: &str, remedy: &str| {
        let sentence = format!(
            "{} of {} recipients get nothing, because {because}: {}; {remedy}",
            grouped(countries.values().sum::<u64>()),
            grouped(facts.recipients),
            named(&countries).join(", ")
        );
        (!countries.is_empty()).then_some(Warning { code: Lint::NoStep, step: None, sentence })
    };
    let remedy = "let a step be for them, or leave them out of the audience";
    let no_step = said(no_step, "no step is for their country", remedy);
    let not_allowed = said(not_allowed, "allow_countries does not name their country", "nothing, if that is meant");
    no_step.into_iter().chain(not_allowed).collect()
}

pub(super) struct Warnings {
    found: Vec<Warning>,
    step: StepIndex,
}

impl Warnings {
    pub(super) fn warn(&mut self, code: Lint, sentence: String) {
        self.found.push(Warning { code, step: Some(self.step), sentence });
    }

    /// Countries that are named in vain.
    fn countries(&mut self, step: &Step, share: Share, people: &BTreeMap<Country, u64>) {
        let nobody = |countries: &Countries| {
            let named: Vec<String> = countries.named().map(|country| country.to_string()).collect();
            match countries {
                Countries::AllBut(_) => format!("all of them are from {}", named.join(", ")),
                Countries::Only(_) | Countries::Everywhere => format!("none of them is from {}", named.join(", ")),
            }
        };
        if share.people == 0 && !step.countries.is_everywhere() {
            let sentence = format!("is for nobody among the recipients: {}", nobody(&step.countries));
            self.warn(Lint::ForNobody, sentence);
            return;
        }
        let missing = step.countries.named().filter(|country| !people.contains_key(country));
        let missing: Vec<String> = missing.map(|country| country.to_string()).collect();
        if !missing.is_empty() {
            let sentence = format!("names {}, and none of the recipients is from there", missing.join(", "));
            self.warn(Lint::NobodyThere, sentence);
        }
    }

    fn time(&mut self, plan: &Plan, step: &Step, deadlines: Span, is_last: bool) {
        if let Some(ttl) = plan.ttl.filter(|ttl| self.step != StepIndex::FIRST && *ttl <= deadlines) {
            let sentence = format!(
                "the steps before it may take {deadlines}, and the campaign's ttl ends after {ttl}, so only failures bring \
                 anybody here in time; shorten their fallback_after or lengthen ttl"
            );
            self.warn(Lint::AfterTtl, sentence);
        }
        if let Some(deadline) = step.fallback_after.filter(|deadline| *deadline > step.receipt_window) {
            let sentence = format!(
                "gives way after {deadline}, but where nothing may follow, after a cancel or an opt-out, its receipts are \
                 waited for only {}; lengthen receipt_window, or leave it out",
                step.receipt_window
            );
            self.warn(Lint::ShortWindow, sentence);
        }
        if !is_last && step.fallback_after.is_none() {
            let sentence =
                "has no fallback_after, so it gives way only when it fails; silence keeps a person here".to_owned();
            self.warn(Lint::NoDeadline, sentence);
        }
        let (what, key) = match &step.content {
            Content::Template(_) => ("the template", "template.ttl, as it is at the provider,"),
            Content::Text { .. } => ("it", "ttl"),
        };
        if let (Some(fallback_after), Some(ttl)) = (step.fallback_after, step.delivers_for())
            && fallback_after <= ttl
        {
            let sentence = format!(
                "the provider may deliver {what} for {ttl}, and the step gives way after {fallback_after}, so a person may get \
                 both; set a shorter {key} or on_overlap = \"wait\""
            );
            self.warn(Lint::Overlap, sentence);
        }
        if let Content::Template(template) = &step.content {
            self.template_ttl(template);
        }
    }

    fn template_ttl(&mut self, template: &TemplateContent) {
        const MONTH: Span = Span::from_secs(30 * 86_400);
        let (least, most) = match template.category {
            Category::Authentication => (Span::from_secs(30), Span::from_secs(900)),
            Category::Utility => (Span::from_secs(30), Span::from_secs(43_200)),
            Category::Marketing => (Span::from_secs(43_200), MONTH),
        };
        if let Some(ttl) = template.ttl.filter(|ttl| !(least..=most).contains(ttl) && *ttl != MONTH) {
            let sentence = format!(
                "template.ttl is {ttl}, but the provider sets {least} to {most} on a template of {}; it says what is set \
                 there and changes nothing there",
                template.category
            );
            self.warn(Lint::TemplateTtl, sentence);
        }
    }

    fn content(&mut self, step: &Step, facts: &Facts<'_>) {
        // What cannot be read was refused before there was a plan.
        let literals = template::literals(&step.content).unwrap_or_default();
        match &step.content {
            Content::Text { source, encoding, .. } if step.channel == Channel::Sms => {
                let text: String = literals.into_iter().map(|(_, text)| text).collect();
                self.sms(&text, encoding.unwrap_or(SmsEncoding::Auto));
                if source.is_empty() && step.lanes.members().iter().any(|member| member.source.is_none()) {
                    let sentence =
                        "has no source, so the provider chooses the sender; add source = \"…\" here or on the lane";
                    self.warn(Lint::NoSource, sentence.to_owned());
                }
            }
            Content::Text { .. } if step.channel == Channel::WhatsApp => {
                let open = facts.windows.get(&self.step).copied().unwrap_or(0);
                let sentence = format!(
                    "is free text, which WhatsApp takes only within 24 hours of a person's last message: {} of {} have \
                     written so lately as of now, and for whoever has not when it is to leave the next step has its turn",
                    grouped(open),
                    grouped(facts.recipients)
                );
                self.warn(Lint::FreeText, sentence);
            }
            Content::Text { .. } => {}
            Content::Template(_) => {
                for (place, text) in literals {
                    if matches!(place, Place::Body(_) | Place::Header("text")) {
                        self.parameter(place, &text);
                    }
                }
            }
        }
    }

    fn sms(&mut self, text: &str, encoding: SmsEncoding) {
        let counted = template::segments(text, encoding);
        if counted.parts < 2 {
            return;
        }
        let mut sentence = format!("every SMS is at least {counted}, and each part is paid for");
        if counted.alphabet == Alphabet::Ucs2
            && let Some(c) = template::beyond_gsm7(text)
        {
            sentence.push_str(&format!("; without '{c}' more would fit into each"));
        }
        self.warn(Lint::SmsParts, sentence);
    }

    fn parameter(&mut self, place: Place, text: &str) {
        let what = match text {
            _ if text.contains(['\n', '\r', '\t']) || text.contains("     ") => "a line break, a tab or many spaces",
            _ if text.contains(['#', '$', '%']) => "one of #, $ and %",
            _ => return,
        };
        let sentence =
            format!("{place} holds {what}, which the provider may refuse in a parameter; move it into the template");
        self.warn(Lint::ParameterText, sentence);
    }

    fn empty_cells(&mut self, plan: &Plan, step: &Step, facts: &Facts<'_>, share: Share) {
        let Ok((_, slots)) = template::mark(&step.content, &plan.columns) else { return };
        let mut columns = BTreeMap::new();
        for slot in slots.iter().filter(|slot| slot.default.is_none()) {
            let empty = facts.empty.get(slot.column).copied().unwrap_or(0);
            if empty > 0 {
                columns.insert(slot.column, (slot.name.clone(), empty));
            }
        }
        for (name, empty) in columns.into_values() {
            // What stands in the columns is not counted by country.
            let (up_to, of) = match &step.countries {
                Countries::Everywhere => (grouped(empty), facts.recipients),
                Countries::Only(_) | Countries::AllBut(_) => {
                    (format!("up to {}", grouped(empty.min(share.people))), share.people)
                }
            };
            let sentence = format!(
                "{up_to} of {} recipients have nothing in {name}, so it cannot be written for them; give the variable a \
                 default: {{{{{name}|…}}}}",
                grouped(of)
            );
            self.warn(Lint::EmptyVariable, sentence);
        }
    }
}
