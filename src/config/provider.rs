//! `[provider]`, and what of it a lane may say differently.

use std::num::NonZeroU32;

use url::Url;

use super::Secret;
use super::error::Error;
use super::read::Reader;
use crate::domain::Span;

/// The provider as the installation knows it.
#[derive(Debug, Clone)]
pub struct Provider {
    /// Without a slash at the end.
    pub base_url: String,
    pub sub_account: Option<String>,
    pub account_id: Option<String>,
    pub api_key: Option<Secret>,
    /// The `Authorization` that the provider was told to send with its webhooks.
    pub webhook_authorization: Option<Secret>,
    /// The key of the HMAC over a webhook's raw body.
    pub webhook_secret: Option<Secret>,
    pub send: SendMode,
    /// How long a request may take.
    pub timeout: Span,
    /// How many requests a lane has open at once.
    pub connections: NonZeroU32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendMode {
    /// A request for every message.
    Single,
    /// A request for up to `size` messages.
    Batch { size: NonZeroU32 },
}

/// The provider as one lane knows it: its own words, else those of `[provider]`.
#[derive(Debug, Clone)]
pub struct LaneProvider {
    pub base_url: String,
    pub sub_account: String,
    pub account_id: Option<String>,
    /// Planning needs none; [`super::Config::check_serve`] wants one on every lane.
    pub api_key: Option<Secret>,
    pub send: SendMode,
    pub timeout: Span,
    pub connections: NonZeroU32,
}

impl Provider {
    const BASE_URL: &'static str = "https://chatapps.8x8.com";
    const TIMEOUT: Span = Span::from_secs(30);

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let base_url = if reader.says("base_url") {
            web_address(reader, "base_url")?.unwrap_or_default()
        } else {
            reader.assume("base_url", &Self::BASE_URL);
            Self::BASE_URL.to_owned()
        };
        Ok(Self {
            base_url,
            sub_account: reader.text("sub_account")?,
            account_id: reader.text("account_id")?,
            api_key: header_secret(reader, "api_key", "api_key_file")?,
            webhook_authorization: reader.text("webhook_authorization")?.map(Secret::new),
            webhook_secret: reader.secret(None, "webhook_secret_file")?,
            send: send_mode(reader)?,
            timeout: timeout(reader)?,
            // Enough for 1,000 a second at 60 ms an answer, and few enough for the provider's front door.
            connections: nonzero(reader.whole("connections", 1..=1_024, 64)?),
        })
    }

    /// The provider of a lane.
    pub(super) fn of_lane(&self, lane: &mut Reader<'_>) -> Result<LaneProvider, Error> {
        let base_url = web_address(lane, "base_url")?.unwrap_or_else(|| self.base_url.clone());
        let Some(sub_account) = lane.text("sub_account")?.or_else(|| self.sub_account.clone()) else {
            return Err(Error::Missing {
                lane: lane.name().to_owned(),
                key: "sub_account",
                advice: "add sub_account = \"…\" under [provider], or to the lane",
            });
        };
        Ok(LaneProvider {
            base_url,
            sub_account,
            account_id: lane.text("account_id")?.or_else(|| self.account_id.clone()),
            api_key: header_secret(lane, "api_key", "api_key_file")?.or_else(|| self.api_key.clone()),
            send: self.send,
            timeout: self.timeout,
            connections: self.connections,
        })
    }
}

fn send_mode(reader: &mut Reader<'_>) -> Result<SendMode, Error> {
    let word: String = reader.parsed_or("send", "single".to_owned())?;
    let size = nonzero(reader.whole("batch_size", 1..=10_000, 1_000)?);
    match word.as_str() {
        "single" => Ok(SendMode::Single),
        "batch" => Ok(SendMode::Batch { size }),
        _ => Err(reader.wrong("send", format_args!("\"{word}\" is no way of sending; write single or batch"))),
    }
}

fn timeout(reader: &mut Reader<'_>) -> Result<Span, Error> {
    let timeout = reader.parsed_or("timeout", Provider::TIMEOUT)?;
    if (Span::from_secs(1)..=Span::from_secs(300)).contains(&timeout) {
        return Ok(timeout);
    }
    Err(reader.wrong("timeout", format_args!("{timeout} is not from 1s to 5m")))
}

/// A secret that goes out as a header, and so may hold nothing that would break one.
fn header_secret(
    reader: &mut Reader<'_>,
    direct: &'static str,
    in_file: &'static str,
) -> Result<Option<Secret>, Error> {
    let secret = reader.secret(Some(direct), in_file)?;
    match &secret {
        Some(found) if !found.expose().bytes().all(|byte| byte.is_ascii_graphic()) => {
            let key = if reader.says(direct) { direct } else { in_file };
            Err(reader.wrong(key, "a key is one line of letters, digits and signs without spaces; check what it holds"))
        }
        Some(_) | None => Ok(secret),
    }
}

/// An `http` or `https` address without anything after its path, and without a slash at its end.
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
        Some(_) => Ok(Some(text.trim_end_matches('/').to_owned())),
        None => Err(reader.wrong(
            key,
            format_args!("\"{text}\" is not a web address; write https://, a host and perhaps a path, and no more"),
        )),
    }
}

/// For numbers whose bounds begin at one.
fn nonzero(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN)
}
