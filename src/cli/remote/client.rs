//! Sends a command line to a server, and reads what the command prints.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::address::Address;
use super::files::Upload;
use crate::base::clock::{Chance, Clock};
use crate::base::config::Secret;
use crate::base::domain::Span;
use crate::cli::{Exit, progress};
use crate::http::api::{Printed, Terminal};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// Repetitions of a request whose answer was lost, or that the server could not carry out yet.
const REPEATS: u32 = 5;
/// The pause before a repetition, if the server names none, and the longest.
const PAUSE: Span = Span::from_secs(1);
const PAUSE_MAX: Span = Span::from_secs(10);
/// The longest line of an answer. A longer one is not from a server of this kind.
const LINE_MAX: usize = 64 << 20;

/// Bytes of one part of an upload.
const PART: u64 = 8 << 20;
const OFFSET: HeaderName = HeaderName::from_static("upload-offset");

/// A command line for a server.
#[derive(Debug, Serialize)]
pub(super) struct Request {
    pub(super) words: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) campaign: Option<Value>,
    /// The other files that the words name, each with the id of its upload.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) files: BTreeMap<String, String>,
    pub(super) terminal: Terminal,
}

/// Runs commands on one server.
#[derive(Debug)]
pub(super) struct Client<'a> {
    server: &'a Address,
    http: reqwest::Client,
    authorization: HeaderValue,
}

/// The members of a problem that a command needs.
#[derive(Debug, Deserialize)]
struct Problem {
    code: String,
    detail: String,
}

/// What became of a request.
enum Sent {
    /// The command runs, or has run.
    Answered(Response),
    /// The server says that it may be repeated after this time.
    Later(Span, Problem),
}

/// The server gave no answer.
#[derive(Debug, thiserror::Error)]
#[error("{sentence}")]
struct Unanswered {
    sentence: String,
    /// Whether the request may have arrived all the same.
    may_have_arrived: bool,
}

/// The answer broke off. What was to come is not known.
#[derive(Debug)]
struct Lost(String);

impl<'a> Client<'a> {
    pub(super) fn new(server: &'a Address, key: &Secret) -> anyhow::Result<Self> {
        // Another caller may have installed it first, which has the same effect.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            // A key is for the server that was named, and for none that this one names.
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .user_agent(concat!("Volley/", env!("CARGO_PKG_VERSION")));
        // A proxy would read what is not encrypted.
        let http = if server.is_plain() { http.no_proxy() } else { http };
        let http = http.build().context("the connection to the server cannot be set up")?;
        let mut authorization = HeaderValue::try_from(format!("Bearer {}", key.expose()))
            .map_err(|_| anyhow!("the API key has characters that no key has; check the file or VOLLEY_KEY"))?;
        authorization.set_sensitive(true);
        Ok(Self { server, http, authorization })
    }

    /// Runs a command, and passes on what it prints. One that changes something is carried out once, however often the
    /// request is sent.
    pub(super) async fn run(
        &self,
        request: &Request,
        changes: bool,
        clock: &dyn Clock,
        mut show: impl FnMut(Printed) -> anyhow::Result<()>,
    ) -> anyhow::Result<Exit> {
        let chance = Chance::from_entropy();
        let once = changes.then(|| format!("{:016x}{:016x}", chance.bits(), chance.bits()));
        let mut repeats = 0;
        loop {
            let sent = self.send(request, once.as_deref()).await;
            let (pause, error) = match sent {
                Ok(Sent::Answered(answer)) if once.is_some() => match read_all(answer).await {
                    Ok(printed) => return show_all(printed, &mut show),
                    Err(Lost(why)) => (PAUSE, anyhow!(self.lost(&why))),
                },
                // Nothing is lost if a command that only reads is run again by its operator.
                Ok(Sent::Answered(answer)) => return self.follow(answer, &mut show).await,
                // It is being carried out, however long that takes.
                Ok(Sent::Later(pause, problem)) if problem.code == "request_in_progress" => {
                    clock.sleep(pause).await;
                    continue;
                }
                Ok(Sent::Later(pause, problem)) => (pause, anyhow!(problem.detail)),
                // The request may have arrived, so only its repetition tells what became of it.
                Err(error) if once.is_some() && is_lost(&error) => (PAUSE, error),
                Err(error) => return Err(error),
            };
            if repeats == REPEATS {
                return Err(error);
            }
            repeats += 1;
            clock.sleep(pause).await;
        }
    }

    /// Uploads a file in parts, and returns the id of the upload. A part whose answer is lost is sent again, from where the
    /// server has it.
    pub(super) async fn upload(&self, mut file: Upload, clock: &dyn Clock) -> anyhow::Result<String> {
        #[derive(Deserialize)]
        struct Begun {
            id: String,
        }
        let new = serde_json::json!({ "name": file.name, "length": file.length });
        let begin = self.http.post(self.server.join("v1/uploads")).header(CONTENT_TYPE, "application/json");
        let begin = self.answered(begin.body(new.to_string())).await?;
        let Begun { id } = serde_json::from_slice(&begin.bytes().await?).context("the server began no upload")?;
        let place = self.server.join(&format!("v1/uploads/{id}"));
        let bar = progress::bar(&format!("upload {}", file.name), false);
        bar.set_length(file.length);
        let (mut offset, mut repeats) = (0, 0);
        while offset < file.length {
            let part = file.part(offset, PART)?;
            if part.is_empty() {
                bail!("{} has become shorter while it was sent; run the command again", file.name);
            }
            let patch = self.http.patch(place.clone()).header(CONTENT_TYPE, "application/offset+octet-stream");
            match self.answered(patch.header(OFFSET, offset).body(part)).await {
                Ok(answer) => (offset, repeats) = (offset_of(&answer)?, 0),
                Err(error) if repeats == REPEATS => return Err(error),
                Err(_) => {
                    repeats += 1;
                    clock.sleep(PAUSE).await;
                    // Without an answer here, the next part is refused or lost as well.
                    if let Ok(known) = self.answered(self.http.head(place.clone())).await {
                        offset = offset_of(&known)?;
                    }
                }
            }
            bar.set_position(offset);
        }
        bar.finish_and_clear();
        Ok(id)
    }

    /// Removes an upload that is no longer needed. One that stays is removed by the server after a day.
    pub(super) async fn forget(&self, upload: &str) {
        let _ = self.answered(self.http.delete(self.server.join(&format!("v1/uploads/{upload}")))).await;
    }

    /// Sends a request, and returns its answer if it has succeeded.
    async fn answered(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        let answer = request.header(AUTHORIZATION, self.authorization.clone()).send().await;
        let answer = answer.map_err(|error| {
            anyhow!(
                "the server {} gives no answer: {}; check the address and the network",
                self.server,
                innermost(&error)
            )
        })?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status().as_u16();
        match answer.bytes().await.ok().and_then(|body| serde_json::from_slice::<Problem>(&body).ok()) {
            Some(problem) => bail!(problem.detail),
            None => bail!("{} answers with HTTP status {status}", self.server),
        }
    }

    async fn send(&self, request: &Request, once: Option<&str>) -> anyhow::Result<Sent> {
        let post = self.http.post(self.server.join("v1/commands"));
        let post = post.header(AUTHORIZATION, self.authorization.clone()).header(CONTENT_TYPE, "application/json");
        let post = match once {
            Some(key) => post.header("Idempotency-Key", key),
            None => post,
        };
        let answer = post.body(serde_json::to_vec(request)?).send().await;
        let answer = answer.map_err(|error| {
            let (server, why, may_have_arrived) = (self.server, innermost(&error), !error.is_connect());
            let sentence = if may_have_arrived {
                self.lost(&why)
            } else {
                format!("cannot connect to the server {server}: {why}; check the address, and that `volley serve` runs there")
            };
            Unanswered { sentence, may_have_arrived }
        })?;
        if answer.status() == StatusCode::OK {
            return Ok(Sent::Answered(answer));
        }
        let status = answer.status();
        let seconds = answer.headers().get(RETRY_AFTER).and_then(|after| after.to_str().ok()?.parse().ok());
        let problem = answer.bytes().await.ok().and_then(|body| serde_json::from_slice::<Problem>(&body).ok());
        let Some(problem) = problem else {
            let (server, may_have_arrived, status) = (self.server, status.is_server_error(), status.as_u16());
            // Something between here and the server has lost the answer, or has not waited for it.
            if may_have_arrived {
                let sentence = self.lost(&format!("HTTP status {status}"));
                return Err(Unanswered { sentence, may_have_arrived }.into());
            }
            bail!("{server} answers with HTTP status {status}, and not as a server of Volley; check the address");
        };
        match seconds {
            Some(seconds) => Ok(Sent::Later(Span::from_secs(seconds).clamp(PAUSE, PAUSE_MAX), problem)),
            None if problem.code == "no_such_path" => {
                bail!("the server {} is of an older version, which runs no commands for others", self.server)
            }
            None => bail!(problem.detail),
        }
    }

    /// Shows what a command prints as soon as it arrives.
    async fn follow(
        &self,
        answer: Response,
        show: &mut impl FnMut(Printed) -> anyhow::Result<()>,
    ) -> anyhow::Result<Exit> {
        let mut lines = Lines::new(answer);
        loop {
            match lines.next().await.map_err(|Lost(why)| anyhow!(self.lost(&why)))? {
                Printed::Exit(exit) => return Ok(exit_of(exit)),
                printed => show(printed)?,
            }
        }
    }

    fn lost(&self, why: &str) -> String {
        format!("the connection to the server {} has ended before the command: {why}; run it again", self.server)
    }
}

/// How much of an upload has arrived.
fn offset_of(answer: &Response) -> anyhow::Result<u64> {
    let offset = answer.headers().get(OFFSET).and_then(|offset| offset.to_str().ok()?.parse().ok());
    offset.context("the server does not tell how much of the file has arrived")
}

async fn read_all(answer: Response) -> Result<Vec<Printed>, Lost> {
    let (mut lines, mut all) = (Lines::new(answer), Vec::new());
    loop {
        all.push(lines.next().await?);
        if let Some(Printed::Exit(_)) = all.last() {
            return Ok(all);
        }
    }
}

fn show_all(all: Vec<Printed>, show: &mut impl FnMut(Printed) -> anyhow::Result<()>) -> anyhow::Result<Exit> {
    let mut exit = Exit::Failed;
    for printed in all {
        match printed {
            Printed::Exit(code) => exit = exit_of(code),
            printed => show(printed)?,
        }
    }
    Ok(exit)
}

const fn exit_of(code: u8) -> Exit {
    match code {
        0 => Exit::Done,
        2 => Exit::Usage,
        3 => Exit::Incomplete,
        _ => Exit::Failed,
    }
}

/// Whether the request may have arrived although its answer did not.
fn is_lost(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Unanswered>().is_some_and(|unanswered| unanswered.may_have_arrived)
}

/// What happened, without the layers around it.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause = error.source();
    while let Some(next) = cause.and_then(Error::source) {
        cause = Some(next);
    }
    cause.map_or_else(|| "the request failed".to_owned(), ToString::to_string)
}

/// The lines of an answer.
struct Lines {
    answer: Response,
    /// What has arrived of the lines to come.
    buffer: Vec<u8>,
}

impl Lines {
    const fn new(answer: Response) -> Self {
        Self { answer, buffer: Vec::new() }
    }

    async fn next(&mut self) -> Result<Printed, Lost> {
        let mut searched = 0;
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.buffer[searched..]) {
                let rest = self.buffer.split_off(searched + end + 1);
                let line = std::mem::replace(&mut self.buffer, rest);
                searched = 0;
                // A heartbeat.
                if line == b"\n" {
                    continue;
                }
                return serde_json::from_slice(&line)
                    .map_err(|error| Lost(format!("the answer cannot be read ({error})")));
            }
            searched = self.buffer.len();
            if searched > LINE_MAX {
                return Err(Lost("the answer has a line of more than 64 MiB".to_owned()));
            }
            match self.answer.chunk().await {
                Ok(Some(chunk)) => self.buffer.extend_from_slice(&chunk),
                Ok(None) => return Err(Lost("the answer is not complete".to_owned())),
                Err(error) => return Err(Lost(innermost(&error))),
            }
        }
    }
}
