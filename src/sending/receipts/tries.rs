//! Determines which try of its step a receipt is about.

use hashbrown::HashMap;

use super::incoming::Incoming;
use crate::base::domain::{MessageKey, Present, State, StepIndex, Umid};
use crate::rules::engine::OnRecord;
use crate::rules::wire::codes;
use crate::store::{self, Attempt, FoundAttempt, Messages};

/// The try of its step that a receipt is about, counted from zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Try {
    /// The try makes no difference.
    Any,
    /// Try `number`, while `latest` was submitted last. `learns` if the provider's id of the try may be new.
    Of { number: u16, latest: u16, learns: bool },
    /// The present try or an earlier one: undecided until the answer is on disk.
    Unrecorded,
}

/// How to find the try.
enum Way<'a> {
    Plain(Try),
    /// From the stored attempts: our id is the same for every try, but the umid is not.
    Facts(&'a Umid),
}

/// The tries of messages. They matter only for retried steps, so a group reads few of them. After a storm of temporary
/// failures every message has some, so they are read together.
pub(super) struct Tries<'a> {
    store: &'a dyn Messages,
    known: HashMap<MessageKey, Vec<Attempt>>,
}

impl<'a> Tries<'a> {
    /// Reads the tries that these receipts need, as far as that is known before any of them changes its message.
    pub(super) async fn read(
        store: &'a dyn Messages,
        receipts: impl Iterator<Item = (&Incoming, &Option<FoundAttempt>)>,
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

    /// Whether the facts of a message that is claimed for a retry show no submission of this step.
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

    /// Which try `incoming` is about, if its message is in the state `now`.
    pub(super) async fn try_of(
        &mut self,
        incoming: &Incoming,
        found: &FoundAttempt,
        now: &Present,
    ) -> store::Result<Try> {
        let key = found.message.key;
        match way(incoming, found, now) {
            Way::Plain(known) => Ok(known),
            Way::Facts(umid) => {
                let facts = self.facts(key).await?;
                Ok(try_named(umid, incoming.failure().is_some(), facts, found, now))
            }
        }
    }
}

fn way<'a>(incoming: &'a Incoming, found: &FoundAttempt, now: &Present) -> Way<'a> {
    let (step, is_present) = (found.step, found.step == now.step);
    let failure = incoming.failure();
    let unknown = now.marks.unknown(step);
    let waits = is_present && matches!(now.state, State::Queued { .. } | State::Sending { .. });
    // Its time ran out before it could be retried.
    let never_submitted = is_present && !now.marks.handed_over(step);
    if is_present && now.tries == 0 && !matches!(now.state, State::Done { .. }) {
        // A failure that resends the step must record the umid of this try first.
        let is_resent = failure.is_some_and(codes::Entry::may_be_sent_again);
        return Way::Plain(Try::Of { number: 0, latest: 0, learns: unknown || waits || is_resent });
    }
    match &incoming.umid {
        Some(umid) if failure.is_some() || unknown || waits || never_submitted => Way::Facts(umid),
        Some(_) | None => Way::Plain(Try::Any),
    }
}

/// The try with the umid `umid`, else the one whose umid is still unknown.
fn try_named(umid: &Umid, is_bad: bool, facts: &[Attempt], found: &FoundAttempt, now: &Present) -> Try {
    let step = found.step;
    let tries = || facts.iter().filter(|attempt| attempt.step == step);
    let on_record = OnRecord::of(tries().map(|attempt| (attempt.tries, attempt.verdict.was_begun())));
    let (is_under_way, latest) = (on_record.is_under_way(now, step), on_record.latest(now, step));
    let by_name = tries().rfind(|attempt| attempt.umid.as_ref() == Some(umid));
    let nameless = tries().rfind(|attempt| attempt.may_be_called());
    let (number, learns) = match (by_name, nameless) {
        (Some(attempt), _) => (attempt.tries, false),
        (None, _) if is_under_way && is_bad => return Try::Unrecorded,
        (None, Some(attempt)) => (attempt.tries, true),
        // A success of a try in flight, or of one that was returned unsent and yet was submitted.
        (None, None) if !is_bad => return Try::Any,
        (None, None) if !on_record.has_left() => (latest, false),
        (None, None) => {
            // A try that was returned unsent, before the last one that was submitted.
            let number = latest.saturating_sub(1);
            return Try::Of { number, latest: number.saturating_add(1), learns: false };
        }
    };
    if is_under_way && is_bad && number < now.tries && now.marks.may_live(step) {
        // If the try in flight comes to nothing, this failure is the only result.
        return Try::Unrecorded;
    }
    Try::Of { number, latest, learns }
}
