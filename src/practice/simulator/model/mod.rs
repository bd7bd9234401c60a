//! The provider as a plain value: calls in, answers out, and webhooks when they are due.

mod account_events;
mod answer;
mod choices;
mod contacts;
mod creation;
mod delivery;
mod details;
mod dice;
mod fault;
mod files;
mod fit;
mod intake;
mod languages;
mod north_america;
mod recipient_key;
mod recipients;
mod record;
mod registry;
mod seen;
mod templates;
mod webhooks;
mod windows;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::fmt;
use std::sync::Arc;

use hashbrown::HashMap;
use uuid::Uuid;

use self::delivery::Due;
use self::files::Files;
use self::recipient_key::RecipientKey;
use self::record::{Batch, Chain, Record};
use self::registry::{Place, Registry};
use self::windows::Windows;
use super::profile::Profile;
use super::umid::Umids;
use crate::base::clock::Chance;
use crate::base::domain::Timestamp;
use crate::rules::wire::rules::{Arriving, ArrivingBatch};
use crate::rules::wire::{self, ErrorAnswer, WebhookSetting};

pub(super) use self::account_events::AccountEvent;
pub use self::answer::{DelayedReply, Reply};
pub use self::delivery::Webhook;
pub(super) use self::files::LARGEST as LARGEST_FILE;
pub use self::files::{StoredFile, Upload, Uploaded};
pub use self::recipients::{InboundMessage, Writer, Written};
pub use self::seen::{ChannelSeen, MessageSeen, SeenTotals, StepSeen};
pub use self::templates::TemplatesProfile;

use super::faults::Faults;

/// A practice provider. It changes only through its methods.
pub struct Model {
    profile: Profile,
    /// As last set by request; while a window of the profile is open, its faults apply instead.
    faults: Faults,
    api_key: Option<String>,
    seed: u64,
    /// Dice for faults of requests. Results of messages have dice of their own, by recipient and channel.
    chance: Chance,
    /// Dice for ids of everything but messages.
    ids: Chance,
    umids: Umids,
    first_request: Option<Timestamp>,
    records: Vec<Record>,
    /// The latest message to a recipient; each record names the one before it.
    latest: HashMap<RecipientKey, u32>,
    /// The ids on a channel of recipients of whom the request named one.
    user_ids: HashMap<u32, Box<str>>,
    /// What the recipients of messages can choose by a tap, while recipients do.
    choices: HashMap<u32, Box<[Written]>>,
    windows: Windows,
    files: Files,
    /// Hashes of the accepted client ids, and whether each was accepted more than once. With 64 bits, a million ids collide
    /// with a chance of one in tens of millions.
    client_ids: HashMap<u64, bool>,
    batches: Vec<Batch>,
    batch_of: HashMap<Uuid, u32>,
    sub_accounts: Vec<String>,
    /// Messages that the provider itself sends along a route.
    chains: HashMap<u32, Box<Chain>>,
    /// Messages whose receipts go to another address.
    callbacks: HashMap<u32, Arc<WebhookSetting>>,
    /// When a message with an expiry is dropped, unless it has been delivered.
    expiries: HashMap<u32, Timestamp>,
    /// The first requests, whole.
    kept: Vec<Box<str>>,
    /// The addresses in the blacklisted group of contacts.
    blacklisted: BTreeSet<String>,
    due: BinaryHeap<Reverse<Due>>,
    due_counter: u64,
    details_asked: HashMap<String, Timestamp>,
    seen: SeenTotals,
    rates: [seen::RecentRate; seen::CHANNELS],
    templates: Registry,
    /// When templates were created, by account.
    creations: BTreeMap<String, Vec<Timestamp>>,
    /// What was registered, by account.
    webhooks: BTreeMap<String, Vec<Arc<WebhookSetting>>>,
    /// The account of the latest request that named one.
    latest_account: Option<String>,
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model")
            .field("seed", &self.seed)
            .field("messages", &self.records.len())
            .field("due", &self.due.len())
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
    Delete,
}

/// A request as it arrives.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    pub method: Method,
    /// With its query, if it has one, and without scheme and host.
    pub path: &'a str,
    /// The whole `Authorization` header.
    pub authorization: Option<&'a str>,
    pub body: &'a [u8],
}

impl Model {
    /// Creates a model. The seed decides what happens to requests and messages, and the time makes the ids of this run
    /// differ from those of another. Check a profile that was not read from text with [`Profile::check`] first.
    pub fn new(profile: Profile, seed: u64, started: Timestamp) -> Self {
        let run = started.millis().cast_unsigned();
        Self {
            faults: profile.faults.clone(),
            profile,
            api_key: None,
            seed,
            chance: Chance::seeded(seed),
            ids: Chance::seeded(run),
            umids: Umids::new(run),
            first_request: None,
            records: Vec::new(),
            latest: HashMap::new(),
            user_ids: HashMap::new(),
            choices: HashMap::new(),
            windows: Windows::default(),
            files: Files::default(),
            client_ids: HashMap::new(),
            batches: Vec::new(),
            batch_of: HashMap::new(),
            sub_accounts: Vec::new(),
            chains: HashMap::new(),
            callbacks: HashMap::new(),
            expiries: HashMap::new(),
            kept: Vec::new(),
            blacklisted: BTreeSet::new(),
            due: BinaryHeap::new(),
            due_counter: 0,
            details_asked: HashMap::new(),
            seen: SeenTotals::default(),
            rates: Default::default(),
            templates: Registry::default(),
            creations: BTreeMap::new(),
            webhooks: BTreeMap::new(),
            latest_account: None,
        }
    }

    /// Requires this key from here on.
    #[must_use]
    pub fn with_key(mut self, api_key: Option<String>) -> Self {
        self.api_key = api_key;
        self
    }

    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    pub fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
    }

    /// Changes the profile for later messages; accepted messages keep their results.
    #[cfg(test)]
    pub(crate) fn change_profile(&mut self, change: impl FnOnce(&mut Profile)) {
        change(&mut self.profile);
    }

    /// Handles one request: checks the key, the faults and the address, then calls the verb.
    pub fn call(&mut self, call: &Call<'_>, now: Timestamp) -> DelayedReply {
        self.first_request.get_or_insert(now);
        let faults = self.faults_now(now).clone();
        if let Some(refusal) = self.key_refusal(call.authorization, &faults, now) {
            return refusal.into();
        }
        if let Some(refusal) = forbidden(call.body, &faults) {
            return refusal.into();
        }
        let (path, query) = call.path.split_once('?').unwrap_or((call.path, ""));
        let call = &Call { path, ..*call };
        let path = address(path);
        if let Some((sub_account, rest)) = path.as_ref().filter(|_| call.method != Method::Post) {
            let after = self.slowness(&faults);
            return DelayedReply { after, reply: self.details_or_cancel(call.method, sub_account, rest, now) };
        }
        self.seen.requests += u64::from(path.is_some());
        self.with_faults(&faults, now, |model| match path {
            Some((sub_account, rest)) => model.post(sub_account, &rest, call.body, now),
            None => model.about_account(call, query, now),
        })
    }

    /// Handles a request, unless a fault replaces it or its answer.
    fn with_faults(
        &mut self,
        faults: &Faults,
        now: Timestamp,
        handle: impl FnOnce(&mut Self) -> Reply,
    ) -> DelayedReply {
        if let Some(fault) = self.fault_before(faults, now) {
            return DelayedReply { after: self.slowness(faults), reply: fault };
        }
        let reply = handle(self);
        DelayedReply { after: self.slowness(faults), reply: self.fault_after(faults, reply, now) }
    }

    /// Takes messages.
    fn post(&mut self, sub_account: &str, rest: &[&str], body: &[u8], now: Timestamp) -> Reply {
        let done = match rest {
            ["messages"] => Arriving::message(body).map(|message| self.send(sub_account, &message, now)),
            ["messages", "batch"] => ArrivingBatch::messages(body).map(|batch| self.batch(sub_account, &batch, now)),
            ["lon"] => Arriving::notification(body).map(|message| self.send(sub_account, &message, now)),
            ["lon", "batch"] => ArrivingBatch::notifications(body).map(|batch| self.batch(sub_account, &batch, now)),
            _ => return self.error(&ErrorAnswer::UnknownAddress, now),
        };
        done.unwrap_or_else(|error| self.error(&ErrorAnswer::unreadable(&error), now))
    }

    /// Handles a request about an account: its templates, its webhooks, its contacts.
    fn about_account(&mut self, call: &Call<'_>, query: &str, now: Timestamp) -> Reply {
        let path = call.path.strip_prefix("/api/v1/accounts/").unwrap_or_default();
        let (account, rest) = path.trim_end_matches('/').split_once('/').unwrap_or((path, ""));
        if !rest.is_empty() {
            self.latest_account = Some(account.to_owned());
        }
        let place = |channel: &str| Place { account: account.to_owned(), channel: channel.to_owned() };
        match rest.split('/').collect::<Vec<_>>()[..] {
            ["channels", channel, "templates"] => self.about_templates(place(channel), None, call, now),
            ["channels", channel, "templates", name] => self.about_templates(place(channel), Some(name), call, now),
            ["webhooks"] => self.about_webhooks(account, call, now),
            ["groups"] if call.method == Method::Get => contacts::groups(query),
            [""] if account == "contacts" && call.method == Method::Post => self.add_contact(call.body, now),
            _ => self.error(&ErrorAnswer::UnknownAddress, now),
        }
    }

    fn details_or_cancel(&mut self, method: Method, sub_account: &str, rest: &[&str], now: Timestamp) -> Reply {
        match (method, rest) {
            (Method::Get, ["messages", umid]) => self.details(sub_account, umid, now),
            (Method::Delete, ["messages", "batch", batch]) => self.cancel_batch(sub_account, batch, now),
            (Method::Delete, ["messages", umid]) => self.cancel_message(sub_account, umid, now),
            _ => self.error(&ErrorAnswer::UnknownAddress, now),
        }
    }

    /// Cancels the scheduled messages of a batch that have not been sent.
    fn cancel_batch(&mut self, sub_account: &str, batch: &str, now: Timestamp) -> Reply {
        if !self.has_sub_account(sub_account) {
            return self.error(&NOT_OURS, now);
        }
        let known = batch.parse().ok().and_then(|id: Uuid| self.batch_of.get(&id).copied());
        let Some(batch) = known else { return Reply::cancelled(0) };
        let Batch { first, len, .. } = self.batches[batch as usize];
        let ours = (first..first + len).filter(|n| self.is_of(*n, sub_account)).collect::<Vec<_>>();
        let cancelled = ours.into_iter().filter(|n| self.cancel_record(*n, now)).count();
        Reply::cancelled(cancelled)
    }

    fn cancel_message(&mut self, sub_account: &str, umid: &str, now: Timestamp) -> Reply {
        if !self.has_sub_account(sub_account) {
            return self.error(&NOT_OURS, now);
        }
        match self.find(umid).filter(|n| self.is_of(*n, sub_account)) {
            Some(n) => Reply::cancelled(usize::from(self.cancel_record(n, now))),
            None => self.error(&ErrorAnswer::NotFound, now),
        }
    }

    fn cancel_record(&mut self, n: u32, now: Timestamp) -> bool {
        let Some(record) = self.records.get_mut(n as usize) else { return false };
        let open = record.scheduled_for().is_some_and(|at| at > now) && !record.is_cancelled();
        if open {
            record.cancel();
            self.seen.cancelled += 1;
        }
        open
    }

    fn find(&self, umid: &str) -> Option<u32> {
        let n = self.umids.n(umid.parse().ok()?)?;
        self.records.get(n as usize).map(|_| n)
    }

    /// Whether a message was sent by this subaccount.
    fn is_of(&self, n: u32, sub_account: &str) -> bool {
        let of = self.records.get(n as usize).and_then(|record| self.sub_accounts.get(usize::from(record.sub_account)));
        of.is_some_and(|of| of == sub_account)
    }

    /// Returns the refusal of the caller's key; `None` if it is accepted.
    fn key_refusal(&mut self, authorization: Option<&str>, faults: &Faults, now: Timestamp) -> Option<Reply> {
        let accepted = !faults.key_refused
            && self.api_key.as_ref().is_none_or(|key| {
                let given = authorization.and_then(|given| given.split_once(' '));
                given.is_some_and(|(scheme, given)| {
                    scheme.eq_ignore_ascii_case("bearer") && wire::same_secret(given.trim().as_bytes(), key.as_bytes())
                })
            });
        if accepted {
            return None;
        }
        self.seen.keys_refused += 1;
        Some(self.error(&ErrorAnswer::Unauthenticated, now))
    }
}

/// Returns the answer of a firewall to a request with a forbidden text: it is no answer of the provider's API.
fn forbidden(body: &[u8], faults: &Faults) -> Option<Reply> {
    let text = faults.forbidden_text.as_ref().filter(|text| !text.is_empty())?;
    let is_in = body.windows(text.len()).any(|part| part == text.as_bytes());
    is_in.then(|| Reply::Response { status: 403, retry_after: None, body: "<html>403 Forbidden</html>".into() })
}

/// The error about a subaccount that does not exist.
const NOT_OURS: ErrorAnswer<'static> = ErrorAnswer::Refused(1_001);

/// Splits `/api/v1/subaccounts/{sub}/…` into the subaccount and the parts after it.
fn address(path: &str) -> Option<(&str, Vec<&str>)> {
    let mut parts = path.strip_prefix("/api/v1/subaccounts/")?.trim_end_matches('/').split('/');
    let sub_account = parts.next()?;
    Some((sub_account, parts.collect()))
}

#[cfg(test)]
mod tests;
