//! LINE notifications: an approved template, and perhaps an SMS after it.

use super::addressee::{Addressee, check_reach};
use super::route::NamedStep;
use super::sms;
use super::{Accepted, AcceptedContent, Refusal, Subaccount, check_callback};
use crate::base::domain::Channel;
use crate::rules::wire::{NotificationContent, NotificationRequest, SendRequest};

/// The most characters that a recipient sees of it.
const SHOWN_MAX: usize = 500;

/// Checks a notification, and the same as a message of the chat-apps API.
pub(super) fn check<'r>(
    notification: &'r NotificationRequest<'r>,
    request: &'r SendRequest<'r>,
    subaccount: &'r dyn Subaccount,
) -> Result<Accepted<'r>, Refusal> {
    let user = notification.user.as_ref().ok_or(3_001)?;
    let to = Addressee::of(user)?;
    check_reach(user, Channel::LineNotification)?;
    check_texts(notification)?;
    check_callback(request, subaccount)?;
    let sms = notification.sms_fallback.as_ref().and_then(|sms| sms.text.as_ref()).filter(|text| !text.is_empty());
    let channels = [Channel::LineNotification].into_iter().chain(sms.map(|_| Channel::Sms));
    Ok(Accepted {
        to,
        content: AcceptedContent::Notification(notification),
        steps: channels.map(NamedStep::on).collect(),
        scheduled: None,
        expiry: None,
    })
}

/// Checks the texts of a notification and of its SMS.
fn check_texts(notification: &NotificationRequest<'_>) -> Result<(), i64> {
    let content = notification.content.as_ref().ok_or(3_004)?;
    if content.title.as_deref().is_none_or(str::is_empty) {
        return Err(3_005);
    }
    if shown(content) > SHOWN_MAX {
        return Err(3_006);
    }
    let Some(sms) = &notification.sms_fallback else { return Ok(()) };
    if sms.text.as_deref().is_some_and(|text| text.chars().count() > sms::TEXT_MAX) {
        return Err(3_017);
    }
    let is_long = sms.source.as_deref().is_some_and(|source| source.chars().count() > sms::SOURCE_MAX);
    if is_long { Err(3_011) } else { Ok(()) }
}

/// The characters of every text that the recipient sees: without addresses and the name of the icon.
fn shown(content: &NotificationContent<'_>) -> usize {
    let NotificationContent { title, company, icon: _, emphasis, list, explanation, greeting, actions } = content;
    let single = [title, company, explanation, greeting].into_iter().flatten();
    let emphasis = emphasis.iter().flat_map(|emphasis| [&emphasis.label, &emphasis.content]);
    let list = list.iter().flat_map(|entry| [&entry.label, &entry.content]);
    let titles = actions.iter().map(|action| &action.title);
    single.chain(emphasis).chain(list).chain(titles).map(|text| text.chars().count()).sum()
}
