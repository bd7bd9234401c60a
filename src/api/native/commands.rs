//! `/commands`: runs a command line on the server, for a client that prints what the command prints.

#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::mpsc;
use tracing::Instrument;
use utoipa::ToSchema;

use super::campaigns::file::CampaignBody;
use super::extract::{Call, Json};
use super::problem::{Answer, Kind, Problem};
use crate::access::Denied;
use crate::api::Shared;
use crate::api::commands::{CommandLine, Printed, Terminal};
use crate::api::door::Patience;
use crate::api::once;
use crate::domain::Span;

/// The media type of the answer: one JSON object a line.
pub(super) const LINES: &str = "application/x-ndjson";
/// Commands that run at the same time.
pub(super) const RUNNING_MAX: usize = 16;
/// Pieces of output that wait for a caller who reads slowly. Then the command waits.
const WAITING_MAX: usize = 1_024;
/// An empty line comes after this time without output, so that nothing between server and caller takes the connection for dead.
const HEARTBEAT: Span = Span::from_secs(15);
/// When to repeat a command that found too many others.
const LATER: Span = Span::from_secs(2);

/// A command line.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"words": ["campaign", "report", "November promo"]}))]
pub(super) struct CommandBody {
    /// The words after `volley`.
    #[schema(min_items = 1)]
    words: Vec<String>,
    /// The campaign file that the words name, as JSON.
    #[serde(default)]
    campaign: Option<CampaignBody>,
    #[serde(default)]
    terminal: Terminal,
}

/// Run a command line on the server, and get what it prints.
///
/// This is what `volley --server` calls. A program finds its operations above: they answer with objects, not with text.
///
/// Commands about campaigns, audiences, lanes, templates, messages, opt-outs, replies and events can run here, unless they read
/// or write a file of the caller's computer. A command that changes something also needs the scope `manage`. It goes on to its
/// end if its caller is gone; a command that only reads then ends.
///
/// The answer has one JSON object on each line, as soon as it is printed, and an empty line now and then. With an
/// `Idempotency-Key` it is complete before it is sent. The last line is the exit code.
#[utoipa::path(post, path = "/commands", operation_id = "run_command", tag = "commands", request_body = CommandBody,
    responses((status = 200, description = "What the command prints, one object on each line.", body = Printed,
        content_type = "application/x-ndjson", example = json!({"text": {"stream": "stdout", "text": "…\n"}})),
        (status = 404)))]
pub(super) async fn run(
    State(shared): State<Shared>,
    call: Call,
    patience: Option<Extension<Patience>>,
    headers: HeaderMap,
    Json(body): Json<CommandBody>,
) -> Answer<Response> {
    let caller = &call.caller;
    let Some(commands) = shared.commands.clone() else {
        return Err(Problem::new(Kind::NotFound, "this server runs no commands for callers"));
    };
    let scope = commands.scope(&body.words).map_err(|error| Problem::new(Kind::Invalid, error).at("/words"))?;
    caller.check(scope).map_err(|denied: Denied| Problem::new(Kind::Forbidden, denied))?;
    let line = CommandLine {
        words: body.words,
        campaign: body.campaign.map(|campaign| campaign.draft(&shared)).transpose()?,
        terminal: body.terminal,
        caller: caller.name.clone(),
    };
    let running = Arc::clone(&shared.0.native.commands).try_acquire_owned().map_err(|_| {
        let sentence = format!("{RUNNING_MAX} commands run at the same time, which is the most; repeat this one later");
        Problem::new(Kind::Busy, sentence).retry_after(LATER)
    })?;
    let (printed, output) = mpsc::channel(WAITING_MAX);
    let task = async move {
        let _running = running;
        let exit = commands.run(line, printed.clone()).await;
        // Without a reader, the exit code is for nobody.
        let _ = printed.send(Printed::Exit(exit)).await;
    };
    tokio::spawn(task.in_current_span());
    // With a key, the answer is sent once it is complete.
    let is_sent_at_once = !headers.contains_key(once::KEY);
    let answer = ([(header::CONTENT_TYPE, LINES)], lines(output, &shared, is_sent_at_once));
    match patience.filter(|_| is_sent_at_once) {
        // The caller reads for as long as the command runs.
        Some(Extension(patience)) => {
            patience.stream(answer).map_err(|crowded| Problem::new(Kind::Busy, crowded).retry_after(LATER))
        }
        None => Ok(answer.into_response()),
    }
}

/// The output as the body of an answer, with a heartbeat if it is sent as it is printed.
fn lines(output: mpsc::Receiver<Printed>, shared: &Shared, has_heartbeat: bool) -> Body {
    let clock = Arc::clone(&shared.clock);
    Body::from_stream(stream::unfold((output, clock), move |(mut output, clock)| async move {
        let printed = tokio::select! {
            biased;
            printed = output.recv() => Some(printed?),
            () = clock.sleep(HEARTBEAT), if has_heartbeat => None,
        };
        let mut line = printed.map(|printed| serde_json::to_vec(&printed).unwrap_or_default()).unwrap_or_default();
        line.push(b'\n');
        Some((Ok::<_, Infallible>(Bytes::from(line)), (output, clock)))
    }))
}
