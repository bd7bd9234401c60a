//! `[outgoing]` and `[[alert]]`: webhooks that Volley sends.

use url::Url;

use super::error::Error;
use super::keys::ALERT;
use super::layers::Layers;
use super::read::{Reader, Setting};
use super::secret::Secret;
use crate::base::domain::IpNetwork;
use crate::base::domain::{AlertForm, AlertKind};

/// Where webhooks may go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outgoing {
    /// Networks without public addresses that receivers may be in. In them, addresses without TLS are allowed.
    pub allow: Vec<IpNetwork>,
}

impl Outgoing {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        Ok(Self { allow: reader.parsed_list("allow")? })
    }
}

/// Who is told about troubles, and about which.
#[derive(Debug, Clone)]
pub struct Alert {
    pub name: String,
    pub target: AlertTarget,
    pub kinds: Vec<AlertKind>,
}

#[derive(Debug, Clone)]
pub enum AlertTarget {
    /// The address may hold a token, so it is secret.
    Webhook { url: Secret, form: AlertForm },
    /// A program and its arguments. It gets the alert on its standard input.
    Command(Vec<String>),
}

pub(super) fn alerts(layers: &Layers, settings: &mut Vec<Setting>) -> Result<Vec<Alert>, Error> {
    layers.named(&ALERT).map(|entry| alert(&mut Reader::new(entry, settings))).collect()
}

fn alert(reader: &mut Reader<'_>) -> Result<Alert, Error> {
    let url = url(reader)?;
    let form = if reader.has("format") { reader.parsed::<AlertForm>("format")? } else { None };
    if form.is_none() {
        reader.assume("format", &AlertForm::Json);
    }
    let command: Vec<String> = reader.parsed_list("command")?;
    let kinds: Vec<AlertKind> = reader.parsed_list("kinds")?;
    let target = match (url, command.is_empty()) {
        (Some(url), true) => AlertTarget::Webhook { url, form: form.unwrap_or(AlertForm::Json) },
        (None, false) if form.is_some() => {
            return Err(reader.wrong("format", "a command always gets JSON; remove it"));
        }
        (None, false) => AlertTarget::Command(command),
        (Some(_), false) => return Err(reader.wrong("command", "the alert has a url, too; keep one of them")),
        (None, true) => {
            let at = reader.at("url");
            return Err(Error::Value { at, problem: "an alert needs a target; add a url or a command".to_owned() });
        }
    };
    let kinds = if kinds.is_empty() { AlertKind::ALL.to_vec() } else { kinds };
    Ok(Alert { name: reader.name().to_owned(), target, kinds })
}

fn url(reader: &mut Reader<'_>) -> Result<Option<Secret>, Error> {
    let Some(text) = reader.text("url")? else { return Ok(None) };
    let is_address = |url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host();
    match Url::parse(&text).ok().filter(is_address) {
        Some(_) => Ok(Some(Secret::new(text))),
        // The value is not repeated, because it may hold a token.
        None => Err(reader.wrong("url", "invalid URL; use https://, a host and a path")),
    }
}
