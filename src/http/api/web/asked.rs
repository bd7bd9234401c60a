//! What operators have asked the provider lately, and its answers. They are kept until the next question or restart.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::base::domain::{Span, Timestamp};
use crate::campaigns::status::Findings;
use crate::http::api::native::{Answer, Kind, Problem};
use crate::http::pages::FetchedLanes;

/// The latest answers of the provider.
#[derive(Debug, Default)]
pub(in crate::http::api) struct LatestAnswers {
    /// Whether it accepts keys, accounts and channels.
    pub(super) checks: Latest<Findings>,
    /// Its templates, for the lanes of each channel.
    pub(super) templates: Latest<Vec<FetchedLanes>>,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Asked<T> {
    pub(super) at: Timestamp,
    pub(super) by: String,
    pub(super) answer: T,
}

/// The latest answer to one question, which is asked once at a time.
#[derive(Debug)]
pub(super) struct Latest<T> {
    known: Mutex<Option<Arc<Asked<T>>>>,
    asking: tokio::sync::Mutex<()>,
}

impl<T> Default for Latest<T> {
    fn default() -> Self {
        Self { known: Mutex::new(None), asking: tokio::sync::Mutex::default() }
    }
}

impl<T> Latest<T> {
    pub(super) fn known(&self) -> Option<Arc<Asked<T>>> {
        self.known.lock().clone()
    }

    /// Asks, and keeps the answer. Another operator who asks meanwhile is refused.
    pub(super) async fn ask(&self, at: Timestamp, by: &str, question: impl Future<Output = Answer<T>>) -> Answer<()> {
        let Ok(_asking) = self.asking.try_lock() else {
            let sentence = "another operator has just asked the provider; load the page again in a few seconds";
            return Err(Problem::new(Kind::Busy, sentence).retry_after(Span::from_secs(5)));
        };
        let answer = question.await?;
        *self.known.lock() = Some(Arc::new(Asked { at, by: by.to_owned(), answer }));
        Ok(())
    }
}
