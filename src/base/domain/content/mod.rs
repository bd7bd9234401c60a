//! The content of a step. Texts may contain variables, `{{Column}}` or `{{Column|default}}`; the `template` room reads
//! them.

mod cards;
mod fixed;
mod interactive;
mod notification;
mod part;
mod raw;
mod rich;
mod template;
mod texts;

use std::convert::Infallible;

use serde::{Deserialize, Serialize};

pub use cards::{
    Card, CardHeight, CardOrientation, CardWidth, Carousel, RichCard, Suggestion, SuggestionAction, ThumbnailSide,
};
pub use interactive::{
    FlowMode, Interactive, InteractiveAction, InteractiveHeader, ListRow, ListSection, ProductSection, ReplyButton,
};
pub use notification::{Labelled, Notification, NotificationLink};
pub use part::ContentPart;
pub use raw::RawContent;
pub use rich::{LinkButton, Location, Media, MediaKind, RichMessage};
pub use template::{
    Button, ButtonAction, Category, FlowAction, Header, TEMPLATE_NAME_MAX, TemplateCard, TemplateContent, TemplateName,
    VoiceCall, ZaloTemplate, is_template_language, is_template_name, refused_in_a_parameter,
};

use self::template::LONGEST_TTL;
use super::word::words;
use super::{MediaAddress, Sources, Span};

/// The content that one step submits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// A WhatsApp template that the provider has approved.
    Template(TemplateContent),
    /// A template of Zalo, whose parameters have names.
    ZaloTemplate(ZaloTemplate),
    /// Free text, on any channel. `source` and `encoding` apply to SMS only.
    Text {
        text: String,
        #[serde(default, skip_serializing_if = "Sources::is_empty")]
        source: Sources,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        encoding: Option<SmsEncoding>,
    },
    /// A file with a caption, or a text with a button or suggestions.
    Rich(RichMessage),
    Location(Location),
    /// A WhatsApp message with buttons, a list, a link, a flow or products.
    Interactive(Interactive),
    /// One RCS card.
    Card(RichCard),
    /// Several RCS cards in a row.
    Carousel(Carousel),
    /// A LINE Official Notification.
    Notification(Notification),
    /// The provider's own JSON, for contents that have no keys of their own.
    Raw(RawContent),
}

impl Content {
    /// Whether any part of the content is filled from the recipient's fields.
    pub fn has_variables(&self) -> bool {
        self.has_text(|_, text| is_variable(text))
    }

    /// Whether the media are filled from the recipient's fields.
    pub fn has_variable_media(&self) -> bool {
        match self {
            // Which of its texts are addresses of media depends on its type.
            Self::Raw(_) => self.has_variables(),
            _ => self.has_text(|part, text| part.is_media() && is_variable(text)),
        }
    }

    fn has_text(&self, is_it: impl Fn(&ContentPart, &str) -> bool) -> bool {
        self.each_text(|part, text| if is_it(&part, text) { Err(()) } else { Ok(()) }).is_err()
    }

    /// Calls `see` for each text that may hold variables, in reading order, until it fails.
    pub fn each_text<E>(&self, mut see: impl FnMut(ContentPart, &str) -> Result<(), E>) -> Result<(), E> {
        texts::shared::of_content(self, &mut |part, text| see(part, text))
    }

    /// Calls `change` for each text that may hold variables, in reading order, until it fails.
    pub fn change_texts<E>(
        &mut self,
        mut change: impl FnMut(ContentPart, &mut String) -> Result<(), E>,
    ) -> Result<(), E> {
        texts::exclusive::of_content(self, &mut change)
    }

    /// The addresses of its files. Those in the provider's own JSON are the provider's to check.
    pub fn media(&self) -> Vec<MediaAddress> {
        let mut found = Vec::new();
        let Ok(()) = self.each_text(|part, text| {
            let kind = part.media_kind();
            found.extend(kind.map(|kind| MediaAddress { kind, part, text: text.to_owned() }));
            Ok::<_, Infallible>(())
        });
        found
    }

    /// Changes the address of a file.
    pub fn set_media(&mut self, at: &ContentPart, address: &str) {
        let Ok(()) = self.change_texts(|part, text| {
            if part == *at {
                address.clone_into(text);
            }
            Ok::<_, Infallible>(())
        });
    }

    /// The template that it sends, if it is one. Templates are approved, and held, by name and language.
    pub fn template(&self) -> Option<TemplateName<'_>> {
        match self {
            Self::Template(TemplateContent { name, language, .. })
            | Self::ZaloTemplate(ZaloTemplate { name, language, .. }) => Some(TemplateName { name, language }),
            Self::Raw(raw) => raw.template(),
            Self::Text { .. }
            | Self::Rich(_)
            | Self::Location(_)
            | Self::Interactive(_)
            | Self::Card(_)
            | Self::Carousel(_)
            | Self::Notification(_) => None,
        }
    }

    /// The keys of a step that the content consists of.
    pub fn keys(&self) -> Vec<&'static str> {
        match self {
            Self::Template(_) | Self::ZaloTemplate(_) => vec!["template"],
            Self::Text { .. } => vec!["text"],
            Self::Rich(message) => message.keys(),
            Self::Location(_) => vec!["location"],
            Self::Interactive(_) => vec!["interactive"],
            Self::Card(_) => vec!["card"],
            Self::Carousel(_) => vec!["cards"],
            Self::Notification(_) => vec!["notification"],
            Self::Raw(_) => vec!["raw"],
        }
    }

    /// The category of a WhatsApp template, if it is one. That of a raw one may be unknown.
    pub fn category(&self) -> Option<Category> {
        match self {
            Self::Template(template) => Some(template.category),
            Self::Raw(raw) => raw.category,
            _ => None,
        }
    }

    /// Sets the category of a WhatsApp template; other contents have none.
    pub fn set_category(&mut self, category: Category) {
        match self {
            Self::Template(template) => template.category = category,
            Self::Raw(raw) if raw.template().is_some() => raw.category = Some(category),
            _ => {}
        }
    }

    /// Whether it is known to be a template of the category MARKETING.
    pub fn is_marketing(&self) -> bool {
        self.category() == Some(Category::Marketing)
    }

    /// How long after its submission the provider may deliver it, with this TTL of its step; `None` if no TTL is set. A
    /// template has its own at the provider.
    pub fn delivers_for(&self, ttl: Option<Span>) -> Option<Span> {
        match self {
            Self::Template(template) => Some(template.effective_ttl()),
            Self::Raw(raw) if raw.template().is_some() => Some(raw.category.map_or(LONGEST_TTL, Category::default_ttl)),
            _ => ttl,
        }
    }
}

/// Whether a character is not part of any text: such characters mark the variables of a request while it is composed.
pub fn is_reserved(c: char) -> bool {
    ('\u{FDD0}'..='\u{FDEF}').contains(&c)
}

impl FlowAction {
    /// Calls `see` for each string of its data, with its path in it, until it fails.
    pub fn each_string<E>(&self, mut see: impl FnMut(&str, &str) -> Result<(), E>) -> Result<(), E> {
        texts::shared::of_object(&self.data, "", &mut |path, text| see(path, text))
    }
}

/// Whether a text differs between recipients. A campaign with an unclosed variable is refused, so `{{` suffices.
fn is_variable(text: &str) -> bool {
    text.contains("{{")
}

words! {
    /// The character encoding of an SMS.
    SmsEncoding, "SMS encoding" {
        Auto = 0, "AUTO";
        Gsm7 = 1, "GSM7";
        Ucs2 = 2, "UCS2";
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The texts of a content that is written as JSON, each with its place.
    fn texts(json: serde_json::Value) -> Vec<String> {
        let content: Content = serde_json::from_value(json).unwrap();
        let mut found = Vec::new();
        let mut changed = content.clone();
        let seen = content.each_text::<()>(|part, text| {
            found.push(format!("{part}: {text}"));
            Ok(())
        });
        let mut places = Vec::new();
        let walked = changed.change_texts::<()>(|part, text| {
            places.push(format!("{part}: {text}"));
            *text = format!("{{{{{text}}}}}");
            Ok(())
        });
        assert_eq!((seen, walked), (Ok(()), Ok(())));
        assert_eq!(found, places, "both traversals see the same texts");
        assert_eq!((content.has_variables(), changed.has_variables()), (false, !found.is_empty()));
        found
    }

    #[test]
    fn each_text_of_a_content_is_seen_with_its_place() {
        assert_eq!(
            texts(json!({ "rich": {
                "text": "a", "media": { "kind": "video", "url": "b", "thumbnail": "c", "duration": "5", "size": "6" },
                "button": { "caption": "d", "url": "e" },
                "suggestions": [{ "text": "f", "data": "g", "action": "reply" }],
            }})),
            [
                "video: b",
                "video thumbnail: c",
                "video duration: 5",
                "video size: 6",
                "text: a",
                "button caption: d",
                "button url: e",
                "suggestion 1 text: f",
                "suggestion 1 data: g",
            ]
        );
        assert_eq!(
            texts(json!({ "interactive": {
                "header": { "image": "a" }, "body": "b", "footer": "c",
                "action": { "list": { "button": "d", "sections": [
                    { "title": "e", "rows": [{ "id": "f", "title": "g", "description": "h" }] },
                ]}},
            }})),
            [
                "interactive header image: a",
                "interactive body: b",
                "interactive footer: c",
                "interactive list button: d",
                "interactive section 1 title: e",
                "interactive section 1 row 1 id: f",
                "interactive section 1 row 1 title: g",
                "interactive section 1 row 1 description: h",
            ]
        );
        assert_eq!(
            texts(json!({ "template": {
                "name": "n", "language": "en", "category": "MARKETING",
                "carousel": [{ "header": { "image": "a" }, "body": ["b"], "buttons": [{ "index": 0, "url": "c" }] }],
            }})),
            ["card 1 header image: a", "card 1 body 1: b", "card 1 button 0 url: c"]
        );
        assert_eq!(
            texts(json!({ "notification": {
                "title": "a", "company": "b", "icon": "c", "emphasis": { "label": "d", "content": "e" },
                "list": [{ "label": "f", "content": "g" }], "explanation": "h",
                "actions": [{ "title": "i", "url": "j" }],
            }}))
            .len(),
            10
        );
    }

    #[test]
    fn only_addresses_of_files_are_media() {
        let has_variable_media = |json: serde_json::Value| {
            serde_json::from_value::<Content>(json.clone())
                .unwrap_or_else(|error| panic!("{error}: {json}"))
                .has_variable_media()
        };

        for (is_media, content) in [
            (true, json!({ "rich": { "media": { "kind": "image", "url": "{{a}}" } } })),
            (false, json!({ "rich": { "text": "{{a}}", "media": { "kind": "image", "url": "a" } } })),
            (false, json!({ "rich": { "text": "{{a}}", "button": { "caption": "{{a}}", "url": "{{a}}" } } })),
            (
                true,
                json!({ "interactive": { "header": { "image": "{{a}}" }, "action": { "product": { "catalog": "c", "product": "p" } } } }),
            ),
            (
                false,
                json!({ "interactive": { "header": { "text": "{{a}}" }, "action": { "product": { "catalog": "c", "product": "p" } } } }),
            ),
            (
                true,
                json!({ "card": { "orientation": "vertical", "card": { "title": "t", "media": { "kind": "image", "url": "{{a}}" } } } }),
            ),
            (
                true,
                json!({ "template": { "name": "n", "language": "en", "category": "MARKETING",
                "carousel": [{ "header": { "image": "{{a}}" } }] } }),
            ),
            (
                false,
                json!({ "template": { "name": "n", "language": "en", "category": "MARKETING",
                "header": { "text": "{{a}}" } } }),
            ),
            (true, json!({ "raw": { "type": "image", "content": { "url": "{{a}}" } } })),
        ] {
            assert_eq!(has_variable_media(content.clone()), is_media, "{content}");
        }
    }

    /// Plans are stored as JSON, so the form of a content never changes.
    #[test]
    fn the_stored_form_of_a_text_and_of_a_template_stays() {
        for stored in [
            r#"{"text":{"text":"Hi","source":{"others":"ACME"},"encoding":"GSM7"}}"#,
            r#"{"template":{"name":"n","language":"en","category":"UTILITY","header":{"location":{"latitude":"1","longitude":"2","name":"n","address":"a"}},"body":["b"],"buttons":[{"index":0,"flow":{}}]}}"#,
            r#"{"zalo_template":{"name":"7","language":"en","params":{"a":"b"}}}"#,
            r#"{"raw":{"type":"text","content":{"text":"a"}}}"#,
        ] {
            let read: Result<Content, _> = serde_json::from_str(stored);
            let written = serde_json::to_string(&read.unwrap_or_else(|error| panic!("{error}: {stored}"))).unwrap();
            assert_eq!(written, stored);
        }
    }
}
