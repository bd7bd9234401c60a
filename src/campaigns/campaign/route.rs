//! Makes a plan from a draft, and checks every rule of a route once.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::chosen::ChosenSteps;
use super::file::{Draft, TimeZone};
use super::lint::{Lint, Warning};
use super::overlap::{Overlap, Resolved, past};
use super::plan_checks::wrong_at_limits;
use super::prices::PriceList;
use super::route_templates::Templates;
use super::time::Schedule;
use crate::base::config::{Config, DraftStep, Lane, Problem, Route, Wanted, reachable_by_all};
use crate::base::domain::{
    Channel, Content, Country, Hours, Limits, Names, OnOverlap, OptOutOf, Plan, Purpose, RecipientRules, SmsEncoding,
    Span, Step, StepIndex,
};
use crate::provider::catalogue::Catalogue;
use crate::recipients::audience::DefaultCountry;
use crate::rules::template::{self, Sending};

/// The longest that a step may wait: no provider tries to deliver a message for longer.
const LONGEST_WAIT: Span = Span::from_secs(30 * 86_400);

/// Makes the plan of a draft for an audience with these columns, with warnings about what it changed; or returns every
/// problem.
pub fn plan(
    draft: &Draft,
    columns: &[String],
    config: &Config,
    schedule: &Schedule,
    prices: Option<&PriceList>,
    catalogue: &Catalogue,
) -> Result<(Plan, Vec<Warning>), Vec<Problem>> {
    let chosen = draft.route.choose(config).map_err(|problem| vec![problem])?;
    let (ttl, on_overlap, purpose) = (draft.ttl, draft.on_overlap, draft.purpose);
    let hours = Hours { since: schedule.since, ..draft.hours.clone() };
    let allowed = draft.allow_countries.as_ref();
    let names = Names { columns, values: &draft.values };
    let of = Building::of(chosen, config);
    let templates = Some(Templates { catalogue, waits_for_approval: draft.when.is_some() });
    let mut building =
        Building { purpose, names: Some(names), ttl, on_overlap, hours, allowed, prices, templates, ..of };
    for note in &schedule.notes {
        building.warnings.push(Warning { code: Lint::ClockChange, step: None, sentence: note.clone() });
    }
    building.check_values();
    let steps = building.steps();
    let limits = building.limits(None, &draft.wanted);
    building.check_hold_rule(draft, &steps);
    if !building.problems.is_empty() {
        return Err(building.problems());
    }
    let plan = Plan {
        columns: columns.to_vec(),
        values: draft.values.clone(),
        steps,
        ttl: draft.ttl,
        at: schedule.at,
        when: draft.when,
        end: schedule.end,
        on_unknown: draft.on_unknown,
        after_gap: draft.after_gap,
        on_missed: draft.on_missed,
        on_missing_value: draft.on_missing_value,
        limits,
        currency: prices.and_then(|prices| prices.currency.clone()),
        pause_when: draft.pause_when,
        hold_paid_when: draft.hold_paid_when,
        over: schedule.over,
        time_zone: draft.time_zone.and_then(TimeZone::zone),
        is_again: false,
        is_retry: false,
        recipients: Some(recipient_rules(draft)),
        cost: None,
        unselected: 0,
        is_test: false,
        confirms_opt_out: false,
        api: None,
    };
    Ok((plan, building.warnings))
}

fn recipient_rules(draft: &Draft) -> RecipientRules {
    RecipientRules {
        filter: draft.selection.as_ref().map(|selection| selection.as_str().to_owned()),
        exclude: draft.exclude.clone(),
        allow_countries: draft.allow_countries.clone(),
        country: draft.country.map(DefaultCountry::country),
    }
}

/// Returns every problem that the routes of the configuration would have in any campaign. The columns of the audience
/// and the campaign's own keys are not known yet.
pub fn check_routes(config: &Config) -> Vec<Problem> {
    let check = |route: &Route| {
        let mut route = route.clone();
        // A local file gets its address at the launch.
        for step in &mut route.steps {
            for address in step.content.media().iter().filter(|address| address.is_path()) {
                step.content.set_media(&address.part, &format!("https://{}", address.text));
            }
        }
        let mut building = Building::of(ChosenSteps::from(&route), config);
        building.steps();
        building.problems()
    };
    config.routes.iter().flat_map(check).collect()
}

/// Builds steps before their recipients are known, or returns every problem that they would have in any campaign. A
/// template that is not approved yet does.
pub(super) fn steps_of(
    chosen: ChosenSteps<'_>,
    config: &Config,
    catalogue: &Catalogue,
) -> Result<Vec<Step>, Vec<Problem>> {
    let templates = Some(Templates { catalogue, waits_for_approval: true });
    let mut building = Building { templates, ..Building::of(chosen, config) };
    let steps = building.steps();
    if building.problems.is_empty() { Ok(steps) } else { Err(building.problems()) }
}

/// The opt-outs of all senders that leave a draft's recipients nothing. A draft whose steps are wrong is refused later.
pub(super) fn heeds_of(draft: &Draft, config: &Config, catalogue: &Catalogue) -> OptOutOf {
    let Ok(chosen) = draft.route.choose(config) else { return OptOutOf::Everything };
    let templates = Some(Templates { catalogue, waits_for_approval: true });
    let mut building = Building { purpose: draft.purpose, templates, ..Building::of(chosen, config) };
    Plan::of_steps(building.steps()).heeds().unwrap_or_default()
}

pub(super) const NOTHING_FOLLOWS: &str = "the last step has nothing to fall back to; remove it, or add a step";
pub(super) const NOTHING_TO_HOLD: &str =
    "no step after the first costs anything, so there is nothing to hold; remove it";

/// Whether no step could be held by `hold_paid_when`.
pub(super) fn holds_nothing(steps: &[Step]) -> bool {
    !steps.iter().skip(1).any(Step::is_paid)
}

pub(super) struct Building<'a> {
    pub(super) chosen: ChosenSteps<'a>,
    pub(super) config: &'a Config,
    /// What steps are for that do not say it.
    purpose: Option<Purpose>,
    /// `None` while the audience is unknown.
    names: Option<Names<'a>>,
    ttl: Option<Span>,
    on_overlap: OnOverlap,
    /// When a step without its own hours may be sent.
    hours: Hours,
    /// The only countries to send to, if the campaign names some.
    pub(super) allowed: Option<&'a BTreeSet<Country>>,
    /// `None` without a price list.
    prices: Option<&'a PriceList>,
    /// `None` while a route is checked without a campaign.
    pub(super) templates: Option<Templates<'a>>,
    problems: Vec<Problem>,
    warnings: Vec<Warning>,
}

impl Draft {
    /// The lanes that its steps would use, as far as they are known.
    pub fn lanes<'a>(&'a self, config: &'a Config) -> Vec<&'a Lane> {
        let Ok(chosen) = self.route.choose(config) else { return Vec::new() };
        let building = Building::of(chosen, config);
        chosen.steps.iter().flat_map(|step| building.lanes_of(step)).collect()
    }
}

impl<'a> Building<'a> {
    fn of(chosen: ChosenSteps<'a>, config: &'a Config) -> Self {
        Self {
            chosen,
            config,
            purpose: None,
            names: None,
            ttl: None,
            on_overlap: OnOverlap::Warn,
            hours: Hours::default(),
            allowed: None,
            prices: None,
            templates: None,
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Builds the steps whose lanes are known, and records every problem.
    fn steps(&mut self) -> Vec<Step> {
        let mut taken = BTreeMap::new();
        let mut steps = Vec::new();
        for (index, step) in StepIndex::all().zip(self.chosen.steps) {
            if let Some(first) = taken.insert(step.channel.code(), index) {
                let sentence = format!(
                    "{} is already step {first}, and a receipt does not name its step; use each channel once",
                    step.channel
                );
                self.add_problem(index, "channel", sentence);
            }
            steps.extend(self.step(index, step));
        }
        steps
    }

    /// The problems, each under the name of its route.
    fn problems(self) -> Vec<Problem> {
        let Self { chosen, problems, .. } = self;
        match chosen.route {
            Some(name) => problems.into_iter().map(|problem| problem.in_route(name)).collect(),
            None => problems,
        }
    }

    pub(super) fn add_problem(&mut self, step: StepIndex, key: impl Into<String>, sentence: impl std::fmt::Display) {
        self.problems.push(Problem::new(Some(step), key, sentence));
    }

    /// Builds a step; `None` if its lanes are unknown.
    fn step(&mut self, index: StepIndex, step: &DraftStep) -> Option<Step> {
        let step = &*self.with_category(index, step);
        let step = &*self.with_constants(step);
        let channel = step.channel;
        let success = step.success_status.unwrap_or(channel.default_success());
        if success > channel.best_status() {
            let sentence = format!("{channel} never reports {success}; use {}", channel.default_success());
            self.add_problem(index, "success_status", sentence);
        }
        for (key, wrong) in wrong_at_limits(step, self.is_last(index), self.ttl) {
            self.add_problem(index, key, wrong);
        }
        self.check_content(index, step);
        let fallback_after = self.fallback_after(index, step);
        let ttl = self.ttl(index, step);
        let lanes = self.pool(index, step)?;
        self.check_templates(index, step, &lanes);
        let window = match ttl {
            // The text of a step is dropped by the provider after its ttl; receipts may come a little later.
            Some(ttl) => past(ttl),
            None => step.content.delivers_for(None).unwrap_or(channel.receipt_window()),
        };
        let mut built = Step {
            channel,
            purpose: step.purpose.or(self.purpose),
            countries: self.countries(step, &lanes),
            lanes,
            limits: self.limits(Some(index), &step.wanted),
            prices: self.prices.map(|prices| prices.of(channel, &step.content)).unwrap_or_default(),
            fallback_after,
            success,
            // `on_overlap` may have moved the deadline past the TTL.
            receipt_window: step.receipt_window.unwrap_or(window.max(fallback_after.unwrap_or(Span::ZERO))),
            ttl,
            leave_within: step.leave_within,
            on_tier_spent: step.on_tier_spent,
            on_recipient_limit: step.on_recipient_limit,
            us_marketing: None,
            hours: self.hours(step),
            user_id: step.line_user_id.clone(),
            transliterate: step.transliterate,
            content: step.content.clone(),
        };
        built.withhold_us_marketing(step.us_marketing);
        Some(built)
    }

    /// The step with the campaign's constants in its texts. A file at a constant address is then checked as any other, and
    /// a text of constants alone counts as the same for all recipients.
    fn with_constants<'s>(&self, step: &'s DraftStep) -> Cow<'s, DraftStep> {
        let Some(names) = self.names.filter(|names| !names.values.is_empty()) else { return Cow::Borrowed(step) };
        let mut step = step.clone();
        template::fill_constants(&mut step.content, names);
        let line_user_id = step.line_user_id.as_deref().and_then(|text| template::constant_text(text, names));
        step.line_user_id = line_user_id.or(step.line_user_id);
        Cow::Owned(step)
    }

    /// The campaign's hours, with the step's own where it has some.
    fn hours(&self, step: &DraftStep) -> Hours {
        let ours = self.hours.clone();
        Hours {
            quiet: step.quiet_hours.clone().unwrap_or(ours.quiet),
            windows: step.send_window.clone().unwrap_or(ours.windows),
            ..ours
        }
    }

    /// Checks the campaign's own variables. If one is wrong, steps are checked as if the columns were unknown, because
    /// they would repeat its problem.
    fn check_values(&mut self) {
        let Some(names) = self.names else { return };
        for (name, problem) in template::check_values(names) {
            self.problems.push(Problem::new(None, "values", format!("{name}: {problem}")));
            self.names = None;
        }
    }

    fn check_content(&mut self, index: StepIndex, step: &DraftStep) {
        match (step.channel, &step.line_user_id) {
            (Channel::Line, None) => self.add_problem(
                index,
                "line_user_id",
                "is missing; LINE knows recipients by their ids: write line_user_id = \"{{Column}}\"",
            ),
            (Channel::Line, Some(id)) if !id.contains("{{") => self.add_problem(
                index,
                "line_user_id",
                format!(
                    "\"{id}\" is the same for all recipients, so one of them would get every message: write line_user_id = \
                     \"{{{{Column}}}}\""
                ),
            ),
            (Channel::Line, Some(_)) | (_, None) => {}
            (other, Some(_)) => {
                self.add_problem(index, "line_user_id", format!("belongs to LINE, not to {other}; remove it"));
            }
        }
        if step.transliterate {
            self.check_transliterate(index, step);
        }
        // An unknown lane is a problem of its own.
        let reachable = reachable_by_all(self.lanes_of(step).into_iter());
        let sending = Sending { channel: step.channel, transliterates: step.transliterate, reachable };
        let mut errors = template::check(sending, &step.content);
        if let Some(names) = self.names.filter(|_| errors.is_empty()) {
            errors.extend(template::mark(&step.content, step.line_user_id.as_deref(), names).err());
        }
        for error in errors {
            self.add_problem(index, error.part.in_step(), error.problem);
        }
    }

    fn check_transliterate(&mut self, index: StepIndex, step: &DraftStep) {
        let wrong = match &step.content {
            _ if step.channel != Channel::Sms => format!("belongs to an SMS, not to {}; remove it", step.channel),
            Content::Text { encoding: Some(encoding @ (SmsEncoding::Gsm7 | SmsEncoding::Ucs2)), .. } => format!(
                "needs the encoding AUTO, because the characters decide it, and it is {encoding}; remove one of them"
            ),
            _ => return,
        };
        self.add_problem(index, "transliterate", wrong);
    }

    /// The time after which the step falls back, moved where `on_overlap` requires it.
    fn fallback_after(&mut self, index: StepIndex, step: &DraftStep) -> Option<Span> {
        let fallback_after = step.fallback_after?;
        if self.is_last(index) {
            // An error and not a warning: the operator expects a fallback, and there would be none.
            self.add_problem(index, "fallback_after", NOTHING_FOLLOWS);
            return None;
        }
        if fallback_after > LONGEST_WAIT {
            let sentence = format!("{fallback_after} is too long; the maximum is {LONGEST_WAIT}");
            self.add_problem(index, "fallback_after", sentence);
            return None;
        }
        let deadline = self.past_overlap(index, step, fallback_after)?;
        if let Some(ttl) = self.ttl.filter(|ttl| deadline >= *ttl) {
            let sentence = format!(
                "the step falls back after {deadline}, but by then the campaign's ttl of {ttl} has ended, so no later \
                 step could be sent; shorten it, or lengthen ttl"
            );
            self.add_problem(index, "fallback_after", sentence);
        }
        Some(deadline)
    }

    fn is_last(&self, index: StepIndex) -> bool {
        index.index() + 1 == self.chosen.steps.len()
    }

    /// The deadline, after `on_overlap` has decided about a provider TTL that is longer.
    fn past_overlap(&mut self, index: StepIndex, step: &DraftStep, fallback_after: Span) -> Option<Span> {
        let Some(overlap) = Overlap::of(&step.content, step.ttl, fallback_after) else { return Some(fallback_after) };
        match overlap.resolve(self.on_overlap) {
            Resolved::Kept => Some(fallback_after),
            Resolved::Moved(deadline, sentence) => {
                self.warnings.push(Warning { code: Lint::DeadlineMoved, step: Some(index), sentence });
                Some(deadline)
            }
            Resolved::Refused(sentence) => {
                self.add_problem(index, "fallback_after", sentence);
                None
            }
        }
    }

    /// How long the provider may deliver the step's message. A template has its own TTL at the provider.
    fn ttl(&mut self, index: StepIndex, step: &DraftStep) -> Option<Span> {
        let ttl = step.ttl?;
        if step.channel == Channel::WhatsApp && step.content.template().is_some() {
            self.add_problem(
                index,
                "ttl",
                "a template's ttl is set at the provider; write that value as template.ttl instead",
            );
        }
        if step.channel == Channel::LineNotification {
            self.add_problem(index, "ttl", "the provider takes no ttl with a LineNotification; remove it");
        }
        if let Some(most) = self.ttl.filter(|most| ttl > *most) {
            let sentence = format!("{ttl} is longer than the campaign's ttl of {most}; shorten it, or lengthen that");
            self.add_problem(index, "ttl", sentence);
        }
        Some(ttl)
    }

    /// The limits. A check of a route without a campaign does not know the prices.
    fn limits(&mut self, step: Option<StepIndex>, wanted: &Wanted) -> Limits {
        let sentence = match (wanted.budget, self.prices) {
            (Some(_), None) if self.names.is_some() => Some(
                "there are no prices to count it with; write [prices] file = \"prices.csv\" in volley.toml, and the file \
                 with the columns channel and price"
                    .to_owned(),
            ),
            (Some(budget), Some(prices)) if wanted.currency.is_some() && wanted.currency != prices.currency => {
                let (own, file) = (wanted.currency.as_deref().unwrap_or_default(), prices.file.display());
                Some(match &prices.currency {
                    Some(theirs) => format!("is in {own}, but {file} is in {theirs}; write it in {theirs}"),
                    None => format!("is in {own}, but {file} names no currency; write {budget} alone"),
                })
            }
            _ => None,
        };
        if let Some(sentence) = sentence {
            self.problems.push(Problem::new(step, "budget", sentence));
        }
        Limits { messages: wanted.messages, budget: wanted.budget }
    }

    /// Refuses a rule that could never hold a step.
    fn check_hold_rule(&mut self, draft: &Draft, steps: &[Step]) {
        if draft.hold_paid_when.is_some() && holds_nothing(steps) && steps.len() == self.chosen.steps.len() {
            self.problems.push(Problem::new(None, "hold_paid_when", NOTHING_TO_HOLD));
        }
    }
}
