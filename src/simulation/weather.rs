//! Runs one seed from its beginning until it comes to rest, and collects what it met.

use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;

use futures_util::FutureExt;
use tokio::runtime::Runtime;

use super::pairs;
use super::world::World;
use crate::rules::engine::met::{self, Coverage};

/// The number of acts in one storm.
pub(super) const ACTS: u32 = 260;

/// What a run has met.
#[derive(Debug, Default)]
pub(super) struct Seen {
    seeds: u64,
    deaths: u64,
    changed: u64,
    /// Acts that were carried out, each followed by a check of the invariants.
    acts: u64,
    messages: usize,
    steps: usize,
    lanes: usize,
    pub(super) met: Coverage,
    pub(super) log: Vec<String>,
}

impl Seen {
    pub(super) fn add(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.deaths += other.deaths;
        self.changed += other.changed;
        self.acts += other.acts;
        self.met.add(&other.met);
    }

    /// Checks that the seed was worthwhile: it has the size that every storm promises.
    pub(super) fn check_size(&self, seed: u64) {
        let Self { messages, steps, lanes, deaths, acts, .. } = self;
        let enough = *messages >= 20 && *steps >= 3 && *lanes >= 2 && *deaths >= 1 && *acts >= 200;
        assert!(
            enough,
            "seed {seed} is too small: {messages} messages, {steps} steps, {lanes} lanes, {deaths} deaths, {acts} acts"
        );
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seeds, deaths, acts, changed, met, .. } = self;
        let events = met.events();
        writeln!(f, "{seeds} seeds, {deaths} deaths, {acts} acts, {events} events of messages, {changed} changes")?;
        pairs::table(f, met)
    }
}

/// Where and why an invariant failed.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub(super) what: String,
    /// The source line of the failed check. It tells one failure from another.
    pub(super) location: String,
    /// The number of acts that were complete when it happened.
    pub(super) acts: u32,
    pub(super) log: Vec<String>,
}

impl Failure {
    /// Returns everything that helps to find the cause.
    pub(super) fn history(&self, seed: u64, acts: Option<&BTreeSet<u32>>) -> String {
        let replay = acts.map_or_else(String::new, |acts| {
            let acts: Vec<String> = acts.iter().map(u32::to_string).collect();
            format!(" VOLLEY_STORM_ACTS={}", acts.join(","))
        });
        let log = self.log.join("\n");
        format!("{}\n  at {}\n{log}\nVOLLEY_STORM_SEED={seed}{replay} repeats it", self.what, self.location)
    }
}

thread_local! {
    /// The first panic on this thread since the last run began; `None` while no storm runs on it.
    static PANIC: RefCell<Option<Option<(String, String)>>> = const { RefCell::new(None) };
}

/// Keeps panics of storms instead of printing them. Panics on other threads are printed as before.
pub(super) fn capture_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !PANIC.with_borrow_mut(|panic| panic.as_mut().map(|panic| keep(panic, info)).is_some()) {
                usual(info);
            }
        }));
    });
}

fn keep(panic: &mut Option<(String, String)>, info: &PanicHookInfo<'_>) {
    let location = info.location().map_or_else(String::new, ToString::to_string);
    panic.get_or_insert_with(|| (text(info.payload()), location));
}

fn text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().cloned();
    text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

/// A thread's own runtime, which runs one world after another.
pub(super) struct Weather(Runtime);

impl Weather {
    pub(super) fn new() -> Self {
        Self(tokio::runtime::Builder::new_current_thread().build().unwrap())
    }

    /// Runs a seed, or only some of its acts.
    pub(super) fn run(&mut self, seed: u64, acts: Option<&BTreeSet<u32>>, keep_log: bool) -> Result<Seen, Failure> {
        PANIC.set(Some(None));
        met::take();
        let mut world = None;
        let mut through = 0;
        let run = async {
            let world = world.insert(World::begin(seed, keep_log).await);
            for number in (0..ACTS).filter(|number| acts.is_none_or(|acts| acts.contains(number))) {
                through = number;
                world.storm(number).await;
            }
            through = ACTS;
            world.calm().await;
        };
        let ended = self.0.block_on(AssertUnwindSafe(run).catch_unwind());
        let panic = PANIC.take().flatten();
        let log = world.as_mut().and_then(|world| world.log.take()).unwrap_or_default();
        match (ended, panic, world) {
            (Ok(()), None, Some(world)) => Ok(Seen {
                seeds: 1,
                deaths: u64::from(world.deaths),
                changed: world.changed,
                acts: world.acts,
                messages: world.invariants.messages().count(),
                steps: world.invariants.steps(),
                lanes: world.lanes(),
                met: met::take(),
                log,
            }),
            (_, panic, _) => {
                let (what, location) = panic.unwrap_or_default();
                Err(Failure { what, location, acts: through, log })
            }
        }
    }
}
