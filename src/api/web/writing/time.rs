//! When and how fast: the start, hours, limits.

use axum::extract::State;
use axum::response::Response;

use super::fields::field;
use super::problems::{beside, page_of};
use super::{Changed, Document, Opened, Way};
use crate::api::Shared;
use crate::api::native::{Answer, Call, Path, Query};
use crate::api::web::admit::Session;
use crate::api::web::form::Form;
use crate::api::web::frame::{page, too_late};
use crate::campaign::schedule;
use crate::pages::{Field, FieldKind, WriteTime, Writing, WritingPage};

const TEXTS: [&str; 8] = ["at", "time_zone", "over", "end", "ttl", "max_messages", "budget", "pause_when"];
const LISTS: [&str; 1] = ["quiet_hours"];

pub(in crate::api::web) async fn time(
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
    let text = |key: &str, label, hint| field(keys, "", key, (label, hint), FieldKind::Text);
    let instant = |key: &str, label, hint| field(keys, "", key, (label, hint), FieldKind::Instant);
    let mut zone = text("time_zone", texts.time_zone, texts.time_zone_hint);
    if zone.value.is_empty() {
        // Most campaigns are for the zone of their operator.
        zone.value = session.0.zone.map(|zone| zone.to_string()).unwrap_or_default();
    }
    let mut groups: Vec<(&'static str, Vec<Field>)> = vec![
        (
            texts.start_group,
            vec![
                instant("at", texts.start_at, texts.start_at_hint),
                zone,
                text("over", texts.spread, texts.spread_hint),
            ],
        ),
        (
            texts.hours_group,
            vec![
                text("quiet_hours", texts.quiet_hours, texts.quiet_hours_hint),
                instant("end", texts.end, texts.end_hint),
                text("ttl", texts.ttl, texts.ttl_hint),
            ],
        ),
        (
            texts.limits_group,
            vec![
                text("max_messages", texts.max_messages, texts.max_messages_hint),
                text("budget", texts.budget, texts.budget_hint),
                text("pause_when", texts.pause_when, texts.pause_when_hint),
            ],
        ),
    ];
    let problems = match opened.document.draft() {
        Ok(draft) => schedule(&draft, shared.clock.now()).err().unwrap_or_default(),
        Err(problems) => problems,
    };
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

fn take(document: &mut Document, form: &Form) {
    let keys = &mut document.keys;
    keys.take(form, "", &TEXTS);
    keys.take_lists(form, "", &LISTS);
    if ["at", "end", "quiet_hours"].iter().all(|key| keys.text(key).is_empty()) {
        // A zone without a time says nothing.
        keys.put("time_zone", "");
    }
}

pub(in crate::api::web) async fn change_time(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    session: Session,
    call: Call,
    form: Form,
) -> Answer<Response> {
    match Opened::change(&shared, &call, (&id, &form), |document| take(document, &form)).await? {
        Changed::Saved(opened) => Ok(opened.after(WritingPage::Time, &form)),
        Changed::Late(opened) => {
            shown(&shared, &session, &opened, opened.late(&session, WritingPage::Time)).map(too_late)
        }
    }
}
