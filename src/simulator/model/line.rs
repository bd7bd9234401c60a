//! Recipients on LINE, which are addressed by their ids instead of by number, and notifications, which name no channel.

use super::Model;
use super::seen::digest;
use crate::domain::{Channel, Msisdn};
use crate::wire::{
    BatchRequest, ChannelStep, Content, Emphasis, ListEntry, NotificationBatch, NotificationContent,
    NotificationRequest, SendRequest, User,
};

/// Numbers that stand for ids in the model's tables: no country has the calling code 990.
const FIRST: u64 = 990_000_000_000_000;
const COUNT: u64 = 9_000_000_000_000;

/// The number that stands for an id. Two ids of a run share one with a chance of one in trillions.
pub(super) fn number_of(id: &str) -> Option<Msisdn> {
    let number = FIRST + digest(id) % COUNT;
    Msisdn::try_from(number).ok().filter(|_| !id.trim().is_empty())
}

impl Model {
    /// The recipient of a message, as webhooks name them: by number, or on LINE by id.
    pub(super) fn user_of(&self, number: u64) -> User<'_> {
        match self.line_ids.get(&number) {
            Some(id) => User { channel_user_id: Some((&**id).into()), ..User::default() },
            None => User {
                channel_user_id: Some(number.to_string().into()),
                msisdn: Some(format!("+{number}").into()),
                ..User::default()
            },
        }
    }

    pub(super) fn note_line_id(&mut self, number: Msisdn, user: Option<&User<'_>>) {
        if let Some(id) = user.and_then(|user| user.line_user_id.as_deref()) {
            self.line_ids.entry(number.get()).or_insert_with(|| id.into());
        }
    }
}

/// A notification as the model takes it: a text on the channel of notifications.
pub(super) fn message_of(request: NotificationRequest<'_>) -> SendRequest<'_> {
    let channel = ChannelStep { channel: Channel::LineNotification.as_str().into(), ..ChannelStep::default() };
    SendRequest {
        user: request.user,
        client_message_id: request.client_message_id,
        kind: Some("text".into()),
        content: request.content.map(|content| Content { text: Some(text_of(&content).into()), ..Content::default() }),
        channels: vec![channel],
        dlr_callback_url: request.dlr_callback_url,
        ..SendRequest::default()
    }
}

pub(super) fn messages_of(batch: NotificationBatch<'_>) -> BatchRequest<'_> {
    BatchRequest {
        client_batch_id: batch.client_batch_id,
        include_messages_in_response: batch.include_messages_in_response,
        template: None,
        messages: batch.messages.into_iter().map(message_of).collect(),
    }
}

/// All texts of a notification, which its limit is for.
fn text_of(content: &NotificationContent<'_>) -> String {
    let NotificationContent { title, company, icon: _, emphasis, list, explanation, greeting, actions } = content;
    let alone = [title, company, explanation, greeting].into_iter().flatten().map(|text| &**text);
    let emphasis = emphasis.iter().flat_map(|Emphasis { label, content }| [&**label, &**content]);
    let list = list.iter().flat_map(|ListEntry { label, content }| [&**label, &**content]);
    let titles = actions.iter().map(|action| &*action.title);
    alone.chain(emphasis).chain(list).chain(titles).collect()
}
