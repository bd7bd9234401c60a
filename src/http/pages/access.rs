//! Operators, keys, webhooks and the audit log.

use std::fmt;

use askama::Template;
use serde::{Deserialize, Serialize};

use super::frame::Frame;
use super::show::percent_encoded;
use super::writing::{Field, FieldKind};
use crate::base::domain::{AuditAction, Scope, Timestamp};

/// What an operator has just done, for a sentence on the next page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccessDone {
    Revoked,
    Created,
    PasswordSet,
    OwnPassword,
    ScopesSet,
    Disabled,
    Enabled,
    WebhookCreated,
    WebhookEnabled,
    WebhookDisabled,
    Removed,
    Tested,
    Replayed,
    /// A delivery that was to be sent again waits already.
    Waits,
}

impl AccessDone {
    /// Its word in an address.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::Created => "created",
            Self::PasswordSet => "password-set",
            Self::OwnPassword => "own-password",
            Self::ScopesSet => "scopes-set",
            Self::Disabled => "disabled",
            Self::Enabled => "enabled",
            Self::WebhookCreated => "webhook-created",
            Self::WebhookEnabled => "webhook-enabled",
            Self::WebhookDisabled => "webhook-disabled",
            Self::Removed => "removed",
            Self::Tested => "tested",
            Self::Replayed => "replayed",
            Self::Waits => "waits",
        }
    }
}

/// Whether a key, an operator or a webhook is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessState {
    Active,
    Enabled,
    Expired,
    Revoked,
    Disabled,
}

impl AccessState {
    /// The class of its badge.
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Active | Self::Enabled => "running",
            Self::Expired | Self::Disabled => "paused",
            Self::Revoked => "cancelled",
        }
    }
}

/// A key of a list.
#[derive(Debug)]
pub struct KeyRow {
    pub id: String,
    pub name: String,
    pub state: AccessState,
    pub scopes: Vec<Scope>,
    /// A few words about each limit.
    pub limits: Vec<String>,
    pub created_at: Timestamp,
    pub created_by: String,
    pub last_use: Option<(Timestamp, String)>,
    pub expires_at: Option<Timestamp>,
    pub former_until: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

impl KeyRow {
    const fn is_revoked(&self) -> bool {
        self.revoked_at.is_some()
    }
}

/// The keys of the API.
#[derive(Debug, Template)]
#[template(path = "keys.html")]
pub struct KeysPage {
    pub frame: Frame,
    pub keys: Vec<KeyRow>,
    /// Whether revoked keys are listed too.
    pub revoked: bool,
    /// Whether there are keys that are not listed because they are revoked.
    pub hides_revoked: bool,
    pub is_later: bool,
    pub first: String,
    pub next: Option<String>,
}

impl KeysPage {
    const fn frame(&self) -> &Frame {
        &self.frame
    }
}

/// Boxes to check, each with its label and whether it is checked.
#[derive(Debug, Default)]
pub struct Choices {
    pub values: Vec<(String, bool)>,
    pub problem: Option<String>,
}

/// The scopes, each with whether it is checked.
#[derive(Debug)]
pub struct ScopeChoices {
    pub scopes: Vec<(Scope, bool)>,
    pub problem: Option<String>,
}

/// The form of a new key.
#[derive(Debug, Template)]
#[template(path = "new_key.html")]
pub struct NewKeyPage {
    pub frame: Frame,
    pub name: Field,
    pub scopes: ScopeChoices,
    pub lanes: Choices,
    pub limits: Vec<Field>,
}

impl NewKeyPage {
    const fn frame(&self) -> &Frame {
        &self.frame
    }
}

/// What a secret is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretKind {
    Key,
    Webhook,
}

impl SecretKind {
    fn is_key(self) -> bool {
        self == Self::Key
    }

    const fn list(self) -> &'static str {
        match self {
            Self::Key => "/keys",
            Self::Webhook => "/webhooks",
        }
    }
}

/// A secret on the one page that shows it.
pub struct ShownSecret(pub String);

impl fmt::Debug for ShownSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A new secret, shown once.
#[derive(Debug, Template)]
#[template(path = "secret.html")]
pub struct SecretPage {
    pub frame: Frame,
    pub kind: SecretKind,
    pub name: String,
    /// `None` if it was shown already.
    pub secret: Option<ShownSecret>,
    /// Until when the one before is valid.
    pub former_until: Option<Timestamp>,
    /// The address of what the secret is of.
    pub of: String,
    /// Where another secret is made.
    pub rotate: String,
}

impl SecretPage {
    const fn frame(&self) -> &Frame {
        &self.frame
    }
}

/// Asks before a decision, and says what it does.
#[derive(Debug, Template)]
#[template(path = "ask.html")]
pub struct AskPage {
    pub frame: Frame,
    /// The list above: address and text.
    pub list: (&'static str, &'static str),
    pub title: String,
    pub lead: Vec<&'static str>,
    /// Where the decision is made.
    pub action: String,
    pub confirm: &'static str,
    /// Where "change nothing" leads.
    pub back: String,
    /// Asks how long the present secret stays valid, with a hint.
    pub overlap_hint: Option<&'static str>,
}

impl AskPage {
    const fn frame(&self) -> &Frame {
        &self.frame
    }

    /// The lengths of an overlap, each with its label; the usual one first.
    const fn overlaps(&self) -> [(&'static str, &'static str); 4] {
        let own = self.frame.texts().access;
        [("1d", own.overlap_day), ("1h", own.overlap_hour), ("7d", own.overlap_week), ("0s", own.overlap_none)]
    }
}

/// The address of what is done to an operator, whose name may have any character.
pub fn operator_path(name: &str) -> String {
    format!("/operators/{}", percent_encoded(name))
}

/// An operator of a list.
#[derive(Debug)]
pub struct OperatorRow {
    pub name: String,
    /// The address of what is done to the operator.
    pub path: String,
    pub is_own: bool,
    pub state: AccessState,
    pub scopes: Vec<Scope>,
    pub last_sign_in: Option<Timestamp>,
    pub password_since: Timestamp,
    pub created_at: Timestamp,
    pub created_by: String,
}

impl OperatorRow {
    fn is_disabled(&self) -> bool {
        self.state == AccessState::Disabled
    }
}

/// The operators.
#[derive(Debug, Template)]
#[template(path = "operators.html")]
pub struct OperatorsPage {
    pub frame: Frame,
    pub operators: Vec<OperatorRow>,
    /// How many entries of the audit log were searched for sign-ins.
    pub searched: u32,
    pub is_later: bool,
    pub next: Option<String>,
}

impl OperatorsPage {
    const fn frame(&self) -> &Frame {
        &self.frame
    }
}

/// The form of a new operator.
#[derive(Debug, Template)]
#[template(path = "new_operator.html")]
pub struct NewOperatorPage {
    pub frame: Frame,
    pub name: Field,
    pub scopes: ScopeChoices,
    pub password_problem: Option<String>,
}

impl NewOperatorPage {
    const fn frame(&self) -> &Frame {
        &self.frame
    }
}

/// The form of an operator's scopes.
#[derive(Debug, Template)]
#[template(path = "operator_scopes.html")]
pub struct OperatorScopesPage {
    pub frame: Frame,
    pub name: String,
    /// Whether they are the own ones.
    pub is_own: bool,
    pub scopes: ScopeChoices,
}

impl OperatorScopesPage {
    const fn frame(&self) -> &Frame {
        &self.frame
    }

    fn path(&self) -> String {
        operator_path(&self.name)
    }
}

/// A new password: of another operator, or the own one.
#[derive(Debug, Template)]
#[template(path = "password.html")]
pub struct PasswordPage {
    pub frame: Frame,
    /// The other operator, with the address of the form.
    pub other: Option<(String, String)>,
    pub present_problem: Option<String>,
    pub new_problem: Option<String>,
}

impl PasswordPage {
    const fn frame(&self) -> &Frame {
        &self.frame
    }
}

/// An entry of the audit log.
#[derive(Debug)]
pub struct AuditRow {
    pub at: Timestamp,
    pub action: AuditAction,
    /// The operator or the key, or who it was without a name.
    pub who: String,
    /// The id of a key, if the caller was one.
    pub key: Option<String>,
    pub is_command: bool,
    pub peer: Option<String>,
    /// Its method and path.
    pub request: Option<(String, String)>,
    pub object: Option<String>,
    pub status: Option<u16>,
}

impl AuditRow {
    /// Whether it is about a request as a whole.
    fn is_request(&self) -> bool {
        self.action == AuditAction::Request
    }
}

/// The audit log, latest first.
#[derive(Debug, Template)]
#[template(path = "audit_log.html")]
pub struct AuditLogPage {
    pub frame: Frame,
    pub entries: Vec<AuditRow>,
    /// What the list was filtered by.
    pub who: String,
    pub about: String,
    pub action: Option<AuditAction>,
    /// How many were looked at, if that ended a search.
    pub looked_at: Option<u32>,
    pub is_later: bool,
    pub first: String,
    pub next: Option<String>,
}

impl AuditLogPage {
    const fn frame(&self) -> &Frame {
        &self.frame
    }

    fn is_filtered(&self) -> bool {
        !self.who.is_empty() || !self.about.is_empty() || self.action.is_some()
    }

    /// The actions, each with whether the list is filtered by it.
    fn actions(&self) -> impl Iterator<Item = (&'static AuditAction, bool)> {
        AuditAction::ALL.iter().map(|action| (action, self.action == Some(*action)))
    }
}
