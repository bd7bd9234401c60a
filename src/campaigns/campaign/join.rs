//! Adds single messages to a shared batch, and launches those of one call of the API. A batch for each single message would
//! be a queue for each, and every claim looks at every queue.

use super::channel_users::ChannelUsers;
use super::launch::{LaunchError, Launcher};
use super::lay_out::starts;
use crate::base::domain::{Plan, Recipient, Span, Tag, Timestamp};
use crate::rules::engine;
use crate::store::{ClientIds, Cursor, Joined, Joining, NewCall, OwnTimes};

/// How long messages may join a batch after its start. Messages of one hour are paused, cancelled and reported
/// together.
const OPEN_FOR: Span = Span::from_secs(3_600);
/// How long the id of a caller is remembered, where it is accepted once.
const ONCE_FOR: Span = Span::from_secs(24 * 3_600);
/// Messages that may join with one call. A call is one transaction, and no transaction may occupy the database for
/// long.
pub(super) const AT_ONCE: usize = 10_000;
/// The name of the audience of such a batch.
const AUDIENCE: &str = "single messages";
/// The same for a batch of a call that has no id of its own.
const CALL: &str = "API batch";
const CONFIRMATIONS: &str = "confirmations of opt-outs";

/// A message that joins: its recipient, and the times that it does not share with the others of its plan.
#[derive(Debug, Clone)]
pub struct SingleMessage {
    pub recipient: Recipient,
    /// Its earliest submission; at once if `None` or past.
    pub not_before: Option<Timestamp>,
    /// Its own expiry: from then on none of its steps is submitted.
    pub expires: Option<Timestamp>,
}

/// `not_before` and `expires` of a [`SingleMessage`].
type AskedTimes = [Option<Timestamp>; 2];

impl From<Recipient> for SingleMessage {
    fn from(recipient: Recipient) -> Self {
        Self { recipient, not_before: None, expires: None }
    }
}

impl Launcher<'_> {
    /// Adds messages to the open batch of their plan. They are on disk when this returns; on an error, none of them is.
    ///
    /// A message without times of its own is given as its [`Recipient`].
    pub async fn join<M: Into<SingleMessage>>(&self, plan: Plan, messages: Vec<M>) -> Result<Joined, LaunchError> {
        let joining = self.joining(AUDIENCE, plan, messages, Vec::new()).await?;
        Ok(self.store.join(joining).await?)
    }

    /// The same for confirmations of opt-outs, which are due no more from then on.
    pub(super) async fn confirm(
        &self,
        plan: Plan,
        recipients: Vec<Recipient>,
        confirms: Vec<Cursor>,
    ) -> Result<Joined, LaunchError> {
        let joining = self.joining(CONFIRMATIONS, plan, recipients, confirms).await?;
        Ok(self.store.join(joining).await?)
    }

    /// Launches the messages of one call of the API, by their plans: each plan gets a batch of its own, and all of them are
    /// on disk when this returns; on an error, none of them is.
    pub async fn launch_call(
        &self,
        client_batch_id: Option<String>,
        plans: Vec<(Plan, Vec<SingleMessage>)>,
    ) -> Result<Vec<Joined>, LaunchError> {
        let audience = client_batch_id.as_deref().unwrap_or(CALL);
        let mut parts = Vec::with_capacity(plans.len());
        for (plan, messages) in plans {
            parts.push(self.joining(audience, plan, messages, Vec::new()).await?);
        }
        Ok(self.store.begin_call(NewCall { client_batch_id, parts }).await?)
    }

    async fn joining<M: Into<SingleMessage>>(
        &self,
        audience: &str,
        plan: Plan,
        messages: Vec<M>,
        confirms: Vec<Cursor>,
    ) -> Result<Joining, LaunchError> {
        if messages.len() > AT_ONCE {
            return Err(LaunchError::TooManyToJoin(messages.len()));
        }
        let messages = messages.into_iter().map(Into::into);
        let (recipients, asked): (Vec<Recipient>, Vec<AskedTimes>) =
            messages.map(|SingleMessage { recipient, not_before, expires }| (recipient, [not_before, expires])).unzip();
        ChannelUsers::of(&plan).learn(self.store, &recipients).await?;
        let lanes = self.store.lanes(plan.lanes()).await?;
        let now = self.clock.now();
        let own_times = own_times(&plan, &recipients, &asked, now);
        let (start, elsewhere) = starts(&plan, &lanes, None, std::iter::empty(), &|_| now)?;
        let (tag, audience) = (Tag::from_random(self.chance.bits()), audience.to_owned());
        let open_until = Some(now + OPEN_FOR);
        let client_ids = self.client_ids(&plan, &recipients, now);
        Ok(Joining {
            plan,
            recipients,
            start,
            elsewhere,
            own_times,
            client_ids,
            tag,
            audience,
            open_until,
            confirms,
            now,
        })
    }

    /// The ids of the callers, if each is accepted once.
    fn client_ids(&self, plan: &Plan, recipients: &[Recipient], now: Timestamp) -> Option<ClientIds> {
        if !self.config.server.once_per_client_id || plan.api.is_none() {
            return None;
        }
        let id = |(position, recipient): (u32, &Recipient)| {
            Some((position, recipient.client_message_id.as_deref()?.to_owned()))
        };
        let of: Vec<_> = (0..).zip(recipients).filter_map(id).collect();
        (!of.is_empty()).then(|| ClientIds { of, since: now - ONCE_FOR })
    }
}

/// The times of the messages that have some of their own, as the engine decides for messages that join at `now`.
fn own_times(plan: &Plan, recipients: &[Recipient], asked: &[AskedTimes], now: Timestamp) -> Vec<OwnTimes> {
    let begun = |(index, (recipient, [not_before, expires])): (u32, (&Recipient, &AskedTimes))| {
        not_before.or(*expires)?;
        let marks = plan.marks_at_first(Some(recipient.country), None);
        let begun = engine::begin(plan, marks, not_before.map_or(now, |at| at.max(now)), *expires);
        OwnTimes::of(index, &begun)
    };
    (0..).zip(recipients.iter().zip(asked)).filter_map(begun).collect()
}
