//! `[provider]`, and the keys of it that a lane may override.

use std::num::NonZeroU32;

use url::Url;
use uuid::Uuid;

use super::credential::{Credential, Form};
use super::error::Error;
use super::hosts::{Api, beside, check_beside, is_own};
use super::network::Network;
use super::read::Reader;
use super::{Lane, Secret};
use crate::base::domain::{Channel, MessagingApi, Span};

/// The settings of the provider.
#[derive(Debug, Clone)]
pub struct Provider {
    /// Without a trailing slash.
    pub base_url: String,
    pub sub_account: Option<String>,
    pub account_id: Option<String>,
    /// The account at the API for contacts, which names it by its name and not by its id.
    pub account_name: Option<String>,
    pub api_key: Option<Credential>,
    /// The `Authorization` that is registered with the provider for its webhooks; while it is rotated, two.
    pub webhook_authorization: Option<Credential>,
    /// The key of the HMAC over a webhook's raw body; while it is rotated, two.
    pub webhook_secret: Option<Credential>,
    pub send: SendMode,
    /// How long a request may take.
    pub timeout: Span,
    /// How many requests a lane has open at once.
    pub connections: NonZeroU32,
    pub network: Network,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendMode {
    /// A request for every message.
    Single,
    /// A request for up to `size` messages.
    Batch { size: NonZeroU32 },
}

/// The provider settings of one lane: its own, else those of `[provider]`.
#[derive(Debug, Clone)]
pub struct LaneProvider {
    /// The API of the provider that takes its messages.
    pub api: MessagingApi,
    pub base_url: String,
    pub sub_account: String,
    pub account_id: Option<String>,
    /// Planning needs none; [`super::Config::check_serve`] requires one on every lane.
    pub api_key: Option<Credential>,
    pub send: SendMode,
    pub timeout: Span,
    pub connections: NonZeroU32,
    pub network: Network,
}

impl LaneProvider {
    /// Whether the lane belongs to an account that the provider names; `None` if that cannot be compared. The provider's API
    /// names an account by a UUID, and its events may do so by a name.
    pub fn is_account(&self, account: &str) -> Option<bool> {
        let own = self.account_id.as_deref()?;
        match (Uuid::try_parse(own), Uuid::try_parse(account)) {
            (Ok(own), Ok(account)) => Some(own == account),
            (Err(_), Err(_)) => Some(own.eq_ignore_ascii_case(account)),
            (Ok(_), Err(_)) | (Err(_), Ok(_)) => None,
        }
    }
}

impl Provider {
    const BASE_URL: &'static str = "https://chatapps.8x8.com";
    const TIMEOUT: Span = Span::from_secs(30);

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let base_url = if reader.has("base_url") {
            base_url(reader)?.unwrap_or_default()
        } else {
            reader.assume("base_url", &Self::BASE_URL);
            Self::BASE_URL.to_owned()
        };
        let account_id = reader.text("account_id")?;
        Ok(Self {
            base_url,
            sub_account: reader.text("sub_account")?,
            account_name: reader.text("account_name")?.or_else(|| account_id.clone()),
            account_id,
            api_key: reader.credential("api_key", "api_key_file", Form::Header)?,
            webhook_authorization: reader.credential(
                "webhook_authorization",
                "webhook_authorization_file",
                Form::Proof,
            )?,
            webhook_secret: reader.in_file("webhook_secret_file", Form::Proof)?,
            send: send_mode(reader)?,
            timeout: timeout(reader)?,
            // Enough for 1,000 requests a second at 60 ms each, and few enough for the provider's load balancer.
            connections: nonzero(reader.whole("connections", 1..=1_024, 64)?),
            network: Network::read(reader)?,
        })
    }

    /// The same provider at another of its addresses, for requests that belong to no lane.
    pub fn at(&self, base_url: &str) -> LaneProvider {
        LaneProvider {
            api: MessagingApi::ChatApps,
            base_url: base_url.to_owned(),
            sub_account: self.sub_account.clone().unwrap_or_default(),
            account_id: self.account_id.clone(),
            api_key: self.api_key.clone(),
            send: self.send,
            timeout: self.timeout,
            connections: self.connections,
            network: self.network.clone(),
        }
    }

    /// The provider of a lane.
    pub(super) fn of_lane(&self, lane: &mut Reader<'_>, channel: Channel) -> Result<LaneProvider, Error> {
        let api = api(lane, channel)?;
        let base_url = match (base_url(lane)?, api) {
            (Some(own), _) => {
                check_beside(lane, "base_url", &own, self)?;
                own
            }
            (None, MessagingApi::ChatApps) => self.base_url.clone(),
            (None, MessagingApi::Sms) => beside(&self.base_url, Api::Sms),
        };
        let Some(sub_account) = lane.text("sub_account")?.or_else(|| self.sub_account.clone()) else {
            return Err(Error::Missing {
                lane: lane.name().to_owned(),
                key: "sub_account",
                advice: "add sub_account = \"…\" under [provider], or to the lane",
            });
        };
        Ok(LaneProvider {
            api,
            base_url,
            sub_account,
            account_id: lane.text("account_id")?.or_else(|| self.account_id.clone()),
            api_key: lane.credential("api_key", "api_key_file", Form::Header)?.or_else(|| self.api_key.clone()),
            send: self.send,
            timeout: self.timeout,
            connections: self.connections,
            network: self.network.clone(),
        })
    }
}

/// Warns about secrets that look like placeholders.
pub(super) fn placeholders(provider: &Provider, lanes: &[Lane]) -> Vec<String> {
    let Provider { api_key, webhook_authorization, webhook_secret, .. } = provider;
    let of_provider = [
        ("api_key", api_key),
        ("webhook_authorization", webhook_authorization),
        ("webhook_secret_file", webhook_secret),
    ];
    let of_provider = of_provider.into_iter().map(|(key, secret)| ("[provider]".to_owned(), key, secret));
    // A lane without a key of its own has the provider's.
    let has_own = |lane: &&Lane| match (&lane.provider.api_key, api_key) {
        (Some(own), Some(provider)) => !own.is(provider),
        (own, _) => own.is_some(),
    };
    let of_lanes = lanes.iter().filter(has_own);
    let of_lanes = of_lanes.map(|lane| (format!("lane {}", lane.name), "api_key", &lane.provider.api_key));
    let is_placeholder = |credential: &Credential| credential.valid().iter().any(Secret::is_placeholder);
    let warned = of_provider.chain(of_lanes).filter(|(_, _, found)| found.as_ref().is_some_and(is_placeholder));
    warned
        .map(|(place, key, _)| {
            format!("{place}: {key} looks like a placeholder; write the value that you agreed on with the provider")
        })
        .collect()
}

fn send_mode(reader: &mut Reader<'_>) -> Result<SendMode, Error> {
    let word: String = reader.parsed_or("send", "single".to_owned())?;
    let size = nonzero(reader.whole("batch_size", 1..=10_000, 1_000)?);
    match word.as_str() {
        "single" => Ok(SendMode::Single),
        "batch" => Ok(SendMode::Batch { size }),
        _ => Err(reader.wrong("send", format_args!("unknown value \"{word}\"; use single or batch"))),
    }
}

fn api(reader: &mut Reader<'_>, channel: Channel) -> Result<MessagingApi, Error> {
    let api = reader.parsed_or("api", MessagingApi::ChatApps)?;
    if api == MessagingApi::Sms && channel != Channel::Sms {
        let (problem, advice) = ("the SMS API sends SMS alone", "remove it");
        return Err(Error::NotOnChannel { at: reader.at("api"), channel, problem, advice });
    }
    Ok(api)
}

fn timeout(reader: &mut Reader<'_>) -> Result<Span, Error> {
    let timeout = reader.parsed_or("timeout", Provider::TIMEOUT)?;
    if (Span::from_secs(1)..=Span::from_secs(300)).contains(&timeout) {
        return Ok(timeout);
    }
    Err(reader.wrong("timeout", format_args!("invalid timeout {timeout}; use 1s to 5m")))
}

/// Reads an `http` or `https` URL without query or fragment, and removes its trailing slash.
pub(super) fn web_address(reader: &mut Reader<'_>, key: &'static str) -> Result<Option<String>, Error> {
    let Some(text) = reader.text(key)? else { return Ok(None) };
    let plain = |url: &Url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    };
    match Url::parse(&text).ok().filter(plain) {
        Some(url) if url.scheme() == "http" && url.host_str().is_some_and(is_own) => {
            Err(reader.wrong(key, format_args!("{text} would send your API key unencrypted; write https://")))
        }
        Some(_) => Ok(Some(text.trim_end_matches('/').to_owned())),
        None => {
            Err(reader.wrong(key, format_args!("invalid URL \"{text}\"; use https://, a host and an optional path")))
        }
    }
}

/// The address below which the API is. The path of the API itself would be there twice.
fn base_url(reader: &mut Reader<'_>) -> Result<Option<String>, Error> {
    let Some(url) = web_address(reader, "base_url")? else { return Ok(None) };
    match url.split_once("/api/v1") {
        None => Ok(Some(url)),
        Some((base, _)) => Err(reader.wrong(
            "base_url",
            format_args!("\"{url}\" has the path of the API, which Volley adds itself; write \"{base}\""),
        )),
    }
}

/// Converts a number that was checked to be at least 1.
fn nonzero(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN)
}
