//! What a launch would do: whom it leaves out, what it costs, and what becomes of each step.

use super::{Opened, path, words};
use crate::base::domain::text::{about, capital, list};
use crate::base::domain::{Money, Plan, Step, StepIndex, Tallies, Timestamp};
use crate::campaigns::campaign::{Prepared, rules, small_limits};
use crate::campaigns::status::Look;
use crate::http::api::Shared;
use crate::http::api::native::Answer;
use crate::http::pages::{Frame, OutlookStep, WritingPage, rejected_path};
use crate::recipients::audience::{Corrected, Rejection};
use crate::rules::forecast::{CountryCost, Shares};

/// Rows that get no message, by reason.
pub(super) fn left_out(Prepared { recipients, .. }: &Prepared) -> Vec<(String, u64)> {
    let texts = crate::http::pages::texts().review;
    let rejected = recipients.left_out.iter().flat_map(|rows| rows.reasons.iter());
    let rejected = rejected.map(|(reason, count)| (reason.to_string(), *count));
    let chosen = [
        (texts.not_selected, recipients.not_selected),
        (texts.in_several, recipients.across),
        (texts.opted_out, recipients.opted_out),
    ];
    let chosen = chosen.into_iter().map(|(reason, count)| (reason.to_owned(), count));
    rejected.chain(chosen).filter(|(_, count)| *count > 0).collect()
}

/// The rows of the files that no audience has, because their import rejected them, and the address that lists them.
pub(super) async fn rejected(shared: &Shared, opened: &Opened) -> Answer<Option<(u64, String)>> {
    let (id, audiences) = (opened.sketch.id, opened.audiences(shared).await?);
    let listed: u64 = audiences.iter().map(|audience| Rejection::of(audience).rows).sum();
    let corrected = Corrected::of(audiences.iter().flat_map(|audience| &audience.parts));
    let rows = listed.saturating_sub(corrected.still_listed);
    let place = match opened.document.audiences().as_slice() {
        [name] => rejected_path(name, None, Some(&id.to_string())),
        _ => path(id, WritingPage::Check),
    };
    Ok((rows > 0).then_some((rows, place)))
}

/// An amount with the currency of the plan.
fn amount(plan: &Plan, money: Money) -> String {
    money.rounded(plan.currency.as_deref())
}

const MINUTE: i64 = 60_000;

/// When all first messages are sent, and the last message if every message falls back. The times are bounds, so each is the minute
/// after.
pub(in crate::http::api::web) fn ends(
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    frame: &Frame,
) -> impl Iterator<Item = (&'static str, String)> {
    let own = crate::http::pages::texts().review;
    let ends = [(own.first_messages_by, first), (own.last_message_by, last)];
    let minute_after = |at: Timestamp| Timestamp::from_millis((at.millis() / MINUTE + 1) * MINUTE);
    ends.into_iter().filter_map(move |(label, at)| Some((label, frame.time(minute_after(at?)))))
}

/// The cost of a launch: at least, and at most.
pub(in crate::http::api::web) fn costs(plan: &Plan) -> Vec<(&'static str, String)> {
    let texts = crate::http::pages::texts().review;
    let Some(cost) = &plan.cost else { return Vec::new() };
    [(texts.cost_first, cost.first), (texts.cost_most, cost.at_most)]
        .map(|(label, money)| (label, amount(plan, money)))
        .into()
}

/// What is doubtful about the limits of a launched campaign, one sentence each.
pub(in crate::http::api::web) fn doubts(look: &Look, plan: &Plan, tallies: &Tallies) -> Vec<String> {
    small_limits(look.batch.state, plan, tallies, look.at).iter().map(words::warning).collect()
}

/// When a campaign begins and ends, its hours and limits, and whom it is for, one sentence each.
pub(in crate::http::api::web) fn rules(plan: &Plan, has_begun: bool) -> Vec<String> {
    let lines = [rules::of_start(plan, has_begun), rules::of_recipients(plan), rules::of_campaign(plan)];
    lines.into_iter().flatten().map(|line| capital(&line)).collect()
}

/// The countries, hours and limits of a step, one sentence each.
pub(in crate::http::api::web) fn rules_of_step((index, step): (StepIndex, &Step), plan: &Plan) -> Vec<String> {
    let countries = rules::country_limit(&step.countries).into_iter();
    countries.chain(rules::limits_of_step((index, step), plan)).map(|line| capital(&line)).collect()
}

/// What a launch does with each step.
pub(super) fn steps(prepared: &Prepared) -> Vec<OutlookStep> {
    let (texts, plan) = (crate::http::pages::texts(), &prepared.plan);
    let (shares, last) = (Shares::of(plan, &prepared.recipients.crowd()), plan.steps.len());
    let steps = plan.indexed_steps().map(|(index, step)| {
        let number = index.index() + 1;
        let lanes: Vec<&str> = step.lanes.names().collect();
        let after = step.fallback_after.map(about).unwrap_or_default();
        let sums = CountryCost::of_step((index, step), &prepared.bill).into_iter().map(|cost| cost.sum);
        let cost = (!step.prices.is_empty()).then(|| amount(plan, sums.sum()));
        OutlookStep {
            number,
            channel: step.channel.to_string(),
            lanes: list(&lanes),
            falls_back: match number < last {
                true => texts.wizard.falls_back(&after, step.success),
                false => texts.review.last_step.to_owned(),
            },
            rules: rules_of_step((index, step), plan),
            recipients: shares.at(index).recipients,
            cost,
        }
    });
    steps.collect()
}
