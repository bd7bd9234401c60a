//! `volley opt-out push`: adds opted-out numbers to a group of the provider's contacts, which other senders respect.

use anyhow::{Context, anyhow, bail};
use serde::Serialize;

use super::{CommandContext, Exit, out, progress};
use crate::base::clock::Clock;
use crate::base::config::Config;
use crate::base::domain::{Msisdn, OptOutOf, Span};
use crate::cli::words::plural;
use crate::provider::client::{Added, ContactsClient, ContactsError};
use crate::rules::wire::ContactGroup;
use crate::store::Consent;

/// Numbers that one store call reads.
const PAGE: u32 = 5_000;
/// Refused numbers that are printed. The others are counted.
const SHOWN: usize = 20;
/// How often one number waits before the push gives up.
const WAITS: u32 = 10;
/// The wait, if the provider names none.
const WAIT: Span = Span::from_secs(5);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Name of the group; by default `group` of the configuration.
    #[arg(long)]
    group: Option<String>,
    /// Continue after this number, where an earlier push stopped.
    #[arg(long, value_name = "NUMBER")]
    after: Option<Msisdn>,
    /// Print one JSON object: group, numbers, existing, refused.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Pushed<'a> {
    group: &'a str,
    numbers: u64,
    existing: u64,
    refused: u64,
}

pub(super) async fn run(args: Args, context: &CommandContext) -> anyhow::Result<Exit> {
    let Args { group, after, json } = args;
    let group = group.or_else(|| context.config.opt_out.group.clone());
    let group = group.context("no group is named; give --group NAME, or set `group` in [opt_out]")?;
    let contacts = contacts(&context.config)?;
    let id = id_of(&group, &contacts.groups(&group).await?)?;
    let store = context.store_for_reading().await?;
    let bar = progress::bar("push", json);
    let mut push = Push::new(contacts, id, after);
    let ended = push.all(store.as_ref(), context.clock.as_ref(), |numbers| bar.set_position(numbers)).await;
    bar.finish_and_clear();
    store.close().await;
    push.refusals().for_each(out::talk);
    let Push { last, numbers, existing, refused, .. } = push;
    if let Err(error) = ended {
        let rest = last.map(|last| format!("; continue with --after {last}")).unwrap_or_default();
        bail!("{error:#}; {} added before{rest}", plural(numbers, "number was", "numbers were"));
    }
    if json {
        out::json(&Pushed { group: &group, numbers, existing, refused })?;
    } else {
        let added = plural(numbers, "number", "numbers");
        out::data(format_args!("Added {added} to the group \"{group}\". The provider applies it within an hour."))?;
        if existing > 0 {
            let existing = plural(existing, "number is a contact already", "numbers are contacts already");
            out::talk(format_args!("{existing}. The provider does not say whether the group has them."));
        }
    }
    Ok(if refused > 0 { Exit::Failed } else { Exit::Done })
}

fn contacts(config: &Config) -> anyhow::Result<ContactsClient> {
    let account = config.provider.account_name.as_deref();
    let account = account.context("the contacts belong to an account; set `account_name` in [provider]")?;
    let key = config.provider.api_key.as_ref().context("set `api_key` or `api_key_file` in [provider]")?;
    key.valid().iter().next().context("the file of the API key is empty")?;
    Ok(ContactsClient::new(&config.provider.at(&config.opt_out.contacts_url), account)?)
}

/// The id of the group with this name. The search finds names that contain it, too.
fn id_of(name: &str, groups: &[ContactGroup]) -> anyhow::Result<i64> {
    let named = groups.iter().find(|group| group.name.as_deref() == Some(name));
    named.and_then(|group| group.id).ok_or_else(|| {
        let names: Vec<&str> = groups.iter().filter_map(|group| group.name.as_deref()).collect();
        let others = if names.is_empty() { String::new() } else { format!("; found: {}", names.join(", ")) };
        anyhow!("the account has no group \"{name}\"{others}; create it in the provider's portal as blacklisted")
    })
}

/// A push of all opted-out numbers, in their order.
struct Push {
    contacts: ContactsClient,
    group: i64,
    /// The last number that needs no further request.
    last: Option<Msisdn>,
    numbers: u64,
    existing: u64,
    refused: u64,
    /// The first refused numbers, each with the provider's reason.
    shown: Vec<String>,
}

impl Push {
    const fn new(contacts: ContactsClient, group: i64, after: Option<Msisdn>) -> Self {
        Self { contacts, group, last: after, numbers: 0, existing: 0, refused: 0, shown: Vec::new() }
    }

    /// Pushes the numbers after the last one. A refused number is left out; any other error ends the push.
    async fn all(&mut self, store: &dyn Consent, clock: &dyn Clock, pushed: impl Fn(u64)) -> anyhow::Result<()> {
        loop {
            let page = store.opted_out_numbers(self.last, PAGE, OptOutOf::Everything).await?;
            if page.is_empty() {
                return Ok(());
            }
            for msisdn in page {
                match self.add(msisdn, clock).await {
                    Ok(Added::New) => self.numbers += 1,
                    Ok(Added::Existing) => self.existing += 1,
                    Err(error @ ContactsError::Refused { .. }) => {
                        self.refused += 1;
                        if self.shown.len() < SHOWN {
                            self.shown.push(format!("{}: {error}", msisdn.masked()));
                        }
                    }
                    Err(error) => return Err(error.into()),
                }
                self.last = Some(msisdn);
                pushed(self.numbers + self.existing + self.refused);
            }
        }
    }

    /// Adds one number, and waits while the provider accepts no more requests.
    async fn add(&self, msisdn: Msisdn, clock: &dyn Clock) -> Result<Added, ContactsError> {
        let mut waits = 0;
        loop {
            match self.contacts.add(self.group, msisdn).await {
                Err(ContactsError::Throttled { retry_after, .. }) if waits < WAITS => {
                    waits += 1;
                    clock.sleep(retry_after.unwrap_or(WAIT)).await;
                }
                answer => return answer,
            }
        }
    }

    /// A line for each of the first refused numbers, and one for the others.
    fn refusals(&self) -> impl Iterator<Item = String> {
        let others = self.refused.saturating_sub(self.shown.len() as u64);
        let others = (others > 0).then(|| format!("… and {} more", plural(others, "number", "numbers")));
        self.shown.iter().cloned().chain(others)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::base::clock::ManualClock;
    use crate::base::domain::{OptOutSource, Timestamp, WishSubject};
    use crate::store::{self, OptOut};

    const NAMED: &str = "account_name = \"Acme\"\n";

    /// Answers each request on its own connection, and returns the requests.
    async fn answering(listener: TcpListener, answers: &[(&str, &str)]) -> Vec<String> {
        let mut asked = Vec::new();
        for (head, body) in answers {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4_096];
            let length = socket.read(&mut request).await.unwrap();
            asked.push(String::from_utf8_lossy(&request[..length]).into_owned());
            let head = format!("HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            socket.write_all(head.as_bytes()).await.unwrap();
        }
        asked
    }

    /// The contacts of an account whose id and name differ, if `account` states the name.
    fn contacts_at(listener: &TcpListener, account: &str) -> ContactsClient {
        let text = format!(
            "[provider]\nbase_url = \"http://{}\"\nsub_account = \"acme\"\n\
             account_id = \"a0b1c2d3-0000-4000-8000-a0b1c2d3e4f5\"\n{account}api_key = \"secret\"\n",
            listener.local_addr().unwrap()
        );
        let none = std::iter::empty::<(&str, String)>();
        let read = Config::read(Some((Path::new("volley.toml"), &text)), std::iter::empty(), none).unwrap();
        contacts(&read.config).unwrap()
    }

    /// Pushes the numbers +6591000001 and following, one for each final answer. Returns the push, its error, and the requests.
    async fn pushed(numbers: u64, answers: &[(&str, &str)]) -> (Push, Option<String>, Vec<String>) {
        let now = Timestamp::from_millis(1_800_000_000_000);
        let clock = Arc::new(ManualClock::at(now));
        let store = store::open("sqlite::memory:", Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap();
        let out = |n: u64| OptOut {
            address: Msisdn::try_from(6_591_000_000 + n).unwrap().into(),
            of: WishSubject::EVERYTHING,
            since: now,
            from: OptOutSource::Operator,
            source: "a list".to_owned(),
        };
        store.opt_out((1..=numbers).map(out).collect()).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut push = Push::new(contacts_at(&listener, NAMED), 7, None);
        let pushing = async { push.all(store.as_ref(), clock.as_ref(), |_| {}).await.err() };
        let (error, asked) = futures_util::join!(pushing, answering(listener, answers));
        (push, error.map(|error| error.to_string()), asked)
    }

    #[tokio::test]
    async fn a_push_skips_refused_numbers_and_repeats_throttled_ones() {
        let answers = [
            ("200 OK", "{}"),
            ("429 Too Many Requests\r\nretry-after: 0", "{}"),
            ("200 OK", "{}"),
            ("400 Bad Request", r#"{"message":"Invalid msisdn"}"#),
            ("409 Conflict", "{}"),
        ];
        let (push, error, asked) = pushed(4, &answers).await;
        assert_eq!((error, push.numbers, push.existing, push.refused), (None, 2, 1, 1));
        let refusals: Vec<String> = push.refusals().collect();
        assert_eq!(refusals.len(), 1);
        assert!(
            refusals[0].contains("***") && refusals[0].ends_with("(HTTP status 400: Invalid msisdn)"),
            "{refusals:?}"
        );
        assert!(asked[0].starts_with("POST /api/v1/accounts/contacts HTTP/1.1\r\n"), "{}", asked[0]);
        let numbers = [1, 2, 2, 3, 4].map(|n| format!("\"msisdn\":\"+659100000{n}\""));
        assert!(asked.iter().zip(&numbers).all(|(request, number)| request.contains(number.as_str())), "{asked:?}");
    }

    #[tokio::test]
    async fn a_refused_key_ends_a_push_after_the_last_added_number() {
        let (push, error, _) = pushed(3, &[("200 OK", "{}"), ("401 Unauthorized", "{}")]).await;
        assert!(error.as_ref().is_some_and(|error| error.contains("check `api_key`")), "{error:?}");
        assert_eq!((push.numbers, push.last.map(Msisdn::get)), (1, Some(6_591_000_001)));
    }

    #[tokio::test]
    async fn contacts_that_cannot_be_reached_have_one_remedy() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let contacts = contacts_at(&listener, NAMED);
        drop(listener);
        let said = contacts.groups("Opt-outs").await.unwrap_err().to_string();
        assert!(
            said.starts_with("the provider's contacts cannot be reached: no TCP connection to 127.0.0.1"),
            "{said}"
        );
        assert!(said.ends_with("; check `contacts_url` in [opt_out], the network and firewalls"), "{said}");
        assert_eq!(said.matches("check").count(), 1, "{said}");
    }

    #[tokio::test]
    async fn an_account_without_a_name_is_named_by_its_id() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let contacts = contacts_at(&listener, "");
        let answers = [("200 OK", r#"{"data":[]}"#)];
        let (groups, asked) = futures_util::join!(contacts.groups("Opt-outs"), answering(listener, &answers));
        assert!(groups.is_ok_and(|groups| groups.is_empty()));
        let path = "GET /api/v1/accounts/a0b1c2d3-0000-4000-8000-a0b1c2d3e4f5/groups?name=Opt-outs HTTP/1.1\r\n";
        assert!(asked[0].starts_with(path), "{}", asked[0]);
    }

    #[tokio::test]
    async fn a_group_is_searched_by_its_name_in_the_account_by_its_name() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let contacts = contacts_at(&listener, NAMED);
        let list = r#"{"data":[{"id":1,"name":"Opt-outs of 2025"},{"id":2,"name":"Opt-outs"}]}"#;
        let answers = [("200 OK", list)];
        let (groups, asked) = futures_util::join!(contacts.groups("Opt outs&"), answering(listener, &answers));
        assert!(asked[0].starts_with("GET /api/v1/accounts/Acme/groups?name=Opt+outs%26 HTTP/1.1\r\n"), "{}", asked[0]);
        assert!(asked[0].contains("authorization: Bearer secret"), "{}", asked[0]);
        assert_eq!(id_of("Opt-outs", groups.as_ref().unwrap()).unwrap(), 2);
        let error = id_of("Others", groups.as_ref().unwrap()).unwrap_err().to_string();
        assert!(error.contains("no group \"Others\"; found: Opt-outs of 2025, Opt-outs"), "{error}");
    }
}
