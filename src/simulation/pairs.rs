//! What storms have to have met: every event in every state, but for what cannot be, and every rule.

use std::fmt;

use crate::domain::Ending;
use crate::engine::Rule;
use crate::engine::met::{AWAITING, DONE, Met, Pair, QUEUED, SENDING, all_pairs, all_rules};

/// Why a pair cannot be met; nothing where it can.
fn impossible(pair: &Pair) -> Option<&'static str> {
    let Pair { state, event, what, step } = *pair;
    match (state, event, what, step) {
        (_, "answered", "could not leave", _) => Some("what could not leave in time goes back, and its timer ends it"),
        (_, "answered", "by the person", _) => Some("no code of an answer says so"),
        (SENDING | AWAITING | DONE, "claimed", ..) => Some("a claim takes what is queued"),
        (SENDING, "due", ..) => Some("what is being sent is not due"),
        (DONE, "due", "trusted" | "held" | "lost", _) => {
            Some("what has ended is not due, unless the answer has ended it")
        }
        (SENDING, "called off", "cancel", _) => Some("a sweep leaves alone what is being sent"),
        (DONE, "called off", "cancel", _) => Some("what has ended is called off no more"),
        (SENDING | AWAITING | DONE, "tier spent" | "put off", ..) | (_, "tier spent", _, "earlier" | "later") => {
            Some("a claim says so of what it has just found in its queue")
        }
        (SENDING | AWAITING | DONE, "doubted", ..) => Some("what has fallen back is looked for in its queue"),
        (_, "reached" | "failed", _, "later") => Some("a step that has not begun has no receipts"),
        _ => None,
    }
}

/// Pairs that can be met, and so seldom that ten thousand storms may miss them: no recipient gets 45 messages there, and no step
/// has twenty refusals alike. They are counted and not demanded. The engine's rules have a story of each
/// (`engine/rules/late.rs`, "what storms hardly ever meet"), and `refusals.rs` of the twenty.
fn seldom(pair: &Pair) -> bool {
    matches!(
        (pair.state, pair.event, pair.what, pair.step),
        (QUEUED, "due", "filled", _)
            | (QUEUED, "doubted", ..)
            | (SENDING, "answered", "too late" | "later", _)
            // Of an earlier step it decides the same, whichever part of the sender's it is.
            | (_, "failed", "by the template" | "by the step" | "by the lane", "earlier")
            | (_, "refusal recalled", ..)
    )
}

/// Why no rule of that name decides; nothing where it can.
fn never_decides(rule: Rule) -> Option<&'static str> {
    match rule {
        Rule::Ended(Ending::Deadline) => Some("a last step has no deadline"),
        _ => None,
    }
}

/// Rules that decide as seldom.
fn decides_seldom(rule: Rule) -> bool {
    matches!(rule, Rule::RefusalRecalled)
}

/// Everything that was met, and how often.
pub(super) fn table(f: &mut fmt::Formatter<'_>, met: &Met) -> fmt::Result {
    let mut pairs: Vec<_> = met.pairs.iter().collect();
    pairs.sort();
    for (pair, times) in pairs {
        writeln!(f, "{pair} {times:>12}")?;
    }
    let mut rules: Vec<_> = met.rules.iter().map(|(rule, times)| (format!("{rule:?}"), times)).collect();
    rules.sort();
    for (rule, times) in rules {
        writeln!(f, "{rule:<46} {times:>12}")?;
    }
    Ok(())
}

/// Nothing that can be met may have been met never, and nothing that cannot be at all.
pub(super) fn check(met: &Met) {
    let mut wrong = Vec::new();
    for pair in all_pairs() {
        let times = met.pairs.get(&pair).copied().unwrap_or(0);
        match impossible(&pair) {
            None if times == 0 && !seldom(&pair) => wrong.push(format!("never met: {pair}")),
            Some(why) if times > 0 => wrong.push(format!("met {times} times, although {why}: {pair}")),
            None | Some(_) => {}
        }
    }
    for rule in all_rules() {
        let times = met.rules.get(&rule).copied().unwrap_or(0);
        match never_decides(rule) {
            None if times == 0 && !decides_seldom(rule) => wrong.push(format!("never decided: {rule:?}")),
            Some(why) if times > 0 => wrong.push(format!("decided {times} times, although {why}: {rule:?}")),
            None | Some(_) => {}
        }
    }
    assert!(wrong.is_empty(), "storms have not been everywhere:\n{}", wrong.join("\n"));
}
