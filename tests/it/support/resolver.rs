//! A name resolver that stalls, fails or answers, as a test says.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::{BoxFuture, FutureExt};
use tokio::sync::watch;
use volley::provider::client::Resolve;

/// A name that no system resolves.
pub(crate) const NAME: &str = "provider.test";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Queries wait until it answers or fails.
    Stalls,
    Fails,
    Answers,
}

#[derive(Debug)]
pub(crate) struct Resolver {
    to: SocketAddr,
    mood: watch::Sender<Mood>,
    asked: AtomicUsize,
    given_up: Arc<AtomicUsize>,
}

/// A query without an answer so far.
struct Question {
    given_up: Arc<AtomicUsize>,
    is_answered: bool,
}

impl Question {
    fn ends(mut self) {
        self.is_answered = true;
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        if !self.is_answered {
            self.given_up.fetch_add(1, Ordering::AcqRel);
        }
    }
}

impl Resolver {
    /// One that resolves every name to this address.
    pub(crate) fn of(to: SocketAddr, mood: Mood) -> Arc<Self> {
        let (asked, given_up) = (AtomicUsize::default(), Arc::default());
        Arc::new(Self { to, mood: watch::Sender::new(mood), asked, given_up })
    }

    /// The URL of requests whose name it resolves.
    pub(crate) fn url(&self) -> String {
        format!("http://{NAME}:{}", self.to.port())
    }

    pub(crate) fn becomes(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }

    /// Queries so far.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::Acquire)
    }

    /// Queries on which the client has given up.
    pub(crate) fn given_up(&self) -> usize {
        self.given_up.load(Ordering::Acquire)
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        assert_eq!(name, NAME);
        self.asked.fetch_add(1, Ordering::AcqRel);
        let question = Question { given_up: Arc::clone(&self.given_up), is_answered: false };
        let (mut mood, to) = (self.mood.subscribe(), self.to);
        async move {
            let mood = *mood.wait_for(|mood| *mood != Mood::Stalls).await.map_err(io::Error::other)?;
            question.ends();
            if mood == Mood::Fails {
                return Err(io::Error::other("no such name"));
            }
            Ok(vec![to])
        }
        .boxed()
    }
}
