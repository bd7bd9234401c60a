//! Messages as JSON, one object each.

use serde::Serialize;

use super::brief::{StepBrief, steps_in_brief};
use super::figures::as_counted;
use super::lookup::ClientIds;
use crate::base::domain::{
    AddressFields, Channel, Loaded, MessageId, Outcome, Plan, SkipReason, State, StepIndex, Timestamp, rfc3339_option,
};
use crate::store::{Addresses, Batch, Result, Store};

/// A message of a list.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct MessageView {
    pub id: String,
    #[serde(flatten)]
    pub address: AddressFields,
    pub step: u8,
    pub channel: Option<Channel>,
    pub state: &'static str,
    pub outcome: Option<Outcome>,
    pub campaign: String,
    /// The `ClientMessageId` of the recipient file, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_message_id: Option<Box<str>>,
    /// The message's own expiry: from then on no step is submitted.
    #[serde(serialize_with = "rfc3339_option::serialize", skip_serializing_if = "Option::is_none")]
    pub expiry: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<SkipReason>,
    /// Steps for which it is unknown whether they were submitted.
    pub unknown_steps: Vec<u8>,
    /// What became of it at each step.
    #[serde(skip)]
    pub steps: Vec<StepBrief>,
}

/// Describes messages of one batch. What they share is read once.
#[derive(Debug)]
pub struct MessageViews<'a> {
    store: &'a dyn Store,
    batch: &'a Batch,
    plan: Option<Plan>,
    ids: ClientIds<'a>,
}

impl<'a> MessageViews<'a> {
    pub async fn of(store: &'a dyn Store, batch: &'a Batch) -> Result<Self> {
        let (plan, ids) = (store.plan(batch.id).await?, ClientIds::of(store, batch.id).await?);
        Ok(Self { store, batch, plan, ids })
    }

    pub async fn read(&self, messages: &[Loaded]) -> Result<Vec<MessageView>> {
        let mut ids = self.ids.read(messages).await?;
        let addresses = Addresses::read(self.store, messages.iter().map(|message| message.address)).await?;
        let view = |message: &Loaded| {
            let address = addresses.of(message.address).into();
            self.view(message, address, ids.remove(&message.key))
        };
        Ok(messages.iter().map(view).collect())
    }

    fn view(&self, message: &Loaded, address: AddressFields, client_message_id: Option<Box<str>>) -> MessageView {
        let present = &as_counted(self.batch, &message.present);
        let skipped = match present.state {
            State::Done { skipped, .. } => skipped,
            State::Queued { .. } | State::Sending { .. } | State::Awaiting { .. } => None,
        };
        let unknown = StepIndex::all().filter(|step| present.marks.unknown(*step));
        let step = self.plan.as_ref().and_then(|plan| plan.step(present.step));
        MessageView {
            id: MessageId { key: message.key, tag: self.batch.tag }.to_string(),
            address,
            step: present.step.get() + 1,
            channel: step.map(|step| step.channel),
            state: present.state_name(),
            outcome: present.outcome(),
            campaign: self.batch.display_name(),
            client_message_id,
            expiry: present.expires,
            skipped,
            unknown_steps: unknown.map(|step| step.get() + 1).collect(),
            steps: self.plan.as_ref().map(|plan| steps_in_brief(plan, present)).unwrap_or_default(),
        }
    }
}
