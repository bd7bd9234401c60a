//! From a draft to a plan: every rule of a route, checked once.

use std::collections::BTreeMap;

use super::error::Problem;
use super::file::{Draft, DraftStep};
use super::lint::{Lint, Warning};
use super::time::Schedule;
use crate::config::{Config, Lane, hint};
use crate::domain::{Channel, Content, OnOverlap, Plan, Span, Step, StepIndex, Zone};
use crate::template::{self, Place};

/// How far past a template's TTL `on_overlap = "wait"` moves a deadline, so that the provider's own word that the
/// template has expired comes first.
const OVERLAP_MARGIN: Span = Span::from_secs(30);
/// The longest that a fallback may be held up for a template's TTL: who waits longer is not waiting for a fallback.
const OVERLAP_MAX: Span = Span::from_secs(86_400);

/// The plan of a draft for an audience with these columns, and what was changed on the way; or all that is wrong.
pub fn plan(
    draft: &Draft,
    columns: &[String],
    config: &Config,
    schedule: &Schedule,
) -> Result<(Plan, Vec<Warning>), Vec<Problem>> {
    let mut building = Building { draft, columns, config, problems: Vec::new(), warnings: Vec::new() };
    for note in &schedule.notes {
        building.warnings.push(Warning { code: Lint::ClockChange, step: None, sentence: note.clone() });
    }
    let mut taken = BTreeMap::new();
    let mut steps = Vec::new();
    for (index, step) in StepIndex::all().zip(&draft.steps) {
        if let Some(first) = taken.insert(step.channel.code(), index) {
            let sentence =
                format!("{} is step {first} already, and a receipt names no step; use a channel once", step.channel);
            building.wrong(index, "channel", sentence);
        }
        steps.extend(building.step(index, step));
    }
    if !building.problems.is_empty() {
        return Err(building.problems);
    }
    let plan = Plan {
        columns: columns.to_vec(),
        steps,
        ttl: draft.ttl,
        end: schedule.end,
        on_unknown: draft.on_unknown,
        after_gap: draft.after_gap,
        time_zone: draft.time_zone.map(Zone),
    };
    Ok((plan, building.warnings))
}

struct Building<'a> {
    draft: &'a Draft,
    columns: &'a [String],
    config: &'a Config,
    problems: Vec<Problem>,
    warnings: Vec<Warning>,
}

impl Building<'_> {
    fn wrong(&mut self, step: StepIndex, key: impl Into<String>, sentence: impl std::fmt::Display) {
        self.problems.push(Problem::new(Some(step), key, sentence));
    }

    /// `None` where a problem was found, which has been noted.
    fn step(&mut self, index: StepIndex, step: &DraftStep) -> Option<Step> {
        let channel = step.channel;
        let success = step.success_status.unwrap_or(channel.default_success());
        if success > channel.best_status() {
            let sentence = format!("{channel} never reports {success}; use {}", channel.default_success());
            self.wrong(index, "success_status", sentence);
        }
        self.content(index, step);
        let fallback_after = self.fallback_after(index, step);
        let lane = self.lane(index, step)?;
        Some(Step {
            channel,
            lane: lane.name.clone(),
            fallback_after,
            success,
            receipt_window: step.receipt_window.unwrap_or(match &step.content {
                Content::Template(template) => template.effective_ttl(),
                Content::Text { .. } => channel.receipt_window(),
            }),
            leave_within: step.leave_within,
            on_tier_spent: step.on_tier_spent,
            content: with_source(&step.content, lane),
        })
    }

    fn content(&mut self, index: StepIndex, step: &DraftStep) {
        let mut errors = template::check(step.channel, &step.content);
        if errors.is_empty() {
            errors.extend(template::mark(&step.content, self.columns).err());
        }
        for error in errors {
            self.wrong(index, key_of(error.place), error.problem);
        }
    }

    /// The step's time until it gives way, moved where `on_overlap` wants that.
    fn fallback_after(&mut self, index: StepIndex, step: &DraftStep) -> Option<Span> {
        let fallback_after = step.fallback_after?;
        if index.index() + 1 == self.draft.steps.len() {
            // Not only a warning: whoever writes it expects something to happen then, and nothing would.
            self.wrong(index, "fallback_after", "the last step has nothing to fall back to; remove it, or add a step");
            return None;
        }
        let Content::Template(template) = &step.content else { return Some(fallback_after) };
        let ttl = template.effective_ttl();
        if ttl < fallback_after {
            return Some(fallback_after);
        }
        match self.draft.on_overlap {
            OnOverlap::Warn => Some(fallback_after),
            OnOverlap::Refuse => {
                let sentence = format!(
                    "the provider may deliver the template for {ttl}, and the step gives way after {fallback_after}, so a \
                     person may get both; set a shorter template.ttl, as it is at the provider, or write on_overlap = \
                     \"warn\""
                );
                self.wrong(index, "fallback_after", sentence);
                None
            }
            OnOverlap::Wait if ttl > OVERLAP_MAX => {
                let sentence = format!(
                    "on_overlap = \"wait\" would wait for the template's TTL, which is {ttl}, and that is more than a day; \
                     set template.ttl, as it is at the provider, or write on_overlap = \"warn\""
                );
                self.wrong(index, "fallback_after", sentence);
                None
            }
            OnOverlap::Wait => {
                let moved = Span::from_millis(ttl.millis() + OVERLAP_MARGIN.millis());
                let sentence = format!(
                    "gives way after {moved} instead of {fallback_after}, past the template's TTL, as on_overlap = \"wait\" \
                     says"
                );
                self.warnings.push(Warning { code: Lint::DeadlineMoved, step: Some(index), sentence });
                Some(moved)
            }
        }
    }

    /// The lane that the step names, else its channel's only one.
    fn lane(&mut self, index: StepIndex, step: &DraftStep) -> Option<&Lane> {
        let channel = step.channel;
        let lanes: Vec<&Lane> = self.config.lanes_on(channel).collect();
        let names: Vec<&str> = lanes.iter().map(|lane| lane.name.as_str()).collect();
        let sentence = match (&step.lane, &lanes[..]) {
            (Some(name), _) => match self.config.lane(name) {
                Some(lane) if lane.channel == channel => return Some(lane),
                Some(lane) => {
                    let others = if names.is_empty() { "add one to volley.toml".to_owned() } else { list(&names) };
                    format!("lane {name} is on {}, not on {channel}; {others}", lane.channel)
                }
                None if names.is_empty() => no_lane(channel),
                None => format!("there is no lane {name}; {}", hint(name, names)),
            },
            (None, [lane]) => return Some(lane),
            (None, []) => no_lane(channel),
            (None, [first, ..]) => {
                format!("{channel} has several lanes, {}; name one: lane = \"{}\"", names.join(", "), first.name)
            }
        };
        self.wrong(index, "lane", sentence);
        None
    }
}

fn no_lane(channel: Channel) -> String {
    format!("there is no lane on {channel}; add a [[lane]] with channel = \"{channel}\" to volley.toml")
}

fn list(names: &[&str]) -> String {
    format!("use one of {}", names.join(", "))
}

/// Where a problem of a content stands in the file.
fn key_of(place: Place) -> String {
    match place {
        Place::Text | Place::Source | Place::Encoding | Place::Template(_) => place.to_string(),
        Place::Header(_) | Place::Body(_) | Place::Button(_, _) => format!("template, {place}"),
    }
}

/// An SMS without a sender of its own has its lane's, frozen with the rest.
fn with_source(content: &Content, lane: &Lane) -> Content {
    match content {
        Content::Text { text, source: None, encoding } if lane.channel == Channel::Sms => {
            Content::Text { text: text.clone(), source: lane.source.clone(), encoding: *encoding }
        }
        Content::Text { .. } | Content::Template(_) => content.clone(),
    }
}
