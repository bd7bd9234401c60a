//! Adds single messages to a shared batch. A batch for each would be a queue for each, and every claim looks at every
//! queue.

use super::channel_users::ChannelUsers;
use super::launch::{LaunchError, Launcher};
use super::lay_out::starts;
use crate::domain::{Plan, Recipient, Span, Tag};
use crate::store::{Cursor, Joined, Joining};

/// How long messages may join a batch after its start. Messages of one hour are paused, cancelled and reported
/// together.
const OPEN_FOR: Span = Span::from_secs(3_600);
/// Messages that may join with one call. A call is one transaction, and no transaction may occupy the database for
/// long.
pub(super) const AT_ONCE: usize = 5_000;
/// The name of the audience of such a batch.
const AUDIENCE: &str = "single messages";
const CONFIRMATIONS: &str = "confirmations of opt-outs";

impl Launcher<'_> {
    /// Adds messages to the open batch of their plan. They are on disk when this returns; on an error, none of them is.
    pub async fn join(&self, plan: Plan, recipients: Vec<Recipient>) -> Result<Joined, LaunchError> {
        self.join_as(AUDIENCE, plan, recipients, Vec::new()).await
    }

    /// The same for confirmations of opt-outs, which are due no more from then on.
    pub(super) async fn confirm(
        &self,
        plan: Plan,
        recipients: Vec<Recipient>,
        confirms: Vec<Cursor>,
    ) -> Result<Joined, LaunchError> {
        self.join_as(CONFIRMATIONS, plan, recipients, confirms).await
    }

    async fn join_as(
        &self,
        audience: &str,
        plan: Plan,
        recipients: Vec<Recipient>,
        confirms: Vec<Cursor>,
    ) -> Result<Joined, LaunchError> {
        if recipients.len() > AT_ONCE {
            return Err(LaunchError::TooManyToJoin(recipients.len()));
        }
        ChannelUsers::of(&plan).learn(self.store, &recipients).await?;
        let lanes = self.store.lanes(plan.lanes()).await?;
        let now = self.clock.now();
        let (start, elsewhere) = starts(&plan, &lanes, std::iter::empty(), &|_| now)?;
        let (tag, audience) = (Tag::from_random(self.chance.bits()), audience.to_owned());
        let open_until = now + OPEN_FOR;
        let joining = Joining { plan, recipients, start, elsewhere, tag, audience, open_until, confirms, now };
        Ok(self.store.join(joining).await?)
    }
}
