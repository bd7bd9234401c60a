//! The plan of a campaign, also before it starts: whom it goes to, what they read, when, and what it may cost.

use axum::extract::State;
use axum::response::Response;

use crate::base::domain::text::{about, list};
use crate::base::domain::{BatchState, Channel};
use crate::campaigns::campaign::{FirstMessage, crowd_in, first_messages, rules};
use crate::campaigns::status::{Look, Watcher};
use crate::http::api::Shared;
use crate::http::api::native::{Answer, Call, Path, Query, found, launcher};
use crate::http::api::web::admit::Session;
use crate::http::api::web::campaigns::ShowQuery;
use crate::http::api::web::frame::page;
use crate::http::api::web::writing::outlook;
use crate::http::pages::{Frame, Part, Place, PlanPage, PreviewMessage, PreviewStep, texts};

pub(super) async fn plan(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    Query(query): Query<ShowQuery>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    let batch = found(&shared, &call, &campaign).await?;
    let launcher = launcher(&shared, &shared.config, &call);
    let mut watcher = Watcher::new(&launcher, batch.id).await?;
    let look = watcher.look().await?;
    let plan = watcher.plan();
    let messages = first_messages(shared.store.as_ref(), &shared.config, &batch, plan).await?;
    let notice = query.done.map(|done| texts().done(done).to_owned());
    let frame = Frame { notice, ..session.frame(Place::Below(Part::Campaigns)) };
    let tallies = shared.store.tallies(batch.id).await?;
    // An import that cannot be read any more has no countries to show.
    let crowd = crowd_in(shared.store.as_ref(), &batch).await?.unwrap_or_default();
    let now = shared.clock.now();
    let start = match batch.state {
        // It is started at once if its time is over.
        BatchState::Draft => Some(batch.starts_at.map_or(now, |at| at.max(now))),
        _ => batch.started_at.or(batch.starts_at),
    };
    let on_their_clocks = start.map(|start| rules::on_their_clocks(plan, &crowd, start)).unwrap_or_default();
    let own = texts().plan;
    // The countries are those of the audience. Which of them have messages is not counted.
    let is_selected = crowd.values().sum::<u64>() > u64::from(batch.messages);
    let label = if is_selected { own.on_clocks_of_audience } else { texts().review.on_their_clocks };
    let on_their_clocks = (!on_their_clocks.is_empty()).then(|| (label, on_their_clocks.join(", ")));
    let budget = plan.limits.budget.map(|budget| (own.budget, budget.in_currency(plan.currency.as_deref())));
    let users: u64 = crowd.iter().filter(|(taker, _)| taker.only_on.is_some()).map(|(_, users)| users).sum();
    let steps = plan.indexed_steps().map(|(index, step)| {
        let lanes: Vec<&str> = step.lanes.names().collect();
        let after = step.fallback_after.map(about).unwrap_or_default();
        let falls_back =
            (!plan.ends_with(index)).then(|| own.falls_back(&texts().wizard.falls_back(&after, step.success)));
        let skipped = (users > 0 && !step.knows(Some(Channel::WhatsApp))).then(|| own.without_number(users));
        let begins = Some(tallies.beginning_at(index)).filter(|recipients| *recipients > 0);
        let sent_by = [own.sent_by(&list(&lanes))];
        let facts = begins.map(|recipients| own.begins(recipients)).into_iter().chain(sent_by);
        let facts = facts.chain(falls_back).chain(skipped);
        PreviewStep {
            title: format!("{index} · {}", step.channel),
            facts: facts.chain(outlook::rules_of_step((index, step), plan)).collect(),
            broken: Vec::new(),
            messages: messages.iter().filter(|message| message.step == index).map(shown).collect(),
        }
    });
    page(&PlanPage {
        recipients: look.report.audience,
        times: times(&look, &frame, on_their_clocks),
        costs: outlook::costs(plan).into_iter().chain(budget).collect(),
        rules: outlook::rules(plan, batch.started_at.is_some()),
        doubts: outlook::doubts(&look, plan, &tallies),
        steps: steps.collect(),
        look: &look,
        edition: batch.edition,
        frame,
    })
}

fn shown(message: &FirstMessage) -> PreviewMessage<'_> {
    PreviewMessage {
        title: message.to.to_string(),
        bubble: &message.bubble,
        length: message.bubble.measures().to_string(),
        broken: Vec::new(),
    }
}

/// When it starts and ends: a label and a time each.
fn times(look: &Look, frame: &Frame, on_their_clocks: Option<(&'static str, String)>) -> Vec<(&'static str, String)> {
    let own = texts().plan;
    let start = match (look.batch.started_at, look.batch.starts_at, look.batch.state) {
        (Some(at), _, _) => (own.started, frame.full_time(at)),
        (None, Some(at), BatchState::Draft) if at > look.at => (own.starts, frame.full_time(at)),
        (None, _, BatchState::Draft) => (own.starts, own.once_started.to_owned()),
        (None, Some(at), BatchState::Scheduled | BatchState::Paused) => (own.starts, frame.full_time(at)),
        (None, None, BatchState::Scheduled | BatchState::Paused) => (own.starts, own.once_approved.to_owned()),
        (None, _, _) => (own.starts, own.not_started.to_owned()),
    };
    let mut times = vec![start];
    times.extend(on_their_clocks);
    times.extend(outlook::ends(look.forecast.as_ref().map(|forecast| forecast.done_at), look.finished_by, frame));
    times
}
