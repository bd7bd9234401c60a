//! LINE Official Notifications, as they are written in a campaign file.

use super::super::table::Table;
use super::{optional, required};
use crate::base::domain::{Labelled, Notification, NotificationLink};

pub(super) fn read(mut table: Table<'_>) -> Option<Notification> {
    let title = required(&mut table, &["title"], "the title of the notification");
    let (company, icon) = (optional(&mut table, "company"), optional(&mut table, "icon"));
    let has_emphasis = table.has("emphasis");
    let emphasis = table.read_below("emphasis", labelled);
    let list = table.read_each("list", labelled);
    let (explanation, greeting) = (optional(&mut table, "explanation"), optional(&mut table, "greeting"));
    let actions = table.read_each("actions", action);
    table.finish(&[]);
    Some(Notification {
        title: title?,
        company: company?,
        icon: icon?,
        emphasis: if has_emphasis { Some(emphasis?) } else { None },
        list: list?,
        explanation: explanation?,
        greeting: greeting?,
        actions: actions?,
    })
}

fn labelled(mut table: Table<'_>) -> Option<Labelled> {
    let label = required(&mut table, &["label"], "the label of the value");
    let content = required(&mut table, &["content"], "the value");
    table.finish(&[]);
    Some(Labelled { label: label?, content: content? })
}

fn action(mut table: Table<'_>) -> Option<NotificationLink> {
    let title = required(&mut table, &["title"], "the label of the button");
    let url = required(&mut table, &["url"], "the address that the button opens");
    table.finish(&[]);
    Some(NotificationLink { title: title?, url: url? })
}
