//! Of which try of its step a receipt speaks.

use hashbrown::HashMap;

use super::incoming::Incoming;
use crate::domain::{Fault, MessageKey, Present, State, StepIndex, Umid};
use crate::engine::OnRecord;
use crate::store::{self, Attempt, Found, Store};

/// Which try of its step a receipt speaks of, counted from nought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Try {
    /// Nobody has to know.
    Any,
    /// This one, where `latest` left last. `learns` where the provider's name for it may be news.
    Of { told: u16, latest: u16, learns: bool },
    /// The present one or an earlier one: nobody can tell before the answer is on disk.
    Unrecorded,
}

/// Where to look for it.
enum Way<'a> {
    Plain(Try),
    /// Our id is the same for every try, the provider's name for it is not.
    Facts(&'a Umid),
}

/// The tries of messages. They matter only where a step was tried again, so of a group hardly any are read; but after a
/// storm of failures in passing that is everybody, so they are read together.
pub(super) struct Tries<'a> {
    store: &'a dyn Store,
    known: HashMap<MessageKey, Vec<Attempt>>,
}

impl<'a> Tries<'a> {
    /// With those that these receipts need, as far as that can be seen before any of them has moved its message.
    pub(super) async fn read(
        store: &'a dyn Store,
        receipts: impl Iterator<Item = (&Incoming, &Option<Found>)>,
    ) -> store::Result<Self> {
        let mut keys: Vec<MessageKey> = receipts
            .filter_map(|(incoming, found)| Some((incoming, found.as_ref()?)))
            .filter(|(incoming, found)| matches!(way(incoming, found, &found.message.present), Way::Facts(_)))
            .map(|(_, found)| found.message.key)
            .collect();
        keys.sort_unstable();
        keys.dedup();
        let mut tries = Self { store, known: HashMap::new() };
        if !keys.is_empty() {
            tries.load(keys).await?;
        }
        Ok(tries)
    }

    async fn load(&mut self, keys: Vec<MessageKey>) -> store::Result<()> {
        let attempts = self.store.attempts(keys.clone()).await?;
        self.known.extend(keys.into_iter().zip(attempts));
        Ok(())
    }

    /// Whether the facts of a message that is claimed once more show no submission of this step.
    pub(super) async fn show_none_submitted(&mut self, key: MessageKey, step: StepIndex) -> store::Result<bool> {
        let is_submitted = |attempt: &Attempt| attempt.step == step && attempt.verdict.was_begun();
        Ok(!self.facts(key).await?.iter().any(is_submitted))
    }

    async fn facts(&mut self, key: MessageKey) -> store::Result<&[Attempt]> {
        if !self.known.contains_key(&key) {
            self.load(vec![key]).await?;
        }
        Ok(self.known.get(&key).map(Vec::as_slice).unwrap_or_default())
    }

    /// Which try `incoming` speaks of, where its message stands at `now`.
    pub(super) async fn told_by(&mut self, incoming: &Incoming, found: &Found, now: &Present) -> store::Result<Try> {
        let key = found.message.key;
        match way(incoming, found, now) {
            Way::Plain(known) => Ok(known),
            Way::Facts(umid) => {
                let facts = self.facts(key).await?;
                Ok(named(umid, incoming.failure().is_some(), facts, found, now))
            }
        }
    }
}

fn way<'a>(incoming: &'a Incoming, found: &Found, now: &Present) -> Way<'a> {
    let (step, is_present) = (found.step, found.step == now.step);
    let failure = incoming.failure();
    let unknown = now.marks.unknown(step);
    let waits = is_present && matches!(now.state, State::Queued { .. } | State::Sending { .. });
    // Its time ran out before it could go again.
    let came_to_nothing = is_present && !now.marks.handed_over(step);
    if is_present && now.tries == 0 && !matches!(now.state, State::Done { .. }) {
        // What sends it out again has to leave the name of this try behind.
        let goes_again = failure.is_some_and(|it| it.fault == Fault::Passing || it.may_be_senders());
        return Way::Plain(Try::Of { told: 0, latest: 0, learns: unknown || waits || goes_again });
    }
    match &incoming.umid {
        Some(umid) if failure.is_some() || unknown || waits || came_to_nothing => Way::Facts(umid),
        Some(_) | None => Way::Plain(Try::Any),
    }
}

/// The try that the provider calls `umid`, or else the one whose name nobody has learned yet.
fn named(umid: &Umid, is_bad: bool, facts: &[Attempt], found: &Found, now: &Present) -> Try {
    let step = found.step;
    let tries = || facts.iter().filter(|attempt| attempt.step == step);
    let on_record = OnRecord::of(tries().map(|attempt| (attempt.tries, attempt.verdict.was_begun())));
    let (is_under_way, latest) = (on_record.is_under_way(now, step), on_record.latest(now, step));
    let by_name = tries().rfind(|attempt| attempt.umid.as_ref() == Some(umid));
    let nameless = tries().rfind(|attempt| attempt.may_be_called());
    let (told, learns) = match (by_name, nameless) {
        (Some(attempt), _) => (attempt.tries, false),
        (None, _) if is_under_way && is_bad => return Try::Unrecorded,
        (None, Some(attempt)) => (attempt.tries, true),
        // Good news of a try that is on its way, or that the provider had given back and took all the same.
        (None, None) if !is_bad => return Try::Any,
        (None, None) if !on_record.has_left() => (latest, false),
        (None, None) => {
            // One that had been given back, before the last that left.
            let told = latest.saturating_sub(1);
            return Try::Of { told, latest: told.saturating_add(1), learns: false };
        }
    };
    if is_under_way && is_bad && told < now.tries && now.marks.may_live(step) {
        // Should nothing come of the try on its way, this is all there is.
        return Try::Unrecorded;
    }
    Try::Of { told, latest, learns }
}
