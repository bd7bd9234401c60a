//! Composes the body of the provider's request from a step's content.

use crate::domain::{
    ButtonAction, Channel, Content, Country, FlowAction, Header, RawContent, Step, StepIndex, TemplateContent,
    ZaloTemplate,
};
use crate::template::{self, ATTEMPT_MARK, MSISDN_MARK, Pattern, Variables, expiry_mark};
use crate::wire;

#[derive(Debug, thiserror::Error)]
pub enum Uncomposable {
    #[error("the route has no step {step}")]
    NoStep { step: StepIndex },
    #[error(transparent)]
    Template(#[from] template::Error),
    #[error("cannot serialize the request")]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Pattern(#[from] template::InvalidPattern),
}

/// Compiles a step's request: serialized once as the wire type, with slots for the values of each recipient.
pub fn compose(step: &Step, lane: &str, country: Country, columns: &[String]) -> Result<Pattern, Uncomposable> {
    let marked = template::mark(&step.content, step.line_user_id.as_deref(), columns)?;
    let user = match &marked.line_user_id {
        Some(id) => wire::User { line_user_id: Some(id.as_str().into()), ..wire::User::default() },
        None => wire::User { msisdn: Some(MSISDN_MARK.into()), ..wire::User::default() },
    };
    let envelope = wire::SendRequest {
        user: Some(user),
        client_message_id: Some(ATTEMPT_MARK.into()),
        expiry: step.ttl.map(|ttl| expiry_mark(ttl).into()),
        // Exactly this step's channel: Volley decides fallbacks, never the provider.
        channels: vec![wire::ChannelStep { channel: step.channel.as_str().into(), ..wire::ChannelStep::default() }],
        ..wire::SendRequest::default()
    };
    let (kind, content) = match &marked.content {
        Content::Template(template) => {
            ("template", wire::Content { template: Some(wire_template(template)), ..wire::Content::default() })
        }
        Content::ZaloTemplate(template) => {
            ("template", wire::Content { template: Some(zalo_template(template)), ..wire::Content::default() })
        }
        Content::Text { text, source: _, encoding } => {
            let sms = (step.channel == Channel::Sms).then(|| wire::Sms {
                encoding: Some(encoding.map_or("AUTO", crate::domain::SmsEncoding::as_str).into()),
                source: step.source(lane, country).map(Into::into),
            });
            ("text", wire::Content { text: Some(text.as_str().into()), sms, ..wire::Content::default() })
        }
        Content::Raw(raw) => return raw_request(raw, envelope, &marked.variables),
    };
    let request = wire::SendRequest { kind: Some(kind.into()), content: Some(content), ..envelope };
    Ok(Pattern::new(&serde_json::to_string(&request)?, &marked.variables)?)
}

/// A request whose content may have keys that the wire type does not know.
fn raw_request(
    raw: &RawContent,
    envelope: wire::SendRequest<'_>,
    variables: &Variables,
) -> Result<Pattern, Uncomposable> {
    let request = wire::SendRequest { kind: Some(raw.kind.as_str().into()), ..envelope };
    let mut request = serde_json::to_value(request)?;
    request["content"] = serde_json::Value::Object(raw.content.clone());
    Ok(Pattern::new(&request.to_string(), variables)?)
}

fn wire_template(template: &TemplateContent) -> wire::Template<'_> {
    let mut components = Vec::new();
    if let Some(header) = &template.header {
        components.push(component("header", vec![header_parameter(header)]));
    }
    if !template.body.is_empty() {
        components.push(component("body", template.body.iter().map(|text| text_parameter(text)).collect()));
    }
    for button in &template.buttons {
        let (sub_type, parameter) = button_parameter(&button.action);
        components.push(wire::Component {
            index: Some(i64::from(button.index)),
            sub_type: Some(sub_type.into()),
            ..component("button", vec![parameter])
        });
    }
    wire::Template { name: template.name.as_str().into(), language: template.language.as_str().into(), components }
}

fn zalo_template(template: &ZaloTemplate) -> wire::Template<'_> {
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
    wire::Template { name: template.name.as_str().into(), language: template.language.as_str().into(), components }
}

fn component<'a>(kind: &'static str, parameters: Vec<wire::Parameter<'a>>) -> wire::Component<'a> {
    wire::Component { kind: kind.into(), parameters, ..wire::Component::default() }
}

fn text_parameter(text: &str) -> wire::Parameter<'_> {
    wire::Parameter { kind: "text".into(), text: Some(text.into()), ..wire::Parameter::default() }
}

fn header_parameter(header: &Header) -> wire::Parameter<'_> {
    let (kind, url) = match header {
        Header::Text(text) => return text_parameter(text),
        Header::Location { latitude, longitude, name, address } => {
            let location = serde_json::json!({
                "latitude": latitude, "longitude": longitude, "name": name, "address": address,
            });
            return wire::Parameter { kind: "location".into(), location: Some(location), ..wire::Parameter::default() };
        }
        Header::Image(url) => ("image", url),
        Header::Video(url) => ("video", url),
        Header::Document(url) => ("document", url),
    };
    wire::Parameter { kind: kind.into(), url: Some(url.as_str().into()), ..wire::Parameter::default() }
}

fn button_parameter(action: &ButtonAction) -> (&'static str, wire::Parameter<'_>) {
    match action {
        ButtonAction::Url(end) => ("url", text_parameter(end)),
        ButtonAction::Payload(payload) => (
            "QuickReply",
            wire::Parameter {
                kind: "payload".into(),
                payload: Some(payload.as_str().into()),
                ..wire::Parameter::default()
            },
        ),
        ButtonAction::CopyCode(code) => (
            "copyCode",
            wire::Parameter {
                kind: "couponCode".into(),
                coupon_code: Some(code.as_str().into()),
                ..wire::Parameter::default()
            },
        ),
        ButtonAction::Flow(FlowAction { screen, data }) => {
            let action = screen.as_ref().map(|screen| serde_json::json!({ "screen": screen, "data": data }));
            ("flow", wire::Parameter { kind: "action".into(), flow_action_data: action, ..wire::Parameter::default() })
        }
    }
}

#[cfg(test)]
#[path = "compose_tests.rs"]
mod tests;
