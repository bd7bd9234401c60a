//! Requests that take longer than others: how many there may be of one kind, and of one caller.

use std::collections::HashMap;
use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use parking_lot::Mutex;

use super::limit_tally::{Holder, LimitTally};
use crate::base::domain::ServerLimit;
use crate::http::access::Caller;

/// A limit of long requests is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::http::api) enum Crowded {
    #[error("all {most} {} of the server are in use; close some, or retry later", limit.what())]
    Everybody { limit: ServerLimit, most: u32 },
    #[error("this caller has {most} {} at once, as many as it may have; close some", limit.what())]
    Caller { limit: ServerLimit, most: u32 },
}

impl IntoResponse for Crowded {
    fn into_response(self) -> Response {
        (StatusCode::SERVICE_UNAVAILABLE, format!("{self}\n")).into_response()
    }
}

/// The long requests of one kind.
#[derive(Debug)]
pub(super) struct LongRequests {
    limit: ServerLimit,
    most: u32,
    /// How many of them one caller may have.
    share: u32,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: u32,
    /// By the id of the caller.
    of: HashMap<String, u32>,
    tally: LimitTally,
}

/// The permit of one long request, until it is dropped.
#[derive(Debug)]
pub(in crate::http::api) struct Permit {
    requests: Arc<LongRequests>,
    caller: String,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut taken = self.requests.taken.lock();
        taken.all -= 1;
        let left = taken.of.get(&self.caller).map_or(0, |held| held - 1);
        if left == 0 {
            taken.of.remove(&self.caller);
        } else {
            taken.of.insert(std::mem::take(&mut self.caller), left);
        }
    }
}

impl LongRequests {
    pub(super) fn new(limit: ServerLimit, most: u32, share: u32) -> Arc<Self> {
        Arc::new(Self { limit, most, share, taken: Mutex::default() })
    }

    pub(super) const fn limit(&self) -> ServerLimit {
        self.limit
    }

    pub(super) const fn most(&self) -> u32 {
        self.most
    }

    pub(super) fn taken(&self) -> u32 {
        self.taken.lock().all
    }

    pub(super) fn tally(&self) -> LimitTally {
        self.taken.lock().tally.clone()
    }

    /// Takes one for a caller.
    pub(super) fn take(self: &Arc<Self>, caller: &Caller) -> Result<Permit, Crowded> {
        let (mut taken, limit) = (self.taken.lock(), self.limit);
        let held = taken.of.get(&caller.id).copied().unwrap_or_default();
        if held >= self.share {
            taken.tally.count(Some(Holder { name: caller.name.clone(), held }));
            return Err(Crowded::Caller { limit, most: self.share });
        }
        if taken.all >= self.most {
            taken.tally.count(None);
            return Err(Crowded::Everybody { limit, most: self.most });
        }
        taken.all += 1;
        taken.of.insert(caller.id.clone(), held + 1);
        Ok(Permit { requests: Arc::clone(self), caller: caller.id.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::api::native::tests::caller;

    #[test]
    fn one_caller_has_a_share_and_leaves_the_rest_to_others() {
        let requests = LongRequests::new(ServerLimit::EventStreams, 5, 3);
        let (a, b, c) = (caller("a", &[]), caller("b", &[]), caller("c", &[]));
        let mut of_a: Vec<Permit> = (0..3).map(|_| requests.take(&a).unwrap()).collect();
        assert_eq!(requests.take(&a).unwrap_err(), Crowded::Caller { limit: ServerLimit::EventStreams, most: 3 });
        assert_eq!(requests.tally().latest, Some(Holder { name: "ann".to_owned(), held: 3 }));
        let of_b = [requests.take(&b).unwrap(), requests.take(&b).unwrap()];
        assert_eq!(requests.take(&c).unwrap_err(), Crowded::Everybody { limit: ServerLimit::EventStreams, most: 5 });
        assert_eq!(requests.tally(), LimitTally { count: 2, latest: None });
        of_a.pop();
        let of_c = requests.take(&c).unwrap();
        drop((of_a, of_b, of_c));
        assert_eq!((requests.taken(), requests.taken.lock().of.len()), (0, 0));
    }
}
