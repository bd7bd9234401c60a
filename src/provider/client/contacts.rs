//! The provider's contacts of one account: the groups of an account, and new contacts in them.

use http::{HeaderValue, Method};

use super::answer::{cleaned, requested_wait};
use super::http_client::{Broken, Call, Http, RawAnswer, Unusable};
use super::unconnected::AddressOf;
use crate::base::config::LaneProvider;
use crate::base::domain::{Msisdn, Span};
use crate::rules::wire::{ContactAddresses, ContactGroup, ErrorBody, GroupId, NewContact, contact_groups};

/// The contacts of one account.
#[derive(Debug)]
pub struct ContactsClient {
    http: Http,
    account: String,
}

/// How a contact came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    New,
    /// The provider reports that the contact exists.
    Existing,
}

/// Why a request about contacts did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContactsError {
    #[error("the provider refuses the key for its contacts ({said}); check `api_key` and `account_name` in [provider]")]
    Key { said: String },
    /// Nothing was done: the same request can be made again after the wait.
    #[error("the provider accepts no more requests about contacts for now ({said}); try again later")]
    Throttled { retry_after: Option<Span>, said: String },
    /// A refusal because of this request.
    #[error("the provider's contacts refuse it ({said})")]
    Refused { said: String },
    /// Nothing was sent. What was said ends with what to do.
    #[error("the provider's contacts cannot be reached: {said}")]
    NotSent { said: String },
    #[error("the provider's contacts did not answer ({said}); check `contacts_url` in [opt_out] and the network")]
    Unavailable { said: String },
}

impl ContactsClient {
    /// Creates a client for the contacts at the provider's address. `account` is the account whose contacts they are.
    pub fn new(provider: &LaneProvider, account: &str) -> Result<Self, Unusable> {
        let http = Http::new("contacts", provider)?.of(AddressOf::Contacts);
        Ok(Self { http, account: account.to_owned() })
    }

    /// Searches for groups by a part of their names.
    pub async fn groups(&self, name: &str) -> Result<Vec<ContactGroup>, ContactsError> {
        let path = ["accounts", &self.account, "groups"];
        let call = Call { method: Method::GET, path: &path, query: Some(("name", name)), body: None };
        let answer = self.ask(call).await?;
        let said = || format!("HTTP status {} without a list of groups", answer.status);
        contact_groups(&answer.body).ok_or_else(|| ContactsError::Unavailable { said: said() })
    }

    /// Adds a number to a group.
    pub async fn add(&self, group: i64, msisdn: Msisdn) -> Result<Added, ContactsError> {
        let contact = NewContact {
            groups: vec![GroupId { id: group }],
            addresses: ContactAddresses { msisdn: msisdn.to_string().into() },
        };
        // Plain structs cannot fail to serialize into memory.
        let body = serde_json::to_vec(&contact).unwrap_or_default();
        let body = Some((HeaderValue::from_static("application/json"), body.into()));
        let call = Call { method: Method::POST, path: &["accounts", "contacts"], query: None, body };
        match self.call(call).await? {
            answer if says_exists(&answer) => Ok(Added::Existing),
            answer => accepted(answer).map(|_| Added::New),
        }
    }

    async fn ask(&self, call: Call<'_>) -> Result<RawAnswer, ContactsError> {
        accepted(self.call(call).await?)
    }

    async fn call(&self, call: Call<'_>) -> Result<RawAnswer, ContactsError> {
        self.http.call(call, self.http.timeout()).await.map_err(|broken| match broken {
            Broken::NotOffered { why } => ContactsError::NotSent { said: cleaned(&why) },
            Broken::Withdrawn => ContactsError::NotSent { said: "the request was withdrawn; try again".to_owned() },
            Broken::Sent { why } => ContactsError::Unavailable { said: cleaned(&why) },
        })
    }
}

/// Whether the provider refuses a contact because it exists. Its pages do not describe that answer.
fn says_exists(answer: &RawAnswer) -> bool {
    let says = |body: ErrorBody<'_>| {
        body.message.is_some_and(|message| message.to_ascii_lowercase().contains("already exist"))
    };
    answer.status == 409
        || ((400..500).contains(&answer.status) && serde_json::from_slice(&answer.body).is_ok_and(says))
}

fn accepted(answer: RawAnswer) -> Result<RawAnswer, ContactsError> {
    if (200..300).contains(&answer.status) {
        return Ok(answer);
    }
    let body: ErrorBody<'_> = serde_json::from_slice(&answer.body).unwrap_or_default();
    let said = match body.message.as_deref().filter(|message| !message.is_empty()) {
        Some(message) => format!("HTTP status {}: {}", answer.status, cleaned(message)),
        None => format!("HTTP status {}", answer.status),
    };
    Err(match answer.status {
        401 | 403 => ContactsError::Key { said },
        429 => ContactsError::Throttled { retry_after: requested_wait(&answer, &body), said },
        400..=499 => ContactsError::Refused { said },
        _ => ContactsError::Unavailable { said },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(status: u16, retry_after: Option<i64>, body: &str) -> Result<Added, ContactsError> {
        let retry_after = retry_after.map(Span::from_secs);
        let answer = RawAnswer { status, retry_after, body: body.as_bytes().to_vec().into() };
        if says_exists(&answer) { Ok(Added::Existing) } else { accepted(answer).map(|_| Added::New) }
    }

    #[test]
    fn each_answer_about_a_contact_has_its_class() {
        let words = |error: Result<Added, ContactsError>| error.unwrap_err().to_string();
        assert_eq!(added(200, None, "{}"), Ok(Added::New));
        assert_eq!(added(201, None, ""), Ok(Added::New));
        assert_eq!(added(409, None, ""), Ok(Added::Existing));
        assert_eq!(added(400, None, r#"{"message":"Contact already exists"}"#), Ok(Added::Existing));
        for (status, body, class) in [
            (401, "", "check `api_key`"),
            (403, r#"{"message":"No access"}"#, "(HTTP status 403: No access); check `api_key`"),
            (400, r#"{"message":"Invalid msisdn +6591234567"}"#, "refuse it (HTTP status 400: Invalid msisdn +***67)"),
            (404, "", "refuse it (HTTP status 404)"),
            (500, "", "did not answer (HTTP status 500)"),
            (302, "", "did not answer (HTTP status 302)"),
        ] {
            let said = words(added(status, None, body));
            assert!(said.contains(class), "{said}");
        }
    }

    #[test]
    fn a_throttled_request_waits_as_the_header_or_the_sentence_says() {
        let wait = |after, body: &str| match added(429, after, body) {
            Err(ContactsError::Throttled { retry_after, .. }) => retry_after,
            other => panic!("{other:?}"),
        };
        assert_eq!(wait(Some(7), "{}"), Some(Span::from_secs(7)));
        assert_eq!(wait(None, r#"{"message":"Please try again in 3 second(s)."}"#), Some(Span::from_secs(3)));
        assert_eq!(wait(None, ""), None);
    }
}
