//! Waiting for a condition, never for a time to pass.

use std::fmt::Display;
use std::sync::Arc;

use volley::base::clock::{Clock, RealClock};
use volley::base::domain::Span;

/// Between two looks.
const LOOK: Span = Span::from_millis(10);

pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(RealClock::new())
}

/// Looks repeatedly until `look` succeeds. Panics with what it saw last once `within` is over.
pub(crate) async fn until<T, S, F>(what: &str, within: Span, mut look: impl FnMut() -> F) -> T
where
    S: Display,
    F: Future<Output = Result<T, S>>,
{
    let clock = clock();
    let give_up = clock.now() + within;
    loop {
        match look().await {
            Ok(found) => return found,
            Err(last) => {
                assert!(clock.now() < give_up, "{what}: not so within {within}; the last look: {last}");
                clock.sleep(LOOK).await;
            }
        }
    }
}
