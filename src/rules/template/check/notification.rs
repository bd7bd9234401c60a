//! The rules of LINE Official Notifications.

use super::{Findings, bare, text_max};
use crate::base::domain::{Channel, ContentPart, Labelled, Notification, NotificationLink};

impl Findings {
    pub(super) fn check_notification(&mut self, notification: &Notification) {
        let Notification { title, company, icon, emphasis, list, explanation, greeting, actions } = notification;
        let part = |path: &str| ContentPart::Key("notification", path.into());
        self.check_not_empty(part("title"), title);
        let alone = [("company", company), ("icon", icon), ("explanation", explanation), ("greeting", greeting)];
        for (name, text) in alone {
            if let Some(text) = text {
                self.check_not_empty(part(name), text);
            }
        }
        let emphasis = emphasis.iter().map(|labelled| ("emphasis".to_owned(), labelled));
        let list = (1..).zip(list).map(|(number, labelled)| (format!("list {number}"), labelled));
        for (place, Labelled { label, content }) in emphasis.chain(list) {
            self.check_not_empty(part(&format!("{place} label")), label);
            self.check_not_empty(part(&format!("{place} content")), content);
        }
        for (number, NotificationLink { title, url }) in (1..).zip(actions) {
            self.check_not_empty(part(&format!("action {number} title")), title);
            self.check_link(part(&format!("action {number} url")), url);
        }
        self.check_whole_length(notification);
    }

    /// The limit is for all texts of a notification together.
    fn check_whole_length(&mut self, notification: &Notification) {
        let Notification { title, company, icon: _, emphasis, list, explanation, greeting, actions } = notification;
        let labelled = emphasis.iter().chain(list).flat_map(|Labelled { label, content }| [label, content]);
        let alone = [Some(title), company.as_ref(), explanation.as_ref(), greeting.as_ref()].into_iter().flatten();
        let titles = actions.iter().map(|action| &action.title);
        let all: usize = labelled.chain(alone).chain(titles).map(|text| bare(text).len()).sum();
        let most = text_max(Channel::LineNotification);
        if all > most {
            let sentence = format!("its texts have {all} characters, and a notification allows {most}; shorten them");
            self.add(ContentPart::key("notification"), sentence);
        }
    }
}
