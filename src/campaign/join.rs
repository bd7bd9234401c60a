//! Single messages, which share a batch: a batch for each would be a queue for each, and every claim looks at every queue.

use super::launch::{LaunchError, Launcher, starts};
use crate::domain::{Plan, Recipient, Span, Tag};
use crate::store::{Joined, Joining};

/// How long messages can join a batch once it has begun. What is paused, cancelled and reported on together is the
/// messages of an hour.
const OPEN_FOR: Span = Span::from_secs(3_600);
/// Messages that may join with one call: they are one transaction, and none may keep the database for long.
pub(super) const AT_ONCE: usize = 5_000;
/// What the audience of such a batch is called.
const AUDIENCE: &str = "single messages";

impl Launcher<'_> {
    /// Sends messages by a plan beside others by the same plan. They are on disk when this returns; when it fails, none is.
    pub async fn join(&self, plan: Plan, recipients: Vec<Recipient>) -> Result<Joined, LaunchError> {
        if recipients.len() > AT_ONCE {
            return Err(LaunchError::TooManyToJoin(recipients.len()));
        }
        let lanes = self.store.lanes(plan.lanes()).await?;
        let now = self.clock.now();
        let (start, elsewhere) = starts(&plan, &lanes, std::iter::empty(), &|_| now)?;
        let (tag, audience) = (Tag::from_random(self.chance.bits()), AUDIENCE.to_owned());
        let open_until = now + OPEN_FOR;
        let joining = Joining { plan, recipients, start, elsewhere, tag, audience, open_until, now };
        Ok(self.store.join(joining).await?)
    }
}
