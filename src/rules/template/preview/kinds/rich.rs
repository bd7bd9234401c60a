//! Messages with a file, a button, suggestions or cards, and places on a map.

use super::{Bind, Binder, Bound, TextRules};
use crate::base::domain::{
    Card, Carousel, Channel, ContentPart, LinkButton, Location, Media, MediaKind, RichCard, RichMessage, Suggestion,
    SuggestionAction,
};
use crate::rules::template::check::cards::{
    DATA_MAX, DESCRIPTION_MAX, EVENT_DESCRIPTION_MAX, EVENT_TITLE_MAX, LABEL_MAX, PLACE_LABEL_MAX, SEARCH_MAX,
    TITLE_MAX,
};
use crate::rules::template::check::rich::{BUTTON_MAX, caption_max};
use crate::rules::template::check::text_max;
use crate::rules::template::preview::bubble::{
    Bubble, BubbleButton, BubbleCard, BubbleFile, BubbleHeader, ButtonKind, FileKind, Wording,
};
use crate::rules::template::preview::text::MessageText;

impl Binder<'_> {
    pub(super) fn rich(&self, channel: Channel, message: &RichMessage) -> Bind<Bound> {
        let RichMessage { text, media, button, suggestions } = message;
        let most = match media {
            Some(media) => caption_max(channel, media.kind),
            None => Some(text_max(channel)),
        };
        let body = self.maybe(ContentPart::Text, TextRules::default(), text.as_ref())?;
        let header =
            media.as_ref().map(|media| self.media(media, |kind| (kind.as_str(), String::new()))).transpose()?;
        let button = button.as_ref().map(|button| self.link_button(button)).transpose()?;
        Ok(Bubble {
            header: header.map(BubbleHeader::Media),
            body: body.map_or_else(Wording::none, |body| Wording::of(body, most)),
            buttons: button.into_iter().collect(),
            suggestions: self.suggestions(suggestions, "suggestion", "")?,
            ..Bubble::empty(channel)
        })
    }

    fn link_button(&self, LinkButton { caption, url }: &LinkButton) -> Bind<BubbleButton<MessageText>> {
        let part = |what: &str| ContentPart::Key("button", what.into());
        Ok(BubbleButton {
            kind: ButtonKind::Url,
            title: Some(self.bind(part("caption"), TextRules::at_most(BUTTON_MAX), caption)?),
            target: Some(self.bind(part("url"), TextRules::ADDRESS, url)?),
            data: Vec::new(),
        })
    }

    /// `place` gives the key of the step, and the path of the file below it.
    fn media(
        &self,
        media: &Media,
        place: impl Fn(MediaKind) -> (&'static str, String),
    ) -> Bind<BubbleFile<MessageText>> {
        let Media { kind, url, thumbnail, duration, size } = media;
        let (key, path) = place(*kind);
        let below = |what: &str| if path.is_empty() { what.to_owned() } else { format!("{path} {what}") };
        let thumbnail =
            self.maybe(ContentPart::File(key, below("thumbnail").into()), TextRules::ADDRESS, thumbnail.as_ref())?;
        let figure = |what: &str, text: &Option<String>| {
            self.maybe(ContentPart::Key(key, below(what).into()), TextRules::default(), text.as_ref())
        };
        let details = [thumbnail, figure("duration", duration)?, figure("size", size)?];
        let kind = match kind {
            MediaKind::Image => FileKind::Image,
            MediaKind::Video => FileKind::Video,
            MediaKind::Audio => FileKind::Audio,
            MediaKind::File => FileKind::Document,
        };
        let file = self.file(kind, ContentPart::File(key, path.as_str().into()), url)?;
        Ok(BubbleFile { details: details.into_iter().flatten().collect(), ..file })
    }

    pub(super) fn location(&self, channel: Channel, location: &Location) -> Bind<Bound> {
        let place = self.bubble_place(location, |key| ContentPart::Key("location", key.into()))?;
        Ok(Bubble { header: Some(BubbleHeader::Location(place)), ..Bubble::empty(channel) })
    }

    pub(super) fn rich_card(&self, channel: Channel, message: &RichCard) -> Bind<Bound> {
        let RichCard { card, orientation: _, thumbnail_side: _, suggestions } = message;
        Ok(Bubble {
            cards: vec![self.card(card, "")?],
            suggestions: self.suggestions(suggestions, "suggestion", "")?,
            ..Bubble::empty(channel)
        })
    }

    pub(super) fn carousel(&self, channel: Channel, carousel: &Carousel) -> Bind<Bound> {
        let Carousel { cards, width: _, suggestions } = carousel;
        let cards = (1..).zip(cards).map(|(number, card): (usize, _)| self.card(card, &format!("{number} ")));
        Ok(Bubble {
            cards: cards.collect::<Bind<_>>()?,
            suggestions: self.suggestions(suggestions, "suggestion", "")?,
            ..Bubble::empty(channel)
        })
    }

    fn card(&self, card: &Card, number: &str) -> Bind<BubbleCard<MessageText>> {
        let Card { title, description, media, height: _, suggestions } = card;
        let part = |what: &str| ContentPart::Key("card", format!("{number}{what}").into());
        let description = self.maybe(part("description"), TextRules::at_most(DESCRIPTION_MAX), description.as_ref())?;
        Ok(BubbleCard {
            title: self.maybe(part("title"), TextRules::at_most(TITLE_MAX), title.as_ref())?,
            body: description.map_or_else(Wording::none, |text| Wording::of(text, None)),
            media: Some(self.media(media, |kind| ("card", format!("{number}{kind}")))?),
            buttons: self.suggestions(suggestions, "card", &format!("{number}suggestion "))?,
        })
    }

    fn suggestions(
        &self,
        suggestions: &[Suggestion],
        key: &'static str,
        before: &str,
    ) -> Bind<Vec<BubbleButton<MessageText>>> {
        let numbered = (1..).zip(suggestions);
        let suggestion = |(number, suggestion): (usize, _)| {
            self.suggestion(suggestion, |what| ContentPart::Key(key, format!("{before}{number} {what}").into()))
        };
        numbered.map(suggestion).collect()
    }

    fn suggestion(
        &self,
        suggestion: &Suggestion,
        part: impl Fn(&str) -> ContentPart,
    ) -> Bind<BubbleButton<MessageText>> {
        let Suggestion { text, data, action } = suggestion;
        let limited = |what: &str, most: usize, text: &str| self.bind(part(what), TextRules::at_most(most), text);
        let mut sent_back = vec![limited("data", DATA_MAX, data)?];
        let (kind, target) = match action {
            SuggestionAction::Reply => (ButtonKind::QuickReply, sent_back.pop()),
            SuggestionAction::Url(url) => (ButtonKind::Url, Some(self.bind(part("url"), TextRules::ADDRESS, url)?)),
            SuggestionAction::Dial(number) => (ButtonKind::Call, Some(self.plain(part("dial"), number)?)),
            SuggestionAction::Search(text) => (ButtonKind::Search, Some(limited("search", SEARCH_MAX, text)?)),
            SuggestionAction::Place { latitude, longitude, label } => {
                sent_back.push(self.plain(part("latitude"), latitude)?);
                sent_back.push(self.plain(part("longitude"), longitude)?);
                let label = label.as_ref().map(|text| limited("label", PLACE_LABEL_MAX, text)).transpose()?;
                (ButtonKind::Place, label)
            }
            SuggestionAction::Event { title, description, start, end } => {
                if let Some(text) = description {
                    sent_back.push(limited("event description", EVENT_DESCRIPTION_MAX, text)?);
                }
                sent_back.push(self.plain(part("event start"), start)?);
                sent_back.push(self.plain(part("event end"), end)?);
                (ButtonKind::Event, Some(limited("event title", EVENT_TITLE_MAX, title)?))
            }
        };
        Ok(BubbleButton { kind, title: Some(limited("text", LABEL_MAX, text)?), target, data: sent_back })
    }
}
