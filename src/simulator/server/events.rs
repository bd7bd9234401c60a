//! `/simulator/events/…`: the account's events in the provider's documented shapes, made from a few words.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::Response;
use axum::routing::post;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Shared;
use super::control::{post_by_hand, refused};
use crate::simulator::model::Webhook;

pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/template_status_update", post(make::<TemplateStatus>))
        .route("/template_quality_update", post(make::<TemplateQuality>))
        .route("/template_category_update", post(make::<TemplateCategory>))
        .route("/template_correct_category_detection", post(make::<TemplateAdvice>))
        .route("/phone_number_quality_update", post(make::<NumberQuality>))
        .route("/account_update", post(make::<AccountUpdate>))
}

/// An event that an operator asks for.
trait Event: DeserializeOwned {
    const TYPE: &'static str;

    fn details(self) -> Value;
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Status {
    Approved,
    Rejected,
    Pending,
    Flagged,
    Paused,
    Disabled,
    PendingDeletion,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Reason {
    AbusiveContent,
    IncorrectCategory,
    InvalidFormat,
    Scam,
    #[default]
    None,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Title {
    FirstPause,
    SecondPause,
    RateLimitingPause,
    Unpause,
    Disabled,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Quality {
    Green,
    Yellow,
    Red,
    Unknown,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Category {
    Utility,
    Marketing,
    Authentication,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum NumberWord {
    Upgrade,
    Downgrade,
    Flagged,
    Unflagged,
    Onboarding,
    ThroughputUpgrade,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum AccountWord {
    BusinessVerificationStatusUpdate,
    AccountViolation,
    AccountRestriction,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TemplateStatus {
    template: String,
    language: String,
    status: Status,
    #[serde(default)]
    reason: Reason,
    title: Option<Title>,
    description: Option<String>,
    disable_date: Option<String>,
}

impl Event for TemplateStatus {
    const TYPE: &'static str = "template_status_update";

    fn details(self) -> Value {
        let mut meta = json!({ "status": self.status, "reason": self.reason });
        if let Some(date) = self.disable_date {
            meta["disableInfo"] = json!({ "disableDate": date });
        }
        if self.title.is_some() || self.description.is_some() {
            meta["otherInfo"] = without_nulls(json!({ "title": self.title, "description": self.description }));
        }
        of_template(&self.template, &self.language, &meta)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TemplateQuality {
    template: String,
    language: String,
    previous: Quality,
    new: Quality,
}

impl Event for TemplateQuality {
    const TYPE: &'static str = "template_quality_update";

    fn details(self) -> Value {
        let meta = json!({ "previousQualityScore": self.previous, "newQualityScore": self.new });
        of_template(&self.template, &self.language, &meta)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TemplateCategory {
    template: String,
    language: String,
    previous: Category,
    new: Category,
}

impl Event for TemplateCategory {
    const TYPE: &'static str = "template_category_update";

    fn details(self) -> Value {
        let meta = json!({ "previousCategory": self.previous, "newCategory": self.new });
        of_template(&self.template, &self.language, &meta)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TemplateAdvice {
    template: String,
    language: String,
    category: Category,
    correct: Category,
}

impl Event for TemplateAdvice {
    const TYPE: &'static str = "template_correct_category_detection";

    fn details(self) -> Value {
        let meta = json!({ "category": self.category, "correctCategory": self.correct });
        of_template(&self.template, &self.language, &meta)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NumberQuality {
    number: String,
    event: NumberWord,
    /// The limit, such as `TIER_10K`.
    limit: Option<String>,
    reason: Option<String>,
}

impl Event for NumberQuality {
    const TYPE: &'static str = "phone_number_quality_update";

    fn details(self) -> Value {
        let meta = json!({
            "event": self.event, "reason": self.reason, "maxDailyConversationsPerBusiness": self.limit,
        });
        json!({ "displayPhoneNumber": self.number.trim_start_matches('+'), "meta": without_nulls(meta) })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountUpdate {
    event: AccountWord,
    number: Option<String>,
    verification: Option<Value>,
    violation: Option<Value>,
    restrictions: Option<Vec<Value>>,
}

impl Event for AccountUpdate {
    const TYPE: &'static str = "account_update";

    fn details(self) -> Value {
        without_nulls(json!({
            "event": self.event,
            "phoneNumber": self.number.as_deref().map(|number| number.trim_start_matches('+')),
            "businessVerificationInfo": self.verification,
            "violationInfo": self.violation,
            "restrictionInfo": self.restrictions,
        }))
    }
}

fn of_template(name: &str, language: &str, meta: &Value) -> Value {
    // The provider's ids of templates are long integers.
    let id = name.bytes().fold(1_000_000_000_000_u64, |id, byte| id.wrapping_mul(31).wrapping_add(byte.into()) >> 1);
    json!({ "templateId": id, "templateName": name, "templateLanguage": language, "meta": meta })
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(parts) => {
            Value::Object(parts.into_iter().filter(|(_, part)| !part.is_null()).collect::<Map<_, _>>())
        }
        other => other,
    }
}

/// The account that events name: a name, as the provider writes it there, and not its UUID.
const ACCOUNT: &str = "PracticeAccount";

/// Makes an event, lets the provider obey it, and posts it.
async fn make<E: Event>(State(shared): State<Arc<Shared>>, body: Bytes) -> Response<Body> {
    let asked: E = match serde_json::from_slice(&body) {
        Ok(asked) => asked,
        Err(error) => return refused(&error),
    };
    let event = {
        let mut model = shared.model();
        let event = json!({
            "eventId": model.event_id(),
            "timestamp": shared.now().rfc3339(),
            "provider": "WhatsApp",
            "businessAccountId": "950523421983857",
            "accountId": ACCOUNT,
            "eventType": E::TYPE,
            "eventDetails": asked.details(),
        });
        let event = event.to_string().into_bytes();
        model.take_account_events(&event);
        event
    };
    post_by_hand(&shared, Webhook { url: None, event })
}
