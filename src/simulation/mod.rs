//! Storm tests of the whole program. A storm runs each room by hand, one act after another, in an order that a seed
//! picks.
//! The provider is its pure model, and the database is in memory.
//!
//! - In: seeds.
//! - Out: how often each event met each state, or the shortest history that breaks an invariant.
//! - Promises: the same seed does the same. The process dies at any await and between any two commits. The invariants
//!   are checked after every act. After the storm everything comes to rest.
//! - May not: be part of the program; it is compiled for tests only.

mod act;
mod amended;
mod asking;
mod blame;
mod calm;
mod circuits;
mod corrected;
mod counts;
mod days;
mod doubt;
mod fate;
mod foreign;
mod foreseen;
mod former;
mod guards;
mod hours;
mod invariants;
mod joined;
mod laid_out;
mod lately;
mod mutations;
mod net;
mod operators;
mod pace;
mod pairs;
mod partition;
mod passed_on;
mod pools;
mod reader;
mod refusals;
mod renamed;
mod repeats;
mod restarts;
mod restored;
mod scene;
mod set_aside;
mod shrink;
mod small;
mod trials;
mod turned_away;
mod weather;
mod windows;
mod wishes;
mod world;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use weather::{Failure, Seen, Weather};

/// Number of storms that together meet every pair of state and event. A smaller run does not check the pairs.
const ENOUGH: u64 = 2_500;
/// Maximum number of runs of a failed seed while `shrink` looks for the acts that it needs.
const TRIES: u32 = 400;

fn number_of(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|value| value.parse().unwrap_or_else(|_| panic!("invalid {name} = {value}: a number is required")))
}

/// The acts of a reduced history, if `VOLLEY_STORM_ACTS` names them.
fn acts() -> Option<BTreeSet<u32>> {
    let value = std::env::var("VOLLEY_STORM_ACTS").ok()?;
    let number = |act: &str| act.trim().parse().unwrap_or_else(|_| panic!("invalid act {act}: a number is required"));
    Some(value.split(',').filter(|act| !act.trim().is_empty()).map(number).collect())
}

/// Prints what a seed does, act by act.
fn replay(seed: u64) {
    let mut weather = Weather::new();
    let acts = acts();
    let run = weather.run(seed, acts.as_ref(), true);
    match run {
        Ok(seen) => println!("{}\nseed {seed} held: {} events", seen.log.join("\n"), seen.met.events()),
        Err(failure) => panic!("{}", failure.history(seed, acts.as_ref())),
    }
}

#[test]
fn every_storm_keeps_the_invariants_and_comes_to_rest() {
    weather::capture_panics();
    if let Some(seed) = number_of("VOLLEY_STORM_SEED") {
        return replay(seed);
    }
    let seeds = number_of("VOLLEY_STORMS").unwrap_or(300);
    let from = number_of("VOLLEY_STORM_FROM").unwrap_or(0);
    let (next, failed) = (AtomicU64::new(from), AtomicBool::new(false));
    let take = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|seed| *seed < seeds);
    let take = || take().filter(|_| !failed.load(Ordering::Relaxed));
    let storms = || -> Result<Seen, (u64, Failure)> {
        let mut weather = Weather::new();
        let mut all = Seen::default();
        for seed in std::iter::from_fn(take) {
            let seen = weather.run(seed, None, false).inspect_err(|_| failed.store(true, Ordering::Relaxed));
            let seen = seen.map_err(|failure| (seed, failure))?;
            seen.check_size(seed);
            all.add(&seen);
        }
        Ok(all)
    };
    // Each storm waits half its time for its database thread, so there are two threads per core.
    let threads = 2 * std::thread::available_parallelism().map_or(1, usize::from);
    let runs: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(storms)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|p| std::panic::resume_unwind(p))).collect()
    });
    let mut all = Seen::default();
    for run in runs {
        match run {
            Ok(seen) => all.add(&seen),
            Err((seed, failure)) => {
                let tries = number_of("VOLLEY_STORM_TRIES").map_or(TRIES, |tries| u32::try_from(tries).unwrap());
                panic!("{}", shrink::shortest(seed, &failure, tries));
            }
        }
    }
    println!("{all}");
    if seeds.saturating_sub(from) >= ENOUGH {
        pairs::check(&all.met);
    }
}
