//! The whole of it under storm: every room by hand, one act after the other in an order that a seed picks, over the
//! provider's pure model and a database in memory.
//!
//! In: seeds. Out: nothing, or the history of the seed in which something did not hold.
//! Promises: the same seed does the same; the process dies at any await and between any two commits; after every act
//! what is held always holds; after the storm everything comes to rest.
//! May not: be part of the program: it is compiled for tests alone.

mod asking;
mod fate;
mod holds;
mod net;
mod scene;
mod world;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::FutureExt;

use crate::engine::met;
use world::World;

/// Acts of one storm.
const ACTS: u32 = 260;

/// What a run of many seeds has been through.
#[derive(Debug, Default)]
struct Met {
    seeds: u64,
    deaths: u64,
    changed: u64,
    pairs: BTreeMap<met::Pair, u64>,
}

impl Met {
    fn add(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.deaths += other.deaths;
        self.changed += other.changed;
        for (pair, times) in other.pairs {
            *self.pairs.entry(pair).or_default() += times;
        }
    }
}

fn number_of(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|said| said.parse().ok())
}

/// Runs one seed; panics with its history.
async fn weather(seed: u64, tell: bool) -> Met {
    let mut world = AssertUnwindSafe(World::begin(seed)).catch_unwind().await.unwrap_or_else(|_| panic!("seed {seed}"));
    if tell {
        world.tell();
    }
    let storm = async {
        for _ in 0..ACTS {
            world.step().await;
        }
        world.calm().await;
    };
    if AssertUnwindSafe(storm).catch_unwind().await.is_err() {
        let history: Vec<_> = world.history.iter().map(String::as_str).collect();
        panic!("seed {seed}; VOLLEY_STORM_SEED={seed} repeats it. The latest acts:\n{}", history.join("\n"));
    }
    Met { seeds: 1, deaths: u64::from(world.deaths), changed: world.changed, pairs: met::take() }
}

/// Runs seeds on this thread.
fn run(seeds: impl Iterator<Item = u64>, tell: bool) -> Met {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut met = Met::default();
    seeds.for_each(|seed| met.add(runtime.block_on(weather(seed, tell))));
    met
}

#[test]
fn whatever_happens_what_is_held_holds_and_everything_comes_to_rest() {
    if let Some(seed) = number_of("VOLLEY_STORM_SEED") {
        run(std::iter::once(seed), true);
        return;
    }
    let seeds = number_of("VOLLEY_STORMS").unwrap_or(200);
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut all = Met::default();
    std::thread::scope(|scope| {
        let take = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|seed| *seed < seeds);
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(move || run(std::iter::from_fn(take), false))).collect();
        for thread in threads {
            all.add(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
    });
    println!("{} seeds, {} deaths, {} changes of messages", all.seeds, all.deaths, all.changed);
    for ((state, event), times) in &all.pairs {
        println!("{state:>10} {event:<14} {times:>10}");
    }
}
