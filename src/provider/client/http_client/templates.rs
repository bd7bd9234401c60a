//! Lists, creates and removes the templates of a channel.

use http::{HeaderValue, Method};

use super::{Broken, Call, Http, RawAnswer, Unusable};
use crate::base::config::Lane;
use crate::base::domain::Span;
use crate::provider::client::answer::{cleaned, requested_wait};
use crate::rules::wire::{ErrorBody, ListedTemplate, NewTemplate, TemplateList};

/// The templates of one channel, with the key of a lane.
///
/// An answer is read up to the limit of every answer, 32 MiB. The provider keeps 6,000 templates at most, about 2 KB each.
#[derive(Debug)]
pub struct TemplatesClient {
    http: Http,
    lane: String,
    account: String,
    channel: String,
}

/// Why a request about templates did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplatesError {
    #[error(
        "lane {lane} has no account_id, which names the account of the templates; add account_id under [provider] or to \
         the lane in volley.toml"
    )]
    NoAccountId { lane: String },
    #[error(
        "lane {lane} has no channel_id, which names the channel of the templates; add channel_id to the lane in volley.toml"
    )]
    NoChannelId { lane: String },
    #[error("lane {lane} has no API key; add api_key_file under [provider] or to the lane in volley.toml")]
    NoKey { lane: String },
    /// The lane's address or key cannot be used.
    #[error("{0}")]
    Unusable(String),
    #[error(
        "the provider refuses the API key of lane {lane} ({detail}); check api_key_file, and whether the key is still valid"
    )]
    Key { lane: String, detail: String },
    #[error(
        "the provider says that the account is not the one of the API key of lane {lane} ({detail}); check account_id and \
         api_key_file"
    )]
    NotOurs { lane: String, detail: String },
    #[error(
        "the provider does not know the account, the channel or the template ({detail}); check account_id and channel_id of lane {lane}"
    )]
    NotFound { lane: String, detail: String },
    #[error("the provider keeps the name of a removed template locked for 30 days ({detail}); use another name")]
    NameLocked { detail: String },
    #[error("the provider accepts no more requests about templates for now{}; try again then", wait(*retry_after))]
    Throttled { retry_after: Option<Span> },
    #[error("the provider refuses the request: {detail}")]
    Refused { code: Option<i64>, detail: String },
    /// The request did not reach the provider, so nothing has happened. The detail says what to do.
    #[error("the provider cannot be reached: {detail}")]
    NotSent { detail: String },
    /// No answer, or one that cannot be read. A creation or a removal may have happened.
    #[error("the provider did not answer: {detail}; check base_url and the network, and try again")]
    Unavailable { detail: String },
}

fn wait(retry_after: Option<Span>) -> String {
    retry_after.map(|after| format!(", and asks to wait {after}")).unwrap_or_default()
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The provider's codes of refusals that have a remedy of their own.
const NOT_OURS: i64 = 1_001;
const NAME_LOCKED: i64 = 3_060;

impl TemplatesClient {
    /// Creates the client of a lane's channel.
    pub fn new(lane: &Lane) -> Result<Self, TemplatesError> {
        let name = || lane.name.clone();
        let account =
            lane.provider.account_id.as_deref().ok_or_else(|| TemplatesError::NoAccountId { lane: name() })?;
        let channel = lane.channel_id.as_deref().ok_or_else(|| TemplatesError::NoChannelId { lane: name() })?;
        if lane.provider.api_key.is_none() {
            return Err(TemplatesError::NoKey { lane: name() });
        }
        let unusable = |error: Unusable| TemplatesError::Unusable(error.to_string());
        let http = Http::new(&lane.name, &lane.provider).map_err(unusable)?;
        Ok(Self { http, lane: name(), account: account.to_owned(), channel: channel.to_owned() })
    }

    /// Lists all templates.
    pub async fn list(&self) -> Result<Vec<ListedTemplate>, TemplatesError> {
        let answer = self.ask(Method::GET, None, Vec::new()).await?;
        let unreadable = |error: serde_json::Error| TemplatesError::Unavailable {
            detail: format!("its list of templates cannot be read ({error})"),
        };
        Ok(serde_json::from_slice::<TemplateList>(&answer.body).map_err(unreadable)?.templates)
    }

    /// Asks the provider to create a template. It is pending until the provider has reviewed it.
    pub async fn create(&self, template: &NewTemplate) -> Result<(), TemplatesError> {
        // Plain structs cannot fail to serialize into memory.
        let body = serde_json::to_vec(template).unwrap_or_default();
        self.ask(Method::POST, None, body).await.map(drop)
    }

    /// Removes a template in every language.
    pub async fn remove(&self, name: &str) -> Result<(), TemplatesError> {
        self.ask(Method::DELETE, Some(name), Vec::new()).await.map(drop)
    }

    async fn ask(&self, method: Method, below: Option<&str>, body: Vec<u8>) -> Result<RawAnswer, TemplatesError> {
        let mut path = vec!["accounts", &self.account, "channels", &self.channel, "templates"];
        path.extend(below);
        let body = (!body.is_empty()).then(|| (JSON, body.into()));
        let answer = match self.http.call(Call { method, path: &path, query: None, body }, self.http.timeout()).await {
            Ok(answer) => answer,
            Err(Broken::NotOffered { why }) => return Err(TemplatesError::NotSent { detail: cleaned(&why) }),
            Err(Broken::Sent { why }) => return Err(TemplatesError::Unavailable { detail: cleaned(&why) }),
            Err(Broken::Withdrawn) => {
                return Err(TemplatesError::NotSent { detail: "the request was withdrawn; try again".to_owned() });
            }
        };
        if (200..300).contains(&answer.status) { Ok(answer) } else { Err(refusal(&self.lane, &answer)) }
    }
}

/// Reads a refusal.
fn refusal(lane: &str, answer: &RawAnswer) -> TemplatesError {
    let body: ErrorBody<'_> = serde_json::from_slice(&answer.body).unwrap_or_default();
    let code = body.code.map(|code| format!(", code {code}")).unwrap_or_default();
    let detail = match body.message.as_deref().filter(|message| !message.is_empty()) {
        Some(message) => format!("{} [HTTP status {}{code}]", cleaned(message), answer.status),
        None => format!("HTTP status {}{code}", answer.status),
    };
    let lane = lane.to_owned();
    match (answer.status, body.code) {
        (_, Some(NAME_LOCKED)) => TemplatesError::NameLocked { detail },
        // 401 comes with this code too.
        (_, Some(NOT_OURS)) => TemplatesError::NotOurs { lane, detail },
        (401 | 403, _) => TemplatesError::Key { lane, detail },
        (404, _) => TemplatesError::NotFound { lane, detail },
        (429, _) => TemplatesError::Throttled { retry_after: requested_wait(answer, &body) },
        (400..=499, _) => TemplatesError::Refused { code: body.code, detail },
        _ => TemplatesError::Unavailable { detail },
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use bytes::Bytes;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::base::config::Config;

    fn client(base_url: &str, lane: &str) -> Result<TemplatesClient, TemplatesError> {
        let text = format!(
            "[provider]\nbase_url = \"{base_url}\"\nsub_account = \"acme\"\n[[lane]]\nname = \"wa\"\nchannel = \
             \"WhatsApp\"\n{lane}"
        );
        let none = std::iter::empty::<(&str, String)>();
        let read = Config::read(Some((Path::new("volley.toml"), &text)), std::iter::empty(), none);
        TemplatesClient::new(&read.unwrap().config.lanes[0])
    }

    #[test]
    fn a_missing_key_of_the_configuration_is_named() {
        let error = |lane: &str| client("https://provider.example", lane).unwrap_err().to_string();
        let account = "account_id = \"acme-1\"\n";
        assert!(error("").contains("add account_id under [provider]"), "{}", error(""));
        assert!(error(account).contains("add channel_id to the lane"), "{}", error(account));
        let channel = format!("{account}channel_id = \"c-1\"\n");
        assert!(error(&channel).contains("add api_key_file"), "{}", error(&channel));
    }

    #[test]
    fn each_refusal_says_what_to_do() {
        let said = |status, body: &'static str| {
            let answer = RawAnswer { status, retry_after: None, body: Bytes::from_static(body.as_bytes()) };
            refusal("wa", &answer).to_string()
        };
        for (status, body, advice) in [
            (401, r#"{"code":1200,"message":"Request was not authenticated properly"}"#, "check api_key_file"),
            (
                401,
                r#"{"code":1001,"message":"Provided subAccountId doesn't belongs to your account"}"#,
                "check account_id",
            ),
            (400, r#"{"code":1001}"#, "check account_id"),
            (403, "", "check api_key_file"),
            (404, r#"{"code":1300}"#, "check account_id and channel_id of lane wa"),
            (409, r#"{"code":3060,"message":"Try again in 4 weeks"}"#, "use another name"),
            (400, r#"{"code":3060}"#, "use another name"),
            (429, r#"{"code":429,"message":"Please try again in 7 second(s)."}"#, "asks to wait 7s"),
            (400, r#"{"code":1000,"message":"Invalid parameter +6591234567"}"#, "Invalid parameter +***67"),
            (500, r#"{"code":2000}"#, "check base_url"),
            (302, "", "check base_url"),
        ] {
            assert!(said(status, body).contains(advice), "{status} {body}: {}", said(status, body));
        }
    }

    /// Answers each of the given requests on its own connection, and returns what was asked.
    async fn answering(listener: TcpListener, answers: Vec<&'static str>) -> Vec<String> {
        let mut asked = Vec::new();
        for body in answers {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut head = vec![0; 4_096];
            let length = socket.read(&mut head).await.unwrap();
            asked.push(String::from_utf8_lossy(&head[..length]).into_owned());
            let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
            socket.write_all(head.as_bytes()).await.unwrap();
            socket.write_all(body.as_bytes()).await.unwrap();
        }
        asked
    }

    #[tokio::test]
    async fn list_create_and_remove_use_the_documented_paths() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let lane = "account_id = \"acme-1\"\nchannel_id = \"c/1\"\napi_key = \"secret\"\n";
        let client = client(&base_url, lane).unwrap();
        let list = r#"{"templates":[{"templateName":"promo","language":"en","status":"APPROVED"}]}"#;
        let asking = async {
            let templates = client.list().await.unwrap();
            client.create(&NewTemplate { name: Some("promo".to_owned()), ..NewTemplate::default() }).await.unwrap();
            client.remove("promo 1").await.unwrap();
            templates
        };
        let (templates, asked) = futures_util::join!(asking, answering(listener, vec![list, "{}", "{}"]));
        assert_eq!(templates[0].template_name.as_deref(), Some("promo"));
        let first_lines: Vec<&str> = asked.iter().map(|request| request.lines().next().unwrap()).collect();
        assert_eq!(
            first_lines,
            [
                "GET /api/v1/accounts/acme-1/channels/c%2F1/templates HTTP/1.1",
                "POST /api/v1/accounts/acme-1/channels/c%2F1/templates HTTP/1.1",
                "DELETE /api/v1/accounts/acme-1/channels/c%2F1/templates/promo%201 HTTP/1.1",
            ]
        );
        assert!(asked[1].ends_with(r#"{"name":"promo"}"#), "{}", asked[1]);
        assert!(asked.iter().all(|request| request.contains("authorization: Bearer secret")), "{asked:?}");
    }

    #[tokio::test]
    async fn a_request_without_a_connection_was_not_sent() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let client = client(&base_url, "account_id = \"acme-1\"\nchannel_id = \"c\"\napi_key = \"k\"\n").unwrap();
        // The other side reads the request, and closes without an answer.
        let closes = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            assert!(socket.read(&mut [0; 4_096]).await.unwrap() > 0);
        };
        let (broken, ()) = futures_util::join!(client.remove("promo"), closes);
        assert!(matches!(broken, Err(TemplatesError::Unavailable { .. })), "{broken:?}");
        drop(listener);
        for refused in [client.remove("promo").await, client.create(&NewTemplate::default()).await] {
            let Err(error @ TemplatesError::NotSent { .. }) = refused else { panic!("{refused:?}") };
            let said = error.to_string();
            assert!(said.ends_with("; check base_url, the network and firewalls"), "{said}");
            assert_eq!(said.matches("check").count(), 1, "one remedy: {said}");
        }
    }
}
