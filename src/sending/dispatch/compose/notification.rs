//! LINE Official Notifications on the wire.

use crate::base::domain::{Labelled, Notification};
use crate::rules::wire::{
    Emphasis, ListEntry, NotificationAction, NotificationContent, NotificationRequest, SendRequest,
};

/// Its address says what it is, so that of the envelope only the recipient and our id remain.
pub(super) fn request<'a>(notification: &'a Notification, envelope: SendRequest<'a>) -> NotificationRequest<'a> {
    NotificationRequest {
        user: envelope.user,
        client_message_id: envelope.client_message_id,
        content: Some(content(notification)),
        ..NotificationRequest::default()
    }
}

fn content(notification: &Notification) -> NotificationContent<'_> {
    let Notification { title, company, icon, emphasis, list, explanation, greeting, actions } = notification;
    let entry = |Labelled { label, content }: &'_ Labelled| ListEntry {
        label: label.clone().into(),
        content: content.clone().into(),
    };
    NotificationContent {
        title: Some(title.as_str().into()),
        company: company.as_deref().map(Into::into),
        icon: icon.as_deref().map(Into::into),
        emphasis: emphasis.as_ref().map(|Labelled { label, content }| Emphasis {
            label: label.as_str().into(),
            content: content.as_str().into(),
        }),
        list: list.iter().map(entry).collect(),
        explanation: explanation.as_deref().map(Into::into),
        greeting: greeting.as_deref().map(Into::into),
        actions: actions
            .iter()
            .map(|link| NotificationAction { title: link.title.as_str().into(), url: link.url.as_str().into() })
            .collect(),
    }
}
