//! Tells the store which recipients of a campaign have which id on a channel, so that an opt-out under the id reaches them.
//!
//! It happens before anything is sent to them. From then on, an opt-out under an id is one of its number, which every claim
//! checks.

use super::launch::LaunchError;
use crate::domain::{Channel, ChannelUser, Plan, Recipient};
use crate::store::{Alias, Consent};
use crate::template::RecipientText;

/// The steps of a plan that address recipients by an id of their channel.
pub(super) struct ChannelUsers(Vec<(Channel, RecipientText)>);

impl ChannelUsers {
    pub(super) fn of(plan: &Plan) -> Self {
        let id = |step| RecipientText::user_id(step, plan.names());
        Self(plan.steps.iter().filter_map(|step| Some((step.channel, id(step)?))).collect())
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
        self.0.iter().filter_map(move |(channel, text)| {
            let ChannelUser { channel: of_form, id } = text.fill(&fields)?.parse().ok()?;
            let msisdn = recipient.number()?;
            (of_form == *channel).then_some(Alias { channel: *channel, called: id, msisdn })
        })
    }
}
