//! Which message somebody means.

use anyhow::bail;

use crate::campaign;
use crate::cli::campaign::{find as campaign_named, ensure_not_purged, name_of};
use crate::cli::words::{of, shell};
use crate::cli::{Ground, exit::Usage};
use crate::domain::{AttemptId, CampaignId, MessageId, MessageKey, Msisdn, Tag, Umid};
use crate::store::{Batch, Key, Store};

/// Ids that are listed where a number has several messages.
const LISTED: usize = 5;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Which {
    /// A message: its id (msg_…, or the UUID of the 8x8 API), the id of a hand-over (att_…) or the provider's umid of
    /// one. Or a campaign, by its name or id, with WHOM.
    #[arg(value_name = "MESSAGE|CAMPAIGN")]
    message: String,
    /// Of a campaign: the message to this phone number (+65…), or with this ClientMessageId of the recipient file.
    whom: Option<String>,
}

impl Which {
    pub(super) async fn find(&self, ground: &Ground, store: &dyn Store) -> anyhow::Result<(Batch, MessageKey)> {
        match &self.whom {
            Some(whom) => to(store, &self.message, whom).await,
            None => by_id(ground, store, &self.message).await,
        }
    }
}

async fn to(store: &dyn Store, campaign: &str, whom: &str) -> anyhow::Result<(Batch, MessageKey)> {
    let batch = campaign_named(store, campaign).await?;
    ensure_not_purged(&batch)?;
    let found = campaign::lookup(store, &batch, whom).await?;
    let name = name_of(&batch);
    match found[..] {
        [message] => Ok((batch, message.key)),
        [] if let Some(person) = has_opted_out(store, whom).await? => bail!(
            "\"{name}\" has no message to {person}, who has opted out: whoever had by the launch got none, see `volley \
             opt-out show {person}`"
        ),
        [] => bail!(
            "\"{name}\" has no message to \"{whom}\", neither a number with its country code nor a ClientMessageId; see \
             `volley message list {}`",
            shell(&name)
        ),
        _ => {
            let ids =
                found.iter().take(LISTED).map(|message| MessageId { key: message.key, tag: batch.tag }.to_string());
            bail!(
                "\"{name}\" has {} to {whom}; name one: {}",
                of(found.len() as u64, "message", "messages"),
                ids.collect::<Vec<_>>().join(", ")
            )
        }
    }
}

/// The person whose number this is, where they want nothing more.
async fn has_opted_out(store: &dyn Store, whom: &str) -> anyhow::Result<Option<Msisdn>> {
    let Ok(person) = whom.parse::<Msisdn>() else { return Ok(None) };
    Ok(store.opted_out(vec![person]).await?.pop())
}

async fn by_id(ground: &Ground, store: &dyn Store, text: &str) -> anyhow::Result<(Batch, MessageKey)> {
    let message = text.parse::<MessageId>();
    let attempt = text.parse::<AttemptId>();
    let named = message.as_ref().map(|id| (id.key, id.tag)).or(attempt.as_ref().map(|id| (id.key, id.tag)));
    if let Ok((key, tag)) = named {
        return ours(ground, store, text, key, tag).await;
    }
    if text.starts_with(AttemptId::PREFIX) {
        attempt.map_err(|error| Usage(error.to_string()))?;
    }
    if text.starts_with("msg_") {
        message.map_err(|error| Usage(error.to_string()))?;
    }
    let found = store.find(vec![Key::Umid(Umid::new(text))]).await?.pop().flatten();
    if let Some(key) = found.map(|found| found.message.key)
        && let Some(batch) = store.batch(key.batch).await?
    {
        return Ok((batch, key));
    }
    if text.parse::<CampaignId>().is_ok() || store.batch_named(text).await?.is_some() {
        let campaign = shell(text);
        let advice = format!(
            "\"{text}\" is a campaign; say whom of it, such as `volley message show {campaign} +65…`, or see `volley message \
             list {campaign}`"
        );
        return Err(Usage(advice).into());
    }
    bail!(
        "no message is called \"{text}\"; give its id (msg_…), the id of a hand-over (att_… or the provider's umid), or a \
         campaign and a phone number. `volley message list CAMPAIGN` shows ids"
    )
}

/// The message of an id that is well formed.
async fn ours(
    ground: &Ground,
    store: &dyn Store,
    text: &str,
    key: MessageKey,
    tag: Tag,
) -> anyhow::Result<(Batch, MessageKey)> {
    let Some(batch) = store.batch(key.batch).await? else {
        bail!("there is no message {text} in {}", ground.database().display());
    };
    if batch.tag != tag {
        bail!("message {text} was made by another installation, or for a database that is gone");
    }
    ensure_not_purged(&batch)?;
    if store.load(vec![key]).await?.is_empty() {
        bail!("there is no message {text} in {}", ground.database().display());
    }
    Ok((batch, key))
}
