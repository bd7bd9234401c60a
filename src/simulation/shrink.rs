//! Reduces a failure to the acts that it needs.

use std::collections::BTreeSet;

use super::weather::{ACTS, Failure, Weather};

/// Drops acts as long as the same check still fails, in at most this many runs. Returns the history of the remaining
/// acts.
pub(super) fn shortest(seed: u64, first: &Failure, tries: u32) -> String {
    let mut weather = Weather::new();
    let mut left = tries;
    let mut fails = |acts: &BTreeSet<u32>| {
        left = left.checked_sub(1)?;
        Some(weather.run(seed, Some(acts), false).is_err_and(|failure| failure.location == first.location))
    };
    // Acts after the failure have no part in it.
    let mut acts: BTreeSet<u32> = (0..ACTS).filter(|number| *number <= first.acts).collect();
    let mut size = acts.len().div_ceil(2);
    'tries: while size > 0 {
        let mut dropped = false;
        let numbers: Vec<u32> = acts.iter().copied().collect();
        for chunk in numbers.rchunks(size) {
            let fewer: BTreeSet<u32> = acts.iter().copied().filter(|number| !chunk.contains(number)).collect();
            match fails(&fewer) {
                Some(true) => {
                    acts = fewer;
                    dropped = true;
                }
                Some(false) => {}
                None => break 'tries,
            }
        }
        // One act at a time is dropped until a whole pass drops none.
        if size == 1 && !dropped {
            break;
        }
        size = if dropped && size == 1 { 1 } else { (size / 2).max(1).min(acts.len()) };
    }
    let mut weather = Weather::new();
    match weather.run(seed, Some(&acts), true) {
        Err(failure) => failure.history(seed, Some(&acts)),
        Ok(_) => format!("{} (but a second run of these acts passed: it does not replay)", first.history(seed, None)),
    }
}
