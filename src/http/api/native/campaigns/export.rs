//! The messages of a campaign as a table.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use futures_util::stream;
use serde::Deserialize;

use super::parts::found;
use crate::base::clock::format_time;
use crate::base::domain::Zone;
use crate::campaigns::report::{ExportColumns, ExportRows};
use crate::http::api::Shared;
use crate::http::api::native::extract::{Call, Path, Query};
use crate::http::api::native::problem::{Answer, Kind, Problem};
use crate::http::api::native::table::TableFormat;

/// What an export has.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http::api::native) struct ExportQuery {
    #[serde(default)]
    #[param(inline)]
    format: TableFormat,
    /// Columns, in this order, separated by commas: `number,outcome,1 SMS status`. By default all.
    columns: Option<String>,
    /// Time zone of the times; by default that of the campaign, else UTC.
    #[param(value_type = Option<String>)]
    time_zone: Option<Zone>,
}

/// Export a campaign: a row for each recipient, with the result of every step.
///
/// The rows are those of one moment. The answer begins when the campaign is copied, and is sent as it is read. If it ends
/// without its last chunk, it is not complete.
#[utoipa::path(get, path = "/campaigns/{campaign}/export", operation_id = "export_campaign", tag = "campaigns",
    params(("campaign" = String, Path, description = "Id or name of the campaign."), ExportQuery),
    responses((status = 200, description = "The messages with their recipients and steps.",
        content((String = "text/csv"), (String = "application/x-ndjson"))), (status = 404), (status = 409)))]
pub(in crate::http::api::native) async fn export(
    State(shared): State<Shared>,
    Path(campaign): Path<String>,
    Query(query): Query<ExportQuery>,
    call: Call,
) -> Answer<Response> {
    let batch = found(&shared, &call, &campaign).await?;
    let name = batch.display_name();
    if let Some(at) = batch.purged_at {
        let at = format_time(at, None);
        let sentence = format!("\"{name}\" was purged at {at}: its messages are gone; its report remains");
        return Err(Problem::new(Kind::Conflict, sentence));
    }
    let gone = || Problem::new(Kind::Conflict, format_args!("the plan of \"{name}\" is no longer stored"));
    let plan = shared.store.plan(batch.id).await?.ok_or_else(gone)?;
    let names: Vec<String> = query
        .columns
        .iter()
        .flat_map(|names| names.split(','))
        .map(str::to_owned)
        .filter(|name| !name.is_empty())
        .collect();
    let columns = ExportColumns::of(&plan, batch.tag, query.time_zone).only(&names);
    let columns = columns.map_err(|error| Problem::new(Kind::InvalidParameter, error).of_parameter("columns"))?;
    let (header, store) = (columns.names().map(str::to_owned).collect(), Arc::clone(&shared.store));
    let begin = (None, columns, store);
    let pages = stream::try_unfold(begin, move |(rows, columns, store)| async move {
        let rows = match rows {
            Some(rows) => Some(rows),
            None => ExportRows::copy(store.as_ref(), batch.id, columns.clone(), |_, _| ()).await?,
        };
        // A campaign that was deleted meanwhile has no rows.
        let Some(mut rows) = rows else { return Ok(None) };
        let page = rows.next(store.as_ref()).await?;
        Ok(page.map(|page| (page, (Some(rows), columns, store))))
    });
    shared.0.native.tables.answer(query.format, header, pages)
}
