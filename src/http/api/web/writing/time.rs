//! When and how fast: the start, hours, limits.

use axum::extract::State;
use axum::response::Response;

use super::fields::field;
use super::problems::{beside, page_of};
use super::{Changed, Document, Opened, Way};
use crate::base::config::Problem;
use crate::base::domain::{Timestamp, Zone, local};
use crate::campaigns::campaign::{instant, schedule};
use crate::http::api::Shared;
use crate::http::api::native::{Answer, Call, Path, Query};
use crate::http::api::web::admit::Session;
use crate::http::api::web::form::Form;
use crate::http::api::web::frame::{page, too_late};
use crate::http::pages::{Field, FieldKind, WriteTime, Writing, WritingPage};

const TEXTS: [&str; 9] =
    ["at", "time_zone", "over", "end", "ttl", "max_messages", "budget", "pause_when", "hold_paid_when"];
const LISTS: [&str; 3] = ["quiet_hours", "send_window", "holidays"];
/// A date with a time, as a field has it.
const LOCAL: &str = "%Y-%m-%dT%H:%M";
/// The value of `time_zone` for the clock of each recipient.
const RECIPIENTS: &str = "recipient";

pub(in crate::http::api::web) async fn time(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Query(way): Query<Way>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    let opened = Opened::by(&shared, &call, &id, &way).await?;
    shown(&shared, &session, &opened, opened.writing(&session, WritingPage::Time))
}

fn shown(shared: &Shared, session: &Session, opened: &Opened, mut writing: Writing) -> Answer<Response> {
    let (texts, keys) = (writing.frame.texts(), &opened.document.keys);
    let own = texts.results;
    let text = |key: &str, label, hint| field(keys, "", key, (label, hint), FieldKind::Text);
    let moment = |key: &str, label, hint| field(keys, "", key, (label, hint), FieldKind::Instant);
    let mut end = moment("end", texts.end, texts.end_hint);
    if let Some(at) = Timestamp::parse_rfc3339(&end.value) {
        end.value = session.0.zone.map(|zone| local(at, zone).format(LOCAL).to_string()).unwrap_or_default();
    }
    let mut zone = text("time_zone", texts.time_zone, texts.time_zone_hint);
    if let Some(known) = keys.text("time_zone").parse::<Zone>().ok().filter(|_| !zone.value.is_empty()) {
        // A file may write it in small letters.
        zone.value = known.to_string();
    }
    if zone.value.is_empty() {
        // Most campaigns are for the zone of their operator.
        zone.value = session.0.zone.map(|zone| zone.to_string()).unwrap_or_default();
    }
    zone.kind = zones(&zone.value);
    let mut groups: Vec<(&'static str, Vec<Field>)> = vec![
        (
            texts.start_group,
            vec![
                moment("at", texts.start_at, texts.start_at_hint),
                zone,
                text("over", texts.spread, texts.spread_hint),
            ],
        ),
        (
            texts.hours_group,
            vec![
                text("quiet_hours", texts.quiet_hours, texts.quiet_hours_hint),
                text("send_window", own.send_window, own.send_window_hint),
                text("holidays", own.holidays, own.holidays_hint),
                end,
                text("ttl", texts.ttl, texts.ttl_hint),
            ],
        ),
        (
            texts.limits_group,
            vec![
                text("max_messages", texts.max_messages, texts.max_messages_hint),
                text("budget", texts.budget, texts.budget_hint),
                text("pause_when", texts.pause_when, texts.pause_when_hint),
                text("hold_paid_when", own.hold_paid_when, own.hold_paid_when_hint),
            ],
        ),
    ];
    let problems = problems(shared, &opened.document);
    for problem in problems.iter().filter(|problem| page_of(problem) == WritingPage::Time) {
        let mut rest = None;
        for (_, fields) in &mut groups {
            rest = beside(fields, std::iter::once(problem)).pop();
            if rest.is_none() {
                break;
            }
        }
        writing.problems.extend(rest);
    }
    page(&WriteTime { writing, groups })
}

/// What is wrong with what is written, as far as its recipients and prices do not decide.
fn problems(shared: &Shared, document: &Document) -> Vec<Problem> {
    match document.draft() {
        Ok(draft) => schedule(&draft, shared.clock.now()).err().unwrap_or_default(),
        Err(problems) => problems,
    }
}

/// The zones of the start and the end: the clock of each recipient, or one for all.
fn zones(chosen: &str) -> FieldKind {
    let texts = crate::http::pages::texts();
    let mut choices = vec![(RECIPIENTS.to_owned(), texts.wizard.recipients_zone.to_owned())];
    choices.extend(Zone::all().map(|zone| (zone.to_string(), zone.to_string())));
    if !choices.iter().any(|(value, _)| value == chosen) {
        let label = if chosen.is_empty() { texts.wizard.no_zone } else { chosen };
        choices.insert(0, (chosen.to_owned(), label.to_owned()));
    }
    FieldKind::Choice(choices)
}

fn take(document: &mut Document, form: &Form, own: Option<Zone>) {
    let keys = &mut document.keys;
    keys.take(form, "", &TEXTS);
    keys.take_lists(form, "", &LISTS);
    // The end is one moment for all recipients: with the clock of each for the start, it is by the operator's own clock.
    if keys.text("time_zone") == RECIPIENTS
        && let Ok(end) = instant(&keys.text("end"), own)
    {
        keys.put("end", &end.at.rfc3339());
    }
    if ["at", "end", "quiet_hours", "send_window", "holidays"].iter().all(|key| keys.text(key).is_empty()) {
        // A zone without a time says nothing.
        keys.put("time_zone", "");
    }
}

pub(in crate::http::api::web) async fn change_time(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    session: Session,
    call: Call,
    form: Form,
) -> Answer<Response> {
    match Opened::change(&shared, &call, (&id, &form), |document| take(document, &form, session.0.zone)).await? {
        Changed::Saved(opened) => {
            let problems = problems(&shared, &opened.document);
            Ok(opened.after_checked(WritingPage::Time, &form, &problems))
        }
        Changed::Late(opened) => {
            shown(&shared, &session, &opened, opened.late(&session, WritingPage::Time)).map(too_late)
        }
    }
}
