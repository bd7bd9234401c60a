//! Adds single messages to a shared batch, and launches those of one call of the API. A batch for each single message would
//! be a queue for each, and every claim looks at every queue.

use super::channel_users::ChannelUsers;
use super::launch::{LaunchError, Launcher};
use super::lay_out::starts;
use crate::domain::{Plan, Recipient, Span, Tag};
use crate::store::{Cursor, Joined, Joining, NewCall};

/// How long messages may join a batch after its start. Messages of one hour are paused, cancelled and reported
/// together.
const OPEN_FOR: Span = Span::from_secs(3_600);
/// Messages that may join with one call. A call is one transaction, and no transaction may occupy the database for
/// long.
pub(super) const AT_ONCE: usize = 10_000;
/// The name of the audience of such a batch.
const AUDIENCE: &str = "single messages";
/// The same for a batch of a call that has no id of its own.
const CALL: &str = "API batch";
const CONFIRMATIONS: &str = "confirmations of opt-outs";

impl Launcher<'_> {
    /// Adds messages to the open batch of their plan. They are on disk when this returns; on an error, none of them is.
    pub async fn join(&self, plan: Plan, recipients: Vec<Recipient>) -> Result<Joined, LaunchError> {
        let joining = self.joining(AUDIENCE, plan, recipients, Vec::new()).await?;
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
        plans: Vec<(Plan, Vec<Recipient>)>,
    ) -> Result<Vec<Joined>, LaunchError> {
        let audience = client_batch_id.as_deref().unwrap_or(CALL);
        let mut parts = Vec::with_capacity(plans.len());
        for (plan, recipients) in plans {
            parts.push(self.joining(audience, plan, recipients, Vec::new()).await?);
        }
        Ok(self.store.begin_call(NewCall { client_batch_id, parts }).await?)
    }

    async fn joining(
        &self,
        audience: &str,
        plan: Plan,
        recipients: Vec<Recipient>,
        confirms: Vec<Cursor>,
    ) -> Result<Joining, LaunchError> {
        if recipients.len() > AT_ONCE {
            return Err(LaunchError::TooManyToJoin(recipients.len()));
        }
        ChannelUsers::of(&plan).learn(self.store, &recipients).await?;
        let lanes = self.store.lanes(plan.lanes()).await?;
        let now = self.clock.now();
        let (start, elsewhere) = starts(&plan, &lanes, std::iter::empty(), &|_| now)?;
        let (tag, audience) = (Tag::from_random(self.chance.bits()), audience.to_owned());
        let open_until = Some(now + OPEN_FOR);
        Ok(Joining { plan, recipients, start, elsewhere, tag, audience, open_until, confirms, now })
    }
}
