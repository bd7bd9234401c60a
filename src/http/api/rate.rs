//! The rate of requests of each API key, and the headers that report it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use governor::clock::Reference;
use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use parking_lot::Mutex;

use crate::base::clock::Clock;
use crate::base::domain::Span;
use crate::http::access::Caller;

/// Requests of a key per second, if the key has no limit of its own.
const USUAL: NonZeroU32 = NonZeroU32::MIN.saturating_add(99);
/// Requests per second of all callers together that present a setup token: each reads the database.
const SETUP: NonZeroU32 = NonZeroU32::MIN.saturating_add(4);

/// Requests per second with one link to a report.
const LINK: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);
/// Limiters at most. With more of them, those of links are forgotten: links end, and keys are few.
const LIMITERS: usize = 10_000;
/// Before the id of a link among the limiters.
const OF_LINKS: &str = "link ";

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// Our clock for governor, as the time since 1970.
#[derive(Debug, Clone)]
struct Elapsed(Arc<dyn Clock>);

impl governor::clock::Clock for Elapsed {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Duration::from_nanos(self.0.tick().nanos())
    }
}

/// Whose requests are counted together.
#[derive(Debug, Clone, Copy)]
pub(super) enum Counted<'a> {
    Key(&'a Caller),
    /// All requests with a setup token.
    Setup,
    /// The requests with one link to a report, by the id of the link.
    Link(&'a str),
}

impl<'a> Counted<'a> {
    /// Its name in the policy, and the id of its limiter. No caller has the id of the setup or of a link.
    fn names(self) -> (&'static str, Cow<'a, str>) {
        match self {
            Self::Key(caller) => ("key", caller.id.as_str().into()),
            Self::Setup => ("setup", "setup".into()),
            Self::Link(id) => ("link", format!("{OF_LINKS}{id}").into()),
        }
    }

    fn per_s(self) -> NonZeroU32 {
        match self {
            Self::Key(caller) => caller.requests_per_s.unwrap_or(USUAL),
            Self::Setup => SETUP,
            Self::Link(_) => LINK,
        }
    }

    fn exceeded(self, per_s: NonZeroU32) -> String {
        let whose = match self {
            Self::Key(_) => "the API key may send",
            Self::Setup => "with a setup token, all callers together may send",
            Self::Link(_) => "with this link, all readers together may send",
        };
        format!("{whose} {per_s} requests a second; repeat the request later")
    }
}

/// A request above the rate.
#[derive(Debug)]
pub(super) struct TooMany {
    pub(super) sentence: String,
    /// How long to wait before it is repeated.
    pub(super) wait: Span,
    /// The headers of its answer.
    pub(super) headers: Box<HeaderMap>,
}

type Limiter = RateLimiter<NotKeyed, InMemoryState, Elapsed, StateInformationMiddleware>;

/// A limiter for each key that has called, and for each link that was opened. Only valid ones get one.
#[derive(Debug)]
pub(super) struct Rates {
    clock: Arc<dyn Clock>,
    of: Mutex<HashMap<String, (NonZeroU32, Arc<Limiter>)>>,
}

impl Rates {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, of: Mutex::default() }
    }

    /// Counts a request. Returns the headers for its answer.
    pub(super) fn check(&self, counted: Counted<'_>) -> Result<HeaderMap, TooMany> {
        let ((policy, id), per_s) = (counted.names(), counted.per_s());
        let limiter = self.limiter(&id, per_s);
        match limiter.check() {
            Ok(state) => Ok(headers(policy, per_s, state.remaining_burst_capacity(), None)),
            Err(not_until) => {
                let now = governor::clock::Clock::now(limiter.clock());
                let wait: Duration = not_until.earliest_possible().duration_since(now).into();
                let wait = Span::from_millis(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX).saturating_add(1));
                Err(TooMany {
                    sentence: counted.exceeded(per_s),
                    wait,
                    headers: Box::new(headers(policy, per_s, 0, Some(wait))),
                })
            }
        }
    }

    /// Whether something has a limiter, so it was valid when it was last counted.
    pub(super) fn knows(&self, counted: Counted<'_>) -> bool {
        self.of.lock().contains_key(counted.names().1.as_ref())
    }

    fn limiter(&self, key: &str, per_s: NonZeroU32) -> Arc<Limiter> {
        let mut all = self.of.lock();
        if let Some((limit, limiter)) = all.get(key)
            && *limit == per_s
        {
            return Arc::clone(limiter);
        }
        let clock = Elapsed(Arc::clone(&self.clock));
        let limiter = RateLimiter::direct_with_clock(Quota::per_second(per_s), clock);
        let limiter = Arc::new(limiter.with_middleware::<StateInformationMiddleware>());
        if all.len() >= LIMITERS {
            all.retain(|key, _| !key.starts_with(OF_LINKS));
        }
        all.insert(key.to_owned(), (per_s, Arc::clone(&limiter)));
        limiter
    }
}

/// `RateLimit` and `RateLimit-Policy`, as of draft-ietf-httpapi-ratelimit-headers-11.
fn headers(name: &str, per_s: NonZeroU32, remaining: u32, wait: Option<Span>) -> HeaderMap {
    let seconds = wait.map_or(1, |wait| wait.millis().unsigned_abs().div_ceil(1_000).max(1));
    let policy = format!("\"{name}\";q={per_s};w=1");
    let limit = format!("\"{name}\";r={remaining};t={seconds}");
    let named = [(POLICY, policy), (LIMIT, limit)];
    named.into_iter().filter_map(|(name, value)| Some((name, HeaderValue::try_from(value).ok()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::ManualClock;
    use crate::base::domain::Timestamp;
    use crate::http::access::Scopes;

    #[test]
    fn each_key_has_its_own_rate_and_the_headers_report_it() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
        let rates = Rates::new(Arc::clone(&clock) as Arc<dyn Clock>);
        let caller = |id: &str, requests_per_s| Caller {
            id: id.to_owned(),
            name: "ann".to_owned(),
            scopes: Scopes::default(),
            sub_accounts: None,
            lanes: None,
            requests_per_s,
            purpose: None,
            session: None,
        };
        let (a, b) = (caller("a", NonZeroU32::new(2)), caller("b", NonZeroU32::new(2)));
        let (a, b) = (Counted::Key(&a), Counted::Key(&b));
        let left = |headers: &HeaderMap| headers[LIMIT].to_str().unwrap().to_owned();
        let first = rates.check(a).unwrap();
        assert_eq!(first[POLICY].to_str().unwrap(), "\"key\";q=2;w=1");
        assert_eq!(left(&first), "\"key\";r=1;t=1");
        assert_eq!(left(&rates.check(a).unwrap()), "\"key\";r=0;t=1");
        let refused = rates.check(a).unwrap_err();
        assert!(refused.wait > Span::ZERO && refused.wait <= Span::from_secs(1), "{refused:?}");
        assert_eq!(left(&refused.headers), "\"key\";r=0;t=1");
        rates.check(b).unwrap();
        clock.advance(Span::from_millis(500));
        rates.check(a).unwrap();
        rates.check(a).unwrap_err();
        assert_eq!(rates.check(Counted::Key(&caller("c", None))).unwrap()[POLICY], "\"key\";q=100;w=1");
        assert_eq!(rates.check(Counted::Setup).unwrap()[POLICY], "\"setup\";q=5;w=1");
    }

    #[test]
    fn the_memory_of_links_is_bounded() {
        let rates = Rates::new(Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000))));
        rates.check(Counted::Setup).unwrap();
        for link in 0..LIMITERS {
            rates.check(Counted::Link(&link.to_string())).unwrap();
        }
        assert!(rates.of.lock().len() < 10 && rates.knows(Counted::Setup));
        let latest = (LIMITERS - 1).to_string();
        assert!(rates.knows(Counted::Link(&latest)) && !rates.knows(Counted::Link("0")));
    }
}
