//! Finds the message that an operator names.

use anyhow::bail;

use crate::base::domain::{Address, AttemptId, MessageId, MessageKey, Msisdn, Tag, Umid};
use crate::campaigns::campaign::{FindError, find as campaign_named};
use crate::campaigns::report;
use crate::cli::campaign::ensure_not_purged;
use crate::cli::words::{plural, shell};
use crate::cli::{CommandContext, exit::Usage};
use crate::store::{Batch, Consent, Key, Store};

/// Ids that are listed if a number has several messages.
const LISTED: usize = 5;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Which {
    /// A message: its id (msg_…, or the UUID of the 8x8 API), the id of an attempt (att_…), or the provider's umid of
    /// one. Or a campaign (name, id or `latest`), together with RECIPIENT. Or only a phone number (+65…) or a channel's
    /// id, which lists the messages of all campaigns to it.
    #[arg(value_name = "MESSAGE|CAMPAIGN|NUMBER")]
    message: String,
    /// In a campaign: the message to this phone number (+65…) or id of a channel, or with this ClientMessageId of the recipient file.
    recipient: Option<String>,
}

impl Which {
    /// The number or id, if it is given without a campaign.
    pub(super) fn address(&self) -> Option<Address> {
        self.message.parse().ok().filter(|_| self.recipient.is_none())
    }

    pub(super) async fn find(
        &self,
        context: &CommandContext,
        store: &dyn Store,
    ) -> anyhow::Result<(Batch, MessageKey)> {
        match &self.recipient {
            Some(recipient) => to(store, &self.message, recipient).await,
            None => by_id(context, store, &self.message).await,
        }
    }
}

async fn to(store: &dyn Store, campaign: &str, recipient: &str) -> anyhow::Result<(Batch, MessageKey)> {
    let batch = campaign_named(store, campaign).await?;
    ensure_not_purged(&batch)?;
    let found = report::lookup(store, &batch, recipient).await?;
    let name = batch.display_name();
    match found[..] {
        [message] => Ok((batch, message.key)),
        [] if let Some(address) = opted_out(store, recipient).await? => bail!(
            "\"{name}\" has no message to {address}: the recipient has opted out, and a launch leaves out opted-out \
             recipients; see `volley opt-out show {address}`"
        ),
        [] if Address::asked(recipient).is_ok() => bail!(
            "\"{name}\" has no message to {recipient}: its recipient files do not have this number or id, or the launch left it \
             out; to list its messages: volley message list {}",
            shell(&name)
        ),
        [] => bail!(
            "\"{recipient}\" is neither a phone number with its country code, such as +65…, nor a ClientMessageId of the \
             recipients of \"{name}\"; to list its messages: volley message list {}",
            shell(&name)
        ),
        _ => {
            let ids =
                found.iter().take(LISTED).map(|message| MessageId { key: message.key, tag: batch.tag }.to_string());
            bail!(
                "\"{name}\" has {} to {recipient}; name one: {}",
                plural(found.len() as u64, "message", "messages"),
                ids.collect::<Vec<_>>().join(", ")
            )
        }
    }
}

/// The address, if it is one and its recipient has opted out.
async fn opted_out(store: &dyn Consent, recipient: &str) -> anyhow::Result<Option<Address>> {
    let Ok(address) = Address::asked(recipient) else { return Ok(None) };
    Ok(store.opt_out_of(address).await?.map(|opt_out| opt_out.address))
}

async fn by_id(context: &CommandContext, store: &dyn Store, text: &str) -> anyhow::Result<(Batch, MessageKey)> {
    // First, because a UUID of the provider may look like one of ours.
    let found = store.find(vec![Key::Umid(Umid::new(text))]).await?.pop().flatten();
    if let Some(key) = found.map(|found| found.message.key)
        && let Some(batch) = store.batch(key.batch).await?
    {
        return Ok((batch, key));
    }
    let message = text.parse::<MessageId>();
    let attempt = text.parse::<AttemptId>();
    let named = message.as_ref().map(|id| (id.key, id.tag)).or(attempt.as_ref().map(|id| (id.key, id.tag)));
    if let Ok((key, tag)) = named {
        return by_key(context, store, text, key, tag).await;
    }
    if text.starts_with(AttemptId::PREFIX) {
        attempt.map_err(|error| Usage(error.to_string()))?;
    }
    if text.starts_with("msg_") {
        message.map_err(|error| Usage(error.to_string()))?;
    }
    let is_campaign = match campaign_named(store, text).await {
        Ok(_) | Err(FindError::UnknownId { .. }) => true,
        Err(FindError::Store(error)) => return Err(error.into()),
        Err(FindError::Unknown { .. } | FindError::InvalidId(_) | FindError::NoneLaunched) => false,
    };
    if is_campaign {
        let campaign = shell(text);
        let advice = format!(
            "\"{text}\" is a campaign; add a recipient after it, such as +65…, or see `volley message list {campaign}`"
        );
        return Err(Usage(advice).into());
    }
    if let (true, Err(error)) = (text.starts_with('+'), text.parse::<Msisdn>()) {
        return Err(Usage(format!("\"{text}\" is {error}")).into());
    }
    bail!(
        "unknown message \"{text}\"; give its id (msg_…), the id of an attempt (att_… or the provider's umid), a phone \
         number (+65…), or a campaign and a phone number. `volley message list CAMPAIGN` shows ids"
    )
}

/// Finds the message of a well-formed id.
async fn by_key(
    context: &CommandContext,
    store: &dyn Store,
    text: &str,
    key: MessageKey,
    tag: Tag,
) -> anyhow::Result<(Batch, MessageKey)> {
    let Some(batch) = store.batch(key.batch).await? else {
        bail!("unknown message {text}: it is not in {}", context.database().display());
    };
    if batch.tag != tag {
        bail!("message {text} was created by another installation, or in a database that no longer exists");
    }
    ensure_not_purged(&batch)?;
    if store.load(vec![key]).await?.is_empty() {
        bail!("unknown message {text}: it is not in {}", context.database().display());
    }
    Ok((batch, key))
}
