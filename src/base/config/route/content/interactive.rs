//! Interactive messages of WhatsApp, as they are written in a campaign file.

use super::super::bounds::Most;
use super::super::table::Table;
use super::template::flow_action;
use super::{one_of, optional, required};
use crate::base::domain::{
    Interactive, InteractiveAction, InteractiveHeader, ListRow, ListSection, ProductSection, ReplyButton,
};

pub(super) fn read(mut table: Table<'_>) -> Option<Interactive> {
    let has_header = table.has("header");
    let header = table.read_below("header", header);
    let (body, footer) = (optional(&mut table, "body"), optional(&mut table, "footer"));
    let mut found = Vec::new();
    if table.has("buttons") {
        found.extend(table.read_each("buttons", button).map(InteractiveAction::Buttons));
    }
    found.extend(table.read_below("list", list));
    found.extend(table.read_below("link", link));
    found.extend(table.read_below("flow", flow));
    found.extend(table.read_below("product", product));
    found.extend(table.read_below("products", products));
    let rule = "an interactive message has one of buttons, list, link, flow, product or products";
    let action = one_of(&mut table, found, rule);
    table.finish(&[]);
    Some(Interactive {
        // If one of these is missing, its problem is already reported.
        header: if has_header { Some(header?) } else { None },
        body: body?,
        footer: footer?,
        action: action?,
    })
}

fn header(mut table: Table<'_>) -> Option<InteractiveHeader> {
    let mut found = Vec::new();
    for (key, make) in [
        ("text", InteractiveHeader::Text as fn(String) -> InteractiveHeader),
        ("image", InteractiveHeader::Image),
        ("video", InteractiveHeader::Video),
        ("document", InteractiveHeader::Document),
    ] {
        found.extend(table.text(key).map(make));
    }
    let header = one_of(&mut table, found, "a header is one of text, image, video or document");
    table.finish(&[]);
    header
}

fn button(mut table: Table<'_>) -> Option<ReplyButton> {
    let id = required(&mut table, &["id"], "what comes back when the recipient taps the button");
    let title = required(&mut table, &["title"], "the label of the button");
    table.finish(&[]);
    Some(ReplyButton { id: id?, title: title? })
}

fn list(mut table: Table<'_>) -> Option<InteractiveAction> {
    let button = required(&mut table, &["button"], "the label of the button that opens the list");
    let sections = table.read_each("sections", section);
    table.finish(&[]);
    Some(InteractiveAction::List { button: button?, sections: sections? })
}

fn section(mut table: Table<'_>) -> Option<ListSection> {
    let (title, rows) = (optional(&mut table, "title"), table.read_each("rows", row));
    table.finish(&[]);
    Some(ListSection { title: title?, rows: rows? })
}

fn row(mut table: Table<'_>) -> Option<ListRow> {
    let id = required(&mut table, &["id"], "what comes back when the recipient chooses the row");
    let title = required(&mut table, &["title"], "the title of the row");
    let description = optional(&mut table, "description");
    table.finish(&[]);
    Some(ListRow { id: id?, title: title?, description: description? })
}

fn link(mut table: Table<'_>) -> Option<InteractiveAction> {
    let text = required(&mut table, &["text"], "the label of the button");
    let url = required(&mut table, &["url"], "the address that the button opens");
    table.finish(&[]);
    Some(InteractiveAction::Link { text: text?, url: url? })
}

fn flow(mut table: Table<'_>) -> Option<InteractiveAction> {
    let id = required(&mut table, &["id"], "the flow's id at the provider");
    let text = required(&mut table, &["text"], "the label of the button that opens the flow");
    let token = optional(&mut table, "token");
    let (mode, message_version) = (table.parsed("mode"), table.filled_text("message_version"));
    let opens = flow_action(&mut table);
    table.finish(&[]);
    Some(InteractiveAction::Flow { id: id?, text: text?, token: token?, mode, message_version, opens })
}

const CATALOG: &str = "the catalog's id";

fn product(mut table: Table<'_>) -> Option<InteractiveAction> {
    let catalog = required(&mut table, &["catalog"], CATALOG);
    let product = required(&mut table, &["product"], "the product's id in the catalog");
    table.finish(&[]);
    Some(InteractiveAction::Product { catalog: catalog?, product: product? })
}

fn products(mut table: Table<'_>) -> Option<InteractiveAction> {
    let catalog = required(&mut table, &["catalog"], CATALOG);
    let product = optional(&mut table, "product");
    let sections = table.read_each("sections", |mut table| {
        let (title, products) = (optional(&mut table, "title"), table.texts("products", Most::PARTS));
        table.finish(&[]);
        Some(ProductSection { title: title?, products })
    });
    table.finish(&[]);
    Some(InteractiveAction::Products { catalog: catalog?, product: product?, sections: sections? })
}
