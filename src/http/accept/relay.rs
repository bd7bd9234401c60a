//! What the provider itself keeps: files and templates. Requests for them are sent on to it, under the key of a lane.

use std::collections::HashMap;

use bytes::Bytes;
use http::{HeaderValue, Method};
use parking_lot::Mutex;
use url::Url;

use super::{Desk, NOT_OURS, Refusal, may_use_lane};
use crate::base::config::Lane;
use crate::base::domain::{Span, Timestamp};
use crate::http::access::Caller;
use crate::provider::client::{Broken, Http, RawAnswer, Relayed};
use crate::rules::wire::UploadAnswer;

/// How long an answer with templates is repeated. Programs ask for them before each campaign, and they change rarely.
const FRESH: Span = Span::from_secs(60);

/// The answer of the provider, as it came.
#[derive(Debug, Clone)]
pub struct Relay {
    pub status: u16,
    pub body: Bytes,
    pub retry_after: Option<Span>,
    /// The path of an uploaded file.
    pub location: Option<String>,
}

impl From<RawAnswer> for Relay {
    fn from(RawAnswer { status, retry_after, body }: RawAnswer) -> Self {
        Self { status, body, retry_after, location: None }
    }
}

/// A channel of an account, by its ids.
type ChannelOf = (String, String);

/// The latest templates of each channel.
#[derive(Debug, Default)]
pub(super) struct Templates(Mutex<HashMap<ChannelOf, (Timestamp, Relay)>>);

impl Templates {
    fn get(&self, of: &ChannelOf) -> Option<(Timestamp, Relay)> {
        self.0.lock().get(of).cloned()
    }
}

impl Desk {
    /// Sends an upload on, and answers as the provider does. `kind` is the media type of the form.
    pub async fn upload(
        &self,
        caller: &Caller,
        sub_account: &str,
        kind: HeaderValue,
        form: Bytes,
    ) -> Result<Relay, Refusal> {
        self.origin(caller, sub_account)?;
        let is_of = |lane: &&Lane| lane.provider.sub_account == sub_account;
        let path = ["subaccounts", sub_account, "files"];
        let request = Relayed { method: Method::POST, path: &path, body: Some((kind, form)) };
        let mut relay = self.relay(caller, is_of, request).await?;
        if let Ok(UploadAnswer::Parts { file_name, token }) = serde_json::from_slice(&relay.body) {
            relay.location = Some(format!("/files/{file_name}?token={token}"));
        }
        Ok(relay)
    }

    /// Where the provider hosts an uploaded file.
    pub fn address_of_file(&self, name: &str, token: &str) -> Option<String> {
        let lane = self.stores.config.lanes.first()?;
        let mut address = Url::parse(&lane.provider.base_url).ok()?;
        address.path_segments_mut().ok()?.pop_if_empty().extend(["files", name]);
        address.set_query(Some(token));
        Some(address.into())
    }

    /// The templates of a channel: those of the last minute, or older ones while the provider cannot be reached.
    pub async fn templates(&self, caller: &Caller, account: &str, channel: &str) -> Result<Relay, Refusal> {
        let of = (account.to_owned(), channel.to_owned());
        // Templates belong to a whole account. Nothing kept is shown to those who may not use it.
        caller.ensure_unlimited()?;
        self.lane(caller, |lane| is_of_account(lane, account))?;
        let (known, now) = (self.templates.get(&of), self.stores.clock.now());
        if let Some((at, relay)) = &known
            && now.since(*at) < FRESH
        {
            return Ok(relay.clone());
        }
        let path = ["accounts", account, "channels", channel, "templates"];
        let request = Relayed { method: Method::GET, path: &path, body: None };
        match self.relay(caller, |lane| is_of_account(lane, account), request).await {
            Ok(relay) if (200..300).contains(&relay.status) => {
                self.templates.0.lock().insert(of, (now, relay.clone()));
                Ok(relay)
            }
            Ok(relay) if relay.status < 500 => Ok(relay),
            failed => known.map_or(failed, |(_, relay)| Ok(relay)),
        }
    }

    /// Sends on the creation of a template, or with a name the removal of one.
    pub async fn change_templates(
        &self,
        caller: &Caller,
        (account, channel): (&str, &str),
        change: TemplateChange<'_>,
    ) -> Result<Relay, Refusal> {
        let mut path = vec!["accounts", account, "channels", channel, "templates"];
        let (method, body) = match change {
            TemplateChange::Create(body) => (Method::POST, Some((HeaderValue::from_static("application/json"), body))),
            TemplateChange::Remove(name) => {
                path.push(name);
                (Method::DELETE, None)
            }
        };
        caller.ensure_unlimited()?;
        let request = Relayed { method, path: &path, body };
        let relay = self.relay(caller, |lane| is_of_account(lane, account), request).await;
        // It may be done even without an answer.
        self.templates.0.lock().remove(&(account.to_owned(), channel.to_owned()));
        relay
    }

    async fn relay(
        &self,
        caller: &Caller,
        is_for: impl Fn(&&Lane) -> bool,
        request: Relayed<'_>,
    ) -> Result<Relay, Refusal> {
        let lane = self.lane(caller, is_for)?;
        // The client of each request is its own: they are few, and none delays the messages of the lane.
        let http = Http::new(&lane.name, &lane.provider).map_err(|error| Refusal::Unreachable(error.to_string()))?;
        match http.relay(request).await {
            Ok(answer) => Ok(answer.into()),
            Err(Broken::NotOffered { why } | Broken::Sent { why }) => Err(Refusal::Unreachable(why)),
            Err(Broken::Withdrawn) => Err(Refusal::Stopping),
        }
    }

    /// A lane that the caller may use.
    fn lane(&self, caller: &Caller, is_for: impl Fn(&&Lane) -> bool) -> Result<&Lane, Refusal> {
        let may_use = |lane: &&Lane| may_use_lane(caller, lane);
        let lane = self.stores.config.lanes.iter().filter(may_use).find(is_for);
        lane.ok_or(Refusal::Provider(NOT_OURS))
    }
}

/// A change of the templates of a channel.
#[derive(Debug)]
pub enum TemplateChange<'a> {
    Create(Bytes),
    Remove(&'a str),
}

fn is_of_account(lane: &&Lane, account: &str) -> bool {
    lane.provider.is_account(account) == Some(true)
}
