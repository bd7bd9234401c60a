//! Interactive messages of WhatsApp.

use super::{Bind, Binder, Bound, TextRules};
use crate::base::domain::{
    Channel, ContentPart, Interactive, InteractiveAction, InteractiveHeader, ListRow, ListSection, ProductSection,
    ReplyButton,
};
use crate::rules::template::check::interactive::{
    BODY_MAX, BUTTON_ID_MAX, BUTTON_TITLE_MAX, FOOTER_MAX, HEADER_MAX, ROW_DESCRIPTION_MAX, ROW_ID_MAX, ROW_TITLE_MAX,
    SECTION_TITLE_MAX,
};
use crate::rules::template::preview::bubble::{
    Bubble, BubbleButton, BubbleHeader, BubbleOption, BubbleSection, ButtonKind, FileKind, Wording,
};
use crate::rules::template::preview::text::MessageText;

fn part(path: impl AsRef<str>) -> ContentPart {
    ContentPart::Key("interactive", path.as_ref().into())
}

type Buttons = Vec<BubbleButton<MessageText>>;
type Sections = Vec<BubbleSection<MessageText>>;

impl Binder<'_> {
    pub(super) fn interactive(&self, channel: Channel, interactive: &Interactive) -> Bind<Bound> {
        let Interactive { header, body, footer, action } = interactive;
        let header = header.as_ref().map(|header| self.interactive_header(header)).transpose()?;
        let body = self.maybe(part("body"), TextRules::default(), body.as_ref())?;
        let (buttons, sections) = self.action(action)?;
        Ok(Bubble {
            header,
            body: body.map_or_else(Wording::none, |body| Wording::of(body, Some(BODY_MAX))),
            footer: self.maybe(part("footer"), TextRules::at_most(FOOTER_MAX), footer.as_ref())?,
            buttons,
            sections,
            ..Bubble::empty(channel)
        })
    }

    fn interactive_header(&self, header: &InteractiveHeader) -> Bind<BubbleHeader<MessageText>> {
        let file = |kind, what: &str, url| {
            let place = ContentPart::File("interactive", format!("header {what}").into());
            self.file(kind, place, url).map(BubbleHeader::Media)
        };
        match header {
            InteractiveHeader::Text(text) => {
                let text = self.plain(part("header text"), text)?;
                Ok(BubbleHeader::Text(Wording::of(text, Some(HEADER_MAX))))
            }
            InteractiveHeader::Image(url) => file(FileKind::Image, "image", url),
            InteractiveHeader::Video(url) => file(FileKind::Video, "video", url),
            InteractiveHeader::Document(url) => file(FileKind::Document, "document", url),
        }
    }

    fn action(&self, action: &InteractiveAction) -> Bind<(Buttons, Sections)> {
        let title = |what: &str, text| self.bind(part(what), TextRules::at_most(BUTTON_TITLE_MAX), text).map(Some);
        Ok(match action {
            InteractiveAction::Buttons(buttons) => {
                let button = |(number, button): (usize, _)| self.reply_button(number, button);
                ((1..).zip(buttons).map(button).collect::<Bind<_>>()?, Vec::new())
            }
            InteractiveAction::List { button, sections } => {
                let title = title("list button", button)?;
                let sections = (1..).zip(sections).map(|(number, section)| self.list_section(number, section));
                (vec![BubbleButton { title, ..button_of(ButtonKind::List) }], sections.collect::<Bind<_>>()?)
            }
            InteractiveAction::Link { text, url } => {
                let title = title("link text", text)?;
                let target = Some(self.bind(part("link url"), TextRules::ADDRESS, url)?);
                (vec![BubbleButton { title, target, ..button_of(ButtonKind::Url) }], Vec::new())
            }
            InteractiveAction::Flow { id, text, token, mode: _, message_version: _, opens } => {
                let mut data = vec![self.plain(part("flow id"), id)?];
                data.extend(self.maybe(part("flow token"), TextRules::default(), token.as_ref())?);
                data.extend(self.flow_data(opens, |path| part(format!("flow data.{path}")))?);
                let target = self.screen(opens, part("flow screen"));
                let title = title("flow text", text)?;
                (vec![BubbleButton { title, target, data, ..button_of(ButtonKind::Flow) }], Vec::new())
            }
            InteractiveAction::Product { catalog, product } => {
                let target = Some(self.plain(part("product catalog"), catalog)?);
                let data = vec![self.plain(part("product product"), product)?];
                (vec![BubbleButton { target, data, ..button_of(ButtonKind::Products) }], Vec::new())
            }
            InteractiveAction::Products { catalog, product, sections } => {
                let target = Some(self.plain(part("products catalog"), catalog)?);
                let data = self.maybe(part("products product"), TextRules::default(), product.as_ref())?;
                let data = data.into_iter().collect();
                let sections = (1..).zip(sections).map(|(number, section)| self.product_section(number, section));
                let button = BubbleButton { target, data, ..button_of(ButtonKind::Products) };
                (vec![button], sections.collect::<Bind<_>>()?)
            }
        })
    }

    fn reply_button(&self, number: usize, button: &ReplyButton) -> Bind<BubbleButton<MessageText>> {
        let ReplyButton { id, title } = button;
        let bind = |what, most, text| {
            self.bind(part(format!("button {number} {what}")), TextRules::at_most(most), text).map(Some)
        };
        let target = bind("id", BUTTON_ID_MAX, id)?;
        Ok(BubbleButton { title: bind("title", BUTTON_TITLE_MAX, title)?, target, ..button_of(ButtonKind::QuickReply) })
    }

    fn section_title(&self, number: usize, title: Option<&String>) -> Bind<Option<MessageText>> {
        self.maybe(part(format!("section {number} title")), TextRules::at_most(SECTION_TITLE_MAX), title)
    }

    fn list_section(&self, number: usize, section: &ListSection) -> Bind<BubbleSection<MessageText>> {
        let ListSection { title, rows } = section;
        let option = |(row, ListRow { id, title, description }): (usize, &ListRow)| {
            let part = |what: &str| part(format!("section {number} row {row} {what}"));
            Ok(BubbleOption {
                title: self.bind(part("title"), TextRules::at_most(ROW_TITLE_MAX), title)?,
                description: self.maybe(
                    part("description"),
                    TextRules::at_most(ROW_DESCRIPTION_MAX),
                    description.as_ref(),
                )?,
                id: Some(self.bind(part("id"), TextRules::at_most(ROW_ID_MAX), id)?),
            })
        };
        let options = (1..).zip(rows).map(option).collect::<Bind<_>>()?;
        Ok(BubbleSection { title: self.section_title(number, title.as_ref())?, options })
    }

    fn product_section(&self, number: usize, section: &ProductSection) -> Bind<BubbleSection<MessageText>> {
        let ProductSection { title, products } = section;
        let option = |(product, id): (usize, &String)| {
            let title = self.plain(part(format!("section {number} product {product}")), id)?;
            Ok(BubbleOption { title, description: None, id: None })
        };
        let options = (1..).zip(products).map(option).collect::<Bind<_>>()?;
        Ok(BubbleSection { title: self.section_title(number, title.as_ref())?, options })
    }
}

/// A button of this kind with nothing on it.
fn button_of(kind: ButtonKind) -> BubbleButton<MessageText> {
    BubbleButton { kind, title: None, target: None, data: Vec::new() }
}
