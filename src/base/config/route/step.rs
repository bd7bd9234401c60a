//! Steps as they are written, in a campaign file or in a route of the configuration.

use std::collections::{BTreeSet, HashSet};

use super::bounds::Most;
use super::content;
use super::table::{NotBuilt, Table};
use crate::base::domain::{
    AmbiguousMoney, Channel, Content, Countries, Country, Money, OnRecipientLimit, OnTierSpent, Purpose, Span, Status,
    StepIndex, Stretch, UsMarketing, Zone, nearest,
};

/// A step before it is checked against lanes, columns or the other steps. Optional keys are still unset.
#[derive(Debug, Clone, PartialEq)]
pub struct DraftStep {
    pub channel: Channel,
    pub purpose: Option<Purpose>,
    /// The lanes that it names, if any.
    pub lanes: Vec<String>,
    pub fallback_after: Option<Span>,
    pub success_status: Option<Status>,
    pub receipt_window: Option<Span>,
    pub ttl: Option<Span>,
    pub leave_within: Option<Span>,
    pub on_tier_spent: OnTierSpent,
    pub on_recipient_limit: OnRecipientLimit,
    pub us_marketing: UsMarketing,
    /// Overrides the campaign's.
    pub quiet_hours: Option<Vec<Stretch>>,
    pub send_window: Option<Vec<Stretch>>,
    pub countries: Countries,
    /// The limits of what it may send.
    pub wanted: Wanted,
    /// The recipient's id on LINE: a column of the audience.
    pub line_user_id: Option<String>,
    /// Whether an SMS is written in plain characters where that makes it shorter.
    pub transliterate: bool,
    pub content: Content,
    /// Whether its template names no category, so that the provider's own is taken.
    pub category_is_open: bool,
}

/// The limits that an operator sets, before prices are known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    pub messages: Option<u64>,
    pub budget: Option<Money>,
    /// The currency of the budget, if it is stated.
    pub currency: Option<String>,
}

impl Wanted {
    pub fn read(table: &mut Table<'_>) -> Self {
        let messages =
            table.text_or_number("max_messages").and_then(|text| match text.replace(['_', ','], "").parse() {
                Ok(messages) if messages > 0 => Some(messages),
                Ok(_) | Err(_) => {
                    table.wrong("max_messages", format_args!("invalid number of messages \"{text}\"; use 1 or more"));
                    None
                }
            });
        // A number has one notation; a text is written in that of its country.
        let is_text = table.has_text("budget");
        let Some(text) = table.text_or_number("budget") else { return Self { messages, ..Self::default() } };
        let (amount, currency) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        let budget = match (AmbiguousMoney::find(amount).filter(|_| is_text), amount.parse::<Money>()) {
            (None, Ok(budget)) if !budget.is_zero() => Ok(budget),
            (None, Ok(_)) => Err("is zero, so nothing could be sent; write an amount, or remove the step".to_owned()),
            (None, Err(error)) => Err(error.to_string()),
            (Some(ambiguous), _) => Err(ambiguous.to_string()),
        };
        let budget = budget.map_err(|problem| table.wrong("budget", problem)).ok();
        let currency = Some(currency.trim().to_uppercase()).filter(|currency| !currency.is_empty());
        Self { messages, budget, currency }
    }
}

/// The keys of a step.
pub(in crate::base::config) const STEP_KEYS: &[&str] = &[
    "channel",
    "purpose",
    "lane",
    "lanes",
    "fallback_after",
    "success_status",
    "receipt_window",
    "ttl",
    "leave_within",
    "on_tier_spent",
    "on_recipient_limit",
    "us_marketing",
    "quiet_hours",
    "send_window",
    "only",
    "skip_when",
    "max_messages",
    "budget",
    "text",
    "source",
    "encoding",
    "transliterate",
    "image",
    "video",
    "audio",
    "file",
    "button",
    "suggestions",
    "template",
    "location",
    "interactive",
    "card",
    "cards",
    "card_width",
    "notification",
    "raw",
    "line_user_id",
];

const STEP_NOT_BUILT: &[NotBuilt] = &[("countries", "write `only` or `skip_when`")];

/// Reads the steps of a campaign or of a route, in their order.
pub fn steps(table: &mut Table<'_>) -> Vec<DraftStep> {
    let mut found = Vec::new();
    let Some(tables) = table.tables("step") else { return found };
    if tables.len() > usize::from(StepIndex::COUNT_MAX) {
        let sentence =
            format!("{} steps are more than the {} allowed; remove some", tables.len(), StepIndex::COUNT_MAX);
        table.wrong("step", sentence);
    } else if tables.is_empty() {
        table.missing(&["step"], "is missing; add one with a channel and its content");
    }
    for (index, keys) in StepIndex::all().zip(tables) {
        found.extend(step(table.step(index, keys)));
    }
    found
}

/// Reads a step from its table; `None` after a reported problem.
fn step(mut table: Table<'_>) -> Option<DraftStep> {
    if !table.has("channel") {
        table.missing(&["channel"], "is missing; write WhatsApp, Viber, SMS or another");
    }
    let channel: Option<Channel> = table.parsed("channel");
    let purpose = table.parsed("purpose");
    let lanes = lanes(&mut table);
    let fallback_after = table.positive("fallback_after");
    let success_status = table.parsed("success_status");
    let receipt_window = table.positive("receipt_window");
    let ttl = table.positive("ttl");
    let leave_within = table.positive("leave_within");
    let on_tier_spent = table.parsed("on_tier_spent").unwrap_or(OnTierSpent::Wait);
    let on_recipient_limit = table.parsed("on_recipient_limit").unwrap_or(OnRecipientLimit::usual());
    let us_marketing = table.parsed("us_marketing").unwrap_or(UsMarketing::FallBack);
    let quiet_hours = stretches(&mut table, "quiet_hours");
    let send_window = stretches(&mut table, "send_window");
    let countries = countries(&mut table);
    let wanted = Wanted::read(&mut table);
    let line_user_id = table.filled_text("line_user_id");
    let transliterate = table.truth("transliterate").unwrap_or(false);
    let written = content::read(&mut table, channel);
    table.finish(STEP_NOT_BUILT);
    let content::Written { content, category_is_open } = written?;
    Some(DraftStep {
        channel: channel?,
        purpose,
        lanes,
        fallback_after,
        success_status,
        receipt_window,
        ttl,
        leave_within,
        on_tier_spent,
        on_recipient_limit,
        us_marketing,
        quiet_hours,
        send_window,
        countries,
        wanted,
        line_user_id,
        transliterate,
        content,
        category_is_open,
    })
}

/// The most time zones that the hours of one key name.
const ZONES_MAX: usize = 10;

/// Reads `quiet_hours` or `send_window`, if the key is set.
pub fn stretches(table: &mut Table<'_>, key: &'static str) -> Option<Vec<Stretch>> {
    let stretches: Vec<Stretch> = table.parsed_all(key, Most::HOURS)?;
    let zones: HashSet<Zone> = stretches.iter().filter_map(Stretch::zone).collect();
    if zones.len() > ZONES_MAX {
        let sentence = format!("{} time zones are more than the {ZONES_MAX} allowed; remove some", zones.len());
        table.wrong(key, sentence);
    }
    Some(stretches)
}

/// Reads one lane, or several that share the step's recipients.
fn lanes(table: &mut Table<'_>) -> Vec<String> {
    let (lane, is_pool, pool) = (table.filled_text("lane"), table.has("lanes"), table.texts("lanes", Most::LANES));
    if lane.is_some() && is_pool {
        table.wrong("lanes", "`lane` already names one; keep one of them");
    } else if is_pool && pool.is_empty() {
        table.wrong("lanes", "names no lane; write some, such as [\"promo-1\", \"promo-2\"], or remove it");
    }
    let twice = pool.iter().enumerate().find(|(index, name)| pool.iter().take(*index).any(|other| other == *name));
    if let Some((_, name)) = twice {
        table.wrong("lanes", format_args!("names {name} twice; remove one"));
    }
    lane.into_iter().chain(pool).collect()
}

/// Reads the countries of a step: those in `only`, or all but those in `skip_when`. There is no condition for an empty
/// column, because a message that cannot be rendered falls back anyway.
fn countries(table: &mut Table<'_>) -> Countries {
    let (only, skipped) = (countries_named(table, "only"), countries_named(table, "skip_when"));
    match (only, skipped) {
        (Some(_), Some(_)) => {
            table.wrong("skip_when", "`only` already selects the countries; keep one of them");
            Countries::Everywhere
        }
        (Some(only), None) => Countries::Only(only),
        (None, Some(skipped)) => Countries::AllBut(skipped),
        (None, None) => Countries::Everywhere,
    }
}

/// Reads countries by their codes, if the key is set.
pub fn countries_named(table: &mut Table<'_>, key: &'static str) -> Option<BTreeSet<Country>> {
    if !table.has(key) {
        return None;
    }
    let codes = table.texts(key, Most::COUNTRIES);
    if codes.is_empty() {
        table.wrong(key, "names no country; write some, such as [\"SG\", \"MY\"], or remove it");
    }
    let mut countries = BTreeSet::new();
    for code in codes {
        match Country::by_code(&code) {
            Some(country) => countries.extend([country]),
            None => table.wrong(key, unknown_country(&code)),
        }
    }
    Some(countries)
}

pub(crate) fn unknown_country(code: &str) -> String {
    // A typing error mostly leaves the first letter right.
    let first = code.trim().chars().next().map(|first| first.to_ascii_uppercase());
    let alike = Country::known().filter(|known| known.chars().next() == first);
    let right = match code.trim().to_ascii_uppercase().as_str() {
        "UK" => Some("GB"),
        code => nearest(code, alike).or_else(|| nearest(code, Country::known())),
    };
    match right {
        Some(right) => format!("unknown country \"{code}\"; did you mean {right}?"),
        None => format!("unknown country \"{code}\"; use its two letters, such as SG or MY"),
    }
}
