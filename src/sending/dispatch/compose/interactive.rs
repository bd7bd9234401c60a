//! WhatsApp's interactive messages on the wire.

use crate::base::domain::{
    FlowAction, FlowMode, Interactive, InteractiveAction, InteractiveHeader, ListRow, ListSection, ProductSection,
    ReplyButton,
};
use crate::rules::template::ATTEMPT_MARK;
use crate::rules::wire::{
    ActionButton, ActionParameters, ActionReply, ActionRow, ActionSection, FlowActionData, InteractiveMessage, Linked,
    MessageAction, MessageHeader, MessageText, ProductItem,
};

pub(super) fn message(message: &Interactive) -> InteractiveMessage<'_> {
    let Interactive { header: top, body, footer, action } = message;
    let (kind, action) = kind_and_action(action);
    let text = |text: &'_ String| MessageText { text: text.clone().into() };
    InteractiveMessage {
        kind: kind.into(),
        header: top.as_ref().map(header),
        body: body.as_ref().map(text),
        footer: footer.as_ref().map(text),
        action: Some(action),
    }
}

fn header(header: &InteractiveHeader) -> MessageHeader<'_> {
    let linked = |url: &'_ String| Some(Linked { link: url.clone().into() });
    match header {
        InteractiveHeader::Text(text) => {
            MessageHeader { kind: "text".into(), text: Some(text.as_str().into()), ..MessageHeader::default() }
        }
        InteractiveHeader::Image(url) => {
            MessageHeader { kind: "image".into(), image: linked(url), ..MessageHeader::default() }
        }
        InteractiveHeader::Video(url) => {
            MessageHeader { kind: "video".into(), video: linked(url), ..MessageHeader::default() }
        }
        InteractiveHeader::Document(url) => {
            MessageHeader { kind: "document".into(), document: linked(url), ..MessageHeader::default() }
        }
    }
}

fn kind_and_action(action: &InteractiveAction) -> (&'static str, MessageAction<'_>) {
    let none = MessageAction::default;
    match action {
        InteractiveAction::Buttons(buttons) => {
            ("button", MessageAction { buttons: buttons.iter().map(reply_button).collect(), ..none() })
        }
        InteractiveAction::List { button, sections } => {
            let sections = sections.iter().map(section).collect();
            ("list", MessageAction { button: Some(button.as_str().into()), sections, ..none() })
        }
        InteractiveAction::Link { text, url } => {
            let parameters = ActionParameters {
                display_text: Some(text.as_str().into()),
                url: Some(url.as_str().into()),
                ..ActionParameters::default()
            };
            ("cta_url", MessageAction { parameters: Some(parameters), ..none() })
        }
        InteractiveAction::Flow { id, text, token, mode, message_version, opens } => {
            let parameters = ActionParameters {
                flow_id: Some(id.as_str().into()),
                flow_cta: Some(text.as_str().into()),
                // The recipient's answers come back with it, and name the message that they answer.
                flow_token: Some(token.as_deref().unwrap_or(ATTEMPT_MARK).into()),
                mode: mode.map(FlowMode::as_str).map(Into::into),
                flow_message_version: message_version.as_deref().map(Into::into),
                flow_action_data: flow_action_data(opens),
                ..ActionParameters::default()
            };
            ("flow", MessageAction { parameters: Some(parameters), ..none() })
        }
        InteractiveAction::Product { catalog, product } => (
            "product",
            MessageAction {
                catalog_id: Some(catalog.as_str().into()),
                product_retailer_id: Some(product.as_str().into()),
                ..none()
            },
        ),
        InteractiveAction::Products { catalog, product, sections } => (
            "product_list",
            MessageAction {
                catalog_id: Some(catalog.as_str().into()),
                product_retailer_id: product.as_deref().map(Into::into),
                sections: sections.iter().map(product_section).collect(),
                ..none()
            },
        ),
    }
}

fn reply_button(button: &ReplyButton) -> ActionButton<'_> {
    let reply = ActionReply { id: button.id.as_str().into(), title: button.title.as_str().into() };
    ActionButton { kind: "reply".into(), reply }
}

fn section(section: &ListSection) -> ActionSection<'_> {
    let row = |row: &'_ ListRow| ActionRow {
        id: row.id.clone().into(),
        title: row.title.clone().into(),
        description: row.description.clone().map(Into::into),
    };
    ActionSection {
        title: section.title.as_deref().map(Into::into),
        rows: section.rows.iter().map(row).collect(),
        ..ActionSection::default()
    }
}

fn product_section(section: &ProductSection) -> ActionSection<'_> {
    let item = |id: &'_ String| ProductItem { product_retailer_id: id.clone().into() };
    ActionSection {
        title: section.title.as_deref().map(Into::into),
        product_items: section.products.iter().map(item).collect(),
        ..ActionSection::default()
    }
}

/// Where a flow opens; `None` if it opens at its first screen.
pub(super) fn flow_action_data(flow: &FlowAction) -> Option<FlowActionData<'_>> {
    let FlowAction { screen, data } = flow;
    let data = (!data.is_empty()).then(|| data.clone());
    screen.as_deref().map(|screen| FlowActionData { screen: Some(screen.into()), data })
}
