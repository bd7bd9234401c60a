//! Reports a campaign by country and by the provider's codes. There are no counters for these, so its facts are counted
//! page by page.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::copied::{CopyProgress, copied};
use super::figures::{Outcomes, Report};
use super::reading::failure;
use super::steps::StepReport;
use crate::base::domain::{
    BatchId, Channel, Charged, Country, Ending, Fault, Money, Outcome, Status, Step, StepIndex, Tallies, Tariff,
};
use crate::rules::wire::codes;
use crate::rules::wire::codes::advice::{Advice, Reason};
use crate::store::{Frame, MessageFacts, Messages, Result, Scope, Verdict};

/// A report in parts.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Breakdown {
    pub countries: Vec<CountryReport>,
    pub codes: Vec<CodeReport>,
}

/// The messages of one country; `None` for messages whose recipient is gone.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct CountryReport {
    pub country: Option<Country>,
    pub audience: i64,
    pub open: i64,
    pub outcomes: Outcomes,
    pub delivered_twice: i64,
    pub late: i64,
    pub steps: Vec<StepReport>,
}

impl CountryReport {
    pub fn outcome(&self, outcome: Outcome) -> i64 {
        self.outcomes.0.get(outcome.as_str()).copied().unwrap_or(0)
    }

    /// What its messages have cost; `None` if a step was submitted whose cost is unknown, or none was.
    pub fn spent(&self) -> Option<Money> {
        let submitted = || self.steps.iter().filter(|step| step.handed_over > 0);
        submitted().next()?;
        submitted().map(|step| step.spent).sum()
    }
}

/// A reason that the provider gave on one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct CodeReport {
    pub step: u8,
    pub channel: Option<Channel>,
    /// Where the reason comes from: `rejected` in an answer to the request, `undelivered` in a receipt.
    pub result: &'static str,
    /// `None` if the provider gave no code.
    pub code: Option<u32>,
    pub meaning: &'static str,
    /// The cause: `recipient`, `sender`, `opted out`, `temporary`.
    pub cause: &'static str,
    /// The cause in words, and what an operator can do about it.
    #[serde(skip)]
    pub advice: Advice,
    /// Messages with this reason.
    pub messages: i64,
    /// Messages whose step ended by this reason.
    pub ended: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    Rejected,
    Undelivered,
}

type Key = (StepIndex, Source, Option<u32>);

#[derive(Debug, Default)]
struct Counted {
    countries: BTreeMap<Option<Country>, (Tallies, u32)>,
    codes: BTreeMap<Key, (i64, i64)>,
}

/// Counts a batch by country and by code. Returns `None` if the batch does not exist.
///
/// Calls `seen` now and then with the number of messages copied, and later counted, and the total.
pub async fn breakdown(
    store: &dyn Messages,
    batch: BatchId,
    mut seen: impl FnMut(CopyProgress, u64),
) -> Result<Option<Breakdown>> {
    let Some(mut walk) = copied(store, batch, Scope::Facts, &mut seen).await? else { return Ok(None) };
    let (all, mut so_far) = (u64::from(walk.frame.batch.messages), 0);
    let mut counted = Counted::default();
    while let Some(page) = walk.next().await? {
        page.iter().for_each(|whole| counted.add(&walk.frame, whole));
        so_far += page.len() as u64;
        seen(CopyProgress::Seen(so_far), all);
    }
    Ok(Some(counted.breakdown(&walk.frame)))
}

/// What messages of a step to a country have cost. A price of SMS is for one part, and the parts are not counted.
fn cost(step: &Step, country: Option<Country>, figures: &StepReport) -> Option<Money> {
    let Tariff { price, charged, allowance } = step.prices.of(country?).filter(|_| step.channel != Channel::Sms)?;
    // Which of its messages were free, is known of the step alone.
    if allowance.is_some() {
        return None;
    }
    let messages = match charged {
        Charged::Submission => figures.handed_over,
        Charged::Delivery if step.success < Status::Delivered => figures.reached,
        Charged::Delivery => figures.delivered,
    };
    Some(price.times(u64::try_from(messages).unwrap_or(0)))
}

impl Counted {
    fn add(&mut self, frame: &Frame, whole: &MessageFacts) {
        let row = &whole.message.present;
        let (tallies, recipients) = self.countries.entry(whole.country).or_default();
        tallies.weigh(frame.plan.steps.len(), row, 1);
        *recipients += 1;
        for attempt in whole.attempts.iter().filter(|attempt| attempt.verdict == Verdict::Rejected) {
            let ended = row.marks.ending(attempt.step) == Ending::Rejected;
            self.count((attempt.step, Source::Rejected, attempt.code), ended);
        }
        let mut counted = BTreeSet::new();
        for step in whole.receipts.iter().map(|receipt| receipt.step).collect::<BTreeSet<_>>() {
            let ended = row.marks.ending(step) == Ending::Undelivered || row.marks.failed(step);
            let of_step = || whole.receipts.iter().filter(|receipt| receipt.step == step && failure(receipt).is_some());
            let is_theirs = |code: &codes::Entry| matches!(code.fault, Fault::Recipient | Fault::OptedOut);
            // A failure that the recipient caused or wished for ended the step; otherwise the last failure did.
            let final_one = of_step().find(|receipt| failure(receipt).is_some_and(is_theirs));
            let final_one = final_one.or(of_step().next_back()).filter(|_| ended).map(|receipt| receipt.code);
            for receipt in of_step() {
                if counted.insert((step, receipt.code)) {
                    let code = Some(receipt.code).filter(|code| *code != 0);
                    self.count((step, Source::Undelivered, code), final_one == Some(receipt.code));
                }
            }
        }
    }

    fn count(&mut self, key: Key, ended: bool) {
        let (messages, of_them) = self.codes.entry(key).or_default();
        *messages += 1;
        *of_them += i64::from(ended);
    }

    fn breakdown(self, frame: &Frame) -> Breakdown {
        let country = |(country, (tallies, recipients)): (Option<Country>, (Tallies, u32))| {
            let batch = crate::store::Batch { messages: recipients, ..frame.batch.clone() };
            let Report { audience, open, outcomes, delivered_twice, late, mut steps, .. } =
                Report::of(&batch, Some(&frame.plan), &tallies);
            for (figures, step) in steps.iter_mut().zip(&frame.plan.steps) {
                figures.spent = cost(step, country, figures);
                // Reservations are sums over all countries.
                figures.reserved = None;
            }
            CountryReport { country, audience, open, outcomes, delivered_twice, late, steps }
        };
        let mut countries: Vec<CountryReport> = self.countries.into_iter().map(country).collect();
        countries.sort_by_key(|country| std::cmp::Reverse(country.audience));
        let code = |((step, source, code), (messages, ended)): (Key, (i64, i64))| {
            let number = code.map(i64::from);
            let (result, entry) = match source {
                Source::Rejected => ("rejected", codes::of_answer(400, number)),
                Source::Undelivered => ("undelivered", codes::of_receipt(number)),
            };
            let reason = match source {
                Source::Rejected => Reason::of_answer(number),
                Source::Undelivered => Reason::of_receipt(number),
            };
            CodeReport {
                step: step.get() + 1,
                channel: frame.plan.step(step).map(|step| step.channel),
                result,
                code,
                meaning: entry.meaning,
                cause: match entry.fault {
                    Fault::Recipient => "recipient",
                    Fault::RecipientLimit => "recipient limit",
                    Fault::Sender(_) => "sender",
                    Fault::OptedOut => "opted out",
                    Fault::Temporary => "temporary",
                },
                advice: reason.advice(),
                messages,
                ended,
            }
        };
        let mut codes: Vec<CodeReport> = self.codes.into_iter().map(code).collect();
        codes.sort_by_key(|code| (code.step, std::cmp::Reverse(code.messages)));
        Breakdown { countries, codes }
    }
}
