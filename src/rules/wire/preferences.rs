//! Meta's report that a recipient stops or resumes marketing on WhatsApp, as Meta sends it or wrapped by the provider.

use memchr::memmem;
use serde::Deserialize;

use super::loose;
use crate::base::domain::{Keyword, Msisdn, Timestamp};

/// Bytes of the longest event that is taken apart. Its values take many times its length.
const LONGEST: usize = 64 << 10;

/// What one recipient wants of a sender's marketing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preference {
    pub msisdn: Msisdn,
    pub wants: Keyword,
    pub at: Option<Timestamp>,
}

/// The preferences of an event, and the subaccount that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preferences {
    pub sub_account: Option<String>,
    pub all: Vec<Preference>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Event {
    #[serde(deserialize_with = "loose::or_nothing")]
    payload: Part,
    #[serde(deserialize_with = "loose::or_nothing")]
    event_details: Part,
    #[serde(deserialize_with = "loose::first_items")]
    entry: Vec<Entry>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    #[serde(deserialize_with = "loose::first_items")]
    changes: Vec<Change>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Change {
    #[serde(deserialize_with = "loose::or_nothing")]
    value: Part,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Part {
    #[serde(rename = "subAccountId", deserialize_with = "loose::text")]
    sub_account: Option<String>,
    #[serde(alias = "userPreferences", deserialize_with = "loose::first_items")]
    user_preferences: Vec<Item>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Item {
    #[serde(alias = "waId", deserialize_with = "loose::text")]
    wa_id: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    category: Option<String>,
    #[serde(deserialize_with = "loose::text")]
    value: Option<String>,
    /// In seconds.
    #[serde(deserialize_with = "loose::number")]
    timestamp: Option<i64>,
}

impl Item {
    fn preference(&self) -> Option<Preference> {
        let is_of_marketing = self.category.as_deref().is_none_or(|category| category.contains("marketing"));
        let wants = match self.value.as_deref()? {
            "stop" => Keyword::Stop,
            "resume" => Keyword::Start,
            _ => return None,
        };
        let msisdn = self.wa_id.as_deref()?.trim_start_matches('+').parse().ok();
        let at = self.timestamp.map(|seconds| Timestamp::from_millis(seconds.saturating_mul(1_000)));
        msisdn.filter(|_| is_of_marketing).map(|msisdn| Preference { msisdn, wants, at })
    }
}

/// The preferences in an event; `None` if it has none.
pub(super) fn read(raw: &str) -> Option<Preferences> {
    let has = |key: &str| memmem::find(raw.as_bytes(), key.as_bytes()).is_some();
    if raw.len() > LONGEST || !(has("user_preferences") || has("userPreferences")) {
        return None;
    }
    let Event { payload, event_details, entry } = serde_json::from_str(raw).ok()?;
    let of_meta = entry.into_iter().flat_map(|entry| entry.changes).map(|change| change.value);
    let parts: Vec<Part> = [payload, event_details].into_iter().chain(of_meta).collect();
    let all: Vec<Preference> =
        parts.iter().flat_map(|part| &part.user_preferences).filter_map(Item::preference).collect();
    let sub_account = parts.into_iter().find_map(|part| part.sub_account);
    (!all.is_empty()).then_some(Preferences { sub_account, all })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preferences_are_read_as_meta_sends_them_and_wrapped() {
        let meta = r#"{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"user_preferences","value":
            {"messaging_product":"whatsapp","user_preferences":[
              {"wa_id":"6591000001","detail":"…","category":"marketing_messages","value":"stop","timestamp":1731705721},
              {"wa_id":"6591000002","category":"marketing_messages","value":"resume","timestamp":"1731705722"},
              {"wa_id":"6591000003","category":"calls","value":"stop"}, {"wa_id":"x","value":"stop"}, 7]}}]}]}"#;
        let found = read(meta).unwrap();
        let expected = [("6591000001", Keyword::Stop, 1_731_705_721), ("6591000002", Keyword::Start, 1_731_705_722)];
        let expected = expected.map(|(number, wants, second)| Preference {
            msisdn: number.parse().unwrap(),
            wants,
            at: Some(Timestamp::from_millis(second * 1_000)),
        });
        assert_eq!((found.sub_account, found.all.as_slice()), (None, &expected[..]));
        let wrapped = r#"{"namespace":"ChatApps","eventType":"user_preferences","payload":{"subAccountId":"acme",
            "userPreferences":[{"waId":"+6591000001","value":"stop"}]}}"#;
        let found = read(wrapped).unwrap();
        assert_eq!(
            (found.sub_account.as_deref(), found.all[0].wants, found.all[0].at),
            (Some("acme"), Keyword::Stop, None)
        );
        for other in [r#"{"user_preferences":[]}"#, r#"{"payload":{"text":"user_preferences"}}"#, "user_preferences"] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
