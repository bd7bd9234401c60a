//! Makes the bubble of a content: one function for each kind of content.

mod interactive;
mod notification;
mod rich;

use super::approved::{approved_text, with_titles};
use super::bound::ApprovedTemplate;
use super::bubble::{
    Bubble, BubbleButton, BubbleCard, BubbleFile, BubbleHeader, BubblePlace, ButtonKind, FileKind, TemplateLabel,
    Wording,
};
use super::measure::TextRules;
use super::text::MessageText;
use crate::base::domain::{
    Button, ButtonAction, Channel, Content, ContentPart, FlowAction, Header, Location, Names, Step, TemplateCard,
    TemplateContent, TemplateName, VoiceCall, ZaloTemplate,
};
use crate::rules::template::check::template::{BODY_MAX, CARD_BODY_MAX, COPY_CODE_MAX, HEADER_TEXT_MAX};
use crate::rules::template::check::text_max;
use crate::rules::template::error::Error;

type Bound = Bubble<MessageText>;
type Bind<T> = Result<T, Error>;

pub(super) fn bubble(step: &Step, names: Names<'_>, approved: Option<&ApprovedTemplate>) -> Bind<Bound> {
    let Step { channel, content, .. } = step;
    let binder = Binder { names, card: None };
    let bubble = match content {
        Content::Text { text, source: _, encoding: _ } => binder.text_message(step, text)?,
        Content::Template(template) => binder.template(*channel, template, approved)?,
        Content::ZaloTemplate(template) => binder.zalo_template(*channel, template)?,
        Content::Rich(message) => binder.rich(*channel, message)?,
        Content::Location(location) => binder.location(*channel, location)?,
        Content::Interactive(interactive) => binder.interactive(*channel, interactive)?,
        Content::Card(message) => binder.rich_card(*channel, message)?,
        Content::Carousel(carousel) => binder.carousel(*channel, carousel)?,
        Content::Notification(notification) => binder.notification(*channel, notification)?,
        Content::Raw(_) => binder.listed(*channel, content)?,
    };
    let template = content.template().map(|TemplateName { name, language }| TemplateLabel {
        name: name.to_owned(),
        language: language.to_owned(),
        category: content.category(),
    });
    let recipient_id = step.user_id.as_deref();
    let recipient_id = recipient_id.map(|text| binder.plain(ContentPart::LineUserId, text)).transpose()?;
    Ok(Bubble { template, recipient_id, ..bubble })
}

/// Binds the variables of texts.
#[derive(Clone, Copy)]
struct Binder<'a> {
    names: Names<'a>,
    /// The card of a template's carousel whose texts are bound, from 1.
    card: Option<usize>,
}

/// The parts that a template and each of its cards have.
struct TemplateParts {
    header: Option<BubbleHeader<MessageText>>,
    body: Wording<MessageText>,
    buttons: Vec<BubbleButton<MessageText>>,
}

impl Binder<'_> {
    /// Where a text is: in the card, if a card is bound.
    fn place(&self, part: ContentPart) -> ContentPart {
        match self.card {
            Some(number) => ContentPart::Card(number, Box::new(part)),
            None => part,
        }
    }

    fn bind(&self, part: ContentPart, rules: TextRules, text: &str) -> Bind<MessageText> {
        MessageText::new(self.place(part), rules, text, self.names)
    }

    /// A text without a limit of its own.
    fn plain(&self, part: ContentPart, text: &str) -> Bind<MessageText> {
        self.bind(part, TextRules::default(), text)
    }

    fn maybe(&self, part: ContentPart, rules: TextRules, text: Option<&String>) -> Bind<Option<MessageText>> {
        text.map(|text| self.bind(part, rules, text)).transpose()
    }

    fn text_message(&self, step: &Step, text: &str) -> Bind<Bound> {
        let encoding = step.sms().map(|(_, encoding)| encoding);
        // The length of an SMS is limited by its parts.
        let most = encoding.is_none().then(|| text_max(step.channel));
        let rules = TextRules::of_text(step.transliterate);
        let body = Wording::of(self.bind(ContentPart::Text, rules, text)?, most);
        Ok(Bubble { encoding, body, ..Bubble::empty(step.channel) })
    }

    fn template(
        &self,
        channel: Channel,
        template: &TemplateContent,
        approved: Option<&ApprovedTemplate>,
    ) -> Bind<Bound> {
        let TemplateContent { header, body, buttons, carousel, .. } = template;
        let TemplateParts { header, body, buttons } =
            self.template_parts((header.as_ref(), body, buttons), approved, BODY_MAX)?;
        let footer = approved.and_then(|approved| approved.footer.as_deref());
        let footer = footer.map(|text| MessageText::literal(ContentPart::key("footer"), text));
        let cards = carousel.iter().enumerate().map(|(index, card)| {
            let within = Self { card: Some(index + 1), ..*self };
            within.card_of_template(card, approved.and_then(|approved| approved.cards.get(index)))
        });
        let cards = cards.collect::<Bind<_>>()?;
        Ok(Bubble { header, body, footer, buttons, cards, ..Bubble::empty(channel) })
    }

    fn card_of_template(
        &self,
        card: &TemplateCard,
        approved: Option<&ApprovedTemplate>,
    ) -> Bind<BubbleCard<MessageText>> {
        let TemplateCard { header, body, buttons } = card;
        let TemplateParts { header, body, buttons } =
            self.template_parts((Some(header), body, buttons), approved, CARD_BODY_MAX)?;
        let media = match header {
            Some(BubbleHeader::Media(file)) => Some(file),
            // A card with another header is refused.
            Some(BubbleHeader::Text(_) | BubbleHeader::Location(_) | BubbleHeader::Notice(_)) | None => None,
        };
        Ok(BubbleCard { media, title: None, body, buttons })
    }

    fn template_parts(
        &self,
        (header, body, buttons): (Option<&Header>, &[String], &[Button]),
        approved: Option<&ApprovedTemplate>,
        most: usize,
    ) -> Bind<TemplateParts> {
        let numbered = (1..).zip(body);
        let parameters = numbered.map(|(n, text)| self.bind(ContentPart::Body(n), TextRules::PARAMETER, text));
        let parameters = parameters.collect::<Bind<Vec<_>>>()?;
        let text = approved.and_then(|approved| approved.body.as_deref());
        let text = text.map(|text| approved_text(self.place(ContentPart::key("body")), text, &parameters));
        let buttons = buttons.iter().map(|button| Ok((button.index, self.button(button)?)));
        let buttons = buttons.collect::<Bind<_>>()?;
        Ok(TemplateParts {
            header: self.header(header, approved)?,
            body: Wording { text, parameters, most: Some(most) },
            buttons: with_titles(buttons, approved, |index, what| self.place(ContentPart::Button(index, what))),
        })
    }

    fn header(
        &self,
        header: Option<&Header>,
        approved: Option<&ApprovedTemplate>,
    ) -> Bind<Option<BubbleHeader<MessageText>>> {
        let approved = approved.and_then(|approved| approved.header.as_deref());
        let whole = |parameters: &[MessageText]| {
            approved.map(|text| approved_text(self.place(ContentPart::key("header")), text, parameters))
        };
        let media = |kind, key, url| self.file(kind, ContentPart::Header(key), url).map(BubbleHeader::Media);
        Ok(Some(match header {
            None => {
                let Some(text) = whole(&[]) else { return Ok(None) };
                BubbleHeader::Text(Wording::of(text, None))
            }
            Some(Header::Text(text)) => {
                let parameters = vec![self.bind(ContentPart::Header("text"), TextRules::PARAMETER, text)?];
                BubbleHeader::Text(Wording { text: whole(&parameters), parameters, most: Some(HEADER_TEXT_MAX) })
            }
            Some(Header::Image(url)) => media(FileKind::Image, "image", url)?,
            Some(Header::Video(url)) => media(FileKind::Video, "video", url)?,
            Some(Header::Gif(url)) => media(FileKind::Gif, "gif", url)?,
            Some(Header::Document(url)) => media(FileKind::Document, "document", url)?,
            Some(Header::Location(location)) => {
                BubbleHeader::Location(self.bubble_place(location, ContentPart::Header)?)
            }
        }))
    }

    fn file(&self, kind: FileKind, part: ContentPart, url: &str) -> Bind<BubbleFile<MessageText>> {
        Ok(BubbleFile { kind, address: self.bind(part, TextRules::ADDRESS, url)?, details: Vec::new() })
    }

    fn bubble_place(
        &self,
        location: &Location,
        part: impl Fn(&'static str) -> ContentPart,
    ) -> Bind<BubblePlace<MessageText>> {
        let Location { latitude, longitude, name, address } = location;
        Ok(BubblePlace {
            latitude: self.plain(part("latitude"), latitude)?,
            longitude: self.plain(part("longitude"), longitude)?,
            name: self.plain(part("name"), name)?,
            address: self.plain(part("address"), address)?,
        })
    }

    fn button(&self, button: &Button) -> Bind<BubbleButton<MessageText>> {
        let Button { index, action } = button;
        let part = |kind| ContentPart::Button(*index, kind);
        let (kind, target, data) = match action {
            ButtonAction::Url(text) => {
                (ButtonKind::Url, Some(self.bind(part("url"), TextRules::ADDRESS, text)?), vec![])
            }
            ButtonAction::Payload(text) => (ButtonKind::QuickReply, Some(self.plain(part("payload"), text)?), vec![]),
            ButtonAction::CopyCode(text) => {
                let rules = TextRules::at_most(COPY_CODE_MAX);
                (ButtonKind::CopyCode, Some(self.bind(part("copy_code"), rules, text)?), vec![])
            }
            ButtonAction::Flow(flow) => {
                let screen = self.screen(flow, part("screen"));
                (ButtonKind::Flow, screen, self.flow_data(flow, |path| ContentPart::Flow(*index, path.into()))?)
            }
            ButtonAction::VoiceCall(VoiceCall { ttl: _, payload }) => {
                let payload = self.maybe(part("voice_call payload"), TextRules::default(), payload.as_ref())?;
                (ButtonKind::Call, None, payload.into_iter().collect())
            }
        };
        Ok(BubbleButton { kind, title: None, target, data })
    }

    /// The screen that a flow opens, if it is not the first one.
    fn screen(&self, flow: &FlowAction, part: ContentPart) -> Option<MessageText> {
        flow.screen.as_deref().map(|screen| MessageText::literal(self.place(part), screen))
    }

    /// The values that a flow starts with.
    fn flow_data(&self, flow: &FlowAction, part: impl Fn(&str) -> ContentPart) -> Bind<Vec<MessageText>> {
        let mut values = Vec::new();
        flow.each_string(|path, text| {
            values.push(self.plain(part(path), text)?);
            Ok::<_, Error>(())
        })?;
        Ok(values)
    }

    fn zalo_template(&self, channel: Channel, template: &ZaloTemplate) -> Bind<Bound> {
        let named = |(name, text): (&String, &String)| self.plain(ContentPart::Param(name.as_str().into()), text);
        let parameters = template.params.iter().map(named).collect::<Bind<_>>()?;
        let body = Wording::of_parameters(parameters, Some(text_max(channel)));
        Ok(Bubble { body, ..Bubble::empty(channel) })
    }

    /// A content of which only the provider knows what the handset shows: all its texts, in reading order.
    fn listed(&self, channel: Channel, content: &Content) -> Bind<Bound> {
        let mut parameters = Vec::new();
        content.each_text(|part, text| {
            parameters.push(self.plain(part, text)?);
            Ok::<_, Error>(())
        })?;
        Ok(Bubble { body: Wording::of_parameters(parameters, None), ..Bubble::empty(channel) })
    }
}
