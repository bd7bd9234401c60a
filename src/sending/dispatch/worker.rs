//! A worker: sends requests over one connection.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::job::{Details, Job, Settled};
use super::lane::RunningLane;
use super::settle::settle;
use super::turnstile::{Request, Turnstile};
use crate::base::domain::{AddressKey, AttemptId, Causes, Fault, RefusalSubject, SenderPart, Timestamp, Unwanted};
use crate::provider::client::{BATCH_CLOSE, BATCH_OPEN, BatchAnswers, Gate, Refusal, SendAnswer};
use crate::rules::engine::{self, CallOff};
use crate::rules::template::SubmissionTimes;
use crate::sending::throttle::{End, Permit};
use crate::store::{Replies, Verdict};

#[derive(Debug)]
pub(super) struct Worker {
    pub(super) lane: Arc<RunningLane>,
    pub(super) turnstile: Arc<Turnstile>,
    pub(super) settled: mpsc::Sender<Settled>,
    pub(super) store: Arc<dyn Replies>,
}

/// The recipients whose window for free text on WhatsApp is known to be open, or closed. Empty if the request has no such
/// text.
#[derive(Debug, Default)]
struct Windows {
    open: HashSet<AddressKey>,
    /// Only those of callers of the API.
    closed: HashSet<AddressKey>,
}

impl Windows {
    /// Whether free text may be sent. For callers of the API the provider decides what Volley does not know.
    fn allow(&self, job: &Job) -> bool {
        let recipient = job.claimed.message.address;
        self.open.contains(&recipient) || job.is_of_a_caller() && !self.closed.contains(&recipient)
    }
}

impl Worker {
    /// Sends the requests of the turnstile until it is closed and empty.
    pub(super) async fn run(self) {
        while let Some(request) = self.turnstile.next().await {
            self.submit(request).await;
        }
    }

    pub(super) async fn submit(&self, request: Request) {
        let windows = match self.windows(&request.jobs).await {
            Ok(windows) => windows,
            Err(error) => {
                // This is a fault of Volley, so it must not cause a fallback.
                tracing::warn!(lane = self.lane.config.name, error = %Causes(&error), "cannot read open windows");
                for job in request.jobs {
                    self.lane.end_isolation(job.claimed.message.key);
                    self.record(job.requeue(&self.lane, None)).await;
                }
                return;
            }
        };
        if self.lane.request_size().get() == 1 {
            self.send_each(request, &windows).await;
        } else {
            self.send_together(request, &windows).await;
        }
    }

    /// What is known of the windows of those who get free text.
    async fn windows(&self, jobs: &[Job]) -> crate::store::Result<Windows> {
        let free = || jobs.iter().filter(|job| job.needs_window());
        let recipients: Vec<AddressKey> = free().map(|job| job.claimed.message.address).collect();
        if recipients.is_empty() {
            return Ok(Windows::default());
        }
        let (sender, now) = (self.lane.sender(), self.lane.clock.now());
        let open = self.store.open_windows(recipients, sender.clone(), now).await?;
        let open: HashSet<AddressKey> = open.into_iter().map(|(recipient, _)| recipient).collect();
        let of_callers = free().filter(|job| job.is_of_a_caller()).map(|job| job.claimed.message.address);
        let unknown: Vec<AddressKey> = of_callers.filter(|recipient| !open.contains(recipient)).collect();
        if unknown.is_empty() {
            return Ok(Windows { open, closed: HashSet::new() });
        }
        let closed = self.store.closed_windows(unknown, sender, now).await?.into_iter().collect();
        Ok(Windows { open, closed })
    }

    async fn send_each(&self, request: Request, windows: &Windows) {
        let Request { jobs, tokens, permit, at } = request;
        // The turnstile of a lane that sends single messages gives one per request.
        let Some(job) = jobs.into_iter().next() else { return };
        let mut body = Vec::with_capacity(512);
        if let Err(why) = self.render(&job, windows, &mut body) {
            return self.settle_unsent(job, why, at).await;
        }
        let pending = self.turnstile.pending_request(&permit, vec![job], tokens);
        let answer = self.lane.client.send(body, Arc::clone(&pending) as Arc<dyn Gate>).await;
        self.answered(at);
        let jobs = pending.end();
        self.report_end(permit, end_of(&answer));
        for job in jobs {
            self.finish(job, answer.clone(), at).await;
        }
    }

    async fn send_together(&self, request: Request, windows: &Windows) {
        let Request { jobs: claimed, tokens, permit, at } = request;
        let mut body = Vec::with_capacity(claimed.len() * 512);
        body.extend_from_slice(BATCH_OPEN);
        let mut jobs = Vec::with_capacity(claimed.len());
        let mut attempts = Vec::with_capacity(claimed.len());
        for job in claimed {
            let before = body.len();
            if !jobs.is_empty() {
                body.push(b',');
            }
            match self.render(&job, windows, &mut body) {
                Ok(attempt) => {
                    attempts.push(attempt);
                    jobs.push(job);
                }
                Err(why) => {
                    body.truncate(before);
                    self.settle_unsent(job, why, at).await;
                }
            }
        }
        if jobs.is_empty() {
            return;
        }
        body.extend_from_slice(BATCH_CLOSE);
        let pending = self.turnstile.pending_request(&permit, jobs, tokens);
        let answers = self.lane.client.send_batch(body, &attempts, Arc::clone(&pending) as Arc<dyn Gate>).await;
        self.answered(at);
        let jobs = pending.end();
        let end = match &answers {
            // A success that names none of them proves as little as no answer.
            BatchAnswers::Each(answers) => {
                match answers.iter().find(|answer| !matches!(answer, SendAnswer::Unknown { .. })) {
                    Some(_) => Some(End::Good),
                    None => answers.first().and_then(end_of),
                }
            }
            BatchAnswers::Whole(answer) => end_of(answer),
        };
        self.report_end(permit, end);
        match answers {
            BatchAnswers::Each(answers) => {
                for (job, answer) in jobs.into_iter().zip(answers) {
                    self.finish(job, answer, at).await;
                }
            }
            BatchAnswers::Whole(SendAnswer::Refused(refusal)) if jobs.len() > 1 && concerns_one(&refusal) => {
                // One message may have caused the refusal of the whole batch, and none was accepted. Each is retried alone, in its
                // place.
                for job in jobs {
                    let again = job.queued_at();
                    self.lane.isolate(job.claimed.message.key);
                    self.record(Settled::new(job, &self.lane, engine::Answer::Unavailable { again }, None)).await;
                }
            }
            BatchAnswers::Whole(answer) => {
                for job in jobs {
                    self.finish(job, answer.clone(), at).await;
                }
            }
        }
    }

    /// Measures a request that began at `begun` and has ended.
    fn answered(&self, begun: Timestamp) {
        self.lane.request_ms.add(self.lane.clock.now().since(begun).millis().unsigned_abs());
    }

    /// Reports to the circuit how a request ended, unless it was never sent.
    fn report_end(&self, permit: Permit, end: Option<End<'_>>) {
        if let Some(end) = end {
            permit.ended(end, self.lane.clock.now(), &self.lane.chance);
        }
    }

    fn render(&self, job: &Job, windows: &Windows, body: &mut Vec<u8>) -> Result<AttemptId, Unsendable> {
        if let Some(unwanted) = job.claimed.unwanted {
            return Err(Unsendable::Unwanted(unwanted));
        }
        if job.needs_window() && !windows.allow(job) {
            return Err(Unsendable::OutsideWindow);
        }
        let message = &job.claimed.message;
        let attempt = job.entry.attempt(message.key, job.step());
        let pattern = self
            .lane
            .compiled
            .pattern(&job.entry, message, &self.lane.config)
            .map_err(|error| Unsendable::Uncomposable(Causes(&error).to_string()))?;
        let fields =
            job.claimed.fields.unpack().map_err(|error| Unsendable::Uncomposable(Causes(&error).to_string()))?;
        let times = SubmissionTimes { at: job.ttl_starts_at(), expires: message.present.expires };
        match pattern.render(job.to(), attempt, times, &fields, body) {
            Ok(()) => Ok(attempt),
            Err(missing) => Err(Unsendable::MissingVariable(missing.column.to_string())),
        }
    }

    /// Settles a message that cannot be sent, without a request.
    async fn settle_unsent(&self, job: Job, why: Unsendable, begun: Timestamp) {
        self.lane.end_isolation(job.claimed.message.key);
        match why {
            Unsendable::Unwanted(Unwanted::Message) => self.call_off(job, CallOff::OptOut).await,
            Unsendable::Unwanted(Unwanted::Confirmation) => self.call_off(job, CallOff::Cancel).await,
            Unsendable::Unwanted(Unwanted::Step) => {
                let answer = engine::Answer::CannotLeave(engine::StepObstacle::OptedOut);
                let fact = Some((Verdict::OptedOut, Details::default()));
                self.record(Settled::new(job, &self.lane, answer, fact)).await;
            }
            Unsendable::MissingVariable(column) => {
                let details = Details { detail: Some(column), ..Details::default() };
                let answer = engine::Answer::CannotLeave(engine::StepObstacle::MissingVariable);
                self.record(Settled::new(job, &self.lane, answer, Some((Verdict::MissingVariable, details)))).await;
            }
            Unsendable::OutsideWindow => {
                let answer = engine::Answer::CannotLeave(engine::StepObstacle::OutsideWindow);
                let fact = Some((Verdict::OutsideWindow, Details::default()));
                self.record(Settled::new(job, &self.lane, answer, fact)).await;
            }
            Unsendable::Uncomposable(detail) => {
                // The launch has checked the content, so this is a fault of Volley and must not cause a fallback.
                let fault = Fault::Sender(SenderPart::Lane);
                let (subject, code, retry_after) = (RefusalSubject::Account, None, None);
                let refusal = Refusal { fault, subject, code, detail, retry_after, is_known: false };
                self.finish(job, SendAnswer::Refused(refusal), begun).await;
            }
        }
    }

    async fn call_off(&self, job: Job, why: CallOff) {
        let mut settled = job.requeue(&self.lane, None);
        settled.then = Some(why);
        self.record(settled).await;
    }

    async fn finish(&self, job: Job, answer: SendAnswer, begun: Timestamp) {
        let message = &job.claimed.message;
        match answer {
            // It was not sent: it stays isolated if it was, and its recipient gets the token back.
            SendAnswer::Withdrawn | SendAnswer::NotOffered { .. } => self.lane.return_pair_token(message.address),
            SendAnswer::Accepted { .. } | SendAnswer::Refused(_) | SendAnswer::Unknown { .. } => {
                self.lane.end_isolation(message.key);
            }
        }
        // A recall that came meanwhile was too late, or is decided again.
        job.entry.end_recall(message.key, job.step());
        self.record(settle(job, &self.lane, answer, begun)).await;
    }

    async fn record(&self, settled: Settled) {
        // The recorder outlives the workers.
        let _ = self.settled.send(settled).await;
    }
}

/// What an answer means to the lane's circuit; `None` if the request was withdrawn.
fn end_of(answer: &SendAnswer) -> Option<End<'_>> {
    match answer {
        SendAnswer::Accepted { .. } => Some(End::Good),
        SendAnswer::Refused(refusal) => match refusal.fault {
            // A refusal that concerns one recipient also shows that the provider takes requests.
            Fault::Recipient | Fault::RecipientLimit | Fault::OptedOut => Some(End::Good),
            Fault::Sender(_) | Fault::Temporary => Some(End::Answered),
        },
        SendAnswer::NotOffered { detail } => Some(End::Unanswered { reason: detail, retry_after: None }),
        SendAnswer::Unknown { detail, retry_after } => {
            Some(End::Unanswered { reason: detail, retry_after: *retry_after })
        }
        SendAnswer::Withdrawn => None,
    }
}

/// Whether one message or one template caused, or may have caused, the refusal of a whole batch.
const fn concerns_one(refusal: &Refusal) -> bool {
    match refusal.fault {
        _ if refusal.is_unclear() => true,
        Fault::Recipient
        | Fault::RecipientLimit
        | Fault::OptedOut
        | Fault::Sender(SenderPart::Template | SenderPart::Step) => true,
        Fault::Sender(SenderPart::Lane) | Fault::Temporary => false,
    }
}

/// Why a message cannot be sent.
enum Unsendable {
    Unwanted(Unwanted),
    /// The recipient has no open window, so WhatsApp accepts no free text.
    OutsideWindow,
    MissingVariable(String),
    Uncomposable(String),
}
