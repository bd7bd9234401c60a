//! Templates on the wire.

use super::{interactive, rich};
use crate::base::domain::{
    Button, ButtonAction, FlowAction, Header, TemplateCard, TemplateContent, VoiceCall, ZaloTemplate,
};
use crate::rules::wire;

pub(super) fn content(template: &TemplateContent) -> wire::Content<'_> {
    let mut components = components(template.header.as_ref(), &template.body, &template.buttons);
    if !template.carousel.is_empty() {
        let cards = (0..).zip(&template.carousel).map(card).collect();
        components.push(wire::Component { cards, ..component("carousel", Vec::new()) });
    }
    of_components(&template.name, &template.language, components)
}

pub(super) fn zalo_content(template: &ZaloTemplate) -> wire::Content<'_> {
    let named = |(name, text): (&'_ String, &'_ String)| wire::Parameter {
        name: Some(name.clone().into()),
        text: Some(text.clone().into()),
        kind: "text".into(),
        ..wire::Parameter::default()
    };
    let components = match template.params.is_empty() {
        true => Vec::new(),
        false => vec![component("body", template.params.iter().map(named).collect())],
    };
    of_components(&template.name, &template.language, components)
}

fn of_components<'a>(name: &'a str, language: &'a str, components: Vec<wire::Component<'a>>) -> wire::Content<'a> {
    let template = wire::Template { name: name.into(), language: language.into(), components };
    wire::Content { template: Some(template), ..wire::Content::default() }
}

/// The components of a template, or of a card of its carousel.
fn components<'a>(header: Option<&'a Header>, body: &'a [String], buttons: &'a [Button]) -> Vec<wire::Component<'a>> {
    let mut components = Vec::new();
    if let Some(header) = header {
        components.push(component("header", vec![header_parameter(header)]));
    }
    if !body.is_empty() {
        components.push(component("body", body.iter().map(|text| text_parameter(text)).collect()));
    }
    for button in buttons {
        let (sub_type, parameters) = button_parameters(&button.action);
        components.push(wire::Component {
            index: Some(i64::from(button.index)),
            sub_type: Some(sub_type.into()),
            ..component("button", parameters)
        });
    }
    components
}

fn card((index, card): (i64, &TemplateCard)) -> wire::TemplateCard<'_> {
    let components = components(Some(&card.header), &card.body, &card.buttons);
    wire::TemplateCard { card_index: Some(index), components }
}

fn component<'a>(kind: &'static str, parameters: Vec<wire::Parameter<'a>>) -> wire::Component<'a> {
    wire::Component { kind: kind.into(), parameters, ..wire::Component::default() }
}

fn parameter(kind: &'static str) -> wire::Parameter<'static> {
    wire::Parameter { kind: kind.into(), ..wire::Parameter::default() }
}

fn text_parameter(text: &str) -> wire::Parameter<'_> {
    wire::Parameter { text: Some(text.into()), ..parameter("text") }
}

fn header_parameter(header: &Header) -> wire::Parameter<'_> {
    let (kind, url) = match header {
        Header::Text(text) => return text_parameter(text),
        Header::Location(location) => {
            let location = rich::location_in_texts(location);
            return wire::Parameter { location: Some(location), ..parameter("location") };
        }
        Header::Image(url) => ("image", url),
        Header::Video(url) => ("video", url),
        Header::Gif(url) => ("gif", url),
        Header::Document(url) => ("document", url),
    };
    wire::Parameter { url: Some(url.as_str().into()), ..parameter(kind) }
}

fn button_parameters(action: &ButtonAction) -> (&'static str, Vec<wire::Parameter<'_>>) {
    let payload =
        |payload: &'_ str| wire::Parameter { payload: Some(payload.to_owned().into()), ..parameter("payload") };
    match action {
        ButtonAction::Url(end) => ("url", vec![text_parameter(end)]),
        ButtonAction::Payload(text) => ("QuickReply", vec![payload(text)]),
        ButtonAction::CopyCode(code) => {
            let code = wire::Parameter { coupon_code: Some(code.as_str().into()), ..parameter("couponCode") };
            ("copyCode", vec![code])
        }
        ButtonAction::Flow(flow) => ("flow", vec![flow_parameter(flow)]),
        ButtonAction::VoiceCall(VoiceCall { ttl, payload: text }) => {
            let minutes =
                ttl.map(|ttl| wire::Parameter { ttl_minutes: Some(ttl.millis() / 60_000), ..parameter("ttlMinutes") });
            ("VoiceCall", minutes.into_iter().chain(text.as_deref().map(payload)).collect())
        }
    }
}

fn flow_parameter(flow: &FlowAction) -> wire::Parameter<'_> {
    wire::Parameter { flow_action_data: interactive::flow_action_data(flow), ..parameter("action") }
}
