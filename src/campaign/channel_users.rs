//! Tells the store which recipients of a campaign have which id on a channel, so that an opt-out under the id reaches them.
//!
//! It happens before anything is sent to them. From then on, an opt-out under an id is one of its number, which every claim
//! checks.

use super::launch::LaunchError;
use crate::domain::{AttemptId, BatchId, Channel, ChannelUser, MessageKey, Plan, Recipient, StepIndex, Tag, Timestamp};
use crate::store::{Alias, Consent};
use crate::template::{self, Pattern};

/// The steps of a plan that address recipients by an id of their channel.
pub(super) struct ChannelUsers(Vec<(Channel, Pattern)>);

impl ChannelUsers {
    pub(super) fn of(plan: &Plan) -> Self {
        let addressed = plan.steps.iter().filter_map(|step| {
            let marked = template::mark(&step.content, step.line_user_id.as_deref(), plan.names()).ok()?;
            // A JSON text, as everything that a pattern renders.
            let json = serde_json::to_string(&marked.line_user_id?).ok()?;
            Some((step.channel, Pattern::new(&json, &marked.variables).ok()?))
        });
        Self(addressed.collect())
    }

    pub(super) fn are_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Stores the ids of these recipients. An id without the form of its channel is left out: others may share it.
    pub(super) async fn learn(&self, store: &dyn Consent, recipients: &[Recipient]) -> Result<(), LaunchError> {
        let aliases: Vec<Alias> = recipients.iter().flat_map(|recipient| self.aliases(recipient)).collect();
        if !aliases.is_empty() {
            store.learn_users(aliases).await?;
        }
        Ok(())
    }

    fn aliases<'a>(&'a self, recipient: &'a Recipient) -> impl Iterator<Item = Alias> + 'a {
        let fields = recipient.fields.unpack().unwrap_or_default();
        self.0.iter().filter_map(move |(channel, pattern)| {
            let key = MessageKey { batch: BatchId(0), n: 0 };
            // An id contains none of these.
            let attempt = AttemptId { key, step: StepIndex::FIRST, tag: Tag::from_random(0) };
            let mut json = Vec::new();
            pattern.render(recipient.msisdn, attempt, Timestamp::default(), &fields, &mut json).ok()?;
            let ChannelUser { channel: of_form, id } = serde_json::from_slice::<String>(&json).ok()?.parse().ok()?;
            (of_form == *channel).then_some(Alias { channel: *channel, called: id, msisdn: recipient.msisdn })
        })
    }
}
