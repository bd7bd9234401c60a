//! Where the provider posts its webhooks, as an account configures it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One webhook of an account.
///
/// The chat-apps API has types; the SMS API, and an entry without a type, mean receipts and inbound messages.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WebhookSetting {
    /// `*` for every subaccount of the account.
    pub sub_account_id: String,
    pub url: String,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// The `Authorization` header of each webhook; `***` in an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_authorization: Option<String>,
}

impl fmt::Debug for WebhookSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sub_account_id, url, kind, enabled, http_authorization: _ } = self;
        f.debug_struct("WebhookSetting")
            .field("sub_account_id", sub_account_id)
            .field("url", url)
            .field("kind", kind)
            .field("enabled", enabled)
            .finish_non_exhaustive()
    }
}

/// Names a webhook that is to be deleted. `*` names the one for every subaccount, and no other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookScope {
    pub sub_account_id: String,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

/// The type of account events: changes of templates, quality and tiers.
pub const ACCOUNT_EVENTS: &str = "CABM";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn webhooks_are_written_and_read_as_documented() {
        let setting = WebhookSetting {
            sub_account_id: "*".to_owned(),
            url: "https://volley.example/webhooks/8x8".to_owned(),
            kind: Some(ACCOUNT_EVENTS.to_owned()),
            enabled: Some(true),
            http_authorization: Some("Bearer 9QQhlsEb8VY".to_owned()),
        };
        assert_eq!(
            serde_json::to_string(&setting).unwrap(),
            r#"{"subAccountId":"*","url":"https://volley.example/webhooks/8x8","type":"CABM","enabled":true,"httpAuthorization":"Bearer 9QQhlsEb8VY"}"#
        );
        assert!(!format!("{setting:?}").contains("9QQhlsEb8VY"));
        let read: Vec<WebhookSetting> = serde_json::from_str(
            r#"[{"subAccountId":"Onion_Marketing","url":"http://example.com","httpAuthorization":"***","enabled":true,
                 "oauth":{"url":"https://auth.example.com/oauth/token","clientId":"my-client-id","clientSecret":"***"}}]"#,
        )
        .unwrap();
        assert_eq!((read[0].sub_account_id.as_str(), &read[0].kind), ("Onion_Marketing", &None));
        let scope = WebhookScope { sub_account_id: "acme".to_owned(), kind: None };
        assert_eq!(serde_json::to_string(&scope).unwrap(), r#"{"subAccountId":"acme"}"#);
    }
}
