//! The report of a campaign, and its tables by country and code.

use axum::extract::State;
use axum::response::{Redirect, Response};

use super::counting::{CountedTables, Countings, FEW, Stage};
use crate::base::domain::Scope;
use crate::campaigns::report::Report;
use crate::http::api::Shared;
use crate::http::api::native::{Answer, Call, Kind, Path, Problem, found};
use crate::http::api::web::admit::Session;
use crate::http::api::web::frame::page;
use crate::http::pages::{Part, Place, ReportPage, Tables, TablesPage, TablesStage, campaign_path};
use crate::store::Batch;

pub(super) async fn report(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    let batch = found(&shared, &call, &campaign).await?;
    let report = Report::read(shared.store.as_ref(), &batch).await?;
    page(&ReportPage {
        frame: session.frame(Place::Below(Part::Campaigns)),
        report: &report,
        started_at: batch.started_at,
        finished_at: batch.finished_at,
        made_at: shared.clock.now(),
        is_purged: batch.purged_at.is_some(),
    })
}

/// Its tables as a page shows them; with the address of the recipients, numbers lead there.
pub(super) fn shown<'a>(
    counted: &'a CountedTables,
    currency: Option<&'a str>,
    recipients: Option<String>,
) -> Tables<'a> {
    Tables { counted: &counted.tables, currency, at: counted.at, recipients }
}

/// The currency of the prices of a campaign.
pub(super) async fn currency(shared: &Shared, batch: &Batch) -> Answer<Option<String>> {
    Ok(shared.store.plan(batch.id).await?.and_then(|plan| plan.currency))
}

pub(super) async fn tables(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    session: Session,
    call: Call,
) -> Answer<Response> {
    let batch = found(&shared, &call, &campaign).await?;
    let currency = currency(&shared, &batch).await?;
    let countings = &shared.0.countings;
    if countings.stage(batch.id).is_none() && is_counted_unasked(&batch) {
        // If too many are being counted, the page has its button.
        let _ = Countings::begin(&shared, batch.id);
    }
    let stage = countings.stage(batch.id);
    let stage = match &stage {
        None => TablesStage::NotCounted,
        Some(Stage::Counting { done, of }) => TablesStage::Counting { done: *done, of: *of },
        Some(Stage::Failed(why)) => TablesStage::Failed(why.clone()),
        Some(Stage::Counted(counted)) => {
            let path = campaign_path(&batch.public_id().to_string());
            let recipients = batch.purged_at.is_none().then(|| format!("{path}/recipients"));
            TablesStage::Counted(shown(counted, currency.as_deref(), recipients))
        }
    };
    page(&TablesPage {
        frame: session.frame(Place::Below(Part::Campaigns)),
        campaign: batch.display_name(),
        campaign_id: batch.public_id().to_string(),
        messages: batch.messages,
        state: batch.state,
        stage,
    })
}

/// Whether a campaign is counted without a click: one with few messages, which are still stored.
const fn is_counted_unasked(batch: &Batch) -> bool {
    batch.messages < FEW && batch.purged_at.is_none()
}

/// Counts the tables. It changes nothing, so whoever may read may count.
pub(super) async fn count(State(shared): State<Shared>, Path(campaign): Path<String>, call: Call) -> Answer<Redirect> {
    call.caller.check(Scope::Read)?;
    let batch = found(&shared, &call, &campaign).await?;
    ensure_kept(&batch)?;
    Countings::begin(&shared, batch.id)?;
    Ok(Redirect::to(&format!("{}/report/tables", campaign_path(&batch.public_id().to_string()))))
}

/// Refuses what needs the messages of a campaign that was purged.
pub(in crate::http::api::web) fn ensure_kept(batch: &Batch) -> Answer<()> {
    match batch.purged_at {
        None => Ok(()),
        Some(at) => {
            let (name, at) = (batch.display_name(), crate::base::clock::format_time(at, None));
            let sentence = format!("\"{name}\" was purged at {at}: its messages are gone; its report remains");
            Err(Problem::new(Kind::Conflict, sentence))
        }
    }
}
