//! The rules of WhatsApp's interactive messages.

use super::Findings;
use crate::base::domain::{
    ContentPart, FlowAction, Interactive, InteractiveAction, InteractiveHeader, ListSection, ProductSection,
    ReplyButton,
};

pub(in crate::rules::template) const HEADER_MAX: usize = 60;
pub(in crate::rules::template) const BODY_MAX: usize = 1_024;
pub(in crate::rules::template) const FOOTER_MAX: usize = 60;
pub(in crate::rules::template) const BUTTON_TITLE_MAX: usize = 20;
pub(in crate::rules::template) const BUTTON_ID_MAX: usize = 256;
const BUTTONS_MAX: usize = 3;
const SECTIONS_MAX: usize = 10;
pub(in crate::rules::template) const SECTION_TITLE_MAX: usize = 24;
const ROWS_MAX: usize = 10;
pub(in crate::rules::template) const ROW_ID_MAX: usize = 200;
pub(in crate::rules::template) const ROW_TITLE_MAX: usize = 24;
pub(in crate::rules::template) const ROW_DESCRIPTION_MAX: usize = 72;
const PRODUCTS_MAX: usize = 30;

fn part(path: impl AsRef<str>) -> ContentPart {
    ContentPart::Key("interactive", path.as_ref().into())
}

impl Findings {
    pub(super) fn check_interactive(&mut self, interactive: &Interactive) {
        let Interactive { header, body, footer, action } = interactive;
        let is_product = matches!(action, InteractiveAction::Product { .. });
        match header {
            None => {}
            Some(_) if is_product => self.add(part("header"), "a single product has no header; remove it"),
            Some(InteractiveHeader::Text(text)) => self.check_label(part("header text"), text, HEADER_MAX),
            Some(InteractiveHeader::Image(url)) => self.check_media_url(part("header image"), url),
            Some(InteractiveHeader::Video(url)) => self.check_media_url(part("header video"), url),
            Some(InteractiveHeader::Document(url)) => self.check_media_url(part("header document"), url),
        }
        match body {
            Some(text) => self.check_label(part("body"), text, BODY_MAX),
            None if is_product => {}
            None => self.add(part("body"), "is missing; write the text of the message"),
        }
        if let Some(text) = footer {
            self.check_label(part("footer"), text, FOOTER_MAX);
        }
        match action {
            InteractiveAction::Buttons(buttons) => self.check_reply_buttons(buttons),
            InteractiveAction::List { button, sections } => self.check_list(button, sections),
            InteractiveAction::Link { text, url } => {
                self.check_label(part("link text"), text, BUTTON_TITLE_MAX);
                self.check_link(part("link url"), url);
            }
            InteractiveAction::Flow { id, text, token, mode: _, message_version: _, opens } => {
                self.check_not_empty(part("flow id"), id);
                self.check_label(part("flow text"), text, BUTTON_TITLE_MAX);
                if let Some(token) = token {
                    self.check_not_empty(part("flow token"), token);
                }
                let FlowAction { screen, data } = opens;
                if screen.is_none() && !data.is_empty() {
                    self.add(part("flow"), "data belongs to a screen; write screen = \"…\" as well");
                }
            }
            InteractiveAction::Product { catalog, product } => {
                self.check_not_empty(part("product catalog"), catalog);
                self.check_not_empty(part("product product"), product);
            }
            InteractiveAction::Products { catalog, product, sections } => {
                self.check_products(catalog, product.as_deref(), sections);
            }
        }
    }

    fn check_reply_buttons(&mut self, buttons: &[ReplyButton]) {
        self.check_count(part("buttons"), buttons.len(), 1..=BUTTONS_MAX, "button");
        for (number, ReplyButton { id, title }) in (1..).zip(buttons) {
            self.check_label(part(format!("button {number} id")), id, BUTTON_ID_MAX);
            self.check_label(part(format!("button {number} title")), title, BUTTON_TITLE_MAX);
        }
        let numbered = || (1..).zip(buttons);
        self.check_unique(numbered().map(|(number, button)| (part(format!("button {number} id")), button.id.as_str())));
        self.check_unique(
            numbered().map(|(number, button)| (part(format!("button {number} title")), button.title.as_str())),
        );
    }

    fn check_list(&mut self, button: &str, sections: &[ListSection]) {
        self.check_label(part("list button"), button, BUTTON_TITLE_MAX);
        self.check_count(part("list sections"), sections.len(), 1..=SECTIONS_MAX, "section");
        let rows: usize = sections.iter().map(|section| section.rows.len()).sum();
        self.check_count(part("list"), rows, 0..=ROWS_MAX, "row");
        let mut ids = Vec::new();
        for (number, section) in (1..).zip(sections) {
            self.check_section_title(number, section.title.as_deref(), sections.len());
            if section.rows.is_empty() {
                self.add(part(format!("section {number}")), "has no row; write some in rows, or remove it");
            }
            for (row, found) in (1..).zip(&section.rows) {
                let part = |path: &str| part(format!("section {number} row {row} {path}"));
                self.check_label(part("id"), &found.id, ROW_ID_MAX);
                self.check_label(part("title"), &found.title, ROW_TITLE_MAX);
                if let Some(text) = &found.description {
                    self.check_label(part("description"), text, ROW_DESCRIPTION_MAX);
                }
                ids.push((part("id"), found.id.as_str()));
            }
        }
        self.check_unique(ids.into_iter());
    }

    fn check_products(&mut self, catalog: &str, product: Option<&str>, sections: &[ProductSection]) {
        self.check_not_empty(part("products catalog"), catalog);
        if let Some(product) = product {
            self.check_not_empty(part("products product"), product);
        }
        self.check_count(part("products sections"), sections.len(), 1..=SECTIONS_MAX, "section");
        let all: usize = sections.iter().map(|section| section.products.len()).sum();
        self.check_count(part("products"), all, 0..=PRODUCTS_MAX, "product");
        for (number, section) in (1_usize..).zip(sections) {
            self.check_section_title(number, section.title.as_deref(), sections.len());
            self.check_count(part(format!("section {number}")), section.products.len(), 1..=PRODUCTS_MAX, "product");
            for (product, id) in (1..).zip(&section.products) {
                self.check_not_empty(part(format!("section {number} product {product}")), id);
            }
        }
    }

    fn check_section_title(&mut self, number: usize, title: Option<&str>, sections: usize) {
        let part = || part(format!("section {number} title"));
        match title {
            Some(title) => self.check_label(part(), title, SECTION_TITLE_MAX),
            None if sections > 1 => self.add(part(), "is missing; several sections have titles"),
            None => {}
        }
    }
}
