//! Templates: the provider's list of them, and the requests that create one.
//!
//! The documents spell one thing in several ways: `HEADER` and `header`, `IMAGE` and `Image`, `example` and `examples`. All of
//! them are read, and what is written again has the spelling that was read.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::loose;
use crate::base::domain::Timestamp;

/// The answer to a request for the templates of a channel.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TemplateList {
    #[serde(deserialize_with = "loose::nothing_is_default")]
    pub templates: Vec<ListedTemplate>,
}

/// A template as the provider lists it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ListedTemplate {
    #[serde(deserialize_with = "loose::text", skip_serializing_if = "Option::is_none")]
    pub channel_id: Option<String>,
    #[serde(deserialize_with = "loose::text", skip_serializing_if = "Option::is_none")]
    pub channel_name: Option<String>,
    #[serde(alias = "name", deserialize_with = "loose::text", skip_serializing_if = "Option::is_none")]
    pub template_name: Option<String>,
    #[serde(deserialize_with = "loose::text", skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    #[serde(deserialize_with = "loose::text", skip_serializing_if = "Option::is_none")]
    pub language_name: Option<String>,
    /// As the provider wrote them, with the keys that are not documented; [`template_parts`] reads them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub components: Option<Box<RawValue>>,
    #[serde(deserialize_with = "loose::text", skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    #[serde(deserialize_with = "loose::text", skip_serializing_if = "Option::is_none")]
    pub category_name: Option<String>,
    #[serde(deserialize_with = "loose::text", skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    #[serde(deserialize_with = "loose::text", skip_serializing_if = "Option::is_none")]
    pub status_name: Option<String>,
    #[serde(deserialize_with = "loose::text", skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    #[serde(deserialize_with = "loose::text", skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<String>,
}

impl ListedTemplate {
    /// When it was last updated.
    pub fn updated(&self) -> Option<Timestamp> {
        self.updated_at.as_deref().and_then(super::instant)
    }
}

/// A request that creates a template.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NewTemplate {
    #[serde(deserialize_with = "loose::text", skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    #[serde(deserialize_with = "loose::text", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(deserialize_with = "loose::text", skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Without it, the provider assumes `true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_category_change: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_send_ttl_seconds: Option<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<TemplatePart>,
}

/// A component of a template.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TemplatePart {
    #[serde(rename = "type", deserialize_with = "loose::text", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(deserialize_with = "loose::text", skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    #[serde(deserialize_with = "loose::text", skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    #[serde(deserialize_with = "loose::nothing_is_default", skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<TemplateButton>,
    #[serde(deserialize_with = "loose::nothing_is_default", skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<String>,
    /// The examples of a listed component.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<TemplateExample>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub add_security_recommendation: Option<bool>,
    #[serde(deserialize_with = "loose::number", skip_serializing_if = "Option::is_none")]
    pub code_expiration_minutes: Option<i64>,
    #[serde(deserialize_with = "loose::nothing_is_default", skip_serializing_if = "Vec::is_empty")]
    pub cards: Vec<TemplateCardParts>,
}

/// A card of a carousel.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TemplateCardParts {
    #[serde(deserialize_with = "loose::nothing_is_default")]
    pub components: Vec<TemplatePart>,
}

/// The examples of a component in the provider's list.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TemplateExample {
    #[serde(deserialize_with = "loose::nothing_is_default", skip_serializing_if = "Vec::is_empty")]
    pub header_text: Vec<String>,
    #[serde(deserialize_with = "loose::nothing_is_default", skip_serializing_if = "Vec::is_empty")]
    pub body_text: Vec<String>,
    #[serde(deserialize_with = "loose::nothing_is_default", skip_serializing_if = "Vec::is_empty")]
    pub header_handle: Vec<String>,
}

/// A button of a template.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TemplateButton {
    #[serde(rename = "type", deserialize_with = "loose::text", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(deserialize_with = "loose::text", skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    #[serde(deserialize_with = "loose::text", skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
    #[serde(deserialize_with = "loose::text", skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    #[serde(deserialize_with = "loose::text", skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(deserialize_with = "loose::nothing_is_default", skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<String>,
    /// The schema has this name, every sample the other one.
    #[serde(deserialize_with = "loose::nothing_is_default", skip_serializing_if = "Vec::is_empty")]
    pub example: Vec<String>,
    #[serde(deserialize_with = "loose::text", skip_serializing_if = "Option::is_none")]
    pub flow_id: Option<String>,
    #[serde(deserialize_with = "loose::text", skip_serializing_if = "Option::is_none")]
    pub flow_action: Option<String>,
    #[serde(deserialize_with = "loose::text", skip_serializing_if = "Option::is_none")]
    pub navigate_screen: Option<String>,
    #[serde(deserialize_with = "loose::number", skip_serializing_if = "Option::is_none")]
    pub ttl_minutes: Option<i64>,
    #[serde(
        rename = "otp_type",
        alias = "otpType",
        deserialize_with = "loose::text",
        skip_serializing_if = "Option::is_none"
    )]
    pub otp_type: Option<String>,
}

/// The kinds of components.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartKind {
    Header,
    Body,
    Footer,
    Buttons,
    Carousel,
    CallPermissionRequest,
}

/// The kinds of headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderFormat {
    Text,
    Image,
    Gif,
    Video,
    Document,
    Location,
}

/// The kinds of buttons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ButtonKind {
    PhoneNumber,
    Url,
    QuickReply,
    Otp,
    CopyCode,
    Flow,
    VoiceCall,
}

/// The words of a kind, read in any letter case and with or without underscores.
macro_rules! provider_words {
    ($kind:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl $kind {
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The provider's word.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            pub fn read(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|kind| same_word(kind.as_str(), word))
            }
        }
    };
}

provider_words!(PartKind {
    Header = "HEADER",
    Body = "BODY",
    Footer = "FOOTER",
    Buttons = "BUTTONS",
    Carousel = "CAROUSEL",
    CallPermissionRequest = "CALL_PERMISSION_REQUEST",
});
provider_words!(HeaderFormat {
    Text = "TEXT",
    Image = "IMAGE",
    Gif = "GIF",
    Video = "VIDEO",
    Document = "DOCUMENT",
    Location = "LOCATION",
});
provider_words!(ButtonKind {
    PhoneNumber = "PHONE_NUMBER",
    Url = "URL",
    QuickReply = "QUICK_REPLY",
    Otp = "OTP",
    CopyCode = "COPY_CODE",
    Flow = "FLOW",
    VoiceCall = "VOICE_CALL",
});

fn same_word(ours: &str, theirs: &str) -> bool {
    let plain = |word: &str| word.chars().filter(|c| *c != '_').map(|c| c.to_ascii_uppercase()).collect::<String>();
    plain(ours) == plain(theirs.trim())
}

impl TemplatePart {
    /// Its kind; a component without one is a body, as the schema says. `None` for an unknown word.
    pub fn part_kind(&self) -> Option<PartKind> {
        self.kind.as_deref().map_or(Some(PartKind::Body), PartKind::read)
    }

    /// The format of a header; `None` if it has none, or an unknown one.
    pub fn header_format(&self) -> Option<HeaderFormat> {
        self.format.as_deref().and_then(HeaderFormat::read)
    }

    /// The examples, whichever key they are under.
    pub fn all_examples(&self) -> Vec<&str> {
        let example = self.example.iter();
        let listed = example.flat_map(|all| all.header_text.iter().chain(&all.body_text).chain(&all.header_handle));
        self.examples.iter().chain(listed).map(String::as_str).collect()
    }
}

impl TemplatePart {
    /// The same as the provider lists it: kinds in capitals, and the examples under the key of their kind.
    #[must_use]
    pub fn listed(&self) -> Self {
        let examples: Vec<String> = self.all_examples().into_iter().map(str::to_owned).collect();
        let (kind, none) = (self.part_kind(), TemplateExample::default());
        let example = match (kind, self.header_format()) {
            (Some(PartKind::Header), None | Some(HeaderFormat::Text)) => {
                TemplateExample { header_text: examples, ..none }
            }
            (Some(PartKind::Header), Some(_)) => TemplateExample { header_handle: examples, ..none },
            _ => TemplateExample { body_text: examples, ..none },
        };
        Self {
            kind: kind.map(|kind| kind.as_str().to_owned()).or_else(|| self.kind.clone()),
            buttons: self.buttons.iter().map(TemplateButton::listed).collect(),
            // Those that are listed already stay as they are.
            example: if self.examples.is_empty() { self.example.clone() } else { Some(example) },
            examples: Vec::new(),
            cards: self.cards.iter().map(TemplateCardParts::listed).collect(),
            ..self.clone()
        }
    }
}

impl TemplateCardParts {
    fn listed(&self) -> Self {
        Self { components: self.components.iter().map(TemplatePart::listed).collect() }
    }
}

impl TemplateButton {
    fn listed(&self) -> Self {
        Self {
            kind: self.button_kind().map(|kind| kind.as_str().to_owned()).or_else(|| self.kind.clone()),
            example: self.all_examples().into_iter().map(str::to_owned).collect(),
            examples: Vec::new(),
            ..self.clone()
        }
    }

    pub fn button_kind(&self) -> Option<ButtonKind> {
        self.kind.as_deref().and_then(ButtonKind::read)
    }

    /// The examples, whichever key they are under.
    pub fn all_examples(&self) -> Vec<&str> {
        self.examples.iter().chain(&self.example).map(String::as_str).collect()
    }

    /// Whether its address ends in a variable.
    pub fn has_variable_url(&self) -> bool {
        self.url.as_deref().is_some_and(|url| !placeholders(url).is_empty())
    }
}

/// Reads the components of a template as the provider wrote them.
pub fn template_parts(components: &str) -> Result<Vec<TemplatePart>, serde_json::Error> {
    Ok(serde_json::from_str::<Option<Vec<TemplatePart>>>(components)?.unwrap_or_default())
}

/// The parameters of a template's text, each once, in the order in which they first stand: `{{1}}` is `1`.
pub fn placeholders(text: &str) -> Vec<&str> {
    let mut found: Vec<&str> = Vec::new();
    for piece in text.split("{{").skip(1) {
        let Some((name, _)) = piece.split_once("}}") else { continue };
        let name = name.trim();
        if !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_created_template_is_listed_with_the_documented_keys() {
        let created: NewTemplate = serde_json::from_value(json!({ "components": [
            { "type": "header", "format": "image", "examples": ["https://a.example/a.png"] },
            { "type": "header", "format": "text", "text": "Order {{1}}", "examples": ["12345"] },
            { "text": "Hi {{1}}", "examples": ["Maria"] },
            { "type": "buttons", "buttons": [
                { "type": "url", "text": "Track", "url": "https://a.example/{{1}}", "examples": ["1"] },
                { "type": "quick_reply", "text": "Stop" }] },
            { "type": "carousel", "cards": [{ "components": [{ "type": "body", "text": "{{1}}", "examples": ["x"] }] }] },
        ] }))
        .unwrap();
        let listed: Vec<TemplatePart> = created.components.iter().map(TemplatePart::listed).collect();
        assert_eq!(
            serde_json::to_value(&listed).unwrap(),
            json!([
                { "type": "HEADER", "format": "image", "example": { "headerHandle": ["https://a.example/a.png"] } },
                { "type": "HEADER", "format": "text", "text": "Order {{1}}", "example": { "headerText": ["12345"] } },
                { "type": "BODY", "text": "Hi {{1}}", "example": { "bodyText": ["Maria"] } },
                { "type": "BUTTONS", "buttons": [
                    { "type": "URL", "text": "Track", "url": "https://a.example/{{1}}", "example": ["1"] },
                    { "type": "QUICK_REPLY", "text": "Stop" }] },
                { "type": "CAROUSEL", "cards": [{ "components": [
                    { "type": "BODY", "text": "{{1}}", "example": { "bodyText": ["x"] } }] }] },
            ])
        );
        // What the documents list stays as it is.
        for sample in LISTS {
            let list: Value = serde_json::from_str(sample).unwrap();
            for template in list["templates"].as_array().unwrap() {
                let parts = template_parts(&template["components"].to_string()).unwrap();
                assert_eq!(parts.iter().map(TemplatePart::listed).collect::<Vec<_>>(), parts);
            }
        }
    }

    /// The template lists of the documents: the schema's example, and the two templates of "Get WhatsApp templates".
    const LISTS: [&str; 2] = [
        r#"{"templates":[{"channelId":"ec36a867-3dd4-e911-814a-02d85f55fce8","channelName":"My WhatsApp Instance","templateName":"test1","language":"en_US","languageName":"English (US)","components":[{"type":"BODY","format":"Image","text":"You can pickup your delivery at {{1}}","buttons":[{"type":"PHONE_NUMBER","text":"string","phoneNumber":"string","country":"US","url":"https://website.com/{{1}}","example":["string"],"flowId":"859504979861628","flowAction":"navigate","navigateScreen":"RECOMMEND","ttlMinutes":1440}],"example":{"headerText":["string"],"bodyText":["string"],"headerHandle":["string"]}}],"category":"UTILITY","categoryName":"Utility","status":"APPROVED","statusName":"Approved","createdAt":"2019-08-26T04:50:47.38Z","updatedAt":"2019-09-26T04:50:47.38Z"}]}"#,
        r#"{"templates":[{"channelId":"ec36a867-3dd4-e911-814a-02d85f55fce8","channelName":"My WhatsApp instance","templateName":"ticket_created","language":"en","languageName":"English","components":[{"type":"BODY","text":"Hi, your booking have been confirmed. Here is your new booking information {{1}}"}],"category":"UTILITY","categoryName":"Utility","status":"APPROVED","statusName":"Approved","createdAt":"2019-11-19T07:51:38.09Z","updatedAt":"2019-11-28T02:16:42.82Z"},{"channelId":"ec36a867-3dd4-e911-814a-02d85f55fce8","channelName":"My WhatsApp instance","templateName":"ticket_closed","language":"en","languageName":"English","components":[{"type":"HEADER","format":"Image"},{"type":"BODY","text":"Your ticket {{1}} was closed."},{"type":"FOOTER","text":"Support Team"}],"category":"UTILITY","categoryName":"Utility","status":"APPROVED","statusName":"Approved","createdAt":"2019-11-14T07:17:57.16Z","updatedAt":"2019-11-28T02:16:42.82Z"}]}"#,
    ];

    /// The creations of the documents.
    const CREATIONS: [&str; 3] = [
        r#"{"language":"en_US","name":"marketing_image_template_demo","category":"MARKETING","components":[{"type":"HEADER","format":"image","examples":["https://chatapps.8x8.com/files/991c9667f7644584acf91aa8dd9fba60.png?token=..."]},{"type":"BODY","text":"Hi {{1}}, ready to elevate your customer communications? Discover the power of 8x8 CPaaS.","examples":["Tony"]},{"type":"FOOTER","text":"Powered by 8x8"},{"type":"BUTTONS","buttons":[{"type":"URL","text":"Discover all channels","url":"https://cpaas.8x8.com/en/products/{{1}}","examples":["omnichannel-messaging"]},{"type":"quick_reply","text":"Talk to Sales"}]}]}"#,
        r#"{"language":"en_US","name":"product_carousel_demo","category":"MARKETING","components":[{"type":"body","text":"Hi {{1}}, check out our featured products! Special offer: {{2}}% off.","examples":["Alex","25"]},{"type":"carousel","cards":[{"components":[{"type":"header","format":"image","examples":["https://chatapps.8x8.com/files/product1.jpg"]},{"type":"body","text":"Product A - Now {{1}}","examples":["$49.99"]},{"type":"buttons","buttons":[{"type":"url","text":"Buy Now","url":"https://mystore.com/product/{{1}}","examples":["product-a"]},{"type":"quick_reply","text":"Add to Cart"}]}]},{"components":[{"type":"header","format":"image","examples":["https://chatapps.8x8.com/files/product2.jpg"]},{"type":"body","text":"Product B - Limited {{1}}","examples":["Stock"]},{"type":"buttons","buttons":[{"type":"url","text":"Buy Now","url":"https://mystore.com/product/{{1}}","examples":["product-b"]},{"type":"quick_reply","text":"Add to Cart"}]}]}]}]}"#,
        r#"{"language":"en_US","name":"appointment_reminder","category":"UTILITY","components":[{"type":"BODY","text":"Hi {{1}}, your appointment is coming up. Need to reschedule?"},{"type":"BUTTONS","buttons":[{"type":"FLOW","text":"Reschedule","flowId":"1234567890123456"}]}]}"#,
    ];

    /// The components of the reference, each a sample of its own.
    const PARTS: [&str; 12] = [
        r#"{"type":"HEADER","format":"TEXT","text":"Your order {{1}} has shipped!","examples":["12345"]}"#,
        r#"{"type":"HEADER","format":"IMAGE","examples":["https://chatapps.8x8.com/files/YOUR_FILE.png"]}"#,
        r#"{"type":"HEADER","format":"VIDEO","examples":["https://chatapps.8x8.com/files/YOUR_FILE.mp4"]}"#,
        r#"{"type":"HEADER","format":"DOCUMENT","examples":["https://chatapps.8x8.com/files/YOUR_FILE.pdf"]}"#,
        r#"{"type":"HEADER","format":"LOCATION"}"#,
        r#"{"type":"BODY","text":"Hi {{1}}, your order {{2}} is confirmed and will arrive by {{3}}.","examples":["Maria","ABC-123","Dec 15"]}"#,
        r#"{"type":"BODY","text":"Hi {{1}}, order {{2}} ships on {{3}}","examples":["John","ORD-123","Dec 10"]}"#,
        r#"{"type":"BODY","text":"Hi {{customer_name}}, order {{order_id}} ships on {{ship_date}}"}"#,
        r#"{"type":"BODY","text":"Hi {{1}}, your {{2}} order arrives {{3}}.","examples":["Maria","Premium","tomorrow"]}"#,
        r#"{"type":"FOOTER","text":"Not you? Contact support."}"#,
        r#"{"type":"BUTTONS","buttons":[{"type":"URL","text":"Track Order","url":"https://myapp.com/track/{{1}}","examples":["12345"]},{"type":"FLOW","text":"Book Appointment","flowId":"1234567890123456"},{"type":"quick_reply","text":"Contact Support"},{"type":"quick_reply","text":"Main Menu"}]}"#,
        r#"{"type":"BUTTONS","buttons":[{"type":"quick_reply","text":"Main Menu"},{"type":"PHONE_NUMBER","text":"Call Support","phoneNumber":"62211521","country":"SG"},{"type":"OTP","otp_type":"COPY_CODE"},{"type":"COPY_CODE","examples":["250FF"]}]}"#,
    ];

    /// Reads a sample, writes it again, and compares both as JSON, in which the order of keys says nothing.
    #[track_caller]
    fn is_rebuilt<T: serde::de::DeserializeOwned + Serialize>(sample: &str) -> T {
        let read: T = serde_json::from_str(sample).unwrap();
        let [written, wanted] =
            [&serde_json::to_string(&read).unwrap(), sample].map(|text| serde_json::from_str::<Value>(text).unwrap());
        assert_eq!(written, wanted);
        read
    }

    #[test]
    fn every_sample_list_is_read_and_rebuilt() {
        for sample in LISTS {
            let list: TemplateList = is_rebuilt(sample);
            for template in &list.templates {
                let components = template.components.as_ref().unwrap().get();
                let parts = template_parts(components).unwrap();
                let written = serde_json::to_value(&parts).unwrap();
                assert_eq!(written, serde_json::from_str::<Value>(components).unwrap());
            }
        }
        let list: TemplateList = serde_json::from_str(LISTS[1]).unwrap();
        let closed = &list.templates[1];
        assert_eq!(closed.template_name.as_deref(), Some("ticket_closed"));
        assert_eq!(closed.updated(), super::super::instant("2019-11-28T02:16:42.82Z"));
        let kinds: Vec<_> = template_parts(closed.components.as_ref().unwrap().get())
            .unwrap()
            .iter()
            .map(|part| (part.part_kind().unwrap(), part.header_format()))
            .collect();
        let header = (PartKind::Header, Some(HeaderFormat::Image));
        assert_eq!(kinds, [header, (PartKind::Body, None), (PartKind::Footer, None)]);
    }

    #[test]
    fn every_sample_creation_and_component_is_read_and_rebuilt() {
        let [image, carousel, flow] = CREATIONS.map(is_rebuilt::<NewTemplate>);
        assert_eq!(image.components[3].buttons[1].button_kind(), Some(ButtonKind::QuickReply));
        assert_eq!(carousel.components[1].cards.len(), 2);
        assert_eq!(flow.components[1].buttons[0].flow_id.as_deref(), Some("1234567890123456"));
        for sample in PARTS {
            assert!(is_rebuilt::<TemplatePart>(sample).part_kind().is_some());
        }
    }

    #[test]
    fn every_documented_spelling_is_read() {
        for (word, kind) in [("url", ButtonKind::Url), ("QuickReply", ButtonKind::QuickReply), ("otp", ButtonKind::Otp)]
        {
            assert_eq!(ButtonKind::read(word), Some(kind), "{word}");
        }
        assert_eq!(ButtonKind::read("pigeon"), None);
        let button: TemplateButton =
            serde_json::from_str(r#"{"type":"OTP","otpType":"COPY_CODE","flowId":859}"#).unwrap();
        assert_eq!((button.otp_type.as_deref(), button.flow_id.as_deref()), (Some("COPY_CODE"), Some("859")));
        let empty: TemplateList = serde_json::from_str(r#"{"templates":null}"#).unwrap();
        assert!(empty.templates.is_empty());
        let named: ListedTemplate = serde_json::from_str(r#"{"name":"promo","components":null}"#).unwrap();
        assert_eq!((named.template_name.as_deref(), named.components.is_none()), (Some("promo"), true));
    }

    #[test]
    fn parameters_are_found_once_each() {
        assert_eq!(placeholders("{{2}} {{1}} {{ 2 }} {{x"), ["2", "1"]);
        assert_eq!(placeholders("{{customer_name}}, {{order_id}}"), ["customer_name", "order_id"]);
        assert!(placeholders("no {1} here").is_empty());
    }
}
