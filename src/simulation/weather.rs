//! One seed from its beginning to its rest, and what was seen of it.

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
use crate::engine::met::{self, Met};

/// Acts of one storm.
pub(super) const ACTS: u32 = 260;

/// What a run has been through.
#[derive(Debug, Default)]
pub(super) struct Seen {
    seeds: u64,
    deaths: u64,
    changed: u64,
    /// Things that happened to the world, after each of which everything was held against what must hold.
    acts: u64,
    messages: usize,
    steps: usize,
    lanes: usize,
    pub(super) met: Met,
    pub(super) told: Vec<String>,
}

impl Seen {
    pub(super) fn add(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.deaths += other.deaths;
        self.changed += other.changed;
        self.acts += other.acts;
        self.met.add(&other.met);
    }

    /// Whether the seed was worth it: what every single one promises.
    pub(super) fn is_a_storm(&self, seed: u64) {
        let Self { messages, steps, lanes, deaths, acts, .. } = self;
        let enough = *messages >= 20 && *steps >= 3 && *lanes >= 2 && *deaths >= 1 && *acts >= 200;
        assert!(
            enough,
            "seed {seed} is no storm: {messages} messages, {steps} steps, {lanes} lanes, {deaths} deaths, {acts} acts"
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

/// Where and why something did not hold.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub(super) what: String,
    /// The line of the test that found it: what tells one failure from another.
    pub(super) place: String,
    /// The number of acts that were through when it happened.
    pub(super) acts: u32,
    pub(super) told: Vec<String>,
}

impl Failure {
    /// Everything that somebody needs who has to find the reason.
    pub(super) fn history(&self, seed: u64, acts: Option<&BTreeSet<u32>>) -> String {
        let replay = acts.map_or_else(String::new, |acts| {
            let acts: Vec<String> = acts.iter().map(u32::to_string).collect();
            format!(" VOLLEY_STORM_ACTS={}", acts.join(","))
        });
        let told = self.told.join("\n");
        format!("{}\n  at {}\n{told}\nVOLLEY_STORM_SEED={seed}{replay} repeats it", self.what, self.place)
    }
}

thread_local! {
    /// The first panic on this thread since it was last asked for, where somebody listens.
    static HEARD: RefCell<Option<Option<(String, String)>>> = const { RefCell::new(None) };
}

/// Lets panics of storms be kept instead of printed. Everybody else's stay as they are.
pub(super) fn listen_to_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !HEARD.with_borrow_mut(|heard| heard.as_mut().map(|heard| keep(heard, info)).is_some()) {
                usual(info);
            }
        }));
    });
}

fn keep(heard: &mut Option<(String, String)>, info: &PanicHookInfo<'_>) {
    let place = info.location().map_or_else(String::new, ToString::to_string);
    heard.get_or_insert_with(|| (text(info.payload()), place));
}

fn text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().cloned();
    text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

/// A thread's own weather: worlds, one after the other.
pub(super) struct Weather(Runtime);

impl Weather {
    pub(super) fn new() -> Self {
        Self(tokio::runtime::Builder::new_current_thread().build().unwrap())
    }

    /// Runs a seed, or only some acts of it.
    pub(super) fn run(&mut self, seed: u64, acts: Option<&BTreeSet<u32>>, tell: bool) -> Result<Seen, Failure> {
        HEARD.set(Some(None));
        met::take();
        let mut world = None;
        let mut through = 0;
        let run = async {
            let world = world.insert(World::begin(seed, tell).await);
            for number in (0..ACTS).filter(|number| acts.is_none_or(|acts| acts.contains(number))) {
                through = number;
                world.storm(number).await;
            }
            through = ACTS;
            world.calm().await;
        };
        let ended = self.0.block_on(AssertUnwindSafe(run).catch_unwind());
        let heard = HEARD.take().flatten();
        let told = world.as_mut().and_then(|world| world.told.take()).unwrap_or_default();
        match (ended, heard, world) {
            (Ok(()), None, Some(world)) => Ok(Seen {
                seeds: 1,
                deaths: u64::from(world.deaths),
                changed: world.changed,
                acts: world.acts,
                messages: world.holds.messages().count(),
                steps: world.holds.steps(),
                lanes: world.lanes(),
                met: met::take(),
                told,
            }),
            (_, heard, _) => {
                let (what, place) = heard.unwrap_or_default();
                Err(Failure { what, place, acts: through, told })
            }
        }
    }
}
