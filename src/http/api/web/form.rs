//! The fields of a form.

use axum::body::Body;
use axum::http::{HeaderMap, header};
use serde::de::value::StringDeserializer;
use serde::de::{DeserializeOwned, IntoDeserializer};
use serde::{Deserialize, Deserializer};
use url::form_urlencoded;

use crate::base::domain::Span;
use crate::http::api::native::{Answer, Kind, Problem};
use crate::http::api::unproven::{Budget, NotRead};
use crate::http::pages::CONFIRM_RESTORED;

/// The largest form of a page.
const FORM_MAX: usize = 64 << 10;
/// The longest reason, in characters.
const REASON_MAX: usize = 1_000;

/// The fields of a form, in its order.
#[derive(Debug, Clone, Default)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// The value of a field, if the form has it.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_str())
    }

    /// The same without spaces around it; `None` if nothing was entered.
    pub(super) fn entered(&self, name: &str) -> Option<&str> {
        self.get(name).map(str::trim).filter(|value| !value.is_empty())
    }

    /// Every value of a field that occurs several times, such as boxes that are checked.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(of, _)| of == name).map(|(_, value)| value.as_str())
    }

    /// Every field with its value, in the order of the form.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether it confirms to send what may have been sent after the backup that was restored.
    pub(super) fn confirms_restored(&self) -> bool {
        self.get(CONFIRM_RESTORED) == Some("true")
    }

    /// The fields whose names begin so, without that.
    pub(super) fn under<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.fields().filter_map(move |(name, value)| Some((name.strip_prefix(prefix)?, value)))
    }

    /// The reason for a decision, if one was given.
    pub(super) fn reason(&self) -> Answer<Option<&str>> {
        let reason = self.entered("reason");
        if reason.is_some_and(|reason| reason.chars().count() > REASON_MAX) {
            return Err(Problem::new(Kind::Invalid, "a reason has at most 1,000 characters; shorten it"));
        }
        Ok(reason)
    }

    fn parse(body: &[u8]) -> Answer<Self> {
        let fields: Vec<(String, String)> = form_urlencoded::parse(body).into_owned().collect();
        if fields.iter().any(|(name, value)| name.contains('\0') || value.contains('\0')) {
            return Err(Problem::new(Kind::Invalid, "a field contains the character U+0000; remove it"));
        }
        Ok(Self(fields))
    }
}

/// Reads a word of a query. An empty one is none, and so is one that does not exist: the address was written by hand.
pub(super) fn known<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let text: StringDeserializer<serde::de::value::Error> = text.into_deserializer();
    Ok(T::deserialize(text).ok())
}

/// Reads a form.
pub(super) async fn read(budget: &Budget, headers: &HeaderMap, body: Body) -> Answer<Form> {
    read_up_to(FORM_MAX, budget, headers, body).await
}

/// Reads a form that may have another one with it.
pub(super) async fn read_with_another(budget: &Budget, headers: &HeaderMap, body: Body) -> Answer<Form> {
    read_up_to(2 * FORM_MAX, budget, headers, body).await
}

async fn read_up_to(most: usize, budget: &Budget, headers: &HeaderMap, body: Body) -> Answer<Form> {
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let held = budget.read(body, declared, most).await.map_err(|error| match error {
        NotRead::TooLong => Problem::new(Kind::TooLarge, "the form is too large"),
        NotRead::Busy => Problem::new(Kind::Busy, "the server is busy; try again").retry_after(Span::from_secs(5)),
        NotRead::Broken => Problem::new(Kind::Incomplete, "the form did not arrive as a whole; send it again"),
    })?;
    Form::parse(&held.body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_has_its_fields_without_the_spaces_around_them() {
        let form = Form::parse(b"name=+ann+&empty=+&name=ben&%C3%A9=%F0%9F%8E%89").unwrap();
        assert_eq!((form.entered("name"), form.get("name")), (Some("ann"), Some(" ann ")));
        assert_eq!((form.entered("empty"), form.get("missing"), form.get("é")), (None, None, Some("🎉")));
        assert!(Form::parse(b"a=%00").is_err());
        assert_eq!(Form::parse(&[0xff, b'=', 0xfe]).unwrap().0.len(), 1);
    }
}
