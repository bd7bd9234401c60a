//! The acts that can happen, and the dice that draw them.
//!
//! Each act has dice of its own, seeded by the seed and the act's number. If some acts are left out, the others stay
//! the same. So `shrink` can reduce a failure to the few acts that it needs.

use super::net::Trouble;
use super::scene::{RECIPIENTS, one_of};
use crate::base::domain::Span;

#[derive(Debug, Clone, Copy)]
pub(super) enum Act {
    /// A lane claims. With `anyway` it claims without a hint, as if it had lost every hint.
    Claim {
        lane: usize,
        anyway: bool,
    },
    /// A lane begins up to this many requests.
    HandOver {
        lane: usize,
        requests: u32,
    },
    /// One of the requests in flight is answered.
    Answer(usize),
    Record,
    /// Some of the due webhooks arrive, in an order that this seed picks.
    Webhooks(u64),
    /// A receipt arrives for a message that another program sent on our subaccount; this seed picks it.
    Foreign(u64),
    Fire,
    KeepHouse,
    Watch,
    Strays,
    Ask,
    Wait(Span),
    WaitForNext,
    Start,
    Kill,
    PlanDeath {
        writes: u32,
        after_commit: bool,
    },
    Disk {
        full: bool,
    },
    /// Nothing can be written for this long, while webhooks still arrive.
    Outage(Span),
    /// The wall clock jumps by this many milliseconds.
    Jump(i64),
    Trouble(Trouble),
    /// The line to the provider is cut for this long.
    Cut {
        what: Direction,
        lasts: Span,
    },
    Fault(Fault),
    Pause(usize),
    Resume(usize),
    Cancel(usize),
    /// An operator opts out a recipient: one of the world's, or, beyond their number, one whose message is claimed.
    OptOut(u32),
    /// Another server starts on the same store. Its predecessor was stopped for so long that its lease has lapsed, or
    /// does not know of its successor yet.
    Supersede {
        was_stopped: bool,
    },
    /// The superseded server acts meanwhile.
    Former(Former),
    /// An operator pauses a lane, or a template on it.
    Hold {
        lane: usize,
        template: bool,
    },
    Release,
    /// A reader exports or audits a campaign: it begins to read, or continues where it stopped.
    Read(usize),
    /// An operator pauses a step of a campaign.
    HoldStep {
        which: usize,
        step: u8,
    },
    /// An operator changes the plan of a campaign.
    Amend {
        which: usize,
        to: PlanChange,
    },
    /// An API client sends this many single messages.
    Join(u32),
    /// An operator or the provider overrides a setting of a lane, or the override ends.
    Override {
        lane: usize,
        to: Setting,
        by_operator: bool,
    },
    /// The provider reports a status of the template, perhaps twice.
    Template {
        word: &'static str,
        twice: bool,
    },
}

/// The directions that are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Out,
    /// The provider processes what it gets, and its answers are lost.
    Answers,
    In,
    Both,
    AnswersAndIn,
}

/// What a superseded server does.
#[derive(Debug, Clone, Copy)]
pub(super) enum Former {
    Claim(usize),
    HandOver(usize),
    Record,
    Watch,
    /// It was stopped in the middle of its start, and continues it.
    GoOnStarting,
    End,
}

/// A change to a plan by an operator.
#[derive(Debug, Clone, Copy)]
pub(super) enum PlanChange {
    /// The span from now until the end.
    End(Option<Span>),
    Quiet(Option<&'static str>),
    Most(Option<u64>),
    /// Other texts, while nothing has been claimed.
    Texts,
}

/// A setting with its new value; `None` where the file's own value is to apply.
#[derive(Debug, Clone, Copy)]
pub(super) enum Setting {
    Rate(Option<&'static str>),
    Burst(Option<&'static str>),
    Tier(Option<&'static str>),
}

/// What the provider does wrong by itself.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    KeyRefused,
    TemplateMissing,
    TemplatePaused,
    NoCredit,
    Throttle,
    None,
}

/// Returns dice for one thing of one seed.
pub(super) fn dice(seed: u64, thing: u64) -> fastrand::Rng {
    fastrand::Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ thing.wrapping_mul(0xd1b5_4a32_d192_ed03))
}

/// Draws the act of that number.
pub(super) fn draw(seed: u64, number: u32, lanes: usize, alive: bool, has_former: bool) -> Act {
    let dice = &mut dice(seed, u64::from(number) + 1);
    if has_former && dice.u32(..3) == 0 {
        return Act::Former(match dice.u32(..20) {
            0..4 => Former::Claim(dice.usize(..lanes)),
            4..11 => Former::HandOver(dice.usize(..lanes)),
            11..15 => Former::Record,
            15..17 => Former::Watch,
            17..19 => Former::GoOnStarting,
            _ => Former::End,
        });
    }
    if !alive {
        return match dice.u32(..20) {
            0..10 => Act::Start,
            10..14 => Act::Wait(Span::from_millis(dice.i64(1..300_000))),
            // Long enough for the slots of a tier to become free again.
            14 => Act::Wait(Span::from_secs(dice.i64(3_600..100_000))),
            15..17 => Act::WaitForNext,
            17 => Act::Webhooks(dice.u64(..)),
            _ => operator_act(dice, lanes),
        };
    }
    match dice.u32(..1_000) {
        0..8 => Act::Supersede { was_stopped: dice.u32(..4) == 0 },
        8..150 => Act::Claim { lane: dice.usize(..lanes), anyway: dice.u32(..4) == 0 },
        150..330 => Act::HandOver { lane: dice.usize(..lanes), requests: dice.u32(1..=4) },
        330..490 => Act::Answer(dice.usize(..64)),
        490..580 => Act::Record,
        580..680 => Act::Webhooks(dice.u64(..)),
        680..740 => Act::Fire,
        740..755 => Act::KeepHouse,
        755..785 => Act::Watch,
        785..795 => Act::Ask,
        795..805 => Act::Strays,
        805..813 => Act::Cut {
            what: one_of(
                dice,
                &[
                    Direction::Out,
                    Direction::Answers,
                    Direction::In,
                    Direction::Both,
                    Direction::Both,
                    Direction::AnswersAndIn,
                ],
            ),
            lasts: Span::from_secs(one_of(dice, &[3, 20, 70, 150, 150, 600, 3_600])),
        },
        813..842 => Act::Wait(Span::from_millis(one_of(dice, &[1, 20, 300, 2_000, 30_000]))),
        842..853 => Act::Foreign(dice.u64(..)),
        853..857 => Act::Read(dice.usize(..2)),
        857..865 => Act::Outage(Span::from_secs(dice.i64(1..60))),
        865..905 => Act::WaitForNext,
        905..911 => Act::Kill,
        911..927 => Act::PlanDeath { writes: dice.u32(1..8), after_commit: dice.bool() },
        927..938 => Act::Disk { full: dice.u32(..5) < 2 },
        938..942 => Act::Jump(dice.i64(-400_000..400_000)),
        942..958 => Act::Trouble(trouble(dice)),
        958..972 => Act::Fault(one_of(
            dice,
            &[
                Fault::KeyRefused,
                Fault::TemplateMissing,
                Fault::TemplatePaused,
                Fault::NoCredit,
                Fault::Throttle,
                Fault::None,
                Fault::None,
                Fault::None,
            ],
        )),
        _ => operator_act(dice, lanes),
    }
}

fn operator_act(dice: &mut fastrand::Rng, lanes: usize) -> Act {
    match dice.u32(..41) {
        0..5 => Act::Pause(dice.usize(..3)),
        5..13 => Act::Resume(dice.usize(..3)),
        13 => Act::Cancel(dice.usize(..3)),
        14..17 => Act::OptOut(dice.u32(..3 * RECIPIENTS)),
        17..19 => Act::Hold { lane: dice.usize(..lanes), template: dice.bool() },
        19..23 => {
            let to = match dice.u32(..4) {
                0 => Setting::Tier(one_of(dice, &[None, None, Some("250"), Some("unlimited"), Some("unlimited")])),
                1 => Setting::Burst(one_of(dice, &[None, Some("1"), Some("4"), Some("9")])),
                _ => Setting::Rate(one_of(dice, &[None, Some("1/s"), Some("20/s"), Some("300/s"), Some("30/min")])),
            };
            Act::Override { lane: dice.usize(..lanes), to, by_operator: dice.bool() }
        }
        23..25 => Act::Template {
            word: one_of(dice, &["PAUSED", "DISABLED", "APPROVED", "APPROVED", "FLAGGED", "SOMETHING"]),
            twice: dice.bool(),
        },
        25..27 => Act::HoldStep { which: dice.usize(..2), step: dice.u8(..3) },
        27..30 => {
            let to = match dice.u32(..7) {
                0..2 => PlanChange::End(one_of(dice, &[None, Some(5), Some(60), Some(600)]).map(Span::from_secs)),
                2..4 => PlanChange::Quiet(one_of(dice, &[None, Some("08:01-08:04 UTC"), Some("08:03-08:20 UTC")])),
                4 => PlanChange::Most(one_of(dice, &[None, Some(2), Some(8)])),
                _ => PlanChange::Texts,
            };
            Act::Amend { which: dice.usize(..2), to }
        }
        30..32 => Act::Join(dice.u32(1..4)),
        _ => Act::Release,
    }
}

fn trouble(dice: &mut fastrand::Rng) -> Trouble {
    let mut share = || if dice.bool() { 0.0 } else { dice.f64() * 0.3 };
    Trouble {
        refused: share(),
        slow_connection: share(),
        slow_way: 2.0 * share(),
        cut_before: share(),
        cut_after: share(),
        broken_answer: share(),
        batch_forgets: share(),
        webhook_lost: share(),
        webhook_twice: share(),
        webhook_late: share(),
        webhook_nameless: share(),
        bare_refusal: 0.5 * share(),
    }
}
