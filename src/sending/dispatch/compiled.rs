//! What a lane compiles once for a step: its requests, and its limits and prices.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;

use super::compose::{For, Uncomposable, compose};
use super::tariff;
use crate::base::config::Lane;
use crate::base::domain::{BatchId, Country, Loaded, MessagingApi, Span, Step, StepIndex};
use crate::rules::planner::Cap;
use crate::rules::template::Pattern;
use crate::sending::book::Entry;

/// Messages whose requests have one pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct PatternKey {
    batch: BatchId,
    step: StepIndex,
    /// `None` is for all countries in which the step has its default content.
    country: Option<Country>,
    /// Whether they have an expiry of their own.
    expires: bool,
    /// Whether the channel knows them by an id.
    has_no_number: bool,
}

/// A TTL that ends later than any expiry.
const LONGEST: Span = Span::from_millis(i64::MAX);

/// `None` if the step has neither limits nor prices.
type MaybeCap = Option<Arc<Cap>>;

#[derive(Debug, Default)]
pub(super) struct Compiled {
    patterns: RwLock<HashMap<PatternKey, Arc<Pattern>>>,
    /// The caps of the steps used so far, each with the edition of the plan.
    caps: RwLock<HashMap<(BatchId, StepIndex), (u32, MaybeCap)>>,
}

impl Compiled {
    /// The request of a message's present step by this lane.
    pub(super) fn pattern(&self, entry: &Entry, message: &Loaded, lane: &Lane) -> Result<Arc<Pattern>, Uncomposable> {
        let (step, country, expires) = (message.present.step, message.country, message.present.expires.is_some());
        let has_no_number = message.address.is_user();
        let differs = entry.plan.step(step).is_some_and(|step| step.differs_in(country));
        let key = PatternKey { batch: entry.id, step, country: differs.then_some(country), expires, has_no_number };
        if let Some(pattern) = self.patterns.read().get(&key) {
            return Ok(Arc::clone(pattern));
        }
        let rules = entry.plan.step(step).ok_or(Uncomposable::NoStep { step })?;
        let compose =
            |rules| compose(lane.provider.api, rules, &lane.name, For { country, has_no_number }, entry.plan.names());
        let pattern = if expires { compose(&naming_expiry(rules))? } else { compose(rules)? };
        // The SMS API has keys of its own.
        let extras = entry.plan.api.as_ref().filter(|_| lane.provider.api == MessagingApi::ChatApps);
        let pattern = Arc::new(pattern.with_extras(extras.and_then(|calls| calls.extras)));
        self.patterns.write().insert(key, Arc::clone(&pattern));
        Ok(pattern)
    }

    /// The cap of a step, if limits or prices apply.
    pub(super) fn cap(&self, entry: &Entry, step: StepIndex) -> Option<Arc<Cap>> {
        let key = (entry.id, step);
        if let Some((edition, cap)) = self.caps.read().get(&key)
            && *edition == entry.edition
        {
            return cap.clone();
        }
        let cap = entry.plan.step(step).and_then(|rules| tariff::cap(&entry.plan, rules)).map(Arc::new);
        self.caps.write().insert(key, (entry.edition, cap.clone()));
        cap
    }

    /// Drops everything of other batches.
    pub(super) fn retain(&self, is_current: impl Fn(BatchId) -> bool) {
        self.patterns.write().retain(|key, _| is_current(key.batch));
        self.caps.write().retain(|(batch, _), _| is_current(*batch));
    }
}

/// The step for messages with an expiry of their own, whose requests always name one: without a TTL, the message's own is
/// the earlier.
fn naming_expiry(step: &Step) -> Step {
    Step { ttl: step.ttl.or(Some(LONGEST)), ..step.clone() }
}
