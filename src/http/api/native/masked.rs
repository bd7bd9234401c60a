//! Paths as logs and the audit log show them: without secrets, without queries, and with masked recipients.

use std::borrow::Cow;

use url::form_urlencoded;

use crate::base::domain::Msisdn;

/// Where the reports are that are shared by links, each under a secret.
pub(in crate::http::api) const SHARED_REPORTS: &str = "/shared/";

/// Parts of a path before the number of a recipient, or before the id that a channel has for one.
const BEFORE_RECIPIENT: [&str; 3] = ["recipients", "contacts", "opt-outs"];
/// Parameters of routes that name a recipient.
const OF_RECIPIENT: [&str; 3] = ["number", "id", "address"];
/// Of a longer text, the first four and the last two characters are shown.
const SHOWN_FROM: usize = 10;

/// A path as logs and the audit log show it. The address of a shared report is a secret.
pub(in crate::http::api) fn shown_path(path: &str) -> Cow<'_, str> {
    if path.starts_with(SHARED_REPORTS) {
        return SHARED_REPORTS.into();
    }
    if !BEFORE_RECIPIENT.iter().any(|word| path.contains(word)) {
        return path.into();
    }
    let mut before = "";
    let parts = path.split('/').map(|part| {
        let is_recipient = BEFORE_RECIPIENT.contains(&before) && !is_word(part);
        before = part;
        if is_recipient { Cow::Owned(masked(&decoded(part))) } else { Cow::Borrowed(part) }
    });
    parts.collect::<Vec<_>>().join("/").into()
}

/// The value of a parameter of a route, as the audit log shows it.
pub(super) fn shown_value<'a>(name: &str, value: &'a str) -> Cow<'a, str> {
    if OF_RECIPIENT.contains(&name) { masked(value).into() } else { value.into() }
}

/// Whether a part of a path is a word of ours, such as `export`.
fn is_word(part: &str) -> bool {
    part.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
}

fn decoded(part: &str) -> String {
    // In a path, a plus stands for itself.
    let part = part.replace('+', "%2B");
    form_urlencoded::parse(part.as_bytes()).map(|(name, value)| name.into_owned() + &value).collect()
}

fn masked(recipient: &str) -> String {
    if let Ok(number) = recipient.parse::<Msisdn>() {
        return number.masked().to_string();
    }
    let letters: Vec<char> = recipient.chars().collect();
    if letters.len() < SHOWN_FROM {
        return "***".to_owned();
    }
    let part = |letters: &[char]| letters.iter().collect::<String>();
    format!("{}***{}", part(&letters[..4]), part(&letters[letters.len() - 2..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_shows_no_secret_and_no_whole_recipient() {
        for (path, shown) in [
            ("/recipients/+6591234567", "/recipients/+6591***67"),
            ("/recipients/%2B6591234567/opt-out", "/recipients/+6591***67/opt-out"),
            ("/recipients/6591234567/opt-in", "/recipients/+6591***67/opt-in"),
            ("/recipients/+65%209123%204567", "/recipients/+65 ***67"),
            ("/recipients/123456", "/recipients/***"),
            ("/v1/contacts/%2B6591234567", "/v1/contacts/+6591***67"),
            ("/v1/opt-outs/%2B6591234567", "/v1/opt-outs/+6591***67"),
            ("/recipients/SG.13491208655302741918/opt-in", "/recipients/SG.1***18/opt-in"),
            ("/v1/opt-outs/U4af4980629a1b2c3d4e5f60718293a4b", "/v1/opt-outs/U4af***4b"),
            ("/shared/c2VjcmV0", "/shared/"),
        ] {
            assert_eq!(shown_path(path), shown, "{path}");
        }
        for whole in ["/", "/opt-outs/export", "/campaigns/20261128/recipients", "/v1/lanes/wa-1"] {
            assert_eq!(shown_path(whole), whole);
        }
    }

    #[test]
    fn only_a_parameter_that_names_a_recipient_is_masked() {
        assert_eq!(shown_value("number", "+6591234567"), "+6591***67");
        assert_eq!(shown_value("id", "SG.13491208655302741918"), "SG.1***18");
        assert_eq!(shown_value("campaign", "20261128"), "20261128");
    }
}
