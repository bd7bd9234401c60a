//! `/healthz` and `/readyz`, which need no key.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use serde::Serialize;

use super::Shared;
use crate::base::domain::{Causes, Span, size};
use crate::store::{SchemaVersion, WriterFigures};

/// How long the database may take to answer.
const ANSWER_MAX: Span = Span::from_secs(2);
/// How long a write may wait. Longer, and the provider gives up on its webhooks.
const LAG_MAX: Span = Span::from_secs(5);
/// With less free space than this, the next writes may fail.
const DISK_MIN: u64 = 16 << 20;

pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// Whether the server can work, and what it checked.
#[derive(Debug, Serialize)]
struct ReadyView {
    ready: bool,
    /// Why not, one sentence each.
    reasons: Vec<String>,
    schema: Option<i64>,
    writer_lag_ms: i64,
    queued_writes: u64,
    disk_free_bytes: Option<u64>,
}

/// Answers in one line, or with `?verbose` in JSON.
pub(super) async fn ready(State(shared): State<Shared>, RawQuery(query): RawQuery) -> Response {
    let view = examine(&shared).await;
    let status = if view.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let is_verbose = query.is_some_and(|query| query.split('&').any(|part| part.split('=').next() == Some("verbose")));
    if is_verbose {
        return (status, Json(view)).into_response();
    }
    let line = if view.ready { "ready\n".to_owned() } else { format!("not ready: {}\n", view.reasons.join("; ")) };
    (status, line).into_response()
}

async fn examine(shared: &Shared) -> ReadyView {
    let mut reasons = Vec::new();
    // A database that cannot be written can often still be read.
    if shared.store.ended().now_or_never().is_some() {
        reasons.push("the database cannot be written any more".to_owned());
    }
    let answer = tokio::select! {
        answer = shared.store.schema_version() => Some(answer),
        () = shared.clock.sleep(ANSWER_MAX) => None,
    };
    let schema = match answer {
        Some(Ok(schema)) => {
            reasons.extend(wrong_schema(schema));
            Some(schema.found)
        }
        Some(Err(error)) => {
            reasons.push(Causes(&error).to_string());
            None
        }
        None => {
            reasons.push(format!("the database does not answer within {ANSWER_MAX}"));
            None
        }
    };
    let (writer, free, now) = (shared.store.writer_figures(), shared.store.free_space(), shared.clock.now());
    reasons.extend(slow(&writer, writer.lag(now)));
    reasons.extend(full(free));
    ReadyView {
        ready: reasons.is_empty(),
        reasons,
        schema,
        writer_lag_ms: writer.lag(now).millis(),
        queued_writes: writer.queued,
        disk_free_bytes: free,
    }
}

fn wrong_schema(schema: SchemaVersion) -> Option<String> {
    let SchemaVersion { found, known } = schema;
    (!schema.is_current())
        .then(|| format!("the database has schema {found}, and this build knows {known}; restart the server with the build that upgraded it"))
}

fn slow(writer: &WriterFigures, lag: Span) -> Option<String> {
    let queued = writer.queued;
    (lag > LAG_MAX)
        .then(|| format!("the database is too slow: the oldest of {queued} queued writes has waited for {lag}"))
}

fn full(free: Option<u64>) -> Option<String> {
    let free = free.filter(|free| *free < DISK_MIN)?;
    Some(format!("only {} are free on the disk of the database; free some space", size(free)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::domain::{Histogram, Timestamp};

    #[test]
    fn each_reason_says_what_is_wrong() {
        let version = |found| SchemaVersion { found, known: 4 };
        assert_eq!(wrong_schema(version(4)), None);
        assert!(wrong_schema(version(5)).unwrap().starts_with("the database has schema 5, and this build knows 4"));
        let histogram = || Histogram::new(&[1]).figures();
        let (oldest, queued) = (Some(Timestamp::from_millis(1_000)), 7);
        let writer = WriterFigures { oldest, queued, group_sizes: histogram(), commit_ms: histogram(), failed: 0 };
        let lag = |millis: i64| writer.lag(Timestamp::from_millis(1_000 + millis));
        assert_eq!(slow(&writer, lag(5_000)), None);
        assert!(slow(&writer, lag(5_001)).unwrap().contains("the oldest of 7 queued writes has waited"));
        assert_eq!((full(None), full(Some(DISK_MIN))), (None, None));
        assert!(full(Some(DISK_MIN - 1)).unwrap().contains("free some space"));
    }
}
