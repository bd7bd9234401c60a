//! Warns about what a campaign may do but probably does not intend.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::lint_cells::EmptyCells;
use super::lint_limits::too_small;
use super::overlap::Overlap;
use crate::base::config::{Config, NamedKey, Sentence};
use crate::base::domain::text::plural;
use crate::base::domain::{
    Category, Channel, Content, ContentPart, Countries, Country, Plan, SmsEncoding, Span, Status, Step, StepIndex,
    TemplateContent, crowd_of, grouped, refused_in_a_parameter,
};
use crate::recipients::audience::OddCells;
use crate::rules::forecast::{Bill, Share, Shares};
use crate::rules::template::{self, Alphabet};

/// How long after a delivery the provider reports that it was read.
const READ_REPORTED: Span = Span::from_secs(10 * 86_400);

/// A warning: a code for scripts, and a sentence for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    pub code: Lint,
    pub step: Option<StepIndex>,
    pub sentence: Sentence,
}

impl Warning {
    pub(super) fn name_taken(name: &str) -> Self {
        let sentence = format!("a campaign named \"{name}\" exists, and a name can be launched only once");
        let sentence = Sentence::new(sentence).for_files("; give the launch another one with --name");
        Self { code: Lint::NameTaken, step: None, sentence: sentence.for_pages("; give this one another name") }
    }
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
    /// A message may still arrive after its step has fallen back.
    Overlap,
    /// `on_overlap = "wait"` moved a deadline.
    DeadlineMoved,
    /// A template's TTL is outside the range that the provider allows.
    TemplateTtl,
    /// The provider will have disabled a template before the campaign is done.
    TemplateFlagged,
    /// A MARKETING template does not say how to opt out.
    NoOptOut,
    /// A step before the last falls back only on failure.
    NoDeadline,
    /// A step's receipt window is shorter than its deadline.
    ShortWindow,
    /// A step waits for a read receipt longer than the provider reports one.
    LateRead,
    /// A step comes up, or its hours open, only after the campaign's TTL has ended.
    AfterTtl,
    /// A variable without default is empty for some recipients.
    EmptyVariable,
    /// An SMS costs several parts.
    SmsParts,
    /// An SMS has no sender of its own.
    NoSource,
    /// A WhatsApp step is free text, not a template.
    FreeText,
    /// A template parameter contains characters that the provider may refuse.
    ParameterText,
    /// A batch needs more tokens at once than its lane's burst.
    BatchOverBurst,
    /// The audience is larger than the portfolio's tier.
    SmallTier,
    /// The campaign ends before all first messages are sent.
    EndTooSoon,
    /// The start time has already passed by some recipients' clocks.
    StartPassed,
    /// A lane of a pool has too many recipients for its rate.
    UnevenPool,
    /// Because of a limit or a budget, some recipients do not get their first message.
    SmallLimit,
    /// A time falls into a clock change.
    ClockChange,
    /// No step of the route applies to some recipients.
    NoStep,
    /// Some recipients have no number, so not every step reaches them.
    WithoutNumber,
    /// A step applies to no recipient.
    StepForNoRecipient,
    /// A step names a country that no recipient is from.
    UnusedCountry,
    /// No later step applies to the recipients of a step with a deadline.
    NothingFollows,
    /// So few recipients are from a country that their numbers may be mistyped.
    RareCountry,
    /// `where` compares a column with numbers or dates, and some of its cells are none.
    MisreadCells,
    /// A file of numbers to exclude has rows without a number.
    UnreadableExclude,
    /// A file that a step shows is doubtful, or is uploaded only at the launch.
    Media,
    /// A lane, or a template on it, is held.
    Held,
    /// It has so many recipients that another operator starts it.
    NeedsApproval,
    /// Recipients in the United States skip a step, because WhatsApp delivers no marketing there, or do not.
    UsMarketing,
    /// Another campaign has the name. Only this one prevents the launch.
    NameTaken,
}

impl Lint {
    pub const fn code(self) -> &'static str {
        match self {
            Self::Overlap => "overlap",
            Self::DeadlineMoved => "deadline_moved",
            Self::TemplateTtl => "template_ttl",
            Self::TemplateFlagged => "template_flagged",
            Self::NoOptOut => "no_opt_out",
            Self::NoDeadline => "no_deadline",
            Self::ShortWindow => "short_window",
            Self::LateRead => "late_read",
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
            Self::WithoutNumber => "without_number",
            Self::StepForNoRecipient => "unused_step",
            Self::UnusedCountry => "unused_country",
            Self::NothingFollows => "nothing_follows",
            Self::RareCountry => "rare_country",
            Self::MisreadCells => "misread_cells",
            Self::UnreadableExclude => "unreadable_exclude",
            Self::Media => "media",
            Self::Held => "held",
            Self::NeedsApproval => "needs_approval",
            Self::NameTaken => "name_taken",
            Self::UsMarketing => "us_marketing",
        }
    }
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

/// What is known of the recipients.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub recipients: u64,
    pub countries: &'a BTreeMap<Country, u64>,
    /// Those without a number, whom WhatsApp alone reaches.
    pub without_number: &'a BTreeMap<Country, u64>,
    pub bill: &'a Bill,
    /// The cells of the plan's columns that messages may fail for.
    pub odd: &'a OddCells,
    /// The only countries to send to, if the campaign names some.
    pub allowed: Option<&'a BTreeSet<Country>>,
    /// For each step of free text on WhatsApp, the number of recipients with an open 24-hour window.
    pub windows: &'a BTreeMap<StepIndex, u64>,
    /// For each limited portfolio, the number of recipients that need no slot of its tier.
    pub need_no_slot: &'a BTreeMap<String, u64>,
}

/// Returns the warnings about a plan.
pub fn lint(plan: &Plan, config: &Config, facts: &Facts<'_>) -> Vec<Warning> {
    let mut warnings = Warnings { found: Vec::new(), step: StepIndex::FIRST, empty: BTreeMap::new() };
    let shares = Shares::of(plan, &crowd_of(facts.countries, facts.without_number));
    warnings.found.extend(without_step(&shares, facts));
    warnings.found.extend(without_number(plan, &shares, facts));
    warnings.found.extend(rare(&shares, facts));
    let beginning = |index| shares.at(index).beginning;
    warnings.found.extend(too_small(plan, beginning, facts.bill.cost(plan).as_ref()));
    let mut deadlines = Span::ZERO;
    for (index, step) in plan.indexed_steps() {
        warnings.step = index;
        let share = shares.at(index);
        // If no known recipient gets the step, the route alone decides whether it is the last.
        let is_last = plan.ends_with(index) || (share.recipients > 0 && share.followed == 0);
        warnings.time(plan, step, deadlines, is_last);
        warnings.countries(step, share, facts.countries);
        warnings.us_marketing(plan, index, step, facts.countries);
        if is_last && step.fallback_after.is_some() {
            let sentence = Sentence::new("no later step applies to its recipients, so it is their last step and its ");
            warnings.warn(Lint::NothingFollows, sentence.step_key("fallback_after").text(" has no effect"));
        }
        warnings.content(plan, step, facts, is_last);
        warnings.cells(plan, step, facts, share);
        warnings.pace((index, step), config, facts, &shares);
        deadlines = Span::from_millis(deadlines.millis() + step.fallback_after.map_or(0, Span::millis));
    }
    warnings.empty_cells();
    warnings.found
}

/// A country with fewer than one in this many recipients is suspicious: the numbers may be mistyped.
const RARE: u64 = 1_000;

/// Warns about countries with very few recipients. A number with a digit too few or too many is often a valid number of
/// another country.
fn rare(shares: &Shares, facts: &Facts<'_>) -> Option<Warning> {
    let gets_something = |country: &Country| !shares.without_step.contains_key(country);
    let is_rare = |recipients: u64| recipients.saturating_mul(RARE) < facts.recipients;
    let rare = facts.countries.iter().filter(|(country, recipients)| is_rare(**recipients) && gets_something(country));
    let rare: BTreeMap<Country, u64> = rare.map(|(country, recipients)| (*country, *recipients)).collect();
    if rare.is_empty() {
        return None;
    }
    let countries = named(&rare).join(", ");
    let sentence = Sentence::new(format!(
        "very few recipients are from these countries, so their numbers may be mistyped: {countries}; check them"
    ));
    let sentence = sentence
        .for_files(", or name the countries to send to: allow_countries = [\"SG\", …]")
        .for_pages(", or leave these recipients out");
    Some(Warning { code: Lint::RareCountry, step: None, sentence })
}

/// The most countries that one sentence names.
const NAMED: usize = 8;

/// Recipients by country: `CN 4`.
pub(super) fn named(countries: &BTreeMap<Country, u64>) -> Vec<String> {
    let mut named: Vec<String> = countries
        .iter()
        .take(NAMED)
        .map(|(country, recipients)| format!("{country} {}", grouped(*recipients)))
        .collect();
    match countries.len().saturating_sub(NAMED) {
        0 => {}
        1 => named.push("1 other country".to_owned()),
        more => named.push(format!("{more} other countries")),
    }
    named
}

/// Warns about recipients that get nothing because of their country: it is not allowed, or no step applies to it.
fn without_step(shares: &Shares, facts: &Facts<'_>) -> Vec<Warning> {
    let is_allowed = |country: &Country| facts.allowed.is_none_or(|allowed| allowed.contains(country));
    let (no_step, not_allowed_countries): (BTreeMap<Country, u64>, BTreeMap<Country, u64>) = shares
        .without_step
        .iter()
        .map(|(country, recipients)| (*country, *recipients))
        .partition(|(country, _)| is_allowed(country));
    let warning = |countries: BTreeMap<Country, u64>, add_reason: fn(Sentence) -> Sentence, remedy: &str| {
        let number = grouped(countries.values().sum::<u64>());
        let sentence = format!("{number} of {} recipients get nothing, because ", grouped(facts.recipients));
        let countries_and_remedy = format!(": {}; {remedy}", named(&countries).join(", "));
        let sentence = add_reason(Sentence::new(sentence)).text(countries_and_remedy);
        (!countries.is_empty()).then_some(Warning { code: Lint::NoStep, step: None, sentence })
    };
    let remedy = "let a step apply to them, or remove them from the audience";
    let no_step = warning(no_step, |because| because.text("no step applies to their country"), remedy);
    let not_allowed = |because: Sentence| {
        let key = NamedKey::OfCampaign("allow_countries");
        because.key_without_field(key, "the list of allowed countries").text(" does not name their country")
    };
    let not_allowed = warning(not_allowed_countries, not_allowed, "ignore this if intended");
    no_step.into_iter().chain(not_allowed).collect()
}

/// Warns about recipients whom WhatsApp alone knows, and the other channels do not.
fn without_number(plan: &Plan, shares: &Shares, facts: &Facts<'_>) -> Option<Warning> {
    let users: u64 = facts.without_number.values().sum();
    let steps = plan.indexed_steps().filter(|(_, step)| !step.knows(Some(Channel::WhatsApp)));
    let steps: Vec<String> = steps.map(|(index, step)| format!("step {index} ({})", step.channel)).collect();
    if users == 0 || steps.is_empty() {
        return None;
    }
    let (users, unknown) = (plural(users, "recipient has", "recipients have"), shares.unknown);
    let sentence =
        format!("{users} the id of a WhatsApp user and no number, and get nothing of {}", steps.join(" and "));
    let nothing = (unknown > 0).then(|| format!("; no step reaches {}", plural(unknown, "recipient", "recipients")));
    let sentence = sentence + &nothing.unwrap_or_default();
    Some(Warning { code: Lint::WithoutNumber, step: None, sentence: sentence.into() })
}

pub(super) struct Warnings {
    pub(super) found: Vec<Warning>,
    step: StepIndex,
    /// The steps that cannot be rendered for recipients with an empty cell.
    pub(super) empty: BTreeMap<EmptyCells, Vec<StepIndex>>,
}

impl Warnings {
    pub(super) const fn step(&self) -> StepIndex {
        self.step
    }

    pub(super) fn warn(&mut self, code: Lint, sentence: impl Into<Sentence>) {
        self.found.push(Warning { code, step: Some(self.step), sentence: sentence.into() });
    }

    /// Warns about countries of a step that no recipient is from.
    fn countries(&mut self, step: &Step, share: Share, recipients: &BTreeMap<Country, u64>) {
        let reason = |countries: &Countries| {
            let named: Vec<String> = countries.named().map(|country| country.to_string()).collect();
            match countries {
                Countries::AllBut(_) => format!("all of them are from {}", named.join(", ")),
                Countries::Only(_) | Countries::Everywhere => format!("none of them is from {}", named.join(", ")),
            }
        };
        let chosen = step.chosen_countries();
        // The rule for the United States may have left out the others, which has a warning of its own.
        let is_chosen = recipients.keys().any(|country| chosen.contain(Some(*country)));
        if share.recipients == 0 && !is_chosen && !step.countries.is_everywhere() {
            let sentence = format!("applies to no recipient: {}", reason(&step.countries));
            self.warn(Lint::StepForNoRecipient, sentence);
            return;
        }
        let missing = chosen.named().filter(|country| !recipients.contains_key(country));
        let missing: Vec<String> = missing.map(|country| country.to_string()).collect();
        if !missing.is_empty() {
            let sentence = format!("names {}, but no recipient is from there", missing.join(", "));
            self.warn(Lint::UnusedCountry, sentence);
        }
    }

    fn time(&mut self, plan: &Plan, step: &Step, deadlines: Span, is_last: bool) {
        if let Some(ttl) = plan.ttl.filter(|ttl| self.step != StepIndex::FIRST && *ttl <= deadlines) {
            let sentence = Sentence::new(format!("the steps before it may take {deadlines}, but the campaign's "))
                .key("ttl")
                .text(format!(
                    " ends after {ttl}, so messages reach this step in time only after failures; shorten their "
                ))
                .step_key("fallback_after")
                .text(" or lengthen ")
                .key("ttl");
            self.warn(Lint::AfterTtl, sentence);
        }
        if let Some(deadline) = step.fallback_after.filter(|deadline| *deadline > step.receipt_window) {
            let sentence = Sentence::new(format!(
                "falls back after {deadline}, but waits only {} for receipts if the campaign is cancelled or the \
                 recipient opts out; ",
                step.receipt_window
            ));
            let sentence =
                sentence.for_files("lengthen receipt_window, or remove it").for_pages("let it fall back earlier");
            self.warn(Lint::ShortWindow, sentence);
        }
        if let Some(deadline) = step.fallback_after.filter(|wait| step.success == Status::Read && *wait > READ_REPORTED)
        {
            let sentence = Sentence::new(format!(
                "falls back after {deadline} without a read receipt, but the provider reports reading for {READ_REPORTED} \
                 after the delivery; "
            ));
            let sentence = sentence
                .for_files("shorten fallback_after, or remove success_status")
                .for_pages("let it fall back earlier");
            self.warn(Lint::LateRead, sentence);
        }
        if !is_last && step.fallback_after.is_none() {
            let effect = ", so it falls back only on failure; a message without a receipt never reaches the next step";
            self.warn(Lint::NoDeadline, Sentence::new("has no ").step_key("fallback_after").text(effect));
        }
        let overlap = step.fallback_after.and_then(|deadline| Overlap::of(&step.content, step.ttl, deadline));
        if let Some(overlap) = overlap {
            self.warn(Lint::Overlap, overlap.warning());
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
            let allowed = format!("{least} to {most} for a template of {}", template.category);
            let sentence = Sentence::new("")
                .key_without_field(
                    NamedKey::OfStep("template.ttl"),
                    "the TTL that the campaign states for its template",
                )
                .text(format!(" is {ttl}, but the provider allows {allowed}; "))
                .key_without_field(NamedKey::OfStep("template.ttl"), "it")
                .text(" only repeats the provider's setting and does not change it");
            self.warn(Lint::TemplateTtl, sentence);
        }
    }

    fn content(&mut self, plan: &Plan, step: &Step, facts: &Facts<'_>, is_last: bool) {
        // Invalid content was refused before the plan was made.
        let literals = template::literals(&step.content, plan.names()).unwrap_or_default();
        for (part, text) in literals.iter().filter(|(part, _)| part.is_parameter()) {
            self.parameter(part, text);
        }
        if let Some((_, encoding)) = step.sms() {
            let text: String = literals.into_iter().map(|(_, text)| text).collect();
            self.sms(&template::as_sent(step, &text), encoding);
            let is_own = matches!(&step.content, Content::Text { source, .. } if !source.is_empty());
            if !is_own && step.lanes.members().iter().any(|member| member.source.is_none()) {
                let sentence = Sentence::new("has no ")
                    .step_key("source")
                    .text(", so the provider chooses the sender")
                    .for_files("; add source = \"…\" here or on the lane");
                self.warn(Lint::NoSource, sentence);
            }
        }
        if step.needs_window() {
            let open = facts.windows.get(&self.step).copied().unwrap_or(0);
            let without = if is_last {
                "a message to any other recipient is not sent, because no later step applies"
            } else {
                "a message to any other recipient falls back to the next step"
            };
            let sentence = format!(
                "is free text, so WhatsApp accepts it only within 24 hours after a recipient's last message: {} of {} \
                 recipients have such an open window now; {without}",
                grouped(open),
                grouped(facts.recipients)
            );
            self.warn(Lint::FreeText, sentence);
        }
    }

    fn sms(&mut self, text: &str, encoding: SmsEncoding) {
        let counted = template::segments(text, encoding);
        if counted.parts < 2 {
            return;
        }
        let mut sentence = format!("every SMS is at least {counted}, and each part is charged");
        if counted.alphabet == Alphabet::Ucs2
            && let Some(c) = template::beyond_gsm7(text)
        {
            sentence.push_str(&format!("; without '{c}' more characters would fit into each part"));
        }
        self.warn(Lint::SmsParts, sentence);
    }

    fn parameter(&mut self, part: &ContentPart, text: &str) {
        let Some(what) = refused_in_a_parameter(text) else { return };
        let sentence =
            format!("{part} contains {what}, which the provider may refuse in a parameter; move it into the template");
        self.warn(Lint::ParameterText, sentence);
    }
}
