//! What can happen next, and what the dice make happen.
//!
//! Each act is drawn with dice of its own, from the seed and its number in the storm. So whichever acts are left out,
//! the others stay what they are: that is how a failure is brought down to the few acts that it takes.

use super::net::Trouble;
use super::scene::{PEOPLE, one_of};
use crate::domain::Span;

#[derive(Debug, Clone, Copy)]
pub(super) enum Act {
    /// A lane claims; `anyway` as if it had lost every hint.
    Claim {
        lane: usize,
        anyway: bool,
    },
    /// So many requests of a lane set out, where so many may.
    HandOver {
        lane: usize,
        requests: u32,
    },
    /// One of the requests under way is answered.
    Answer(usize),
    Record,
    /// Some of the webhooks that are due, in an order that this seed picks.
    Webhooks(u64),
    /// A receipt of a message that another program has sent on our subaccount, which this seed picks.
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
    /// Nothing can be written for so long, and webhooks come all the same.
    Outage(Span),
    /// The wall clock jumps by so many milliseconds.
    Jump(i64),
    Trouble(Trouble),
    /// The line to the provider is cut for so long.
    Cut {
        what: Way,
        lasts: Span,
    },
    Fault(Fault),
    Pause(usize),
    Resume(usize),
    Cancel(usize),
    /// Of the world's recipients, or, beyond their number, of those who are about to be sent something.
    OptOut(u32),
    /// Another server starts on the same store. The one before it was stopped for so long that its lease has lapsed, or
    /// does not know yet.
    Supersede {
        was_stopped: bool,
    },
    /// What the server before it does meanwhile.
    Former(Former),
    /// A person pauses a lane, or a template on it.
    Hold {
        lane: usize,
        template: bool,
    },
    Release,
    /// Somebody exports or audits a campaign: begins with it, or reads on where they stopped.
    Read(usize),
    /// A person pauses a step of a campaign.
    HoldStep {
        which: usize,
        step: u8,
    },
    /// A person changes the plan of a campaign.
    Amend {
        which: usize,
        to: Amended,
    },
    /// Somebody sends so many single messages.
    Join(u32),
    /// A person, or the provider's word, turns something of a lane, or back to what the file says.
    Turn {
        lane: usize,
        to: Turned,
        by_person: bool,
    },
    /// The provider says something of the template, perhaps twice.
    Template {
        word: &'static str,
        twice: bool,
    },
}

/// What no longer gets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Out,
    /// The provider carries out what it gets, and its answers are lost.
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
    /// It was stopped in the middle of its start, and goes on with it.
    GoOnStarting,
    End,
}

/// What a person changes of a plan.
#[derive(Debug, Clone, Copy)]
pub(super) enum Amended {
    /// From now on.
    End(Option<Span>),
    Quiet(Option<&'static str>),
    Most(Option<u64>),
}

/// What is turned to what; nothing where the file's own value is to count.
#[derive(Debug, Clone, Copy)]
pub(super) enum Turned {
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

/// Dice for one thing of one seed.
pub(super) fn dice(seed: u64, thing: u64) -> fastrand::Rng {
    fastrand::Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ thing.wrapping_mul(0xd1b5_4a32_d192_ed03))
}

/// The act of that number.
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
            // For so long that the places of a tier are free again.
            14 => Act::Wait(Span::from_secs(dice.i64(3_600..100_000))),
            15..17 => Act::WaitForNext,
            17 => Act::Webhooks(dice.u64(..)),
            _ => person(dice, lanes),
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
            what: one_of(dice, &[Way::Out, Way::Answers, Way::In, Way::Both, Way::Both, Way::AnswersAndIn]),
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
        _ => person(dice, lanes),
    }
}

fn person(dice: &mut fastrand::Rng, lanes: usize) -> Act {
    match dice.u32(..41) {
        0..5 => Act::Pause(dice.usize(..3)),
        5..13 => Act::Resume(dice.usize(..3)),
        13 => Act::Cancel(dice.usize(..3)),
        14..17 => Act::OptOut(dice.u32(..3 * PEOPLE)),
        17..19 => Act::Hold { lane: dice.usize(..lanes), template: dice.bool() },
        19..23 => {
            let to = match dice.u32(..4) {
                0 => Turned::Tier(one_of(dice, &[None, None, Some("250"), Some("unlimited"), Some("unlimited")])),
                1 => Turned::Burst(one_of(dice, &[None, Some("1"), Some("4"), Some("9")])),
                _ => Turned::Rate(one_of(dice, &[None, Some("1/s"), Some("20/s"), Some("300/s"), Some("30/min")])),
            };
            Act::Turn { lane: dice.usize(..lanes), to, by_person: dice.bool() }
        }
        23..25 => Act::Template {
            word: one_of(dice, &["PAUSED", "DISABLED", "APPROVED", "APPROVED", "FLAGGED", "SOMETHING"]),
            twice: dice.bool(),
        },
        25..27 => Act::HoldStep { which: dice.usize(..2), step: dice.u8(..3) },
        27..30 => {
            let to = match dice.u32(..5) {
                0..2 => Amended::End(one_of(dice, &[None, Some(5), Some(60), Some(600)]).map(Span::from_secs)),
                2..4 => Amended::Quiet(one_of(dice, &[None, Some("08:01-08:04 UTC"), Some("08:03-08:20 UTC")])),
                _ => Amended::Most(one_of(dice, &[None, Some(2), Some(8)])),
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
        turned_away: 0.5 * share(),
    }
}
