//! Tells the store which recipients of a campaign have which id on a channel, so that an opt-out under the id reaches them.
//!
//! It happens before anything is sent to them. From then on, an opt-out under an id is one of its number, which every claim
//! checks.

use super::launch::LaunchError;
use crate::base::domain::{Channel, ChannelUser, Plan, Recipient};
use crate::rules::template::RecipientText;
use crate::store::{Alias, Consent};

/// Where the ids of recipients are: in the steps of a plan that address recipients by an id of their channel, and in a column.
pub(super) struct ChannelUsers {
    of_steps: Vec<(Channel, RecipientText)>,
    /// The column of WhatsApp's ids.
    column: Option<usize>,
}

impl ChannelUsers {
    pub(super) fn of(plan: &Plan) -> Self {
        let id = |step| RecipientText::user_id(step, plan.names());
        let of_steps = plan.steps.iter().filter_map(|step| Some((step.channel, id(step)?))).collect();
        Self { of_steps, column: None }
    }

    /// With those of a column.
    pub(super) fn and_column(self, plan: &Plan, name: Option<&str>) -> Self {
        let has_whatsapp = plan.steps.iter().any(|step| step.channel == Channel::WhatsApp);
        let column = plan.columns.iter().position(|column| Some(column.as_str()) == name);
        Self { column: column.filter(|_| has_whatsapp), ..self }
    }

    pub(super) fn are_none(&self) -> bool {
        self.of_steps.is_empty() && self.column.is_none()
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
        // Several rows may share anything else, and a STOP of one would be one of all.
        let in_column = self.column.and_then(|column| ChannelUser::of_whatsapp(fields.get(column)?));
        let in_column = in_column.filter(ChannelUser::is_surely_of_whatsapp);
        let in_steps = self.of_steps.iter().filter_map(move |(channel, text)| {
            let user: ChannelUser = text.fill(&fields)?.parse().ok()?;
            (user.channel == *channel).then_some(user)
        });
        let alias = |ChannelUser { channel, id }| Some(Alias { channel, called: id, msisdn: recipient.number()? });
        in_steps.chain(in_column).filter_map(alias)
    }
}
