//! What a lane compiles once for a step: its requests, and its limits and prices.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;

use super::compose::{Uncomposable, compose};
use super::tariff;
use crate::book::Entry;
use crate::config::Lane;
use crate::domain::{BatchId, Country, StepIndex};
use crate::planner::Cap;
use crate::template::Pattern;

/// `None` is for all countries in which the step has its default content.
type PatternKey = (BatchId, StepIndex, Option<Country>);

/// `None` if the step has neither limits nor prices.
type MaybeCap = Option<Arc<Cap>>;

#[derive(Debug, Default)]
pub(super) struct Compiled {
    patterns: RwLock<HashMap<PatternKey, Arc<Pattern>>>,
    /// The caps of the steps used so far, each with the edition of the plan.
    caps: RwLock<HashMap<(BatchId, StepIndex), (u32, MaybeCap)>>,
}

impl Compiled {
    /// The request of a step by this lane to recipients of a country.
    pub(super) fn pattern(
        &self,
        entry: &Entry,
        step: StepIndex,
        country: Country,
        lane: &Lane,
    ) -> Result<Arc<Pattern>, Uncomposable> {
        let differs = entry.plan.step(step).is_some_and(|step| step.differs_in(country));
        let key = (entry.id, step, differs.then_some(country));
        if let Some(pattern) = self.patterns.read().get(&key) {
            return Ok(Arc::clone(pattern));
        }
        let rules = entry.plan.step(step).ok_or(Uncomposable::NoStep { step })?;
        let pattern = compose(lane.provider.api, rules, &lane.name, country, entry.plan.names())?;
        let pattern = Arc::new(pattern);
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
        self.patterns.write().retain(|(batch, _, _), _| is_current(*batch));
        self.caps.write().retain(|(batch, _), _| is_current(*batch));
    }
}
