//! The account's events: asked for in a few words, obeyed, and written in the provider's documented shapes.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::delivery::Webhook;
use super::{Model, webhooks};
use crate::base::domain::Timestamp;

/// An event of the account that an operator asks for.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::practice::simulator) enum AccountEvent {
    Template { name: String, language: String, asked: TemplateAsked },
    Number(NumberQuality),
    Account(AccountUpdate),
}

/// What an operator says of a template. The registry knows what was before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::practice::simulator) enum TemplateAsked {
    Status(StatusChange),
    Quality { previous: Option<Score>, new: Score },
    Category { previous: Option<TemplateCategory>, new: TemplateCategory },
    Advice { category: TemplateCategory, correct: TemplateCategory },
}

/// What an event says of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TemplateChange {
    Status(StatusChange),
    Quality { previous: Score, new: Score },
    Category { previous: Option<TemplateCategory>, new: TemplateCategory },
    Advice { category: TemplateCategory, correct: TemplateCategory },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::practice::simulator) struct StatusChange {
    pub(super) status: TemplateStatus,
    pub(super) reason: Reason,
    pub(super) title: Option<Title>,
    pub(super) description: Option<String>,
    pub(super) disable_date: Option<String>,
}

impl StatusChange {
    pub(super) const fn to(status: TemplateStatus) -> Self {
        Self { status, reason: Reason::None, title: None, description: None, disable_date: None }
    }

    /// The status in effect. The title decides if both are given.
    pub(super) const fn effective(&self) -> TemplateStatus {
        match self.title {
            Some(Title::Unpause) => TemplateStatus::Approved,
            Some(Title::Disabled) => TemplateStatus::Disabled,
            Some(Title::FirstPause | Title::SecondPause | Title::RateLimitingPause) | None => self.status,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(in crate::practice::simulator) enum TemplateStatus {
    Approved,
    Rejected,
    Pending,
    Flagged,
    Paused,
    Disabled,
    PendingDeletion,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(in crate::practice::simulator) enum Reason {
    AbusiveContent,
    IncorrectCategory,
    InvalidFormat,
    Scam,
    #[default]
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(in crate::practice::simulator) enum Title {
    FirstPause,
    SecondPause,
    RateLimitingPause,
    Unpause,
    Disabled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(in crate::practice::simulator) enum Score {
    Green,
    Yellow,
    Red,
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(in crate::practice::simulator) enum TemplateCategory {
    Utility,
    Marketing,
    Authentication,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum NumberWord {
    Upgrade,
    Downgrade,
    Flagged,
    Unflagged,
    Onboarding,
    ThroughputUpgrade,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum AccountWord {
    BusinessVerificationStatusUpdate,
    AccountViolation,
    AccountRestriction,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StatusAsked {
    template: String,
    language: String,
    status: TemplateStatus,
    #[serde(default)]
    reason: Reason,
    title: Option<Title>,
    description: Option<String>,
    disable_date: Option<String>,
}

/// The body of an event that replaces one word of a template by another.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeBody<T> {
    template: String,
    language: String,
    /// The registry's, unless the operator says so.
    previous: Option<T>,
    new: T,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AdviceBody {
    template: String,
    language: String,
    category: TemplateCategory,
    correct: TemplateCategory,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::practice::simulator) struct NumberQuality {
    number: String,
    event: NumberWord,
    /// The limit, such as `TIER_10K`.
    limit: Option<String>,
    reason: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::practice::simulator) struct AccountUpdate {
    event: AccountWord,
    number: Option<String>,
    verification: Option<Value>,
    violation: Option<Value>,
    restrictions: Option<Vec<Value>>,
}

const STATUS: &str = "template_status_update";
const QUALITY: &str = "template_quality_update";
const CATEGORY: &str = "template_category_update";
const ADVICE: &str = "template_correct_category_detection";
const NUMBER: &str = "phone_number_quality_update";
const ACCOUNT: &str = "account_update";

impl AccountEvent {
    pub(in crate::practice::simulator) const TYPES: [&'static str; 6] =
        [STATUS, QUALITY, CATEGORY, ADVICE, NUMBER, ACCOUNT];

    /// Reads what an operator asks for; `None` for an unknown type of event.
    pub(in crate::practice::simulator) fn read(kind: &str, body: &[u8]) -> Option<serde_json::Result<Self>> {
        let template = |name, language, asked| Self::Template { name, language, asked };
        Some(match kind {
            STATUS => body_of(body).map(
                |StatusAsked { template: name, language, status, reason, title, description, disable_date }| {
                    let change = StatusChange { status, reason, title, description, disable_date };
                    template(name, language, TemplateAsked::Status(change))
                },
            ),
            QUALITY => body_of(body).map(|ChangeBody { template: name, language, previous, new }| {
                template(name, language, TemplateAsked::Quality { previous, new })
            }),
            CATEGORY => body_of(body).map(|ChangeBody { template: name, language, previous, new }| {
                template(name, language, TemplateAsked::Category { previous, new })
            }),
            ADVICE => body_of(body).map(|AdviceBody { template: name, language, category, correct }| {
                template(name, language, TemplateAsked::Advice { category, correct })
            }),
            NUMBER => body_of(body).map(Self::Number),
            ACCOUNT => body_of(body).map(Self::Account),
            _ => return None,
        })
    }
}

fn body_of<T: DeserializeOwned>(body: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(body)
}

impl TemplateChange {
    const fn kind(&self) -> &'static str {
        match self {
            Self::Status(_) => STATUS,
            Self::Quality { .. } => QUALITY,
            Self::Category { .. } => CATEGORY,
            Self::Advice { .. } => ADVICE,
        }
    }

    fn meta(&self) -> Value {
        match self {
            Self::Status(StatusChange { status, reason, title, description, disable_date }) => {
                let mut meta = json!({ "status": status, "reason": reason });
                if let Some(date) = disable_date {
                    meta["disableInfo"] = json!({ "disableDate": date });
                }
                if title.is_some() || description.is_some() {
                    meta["otherInfo"] = without_nulls(json!({ "title": title, "description": description }));
                }
                meta
            }
            Self::Quality { previous, new } => json!({ "previousQualityScore": previous, "newQualityScore": new }),
            Self::Category { previous, new } => {
                without_nulls(json!({ "previousCategory": previous, "newCategory": new }))
            }
            Self::Advice { category, correct } => json!({ "category": category, "correctCategory": correct }),
        }
    }
}

impl NumberQuality {
    fn details(&self) -> Value {
        let meta = json!({
            "event": self.event, "reason": self.reason, "maxDailyConversationsPerBusiness": self.limit,
        });
        json!({ "displayPhoneNumber": self.number.trim_start_matches('+'), "meta": without_nulls(meta) })
    }
}

impl AccountUpdate {
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

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(parts) => {
            Value::Object(parts.into_iter().filter(|(_, part)| !part.is_null()).collect::<Map<_, _>>())
        }
        other => other,
    }
}

/// The business account that events name, as in the provider's samples.
const BUSINESS_ACCOUNT: &str = "950523421983857";

impl Model {
    /// Obeys an event of the account, and returns what reports it.
    pub(in crate::practice::simulator) fn make_event(&mut self, event: AccountEvent, now: Timestamp) -> Vec<Webhook> {
        match event {
            AccountEvent::Template { name, language, asked } => self.change_template(&name, &language, &asked, now),
            AccountEvent::Number(number) => {
                vec![self.account_event(self.account().as_deref(), NUMBER, &number.details(), now)]
            }
            AccountEvent::Account(update) => {
                vec![self.account_event(self.account().as_deref(), ACCOUNT, &update.details(), now)]
            }
        }
    }

    /// The account that events name: the profile's, else that of the latest request that named one. Before either is known,
    /// events name none.
    pub(super) fn account(&self) -> Option<String> {
        self.profile.account_id.clone().or_else(|| self.latest_account.clone())
    }

    pub(super) fn template_event(
        &self,
        account: Option<&str>,
        (name, language): (&str, &str),
        change: &TemplateChange,
        now: Timestamp,
    ) -> Webhook {
        // The provider's ids of templates are long integers.
        let id =
            name.bytes().fold(1_000_000_000_000_u64, |id, byte| id.wrapping_mul(31).wrapping_add(byte.into()) >> 1);
        let details =
            json!({ "templateId": id, "templateName": name, "templateLanguage": language, "meta": change.meta() });
        self.account_event(account, change.kind(), &details, now)
    }

    fn account_event(&self, account: Option<&str>, kind: &str, details: &Value, now: Timestamp) -> Webhook {
        let event = without_nulls(json!({
            "eventId": self.random_id().to_string(),
            "timestamp": now.rfc3339(),
            "provider": "WhatsApp",
            "businessAccountId": BUSINESS_ACCOUNT,
            "accountId": account,
            "eventType": kind,
            "eventDetails": details,
        }));
        let address = self.registered(webhooks::Reported::Account, None);
        Webhook { address, event: event.to_string().into_bytes() }
    }
}
