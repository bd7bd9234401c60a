//! LINE Official Notifications.

use super::{Bind, Binder, Bound, TextRules};
use crate::base::domain::{Channel, ContentPart, Labelled, Notification, NotificationLink};
use crate::rules::template::check::text_max;
use crate::rules::template::preview::bubble::{
    Bubble, BubbleButton, BubbleHeader, BubbleNotice, BubbleValue, ButtonKind, Wording,
};
use crate::rules::template::preview::text::MessageText;

impl Binder<'_> {
    pub(super) fn notification(&self, channel: Channel, notification: &Notification) -> Bind<Bound> {
        let Notification { title, company, icon, emphasis, list, explanation, greeting, actions } = notification;
        let part = |path: &str| ContentPart::Key("notification", path.into());
        let maybe = |what: &str, text: &Option<String>| self.maybe(part(what), TextRules::default(), text.as_ref());
        let notice = BubbleNotice {
            title: self.plain(part("title"), title)?,
            company: maybe("company", company)?,
            icon: maybe("icon", icon)?,
        };
        let value = |place: String, Labelled { label, content }: &Labelled, is_emphasized| {
            Ok(BubbleValue {
                label: self.plain(part(&format!("{place} label")), label)?,
                content: self.plain(part(&format!("{place} content")), content)?,
                is_emphasized,
            })
        };
        let emphasis = emphasis.iter().map(|labelled| value("emphasis".to_owned(), labelled, true));
        let list =
            (1..).zip(list).map(|(number, labelled): (usize, _)| value(format!("list {number}"), labelled, false));
        let explanation = maybe("explanation", explanation)?;
        let buttons = (1..).zip(actions).map(|(number, link): (usize, &NotificationLink)| {
            let NotificationLink { title, url } = link;
            Ok(BubbleButton {
                kind: ButtonKind::Url,
                title: Some(self.plain(part(&format!("action {number} title")), title)?),
                target: Some(self.bind(part(&format!("action {number} url")), TextRules::ADDRESS, url)?),
                data: Vec::new(),
            })
        });
        // The limit is for all texts of a notification together.
        let most = Some(text_max(channel));
        let body = Wording { most, ..explanation.map_or_else(Wording::none, |text| Wording::of(text, None)) };
        Ok(Bubble {
            header: Some(BubbleHeader::Notice(notice)),
            values: emphasis.chain(list).collect::<Bind<Vec<BubbleValue<MessageText>>>>()?,
            body,
            footer: maybe("greeting", greeting)?,
            buttons: buttons.collect::<Bind<_>>()?,
            ..Bubble::empty(channel)
        })
    }
}
