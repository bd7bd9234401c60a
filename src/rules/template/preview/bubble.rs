//! A message as the handset shows it. `T` is the type of its texts: bound to columns, or filled for one recipient.

use serde::Serialize;

use super::text::ShownText;
use crate::base::domain::{Category, Channel, SmsEncoding};

/// A message as the handset shows it, from top to bottom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bubble<T = ShownText> {
    pub channel: Channel,
    /// The sender that the handset shows, if the campaign names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// The requested encoding of an SMS; `None` on other channels.
    #[serde(skip)]
    pub encoding: Option<SmsEncoding>,
    /// The recipient's id, where the channel does not send to the number. The handset does not show it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipient_id: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<TemplateLabel>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<BubbleHeader<T>>,
    /// Values with their labels, one below the other.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<BubbleValue<T>>,
    pub body: Wording<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub footer: Option<T>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<BubbleButton<T>>,
    /// Replies and actions that the handset offers below the message.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub suggestions: Vec<BubbleButton<T>>,
    /// The list that a button of the message opens.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sections: Vec<BubbleSection<T>>,
    /// Cards side by side.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cards: Vec<BubbleCard<T>>,
}

/// The template that a message is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TemplateLabel {
    pub name: String,
    pub language: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BubbleHeader<T> {
    Text(Wording<T>),
    Media(BubbleFile<T>),
    Location(BubblePlace<T>),
    Notice(BubbleNotice<T>),
}

/// The top of a notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BubbleNotice<T> {
    pub title: T,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company: Option<T>,
    /// The name of a picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icon: Option<T>,
}

/// A value with its label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BubbleValue<T> {
    pub label: T,
    pub content: T,
    /// Whether the handset shows it larger than the others.
    pub is_emphasized: bool,
}

/// The text of a body or a header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Wording<T> {
    /// The whole text; `None` if only the provider knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<T>,
    /// What the campaign fills into the text.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<T>,
    /// The most characters of the whole text.
    #[serde(rename = "characters_max", skip_serializing_if = "Option::is_none")]
    pub most: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    Image,
    Video,
    /// A video that plays like a GIF.
    Gif,
    Audio,
    Document,
}

/// A file that the handset loads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BubbleFile<T> {
    pub kind: FileKind,
    pub address: T,
    /// What a channel needs to know of it, such as its duration.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<T>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BubblePlace<T> {
    pub latitude: T,
    pub longitude: T,
    pub name: T,
    pub address: T,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ButtonKind {
    /// Opens a web address.
    Url,
    /// Replies with its title; the target is the payload that comes back.
    QuickReply,
    CopyCode,
    Flow,
    Call,
    /// Opens the list of the message.
    List,
    /// Shows products of a catalog.
    Products,
    /// Shows a place on a map.
    Place,
    /// Searches for places nearby.
    Search,
    /// Adds an event to the calendar.
    Event,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BubbleButton<T> {
    pub kind: ButtonKind,
    /// `None` if only the provider knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<T>,
    /// The address, the payload, the code, the number, the screen or the catalog.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<T>,
    /// What goes with it: the values that a flow starts with, or what a tap sends back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub data: Vec<T>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BubbleSection<T> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<T>,
    pub options: Vec<BubbleOption<T>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BubbleOption<T> {
    pub title: T,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<T>,
    /// Comes back when the recipient chooses it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<T>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BubbleCard<T> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media: Option<BubbleFile<T>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<T>,
    pub body: Wording<T>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<BubbleButton<T>>,
}

impl<T> Bubble<T> {
    /// A message with nothing in it.
    pub fn empty(channel: Channel) -> Self {
        Self {
            channel,
            sender: None,
            encoding: None,
            recipient_id: None,
            template: None,
            header: None,
            values: Vec::new(),
            body: Wording::none(),
            footer: None,
            buttons: Vec::new(),
            suggestions: Vec::new(),
            sections: Vec::new(),
            cards: Vec::new(),
        }
    }

    /// The same message with other texts. `text` is called for each text in reading order.
    pub fn map<'a, U>(&'a self, text: &mut impl FnMut(&'a T) -> U) -> Bubble<U> {
        Bubble {
            channel: self.channel,
            sender: self.sender.clone(),
            encoding: self.encoding,
            recipient_id: self.recipient_id.as_ref().map(&mut *text),
            template: self.template.clone(),
            header: self.header.as_ref().map(|header| header.map(text)),
            values: self.values.iter().map(|value| value.map(text)).collect(),
            body: self.body.map(text),
            footer: self.footer.as_ref().map(&mut *text),
            buttons: self.buttons.iter().map(|button| button.map(text)).collect(),
            suggestions: self.suggestions.iter().map(|button| button.map(text)).collect(),
            sections: self.sections.iter().map(|section| section.map(text)).collect(),
            cards: self.cards.iter().map(|card| card.map(text)).collect(),
        }
    }

    /// Every text, in reading order.
    pub fn texts(&self) -> Vec<&T> {
        let mut all = Vec::new();
        self.map(&mut |text| all.push(text));
        all
    }

    /// The texts that are shown, in reading order: parameters only where the whole text is unknown.
    pub fn shown(&self) -> Vec<&T> {
        let cards = self.cards.iter().map(|card| &card.body);
        let known = self.header_text().into_iter().chain([&self.body]).chain(cards).filter(|it| it.text.is_some());
        let hidden: Vec<&T> = known.flat_map(|wording| &wording.parameters).chain(&self.recipient_id).collect();
        let mut shown = self.texts();
        shown.retain(|text| !hidden.iter().any(|hidden| std::ptr::eq(*hidden, *text)));
        shown
    }

    /// The header, if it is a text.
    pub(super) fn header_text(&self) -> Option<&Wording<T>> {
        match &self.header {
            Some(BubbleHeader::Text(wording)) => Some(wording),
            Some(BubbleHeader::Media(_) | BubbleHeader::Location(_) | BubbleHeader::Notice(_)) | None => None,
        }
    }
}

impl<T> Wording<T> {
    pub const fn none() -> Self {
        Self { text: None, parameters: Vec::new(), most: None }
    }

    /// A text that is known as a whole.
    pub const fn of(text: T, most: Option<usize>) -> Self {
        Self { text: Some(text), parameters: Vec::new(), most }
    }

    /// Only the parameters are known.
    pub const fn of_parameters(parameters: Vec<T>, most: Option<usize>) -> Self {
        Self { text: None, parameters, most }
    }

    /// What of it is shown: the whole text, else the parameters.
    pub fn shown(&self) -> &[T] {
        self.text.as_ref().map_or(&self.parameters, std::slice::from_ref)
    }

    /// Whether there is nothing of it.
    pub fn is_empty(&self) -> bool {
        self.shown().is_empty()
    }

    fn map<'a, U>(&'a self, text: &mut impl FnMut(&'a T) -> U) -> Wording<U> {
        Wording {
            text: self.text.as_ref().map(&mut *text),
            parameters: self.parameters.iter().map(text).collect(),
            most: self.most,
        }
    }
}

impl<T> BubbleHeader<T> {
    fn map<'a, U>(&'a self, text: &mut impl FnMut(&'a T) -> U) -> BubbleHeader<U> {
        match self {
            Self::Text(wording) => BubbleHeader::Text(wording.map(text)),
            Self::Media(media) => BubbleHeader::Media(media.map(text)),
            Self::Location(BubblePlace { latitude, longitude, name, address }) => BubbleHeader::Location(BubblePlace {
                latitude: text(latitude),
                longitude: text(longitude),
                name: text(name),
                address: text(address),
            }),
            Self::Notice(BubbleNotice { title, company, icon }) => BubbleHeader::Notice(BubbleNotice {
                title: text(title),
                company: company.as_ref().map(&mut *text),
                icon: icon.as_ref().map(&mut *text),
            }),
        }
    }
}

impl<T> BubbleFile<T> {
    fn map<'a, U>(&'a self, text: &mut impl FnMut(&'a T) -> U) -> BubbleFile<U> {
        BubbleFile { kind: self.kind, address: text(&self.address), details: self.details.iter().map(text).collect() }
    }
}

impl<T> BubbleValue<T> {
    fn map<'a, U>(&'a self, text: &mut impl FnMut(&'a T) -> U) -> BubbleValue<U> {
        BubbleValue { label: text(&self.label), content: text(&self.content), is_emphasized: self.is_emphasized }
    }
}

impl<T> BubbleButton<T> {
    fn map<'a, U>(&'a self, text: &mut impl FnMut(&'a T) -> U) -> BubbleButton<U> {
        BubbleButton {
            kind: self.kind,
            title: self.title.as_ref().map(&mut *text),
            target: self.target.as_ref().map(&mut *text),
            data: self.data.iter().map(text).collect(),
        }
    }
}

impl<T> BubbleSection<T> {
    fn map<'a, U>(&'a self, text: &mut impl FnMut(&'a T) -> U) -> BubbleSection<U> {
        BubbleSection {
            title: self.title.as_ref().map(&mut *text),
            options: self.options.iter().map(|option| option.map(text)).collect(),
        }
    }
}

impl<T> BubbleOption<T> {
    fn map<'a, U>(&'a self, text: &mut impl FnMut(&'a T) -> U) -> BubbleOption<U> {
        BubbleOption {
            title: text(&self.title),
            description: self.description.as_ref().map(&mut *text),
            id: self.id.as_ref().map(text),
        }
    }
}

impl<T> BubbleCard<T> {
    fn map<'a, U>(&'a self, text: &mut impl FnMut(&'a T) -> U) -> BubbleCard<U> {
        BubbleCard {
            media: self.media.as_ref().map(|media| media.map(text)),
            title: self.title.as_ref().map(&mut *text),
            body: self.body.map(text),
            buttons: self.buttons.iter().map(|button| button.map(text)).collect(),
        }
    }
}
