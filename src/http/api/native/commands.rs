//! `/commands`: runs a command line on the server, for a client that prints what the command prints.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use parking_lot::Mutex;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tracing::Instrument;
use utoipa::ToSchema;

use super::campaigns::file::CampaignBody;
use super::extract::{Call, Json};
use super::problem::{Answer, Kind, Problem};
use super::recorded::About;
use crate::base::domain::{Scope, Span, Timestamp};
use crate::http::access::{Caller, Denied};
use crate::http::api::Shared;
use crate::http::api::commands::{CommandLine, Printed, Stream, Terminal};
use crate::http::api::door::Patience;
use crate::http::api::once;
use crate::recipients::audience::UploadedSource;

/// The media type of the answer: one JSON object a line.
pub(super) const LINES: &str = "application/x-ndjson";
/// Commands that run at the same time, of each kind.
const RUNNING_MAX: usize = 16;
/// Those of one caller.
const SHARE: usize = 6;
/// How long a command that only reads may take if its answer is kept: its end cannot wait for a caller who is gone.
const KEPT_FOR: Span = Span::from_secs(60);
/// Words of a command line.
const WORDS_MAX: usize = 10_000;
/// Pieces of output that wait for a caller who reads slowly. Then the command waits.
const WAITING_MAX: usize = 1_024;
/// An empty line comes after this time without output, so that nothing between server and caller takes the connection for dead.
const HEARTBEAT: Span = Span::from_secs(15);
/// Digits of a word that may be a phone number.
const NUMBER_DIGITS: usize = 6;
/// When to repeat a command that found too many others.
const LATER: Span = Span::from_secs(2);

/// Bounds the commands that run for callers. Those that read, some of them for hours, do not hinder those that change
/// something.
#[derive(Debug, Default)]
pub(super) struct Turns {
    reads: Shares,
    changes: Shares,
}

/// The turns of one kind of command, and of each caller who has some.
#[derive(Debug)]
struct Shares {
    all: Arc<Semaphore>,
    of_callers: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl Default for Shares {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(RUNNING_MAX)), of_callers: Mutex::default() }
    }
}

impl Turns {
    /// Takes a turn of all and one of the caller, which end together.
    pub(super) fn take(&self, scope: Scope, caller: &str) -> Answer<[OwnedSemaphorePermit; 2]> {
        let turns = if scope == Scope::Read { &self.reads } else { &self.changes };
        let mut of_callers = turns.of_callers.lock();
        // Each command holds its caller's turns.
        of_callers.retain(|_, own| Arc::strong_count(own) > 1);
        let own = of_callers.entry(caller.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(SHARE)));
        let kind = if scope == Scope::Read { "that only read" } else { "that change something" };
        let busy = |sentence: String| move |_| Problem::new(Kind::Busy, sentence).retry_after(LATER);
        let own = Arc::clone(own).try_acquire_owned().map_err(busy(format!(
            "you already have {SHARE} commands running {kind}, the limit for one caller; retry later"
        )))?;
        let of_all = Arc::clone(&turns.all).try_acquire_owned().map_err(busy(format!(
            "the server is already running {RUNNING_MAX} commands {kind}, its limit; retry later"
        )))?;
        Ok([own, of_all])
    }
}

/// What the audit log shows of a command: its words up to the first option, without numbers of recipients.
fn about(words: &[String]) -> About {
    let is_number = |word: &str| word.chars().filter(char::is_ascii_digit).count() >= NUMBER_DIGITS;
    let shown = words.iter().take_while(|word| !word.starts_with('-'));
    let shown: Vec<&str> = shown.map(|word| if is_number(word) { "…" } else { word.as_str() }).collect();
    About(shown.join(" "))
}

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
    /// Other files that the words name, each with the id of its upload.
    #[serde(default)]
    files: HashMap<String, String>,
    #[serde(default)]
    terminal: Terminal,
}

/// Run a command line on the server, and get what it prints.
///
/// This is what `volley --server` calls. A program finds its operations above: they answer with objects, not with text.
///
/// Commands about campaigns, audiences, lanes, templates, messages, opt-outs, replies and events can run here. A file that the
/// words name is uploaded before, for which the key needs `manage`. A file that the command writes is in the answer. A command
/// that changes something also needs the scope `manage`. It is completed even if its caller is gone; a command that only reads
/// ends then.
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
    if body.words.len() > WORDS_MAX {
        let sentence =
            format!("{} words are more than the {WORDS_MAX} allowed; put numbers into a file", body.words.len());
        return Err(Problem::new(Kind::Invalid, sentence).at("/words"));
    }
    let needs = commands.needs(&body.words).map_err(|error| Problem::new(Kind::Invalid, error).at("/words"))?;
    let scope = needs.scope;
    caller.check(scope).map_err(|denied: Denied| Problem::new(Kind::Forbidden, denied))?;
    let files = files(&shared, caller, body.files)?;
    let line = CommandLine {
        words: body.words,
        files,
        campaign: body.campaign.map(|campaign| campaign.draft(&shared)).transpose()?,
        terminal: body.terminal,
        caller: caller.name.clone(),
    };
    let running = shared.0.native.commands.take(scope, &caller.id)?;
    let queued = needs.computes.then(|| shared.0.computing.queue(scope, &caller.id)).transpose()?;
    let about = about(&line.words);
    let (printed, output) = mpsc::channel(WAITING_MAX);
    let task = async move {
        let _running = running;
        let turn = async { Some(queued?.turn().await) };
        let _turn = tokio::select! {
            turn = turn => turn,
            () = printed.closed(), if scope == Scope::Read => return,
        };
        let exit = commands.run(line, printed.clone()).await;
        // Without a reader, the exit code is for nobody.
        let _ = printed.send(Printed::Exit(exit)).await;
    };
    // With a key, the answer is sent once it is complete.
    let is_sent_at_once = !headers.contains_key(once::KEY);
    let sent = match (is_sent_at_once, scope) {
        (true, _) => Sent::AtOnce,
        (false, Scope::Read) => Sent::Kept { until: shared.clock.now() + KEPT_FOR },
        (false, _) => Sent::Whole,
    };
    let answer = ([(header::CONTENT_TYPE, LINES)], lines(output, &shared, sent));
    let mut answer = match patience.filter(|_| is_sent_at_once) {
        // The caller reads for as long as the command runs.
        Some(Extension(patience)) => patience.download(caller, answer)?,
        None => answer.into_response(),
    };
    answer.extensions_mut().insert(about);
    // Nothing runs for a caller who is refused.
    tokio::spawn(task.in_current_span());
    Ok(answer)
}

/// The uploads of the files that a command names.
fn files(shared: &Shared, caller: &Caller, named: HashMap<String, String>) -> Answer<HashMap<String, UploadedSource>> {
    if named.is_empty() {
        return Ok(HashMap::new());
    }
    caller.check(Scope::Manage)?;
    let imports = shared.0.native.imports();
    let file = |(name, id): (String, String)| {
        let id = id.parse().map_err(|error| Problem::new(Kind::Invalid, error).at("/files"))?;
        Ok((name, imports.file(id)?))
    };
    named.into_iter().map(file).collect()
}

/// How the output of a command is sent.
#[derive(Debug, Clone, Copy)]
enum Sent {
    /// As it is printed, with heartbeats.
    AtOnce,
    /// Once the command has ended.
    Whole,
    /// Once the command has ended, or at this time, which ends it.
    Kept { until: Timestamp },
}

/// The output as the body of an answer. A command that only reads ends once its output is dropped.
fn lines(output: mpsc::Receiver<Printed>, shared: &Shared, sent: Sent) -> Body {
    let clock = Arc::clone(&shared.clock);
    Body::from_stream(stream::unfold((Some(output), clock), move |(output, clock)| async move {
        let mut output = output?;
        let wait = async {
            match sent {
                Sent::AtOnce => clock.sleep(HEARTBEAT).await,
                Sent::Kept { until } => clock.sleep_until(until).await,
                Sent::Whole => std::future::pending().await,
            }
        };
        let (printed, rest) = tokio::select! {
            biased;
            printed = output.recv() => (vec![printed?], Some(output)),
            () = wait => match sent {
                Sent::AtOnce => (Vec::new(), Some(output)),
                Sent::Kept { .. } | Sent::Whole => (vec![too_long(), Printed::Exit(1)], None),
            },
        };
        let texts: Vec<String> = printed.iter().map(|one| serde_json::to_string(one).unwrap_or_default()).collect();
        Some((Ok::<_, Infallible>(Bytes::from(texts.join("\n") + "\n")), (rest, clock)))
    }))
}

/// The error of a command that goes on although its answer is to be kept.
fn too_long() -> Printed {
    let text = format!("volley: the command was ended after {KEPT_FOR}; without an Idempotency-Key it goes on\n");
    Printed::Text { stream: Stream::Stderr, text }
}
