//! The traversal of a content's texts: written once, for shared and for exclusive access.

use super::{
    Button, ButtonAction, Card, Content, ContentPart, FlowAction, Header, Interactive, InteractiveAction,
    InteractiveHeader, Labelled, LinkButton, ListRow, ListSection, Location, Media, MediaKind, Notification,
    NotificationLink, ProductSection, ReplyButton, RichMessage, Suggestion, SuggestionAction, TemplateCard,
    TemplateContent, VoiceCall,
};

/// Defines the traversal; `mut` gives access to change the texts.
macro_rules! traversal {
    ($module:ident $($mutable:tt)?) => {
        pub(super) mod $module {
            use serde_json::{Map, Value};

            use super::*;

            type Visit<'v, E> = dyn FnMut(ContentPart, &$($mutable)? String) -> Result<(), E> + 'v;
            type Found<E> = Result<(), E>;

            /// Calls `visit` for each text that may hold variables, in reading order.
            pub(in super::super) fn of_content<E>(content: &$($mutable)? Content, visit: &mut Visit<'_, E>) -> Found<E> {
                match content {
                    Content::Text { text, source: _, encoding: _ } => visit(ContentPart::Text, text),
                    Content::Template(template) => of_template(template, visit),
                    Content::ZaloTemplate(template) => {
                        for (name, text) in &$($mutable)? template.params {
                            visit(ContentPart::Param(name.as_str().into()), text)?;
                        }
                        Ok(())
                    }
                    Content::Rich(message) => of_rich(message, visit),
                    Content::Location(location) => {
                        of_location(location, &|key| ContentPart::Key("location", key.into()), visit)
                    }
                    Content::Interactive(interactive) => of_interactive(interactive, visit),
                    Content::Card(message) => {
                        of_card(&$($mutable)? message.card, "", visit)?;
                        of_suggestions(&$($mutable)? message.suggestions, "suggestion", "", visit)
                    }
                    Content::Carousel(carousel) => {
                        for (number, card) in (1..).zip(&$($mutable)? carousel.cards) {
                            of_card(card, &format!("{number} "), visit)?;
                        }
                        of_suggestions(&$($mutable)? carousel.suggestions, "suggestion", "", visit)
                    }
                    Content::Notification(notification) => of_notification(notification, visit),
                    Content::Raw(raw) => of_object(&$($mutable)? raw.content, "", &mut |path, text| {
                        visit(ContentPart::Raw(path.into()), text)
                    }),
                }
            }

            fn of_template<E>(template: &$($mutable)? TemplateContent, visit: &mut Visit<'_, E>) -> Found<E> {
                if let Some(header) = &$($mutable)? template.header {
                    of_header(header, visit)?;
                }
                of_body(&$($mutable)? template.body, visit)?;
                of_buttons(&$($mutable)? template.buttons, visit)?;
                for (number, card) in (1..).zip(&$($mutable)? template.carousel) {
                    let TemplateCard { header, body, buttons } = card;
                    let mut within = |part, text: &$($mutable)? String| {
                        visit(ContentPart::Card(number, Box::new(part)), text)
                    };
                    of_header(header, &mut within)?;
                    of_body(body, &mut within)?;
                    of_buttons(buttons, &mut within)?;
                }
                Ok(())
            }

            fn of_header<E>(header: &$($mutable)? Header, visit: &mut Visit<'_, E>) -> Found<E> {
                match header {
                    Header::Text(text) => visit(ContentPart::Header("text"), text),
                    Header::Image(url) => visit(ContentPart::Header("image"), url),
                    Header::Video(url) => visit(ContentPart::Header("video"), url),
                    Header::Gif(url) => visit(ContentPart::Header("gif"), url),
                    Header::Document(url) => visit(ContentPart::Header("document"), url),
                    Header::Location(location) => of_location(location, &ContentPart::Header, visit),
                }
            }

            fn of_body<E>(body: &$($mutable)? [String], visit: &mut Visit<'_, E>) -> Found<E> {
                for (number, text) in (1..).zip(body) {
                    visit(ContentPart::Body(number), text)?;
                }
                Ok(())
            }

            fn of_buttons<E>(buttons: &$($mutable)? [Button], visit: &mut Visit<'_, E>) -> Found<E> {
                for button in buttons {
                    let Button { index, action } = button;
                    let index = *index;
                    match action {
                        ButtonAction::Url(text) => visit(ContentPart::Button(index, "url"), text)?,
                        ButtonAction::Payload(text) => visit(ContentPart::Button(index, "payload"), text)?,
                        ButtonAction::CopyCode(text) => visit(ContentPart::Button(index, "copy_code"), text)?,
                        ButtonAction::Flow(FlowAction { screen: _, data }) => {
                            of_object(data, "", &mut |path, text| visit(ContentPart::Flow(index, path.into()), text))?;
                        }
                        ButtonAction::VoiceCall(VoiceCall { ttl: _, payload }) => {
                            if let Some(text) = payload {
                                visit(ContentPart::Button(index, "voice_call payload"), text)?;
                            }
                        }
                    }
                }
                Ok(())
            }

            fn of_location<E>(
                location: &$($mutable)? Location,
                part: &dyn Fn(&'static str) -> ContentPart,
                visit: &mut Visit<'_, E>,
            ) -> Found<E> {
                let Location { latitude, longitude, name, address } = location;
                visit(part("latitude"), latitude)?;
                visit(part("longitude"), longitude)?;
                visit(part("name"), name)?;
                visit(part("address"), address)
            }

            fn of_rich<E>(message: &$($mutable)? RichMessage, visit: &mut Visit<'_, E>) -> Found<E> {
                let RichMessage { text, media, button, suggestions } = message;
                if let Some(media) = media {
                    of_media(media, |kind| (kind.as_str(), String::new()), visit)?;
                }
                if let Some(text) = text {
                    visit(ContentPart::Text, text)?;
                }
                if let Some(button) = button {
                    let LinkButton { caption, url } = button;
                    visit(ContentPart::Key("button", "caption".into()), caption)?;
                    visit(ContentPart::Key("button", "url".into()), url)?;
                }
                of_suggestions(suggestions, "suggestion", "", visit)
            }

            /// `place` gives the key of the step, and the path of the file below it.
            fn of_media<E>(
                media: &$($mutable)? Media,
                place: impl Fn(MediaKind) -> (&'static str, String),
                visit: &mut Visit<'_, E>,
            ) -> Found<E> {
                let Media { kind, url, thumbnail, duration, size } = media;
                let (key, path) = place(*kind);
                let below = |detail: &str| -> String {
                    if path.is_empty() { detail.to_owned() } else { format!("{path} {detail}") }
                };
                visit(ContentPart::File(key, path.as_str().into()), url)?;
                if let Some(url) = thumbnail {
                    visit(ContentPart::File(key, below("thumbnail").into()), url)?;
                }
                if let Some(text) = duration {
                    visit(ContentPart::Key(key, below("duration").into()), text)?;
                }
                if let Some(text) = size {
                    visit(ContentPart::Key(key, below("size").into()), text)?;
                }
                Ok(())
            }

            fn of_card<E>(card: &$($mutable)? Card, number: &str, visit: &mut Visit<'_, E>) -> Found<E> {
                let Card { title, description, media, height: _, suggestions } = card;
                if let Some(text) = title {
                    visit(ContentPart::Key("card", format!("{number}title").into()), text)?;
                }
                if let Some(text) = description {
                    visit(ContentPart::Key("card", format!("{number}description").into()), text)?;
                }
                of_media(media, |kind| ("card", format!("{number}{kind}")), visit)?;
                of_suggestions(suggestions, "card", &format!("{number}suggestion "), visit)
            }

            fn of_suggestions<E>(
                suggestions: &$($mutable)? [Suggestion],
                key: &'static str,
                before: &str,
                visit: &mut Visit<'_, E>,
            ) -> Found<E> {
                for (number, suggestion) in (1..).zip(suggestions) {
                    let Suggestion { text, data, action } = suggestion;
                    let part = |detail: &str| ContentPart::Key(key, format!("{before}{number} {detail}").into());
                    visit(part("text"), text)?;
                    visit(part("data"), data)?;
                    match action {
                        SuggestionAction::Reply => {}
                        SuggestionAction::Url(text) => visit(part("url"), text)?,
                        SuggestionAction::Dial(text) => visit(part("dial"), text)?,
                        SuggestionAction::Search(text) => visit(part("search"), text)?,
                        SuggestionAction::Place { latitude, longitude, label } => {
                            visit(part("latitude"), latitude)?;
                            visit(part("longitude"), longitude)?;
                            if let Some(text) = label {
                                visit(part("label"), text)?;
                            }
                        }
                        SuggestionAction::Event { title, description, start, end } => {
                            visit(part("event title"), title)?;
                            if let Some(text) = description {
                                visit(part("event description"), text)?;
                            }
                            visit(part("event start"), start)?;
                            visit(part("event end"), end)?;
                        }
                    }
                }
                Ok(())
            }

            fn of_interactive<E>(interactive: &$($mutable)? Interactive, visit: &mut Visit<'_, E>) -> Found<E> {
                let Interactive { header, body, footer, action } = interactive;
                let part = |path: &str| ContentPart::Key("interactive", path.into());
                let file = |path: &str| ContentPart::File("interactive", path.into());
                match header {
                    None => {}
                    Some(InteractiveHeader::Text(text)) => visit(part("header text"), text)?,
                    Some(InteractiveHeader::Image(url)) => visit(file("header image"), url)?,
                    Some(InteractiveHeader::Video(url)) => visit(file("header video"), url)?,
                    Some(InteractiveHeader::Document(url)) => visit(file("header document"), url)?,
                }
                if let Some(text) = body {
                    visit(part("body"), text)?;
                }
                if let Some(text) = footer {
                    visit(part("footer"), text)?;
                }
                match action {
                    InteractiveAction::Buttons(buttons) => {
                        for (number, ReplyButton { id, title }) in (1..).zip(buttons) {
                            visit(part(&format!("button {number} id")), id)?;
                            visit(part(&format!("button {number} title")), title)?;
                        }
                    }
                    InteractiveAction::List { button, sections } => {
                        visit(part("list button"), button)?;
                        for (number, section) in (1..).zip(sections) {
                            of_section(section, number, visit)?;
                        }
                    }
                    InteractiveAction::Link { text, url } => {
                        visit(part("link text"), text)?;
                        visit(part("link url"), url)?;
                    }
                    InteractiveAction::Flow { id, text, token, mode: _, message_version: _, opens } => {
                        visit(part("flow id"), id)?;
                        visit(part("flow text"), text)?;
                        if let Some(token) = token {
                            visit(part("flow token"), token)?;
                        }
                        of_object(&$($mutable)? opens.data, "", &mut |path, text| {
                            visit(part(&format!("flow data.{path}")), text)
                        })?;
                    }
                    InteractiveAction::Product { catalog, product } => {
                        visit(part("product catalog"), catalog)?;
                        visit(part("product product"), product)?;
                    }
                    InteractiveAction::Products { catalog, product, sections } => {
                        visit(part("products catalog"), catalog)?;
                        if let Some(product) = product {
                            visit(part("products product"), product)?;
                        }
                        for (number, section) in (1..).zip(sections) {
                            let ProductSection { title, products } = section;
                            if let Some(title) = title {
                                visit(part(&format!("section {number} title")), title)?;
                            }
                            for (product, id) in (1..).zip(products) {
                                visit(part(&format!("section {number} product {product}")), id)?;
                            }
                        }
                    }
                }
                Ok(())
            }

            fn of_section<E>(section: &$($mutable)? ListSection, number: usize, visit: &mut Visit<'_, E>) -> Found<E> {
                let ListSection { title, rows } = section;
                let part = |path: &str| ContentPart::Key("interactive", format!("section {number} {path}").into());
                if let Some(title) = title {
                    visit(part("title"), title)?;
                }
                for (row, ListRow { id, title, description }) in (1..).zip(rows) {
                    visit(part(&format!("row {row} id")), id)?;
                    visit(part(&format!("row {row} title")), title)?;
                    if let Some(text) = description {
                        visit(part(&format!("row {row} description")), text)?;
                    }
                }
                Ok(())
            }

            fn of_notification<E>(notification: &$($mutable)? Notification, visit: &mut Visit<'_, E>) -> Found<E> {
                let Notification { title, company, icon, emphasis, list, explanation, greeting, actions } = notification;
                let part = |path: &str| ContentPart::Key("notification", path.into());
                visit(part("title"), title)?;
                if let Some(text) = company {
                    visit(part("company"), text)?;
                }
                if let Some(text) = icon {
                    visit(part("icon"), text)?;
                }
                if let Some(Labelled { label, content }) = emphasis {
                    visit(part("emphasis label"), label)?;
                    visit(part("emphasis content"), content)?;
                }
                for (number, Labelled { label, content }) in (1..).zip(list) {
                    visit(part(&format!("list {number} label")), label)?;
                    visit(part(&format!("list {number} content")), content)?;
                }
                if let Some(text) = explanation {
                    visit(part("explanation"), text)?;
                }
                if let Some(text) = greeting {
                    visit(part("greeting"), text)?;
                }
                for (number, NotificationLink { title, url }) in (1..).zip(actions) {
                    visit(part(&format!("action {number} title")), title)?;
                    visit(part(&format!("action {number} url")), url)?;
                }
                Ok(())
            }

            type VisitJson<'v, E> = dyn FnMut(&str, &$($mutable)? String) -> Result<(), E> + 'v;

            /// Calls `visit` for each string of a JSON object, with its path in it, such as `body.text` or
            /// `buttons.0.title`.
            pub(in super::super) fn of_object<E>(
                object: &$($mutable)? Map<String, Value>,
                path: &str,
                visit: &mut VisitJson<'_, E>,
            ) -> Found<E> {
                for (key, value) in object {
                    of_value(value, &beneath(path, key), visit)?;
                }
                Ok(())
            }

            fn of_value<E>(value: &$($mutable)? Value, path: &str, visit: &mut VisitJson<'_, E>) -> Found<E> {
                match value {
                    Value::String(text) => visit(path, text),
                    Value::Object(object) => of_object(object, path, visit),
                    Value::Array(values) => {
                        for (index, value) in (0_usize..).zip(values) {
                            of_value(value, &beneath(path, &index.to_string()), visit)?;
                        }
                        Ok(())
                    }
                    Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
                }
            }
        }
    };
}

traversal!(shared);
traversal!(exclusive mut);

fn beneath(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
