//! Where the account's webhooks are posted, as its owner registered them.

use std::sync::Arc;

use super::{Call, Method, Model, Reply};
use crate::base::domain::Timestamp;
use crate::rules::wire::{ACCOUNT_EVENTS, ErrorAnswer, WebhookEvent, WebhookSetting, parse_events};

/// What a webhook reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reported {
    Receipt,
    Inbound,
    Account,
}

impl Reported {
    /// Whether a registered type means it. Without a type, receipts and inbound messages are meant.
    fn is_meant_by(self, registered: Option<&str>) -> bool {
        match registered {
            None => self != Self::Account,
            Some("CADR") => self == Self::Receipt,
            Some("MSG") => self == Self::Inbound,
            Some(ACCOUNT_EVENTS) => self == Self::Account,
            Some(_) => false,
        }
    }
}

/// The name that means every subaccount.
const EVERY: &str = "*";

impl Model {
    /// Handles a request about the webhooks of an account.
    pub(super) fn about_webhooks(&mut self, account: &str, call: &Call<'_>, now: Timestamp) -> Reply {
        if call.method == Method::Get {
            let known = self.webhooks.get(account).into_iter().flatten();
            return Reply::ok(&known.map(|setting| shown(setting)).collect::<Vec<_>>());
        }
        let named = match serde_json::from_slice::<Vec<WebhookSetting>>(call.body) {
            Ok(named) => named,
            Err(error) => return self.error(&ErrorAnswer::unreadable(&error), now),
        };
        if call.method == Method::Post && named.iter().any(|setting| url::Url::parse(&setting.url).is_err()) {
            return self.error(&ErrorAnswer::Invalid("url".into()), now);
        }
        let known = self.webhooks.entry(account.to_owned()).or_default();
        let is_named = |known: &WebhookSetting| {
            named.iter().any(|named| (&named.sub_account_id, &named.kind) == (&known.sub_account_id, &known.kind))
        };
        known.retain(|known| !is_named(known));
        if call.method == Method::Post {
            known.extend(named.into_iter().map(Arc::new));
        }
        Reply::ok(&serde_json::json!({}))
    }

    /// Where an event that an operator wrote is posted, if an address was registered for it.
    pub(in crate::practice::simulator) fn address_of(&self, body: &[u8]) -> Option<Arc<WebhookSetting>> {
        match parse_events(body).first()? {
            WebhookEvent::Receipt(receipt) => self.registered(Reported::Receipt, receipt.sub_account_id.as_deref()),
            WebhookEvent::Inbound { inbound, .. } => {
                self.registered(Reported::Inbound, inbound.sub_account_id.as_deref())
            }
            WebhookEvent::Business { .. } | WebhookEvent::Preferences { .. } => {
                self.registered(Reported::Account, None)
            }
            WebhookEvent::Other { .. } | WebhookEvent::Unreadable { .. } => None,
        }
    }

    /// Where an event is posted, if its owner registered an address: that of its subaccount before that of every subaccount.
    pub(super) fn registered(&self, kind: Reported, sub_account: Option<&str>) -> Option<Arc<WebhookSetting>> {
        let of = |name: &str| {
            let settings = self.webhooks.values().flatten();
            let is_it = |setting: &&Arc<WebhookSetting>| {
                setting.sub_account_id == name
                    && setting.enabled != Some(false)
                    && kind.is_meant_by(setting.kind.as_deref())
            };
            settings.into_iter().find(is_it).cloned()
        };
        sub_account.and_then(of).or_else(|| of(EVERY))
    }
}

/// A setting as it is listed: without its secret.
fn shown(setting: &WebhookSetting) -> WebhookSetting {
    let http_authorization = setting.http_authorization.as_ref().map(|_| "***".to_owned());
    WebhookSetting { http_authorization, ..setting.clone() }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::practice::simulator::Profile;

    fn ask(model: &mut Model, method: Method, body: &Value) -> Value {
        let (path, body) = ("/api/v1/accounts/acme-1/webhooks", body.to_string());
        let call = Call { method, path, authorization: None, body: body.as_bytes() };
        match model.call(&call, Timestamp::default()).reply {
            Reply::Response { status: 200, body, .. } => serde_json::from_str(&body).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_event_goes_to_the_address_that_was_registered_for_it() {
        let mut model = Model::new(Profile::perfect(), 1, Timestamp::default());
        let setting = |sub_account: &str, kind: Option<&str>, url: &str| {
            json!({ "subAccountId": sub_account, "type": kind, "url": format!("https://{url}.example/"),
                "httpAuthorization": "Bearer s3cret" })
        };
        let settings = [
            setting("*", None, "all"),
            setting("acme", None, "acme"),
            setting("acme", Some("MSG"), "inbox"),
            setting("*", Some("CABM"), "account"),
        ];
        ask(&mut model, Method::Post, &json!(settings));
        let listed = ask(&mut model, Method::Get, &Value::Null);
        assert_eq!(listed.as_array().unwrap().len(), 4);
        assert!(!listed.to_string().contains("s3cret"), "{listed}");
        let to = |model: &Model, kind, sub_account| {
            model.registered(kind, sub_account).map(|setting| setting.url.clone()).unwrap_or_default()
        };
        assert_eq!(to(&model, Reported::Receipt, Some("acme")), "https://acme.example/");
        assert_eq!(to(&model, Reported::Receipt, Some("other")), "https://all.example/");
        assert_eq!(to(&model, Reported::Account, None), "https://account.example/");
        // `*` names its own entry alone.
        ask(&mut model, Method::Delete, &json!([{ "subAccountId": "*" }, { "subAccountId": "acme" }]));
        assert_eq!(to(&model, Reported::Receipt, Some("acme")), "");
        assert_eq!(to(&model, Reported::Inbound, Some("acme")), "https://inbox.example/");
        let mut off = setting("acme", Some("MSG"), "inbox");
        off["enabled"] = json!(false);
        ask(&mut model, Method::Post, &json!([off]));
        assert_eq!(to(&model, Reported::Inbound, Some("acme")), "");
    }
}
