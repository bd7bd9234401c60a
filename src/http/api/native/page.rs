//! Pages of lists: a limit, and a sealed cursor to the next page.

use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use sha2::Sha256;
use tokio::sync::OnceCell;
use url::form_urlencoded;
use utoipa::ToSchema;

use super::problem::{Answer, Kind, Problem};
use super::{PREFIX, Shared};

/// The version of cursors. A cursor of another version is refused, so that its form may change.
const VERSION: u8 = 1;
/// Bytes of the seal: half of the digest, enough against forgery.
const SEAL: usize = 16;
/// Rows of a page, if its caller names no limit.
const USUAL: u32 = 50;
const MOST: u32 = 500;

/// The number of rows of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
pub(in crate::http::api) struct Limit(u32);

impl Default for Limit {
    fn default() -> Self {
        Self(USUAL)
    }
}

impl TryFrom<u32> for Limit {
    type Error = String;

    fn try_from(rows: u32) -> Result<Self, String> {
        if (1..=MOST).contains(&rows) { Ok(Self(rows)) } else { Err(format!("a limit is 1 to {MOST}")) }
    }
}

impl Limit {
    /// How many rows to read: one more than the page has, which shows whether another page follows.
    pub(in crate::http::api) const fn rows(self) -> u32 {
        self.0 + 1
    }

    /// The rows of a page.
    pub(in crate::http::api) const fn items(self) -> u32 {
        self.0
    }

    /// Takes the rows of the page. Returns the last of them if another page follows.
    pub(in crate::http::api) fn cut<T>(self, rows: &mut Vec<T>) -> Option<&T> {
        cut(rows, self.0)
    }
}

/// Takes the rows of a page, of which one more was read. Returns the last of them if another page follows.
pub(in crate::http::api) fn cut<T>(rows: &mut Vec<T>, most: u32) -> Option<&T> {
    let follows = rows.len() > most as usize;
    rows.truncate(most as usize);
    rows.last().filter(|_| follows)
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http::api) struct Page<T> {
    pub(in crate::http::api) items: Vec<T>,
    /// Cursor of the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http::api) next: Option<String>,
}

impl<T: Serialize> Page<T> {
    /// The answer to the request of this page, with the address of the next one.
    pub(in crate::http::api) fn answer(self, uri: &Uri) -> Response {
        let link = self.next.as_deref().and_then(|next| link(uri, next));
        let mut response = axum::Json(self).into_response();
        if let Some(link) = link {
            response.headers_mut().insert(header::LINK, link);
        }
        response
    }
}

fn link(uri: &Uri, next: &str) -> Option<HeaderValue> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    let pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    query.extend_pairs(pairs.filter(|(name, _)| name != "cursor"));
    query.append_pair("cursor", next);
    HeaderValue::try_from(format!("<{PREFIX}{}?{}>; rel=\"next\"", uri.path(), query.finish())).ok()
}

/// Reads a cursor. An empty one is none: the first page.
pub(super) fn cursor<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Some(String::deserialize(deserializer)?).filter(|cursor| !cursor.is_empty()))
}

/// Checks that a change was decided on the present state of an object, whose tag this is (RFC 9110, If-Match).
pub(super) fn ensure_unchanged(headers: &HeaderMap, tag: &str) -> Answer<()> {
    let Some(wanted) = headers.get(header::IF_MATCH) else {
        let sentence =
            "a change needs the header If-Match with the ETag of what it was decided on; get the object first";
        return Err(Problem::new(Kind::NoPrecondition, sentence));
    };
    let is_meant = |one: &str| one.trim() == tag || one.trim() == "*";
    if wanted.to_str().is_ok_and(|wanted| wanted.split(',').any(is_meant)) {
        return Ok(());
    }
    Err(changed_meanwhile())
}

/// The same for a decision that may name no state.
pub(super) fn ensure_as_named(headers: &HeaderMap, tag: &str) -> Answer<()> {
    if headers.contains_key(header::IF_MATCH) { ensure_unchanged(headers, tag) } else { Ok(()) }
}

pub(super) fn changed_meanwhile() -> Problem {
    let sentence = "it was changed meanwhile; get it again, and repeat the change if it still applies";
    Problem::new(Kind::Changed, sentence)
}

/// The key that seals cursors. It is stored, so cursors stay valid after a restart.
#[derive(Debug, Default)]
pub(super) struct CursorKey(OnceCell<[u8; 32]>);

/// Seals and opens the cursors of one list.
pub(in crate::http::api) struct Cursors {
    /// A cursor is valid for its own list and its own filters.
    list: String,
    key: [u8; 32],
}

impl Shared {
    /// The cursors of a list. `filters` are what the pages of a list have in common.
    pub(in crate::http::api) async fn cursors(&self, list: &str, filters: &impl Serialize) -> Answer<Cursors> {
        let key = self.0.native.cursor_key.0.get_or_try_init(|| async {
            let mut new = [0; 32];
            for word in new.chunks_exact_mut(8) {
                word.copy_from_slice(&self.chance.bits().to_le_bytes());
            }
            self.store.own_secret("cursors", new).await
        });
        let key = *key.await?;
        let filters = serde_json::to_string(filters).map_err(|error| Problem::failed(&error))?;
        Ok(Cursors { list: format!("{list}?{filters}"), key })
    }
}

impl Cursors {
    fn seal(&self, sealed: &[u8]) -> Answer<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).map_err(|error| Problem::failed(&error))?;
        mac.update(self.list.as_bytes());
        mac.update(&[0]);
        mac.update(sealed);
        Ok(mac)
    }

    /// The cursor after a position.
    pub(in crate::http::api) fn write(&self, position: &impl Serialize) -> Answer<String> {
        let mut bytes = vec![VERSION];
        serde_json::to_writer(&mut bytes, position).map_err(|error| Problem::failed(&error))?;
        let seal = self.seal(&bytes)?.finalize().into_bytes();
        bytes.extend(seal.iter().take(SEAL));
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The position of a cursor of an address; `None` for an empty one, which means the first page.
    pub(in crate::http::api) fn position<T: DeserializeOwned>(&self, cursor: &str) -> Answer<Option<T>> {
        if cursor.is_empty() { Ok(None) } else { self.read(cursor).map(Some) }
    }

    /// The position of a cursor.
    pub(in crate::http::api) fn read<T: DeserializeOwned>(&self, cursor: &str) -> Answer<T> {
        let invalid = || {
            let sentence = "invalid cursor; take it from `next` of the page before, and keep the filters";
            Problem::new(Kind::InvalidCursor, sentence).of_parameter("cursor")
        };
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| invalid())?;
        let (sealed, seal) = bytes.split_last_chunk::<SEAL>().ok_or_else(invalid)?;
        self.seal(sealed)?.verify_truncated_left(seal).map_err(|_| invalid())?;
        let (version, position) = sealed.split_first().ok_or_else(invalid)?;
        if *version != VERSION {
            return Err(invalid());
        }
        serde_json::from_slice(position).map_err(|_| invalid())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursors(list: &str, key: u8) -> Cursors {
        Cursors { list: list.to_owned(), key: [key; 32] }
    }

    #[test]
    fn a_cursor_is_opened_by_its_own_list_and_by_no_other() {
        let own = cursors("events?", 1);
        let cursor = own.write(&(7, "x")).unwrap();
        assert_eq!(own.read::<(u32, String)>(&cursor).unwrap(), (7, "x".to_owned()));
        for other in [cursors("events?{}", 1), cursors("events?", 2)] {
            assert_eq!(other.read::<(u32, String)>(&cursor).unwrap_err().kind, Kind::InvalidCursor);
        }
    }

    #[test]
    fn a_changed_cursor_is_refused() {
        let own = cursors("events?", 1);
        let cursor = own.write(&1_000_u32).unwrap();
        for n in 0..cursor.len() {
            let mut changed = cursor.clone().into_bytes();
            changed[n] = if changed[n] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            // The last character may have bits that mean nothing; then it is no base64url.
            assert!(own.read::<u32>(&changed).is_err(), "{changed} for {cursor}");
        }
        for wrong in ["", "A", "é", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
            assert!(own.read::<u32>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_change_needs_the_present_tag() {
        let kind = |named: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.extend(named.map(|named| (header::IF_MATCH, HeaderValue::try_from(named).unwrap())));
            ensure_unchanged(&headers, "\"7\"").err().map(|problem| problem.kind)
        };
        assert_eq!([kind(Some("\"7\"")), kind(Some("\"6\", \"7\"")), kind(Some("*"))], [None; 3]);
        assert_eq!((kind(None), kind(Some("\"6\""))), (Some(Kind::NoPrecondition), Some(Kind::Changed)));
    }

    #[test]
    fn the_next_page_keeps_the_filters() {
        let uri: Uri = "/events?limit=2&cursor=old&state=running".parse().unwrap();
        assert_eq!(link(&uri, "new").unwrap(), "</v1/events?limit=2&state=running&cursor=new>; rel=\"next\"");
    }

    #[test]
    fn one_row_more_shows_that_a_page_follows() {
        let limit = Limit::try_from(2).unwrap();
        let (mut two, mut three) = (vec![1, 2], vec![1, 2, 3]);
        assert_eq!((limit.cut(&mut two), limit.cut(&mut three)), (None, Some(&2)));
        assert_eq!((limit.rows(), three.len()), (3, 2));
        assert!(Limit::try_from(0).is_err() && Limit::try_from(MOST + 1).is_err());
    }
}
