//! What only cells decide about where a message goes and where its files are: ids that several recipients have, and
//! addresses that no provider can fetch.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use sha2::{Digest, Sha256};

use super::affected::Affected;
use super::lint::{Lint, Warning};
use crate::base::config::{Config, Problem, reachable_by_all};
use crate::base::domain::{Channel, ChannelUser, ContentPart, Plan, Reachable, Recipient, Step, StepIndex, Takers};
use crate::rules::template::{RecipientText, is_fetchable};

/// The longest text that is named whole.
const SHOWN: usize = 60;

fn shown(text: &str) -> String {
    let shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() { format!("{shown}…") } else { shown }
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addresses {
    /// Recipients whose id has not the form of LINE's: a STOP of theirs could not be attributed to them.
    malformed: BTreeMap<StepIndex, Affected<String>>,
    /// Recipients with the id of an earlier one, by step.
    shared: BTreeMap<StepIndex, Affected<String>>,
    /// Addresses that no provider can fetch, by step and part.
    unfetchable: BTreeMap<(StepIndex, ContentPart), Affected<String>>,
}

impl Addresses {
    /// What is wrong with ids. Neither is left to the provider: a person would get the message twice, or could not stop it.
    pub(super) fn problem(&self, all: u64) -> Option<Problem> {
        let malformed = (&self.malformed, "an id that LINE does not have, which is U and 32 letters or digits");
        let shared = (&self.shared, "the id of an earlier row, so one person would get the message several times");
        let (step, wrong, what) = [malformed, shared].into_iter().find_map(|(found, what)| {
            let (step, wrong) = found.first_key_value()?;
            Some((*step, wrong, what))
        })?;
        let (of, have) = (wrong.of(all), wrong.verb("has", "have"));
        let sentence = format!("{of} {have} {what}: {wrong}; remove these rows, or correct their ids");
        Some(Problem::new(Some(step), "line_user_id", sentence))
    }

    pub(super) fn warnings(&self, all: u64) -> impl Iterator<Item = Warning> {
        self.unfetchable.iter().map(move |((step, part), wrong)| {
            let sentence = format!(
                "{part}: for {}, the address does not begin with https://, so the provider cannot fetch the file, and the \
                 step fails: {wrong}; correct these cells",
                wrong.of(all)
            );
            Warning { code: Lint::Media, step: Some(*step), sentence: sentence.into() }
        })
    }
}

/// Looks at the ids and the addresses of one recipient after another.
#[derive(Debug)]
pub(super) struct AddressPass {
    steps: Vec<StepAddresses>,
    /// The digests of the ids so far, each with its step: of a million ids, the ids would take four times as much.
    seen: HashSet<(StepIndex, [u8; 16])>,
    found: Addresses,
}

#[derive(Debug)]
struct StepAddresses {
    index: StepIndex,
    takers: Takers,
    id: Option<RecipientText>,
    files: Vec<RecipientText>,
    reachable: Reachable,
}

impl AddressPass {
    /// `None` if no cell decides about these things.
    pub(super) fn of(plan: &Plan, config: &Config) -> Option<Self> {
        let of_step = |(index, step): (StepIndex, &Step)| {
            let id = RecipientText::user_id(step, plan.names());
            let files = RecipientText::file_addresses(step, plan.names());
            (id.is_some() || !files.is_empty()).then(|| StepAddresses {
                index,
                takers: step.takers(),
                id,
                files,
                reachable: reachable_by_all(step.lanes.names().filter_map(|lane| config.lane(lane))),
            })
        };
        let steps: Vec<StepAddresses> = plan.indexed_steps().filter_map(of_step).collect();
        (!steps.is_empty()).then(|| Self { steps, seen: HashSet::new(), found: Addresses::default() })
    }

    pub(super) fn look(&mut self, recipient: &Recipient, fields: &[Cow<'_, str>]) {
        let Self { steps, seen, found } = self;
        for step in steps.iter().filter(|step| step.takers.include(recipient)) {
            if let Some(id) = step.id.as_ref().and_then(|id| id.fill(fields)) {
                let found = match ChannelUser::channel_of(&id) {
                    Some(Channel::Line) if seen.insert((step.index, digest(&id))) => None,
                    Some(Channel::Line) => Some(&mut found.shared),
                    Some(_) | None => Some(&mut found.malformed),
                };
                if let Some(found) = found {
                    found.entry(step.index).or_default().add(recipient.address.as_ref(), || shown(&id));
                }
            }
            for file in &step.files {
                if let Some(address) = file.fill(fields)
                    && !is_fetchable(&address, step.reachable)
                {
                    let place = (step.index, file.part.clone());
                    found.unfetchable.entry(place).or_default().add(recipient.address.as_ref(), || shown(&address));
                }
            }
        }
    }

    pub(super) fn found(&self) -> Addresses {
        self.found.clone()
    }
}

fn digest(id: &str) -> [u8; 16] {
    let whole: [u8; 32] = Sha256::digest(id).into();
    let mut half = [0; 16];
    half.copy_from_slice(&whole[..16]);
    half
}
