//! How a template is filled in: its components, their parameters, and the limits of both.

use super::{BUTTON, TEXT_TOO_LONG, check_address, check_location, json};
use crate::base::domain::{Channel, TEMPLATE_NAME_MAX};
use crate::rules::wire::{Component, Parameter, Template, TemplateCard};

/// What a button does, as its component says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubType {
    Url,
    QuickReply,
    CopyCode,
    Flow,
    VoiceCall,
}

/// Spellings in lower case. One sample has a number for an address.
const SUB_TYPES: [(&str, SubType); 6] = [
    ("url", SubType::Url),
    ("1", SubType::Url),
    ("quickreply", SubType::QuickReply),
    ("copycode", SubType::CopyCode),
    ("flow", SubType::Flow),
    ("voicecall", SubType::VoiceCall),
];

impl SubType {
    /// That of a component; `None` if it has none, or an unknown one.
    pub fn of(component: &Component<'_>) -> Option<Self> {
        let word = component.sub_type.as_deref()?;
        SUB_TYPES.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, sub_type)| *sub_type)
    }

    /// The types of its parameters, each of which it has once at most.
    const fn parameters(self) -> &'static [&'static str] {
        match self {
            Self::Url => &["text"],
            Self::QuickReply => &["payload"],
            Self::CopyCode => &["couponcode"],
            Self::Flow => &["action"],
            Self::VoiceCall => &["ttlminutes", "payload"],
        }
    }
}

/// Every documented type of a parameter.
const PARAMETERS: [&str; 10] =
    ["text", "image", "video", "document", "gif", "location", "couponcode", "payload", "action", "ttlminutes"];

/// What a component fills in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Header,
    Body,
    Button(SubType),
    Carousel,
}

impl Part {
    fn of(component: &Component<'_>) -> Result<Self, i64> {
        match component.kind.to_ascii_lowercase().as_str() {
            "header" => Ok(Self::Header),
            "body" => Ok(Self::Body),
            "button" => SubType::of(component).map(Self::Button).ok_or(3_052),
            "carousel" => Ok(Self::Carousel),
            _ => Err(3_039),
        }
    }
}

/// Where components are. The limits of a card are lower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Within {
    Template,
    Card,
}

impl Within {
    /// The types that the parameters of a part may have, and how many it has at most.
    const fn parameters(self, part: Part) -> (&'static [&'static str], usize) {
        match (self, part) {
            (Self::Template, Part::Header) => (&["text", "image", "video", "document", "gif", "location"], 1),
            (Self::Card, Part::Header) => (&["image", "video"], 1),
            (_, Part::Body) => (&["text"], usize::MAX),
            (_, Part::Button(sub_type)) => (sub_type.parameters(), sub_type.parameters().len()),
            (_, Part::Carousel) => (&[], 0),
        }
    }

    /// The most characters that the texts of a part have together.
    const fn texts_max(self, part: Part) -> usize {
        match (self, part) {
            (_, Part::Header) => 60,
            (Self::Card, Part::Body) => 160,
            (_, Part::Button(SubType::Url)) => 2_000,
            (_, Part::Body | Part::Button(_) | Part::Carousel) => 1_024,
        }
    }

    const fn buttons(self) -> i64 {
        match self {
            Self::Template => 10,
            Self::Card => 2,
        }
    }
}

const CARDS_MAX: usize = 10;

/// Checks how a template is filled in. A template of Zalo is named by its id, which may have capitals.
pub(super) fn check(channel: Channel, template: &Template<'_>, text_max: usize) -> Result<(), i64> {
    let is_allowed = |c: char| match channel {
        Channel::WhatsApp => c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_',
        _ => c.is_ascii_alphanumeric() || "_-".contains(c),
    };
    if template.name.len() > TEMPLATE_NAME_MAX {
        return Err(3_031);
    }
    if template.name.is_empty() || !template.name.chars().all(is_allowed) {
        return Err(3_032);
    }
    if template.language.is_empty() {
        return Err(3_036);
    }
    check_components(&template.components, Within::Template)?;
    let values = template.components.iter().flat_map(|component| &component.parameters);
    let filled: usize = values.map(text_length).sum();
    if channel == Channel::ZaloNotification && filled > text_max { Err(TEXT_TOO_LONG) } else { Ok(()) }
}

fn text_length(parameter: &Parameter<'_>) -> usize {
    parameter.text.as_deref().unwrap_or_default().chars().count()
}

/// Checks the components of a template, or of a card. Each part is there once, and each button.
fn check_components(components: &[Component<'_>], within: Within) -> Result<(), i64> {
    let mut filled = Vec::new();
    for component in components {
        let part = Part::of(component)?;
        check_component(part, component, within)?;
        let place = match part {
            Part::Header => "header",
            Part::Body => "body",
            Part::Button(_) => "button",
            Part::Carousel => "carousel",
        };
        let place = (place, component.index.filter(|_| matches!(part, Part::Button(_))));
        if filled.contains(&place) {
            return Err(3_034);
        }
        filled.push(place);
    }
    Ok(())
}

fn check_component(part: Part, component: &Component<'_>, within: Within) -> Result<(), i64> {
    match part {
        Part::Button(_) if !component.index.is_some_and(|index| (0..within.buttons()).contains(&index)) => {
            return Err(3_053);
        }
        Part::Carousel if within == Within::Card => return Err(3_034),
        Part::Carousel => check_cards(&component.cards)?,
        Part::Header | Part::Body | Part::Button(_) => {}
    }
    let (types, most) = within.parameters(part);
    if component.parameters.len() > most {
        return Err(3_033);
    }
    let texts_max = within.texts_max(part);
    component.parameters.iter().try_for_each(|parameter| check_parameter(parameter, types, texts_max))?;
    if component.parameters.iter().map(text_length).sum::<usize>() > texts_max { Err(3_043) } else { Ok(()) }
}

/// Cards are numbered from 0, each once.
fn check_cards(cards: &[TemplateCard<'_>]) -> Result<(), i64> {
    if !(1..=CARDS_MAX).contains(&cards.len()) {
        return Err(3_034);
    }
    let count = i64::try_from(cards.len()).unwrap_or(i64::MAX);
    let is_numbered = (0..count).all(|index| cards.iter().any(|card| card.card_index == Some(index)));
    if !is_numbered {
        return Err(3_053);
    }
    cards.iter().try_for_each(|card| check_components(&card.components, Within::Card))
}

fn check_parameter(parameter: &Parameter<'_>, types: &[&str], text_max: usize) -> Result<(), i64> {
    let kind = parameter.kind.to_ascii_lowercase();
    if !PARAMETERS.contains(&kind.as_str()) {
        return Err(3_042);
    }
    if !types.contains(&kind.as_str()) {
        return Err(3_045);
    }
    match kind.as_str() {
        "text" => match text_length(parameter) {
            0 => Err(3_040),
            length if length > text_max => Err(3_043),
            _ => Ok(()),
        },
        "image" | "video" | "document" | "gif" => check_address(parameter.url.as_deref()).map_err(|_| 3_046),
        "location" => check_location(&json(&parameter.location), 3_044),
        "couponcode" => match parameter.coupon_code.as_deref().unwrap_or_default().chars().count() {
            4..=15 => Ok(()),
            _ => Err(BUTTON),
        },
        // From a day to 30 days.
        "ttlminutes" => match parameter.ttl_minutes {
            Some(1_440..=43_200) => Ok(()),
            _ => Err(BUTTON),
        },
        _ => Ok(()),
    }
}
