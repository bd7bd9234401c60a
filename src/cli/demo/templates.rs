//! The templates of the demonstration: the practice provider knows them from the start, and the server fetches them.

use std::sync::Arc;

use anyhow::bail;
use serde_json::{Value, json};

use crate::base::domain::Timestamp;
use crate::cli::CommandContext;
use crate::practice::simulator::{Call, Method, Model, Reply};
use crate::provider::catalogue;
use crate::store::Store;

/// The ids of the account and of its WhatsApp channel.
pub(super) const ACCOUNT: &str = "demo";
pub(super) const CHANNEL: &str = "demo-whatsapp";

/// Creates the templates at the provider, whose profile approves them at once.
pub(super) fn create(model: &mut Model, api_key: &str, now: Timestamp) -> anyhow::Result<()> {
    let path = format!("/api/v1/accounts/{ACCOUNT}/channels/{CHANNEL}/templates");
    let authorization = format!("Bearer {api_key}");
    for template in [promo(), order_update(), visit()] {
        let body = template.to_string();
        let (method, authorization) = (Method::Post, Some(authorization.as_str()));
        let call = Call { method, path: &path, authorization, body: body.as_bytes() };
        match model.call(&call, now).reply {
            Reply::Response { status: 200..=299, .. } => {}
            refused => bail!("the practice provider refuses a template of the demonstration: {refused:?}"),
        }
    }
    // The server does not run yet. It fetches the templates when they are approved, so it needs no event of that.
    drop(model.take_template_changes(now));
    Ok(())
}

/// Fetches the templates, so that pages can show their texts.
pub(super) async fn fetch(context: &CommandContext, store: &Arc<dyn Store>) -> anyhow::Result<()> {
    let pulled = catalogue::pull(store.as_ref(), context.clock.as_ref(), &context.config).await?;
    for channel in pulled.channels {
        channel.result?;
    }
    Ok(())
}

/// The template of the campaign.
fn promo() -> Value {
    json!({ "name": "promo", "language": "en", "category": "MARKETING", "components": [
        { "type": "HEADER", "format": "IMAGE", "examples": ["https://media.example/spring-1.jpg"] },
        { "type": "BODY", "text": "Hi {{1}}, the spring collection is here. Your code {{2}} takes 20 % off until Sunday.",
            "examples": ["Mei", "SPRING20"] },
        { "type": "FOOTER", "text": "Reply STOP to opt out" },
        { "type": "BUTTONS", "buttons": [{ "type": "URL", "text": "See the collection",
            "url": "https://shop.example/{{1}}", "examples": ["s/spring"] }] },
    ] })
}

fn order_update() -> Value {
    json!({ "name": "order_update", "language": "en", "category": "UTILITY", "components": [
        { "type": "BODY", "text": "Hi {{1}}, your order {{2}} is on its way.",
            "examples": ["Mei", "A-1024"] },
    ] })
}

fn visit() -> Value {
    json!({ "name": "visit", "language": "en", "category": "UTILITY", "components": [
        { "type": "BODY", "text": "Hi {{1}}, shall our technician come on {{2}}?",
            "examples": ["Mei", "Monday at 10:00"] },
        { "type": "BUTTONS", "buttons": [{ "type": "QUICK_REPLY", "text": "Yes" },
            { "type": "QUICK_REPLY", "text": "Another day" }] },
    ] })
}
