//! What the storms together have to meet: every rule, and every event in every state unless the pair is impossible.

use std::fmt;

use crate::base::domain::Ending;
use crate::rules::engine::Rule;
use crate::rules::engine::met::{AWAITING, Coverage, DONE, Pair, QUEUED, SENDING, all_pairs, all_rules};

/// Returns why a pair is impossible; `None` if it can be met.
fn impossible(pair: &Pair) -> Option<&'static str> {
    let Pair { state, event, what, step } = *pair;
    match (state, event, what, step) {
        (_, "answered", "could not leave", _) => {
            Some("a message that could not be sent in time returns to its queue, and its timer ends it")
        }
        (_, "answered", "by the opt-out", _) => Some("no code of an answer means an opt-out"),
        (SENDING | AWAITING | DONE, "claimed", ..) => Some("a claim takes queued messages"),
        (SENDING, "due", ..) => Some("a message in `sending` has no timer"),
        (DONE, "due", "trusted" | "held" | "lost", _) => {
            Some("an ended message is not due, unless the answer has ended it")
        }
        (SENDING, "called off", "cancel", _) => Some("a sweep skips messages in `sending`"),
        (DONE, "called off", "cancel", _) => Some("an ended message cannot be cancelled"),
        (SENDING | AWAITING | DONE, "tier spent" | "put off", ..) | (_, "tier spent", _, "earlier" | "later") => {
            Some("only a claim reports this, for a message in its queue")
        }
        (SENDING | AWAITING | DONE, "released", ..) => Some("only a message that is set aside can be released"),
        (SENDING | AWAITING | DONE, "doubted", ..) => Some("only queued fallbacks are looked for"),
        (_, "reached" | "failed", _, "later") => Some("a step that has not begun has no receipts"),
        _ => None,
    }
}

/// Pairs that are possible but so rare that 2,500 storms may miss them. In a storm no recipient gets 45
/// messages, and no step has twenty equal refusals. These pairs are counted but not required. Tests cover the rules:
/// `engine/rules/late.rs` ("what storms hardly ever meet") has a story for each, and `refusals.rs` covers the twenty
/// refusals.
fn is_rare(pair: &Pair) -> bool {
    matches!(
        (pair.state, pair.event, pair.what, pair.step),
        (QUEUED, "due", "filled", _)
            | (QUEUED, "doubted", ..)
            | (SENDING, "reached", "accepted" | "read", "earlier")
            | (SENDING, "answered", "too late" | "later", _)
            // For an earlier step the decision is the same, whichever part of the sender is at fault.
            | (_, "failed", "by the template" | "by the step" | "by the lane", "earlier")
            | (_, "refusal recalled", ..)
            // A refused message is rarely decided otherwise before the test of its lane ends.
            | (SENDING | AWAITING | DONE, "refused alone", ..)
            | (_, "refused alone", _, "earlier" | "later")
    )
}

/// Returns why no rule of that name decides; `None` if it can.
fn never_decides(rule: Rule) -> Option<&'static str> {
    match rule {
        Rule::Ended(Ending::Deadline) => Some("a last step has no deadline"),
        _ => None,
    }
}

/// Rules that decide as rarely.
fn decides_rarely(rule: Rule) -> bool {
    matches!(rule, Rule::RefusalRecalled)
}

/// Writes every pair and rule that was met, with its count.
pub(super) fn table(f: &mut fmt::Formatter<'_>, met: &Coverage) -> fmt::Result {
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

/// Fails if a possible pair or rule was never met, or an impossible one was.
pub(super) fn check(met: &Coverage) {
    let mut wrong = Vec::new();
    for pair in all_pairs() {
        let times = met.pairs.get(&pair).copied().unwrap_or(0);
        match impossible(&pair) {
            None if times == 0 && !is_rare(&pair) => wrong.push(format!("never met: {pair}")),
            Some(why) if times > 0 => wrong.push(format!("met {times} times, although {why}: {pair}")),
            None | Some(_) => {}
        }
    }
    for rule in all_rules() {
        let times = met.rules.get(&rule).copied().unwrap_or(0);
        match never_decides(rule) {
            None if times == 0 && !decides_rarely(rule) => wrong.push(format!("never decided: {rule:?}")),
            Some(why) if times > 0 => wrong.push(format!("decided {times} times, although {why}: {rule:?}")),
            None | Some(_) => {}
        }
    }
    assert!(wrong.is_empty(), "the storms did not meet what they have to:\n{}", wrong.join("\n"));
}
