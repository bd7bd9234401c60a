//! Exports a campaign as a table: a row for each recipient, with the result of every step.
//!
//! In: everything that is on disk of a batch, page by page. Out: cells, in the order of the requested columns.

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat, Utc};

use super::copied::{CopyProgress, copied};
use super::reading::report_of;
use crate::base::domain::{
    Address, BatchId, Ending, MessageId, Outcome, Plan, Present, State, Status, Step, StepIndex, Tag, Timestamp, Zone,
};
use crate::rules::engine::AttemptReport;
use crate::rules::wire::codes;
use crate::store::{Addresses, Attempt, MessageFacts, Receipt, Result, Scope, Store, Verdict, Walk};

/// The columns of each step; the column names also contain the step's number and channel.
const OF_STEP: [&str; 10] =
    ["status", "queued", "submitted", "sent", "delivered", "read", "undelivered", "code", "meaning", "ended by"];

/// A column of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Message,
    ClientMessageId,
    Number,
    Country,
    State,
    Outcome,
    Reason,
    Expiry,
    Own(usize),
    OfStep(StepIndex, usize),
}

/// The columns of an export.
#[derive(Debug, Clone)]
pub struct ExportColumns {
    columns: Vec<(String, Column)>,
    plan: Plan,
    zone: Option<Zone>,
    tag: Tag,
}

/// An unknown column.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown column \"{name}\"; use one of {}", known.join(", "))]
pub struct NoColumn {
    name: String,
    known: Vec<String>,
}

impl ExportColumns {
    /// All columns: Volley's own, those of the recipient file, and ten for each step. Only messages of API calls have an
    /// expiry of their own.
    pub fn of(plan: &Plan, tag: Tag, zone: Option<Zone>) -> Self {
        let mut columns = vec![
            ("message".to_owned(), Column::Message),
            ("ClientMessageId".to_owned(), Column::ClientMessageId),
            ("number".to_owned(), Column::Number),
            ("country".to_owned(), Column::Country),
            ("state".to_owned(), Column::State),
            ("outcome".to_owned(), Column::Outcome),
            ("reason".to_owned(), Column::Reason),
        ];
        if plan.api.is_some() {
            columns.push(("expiry".to_owned(), Column::Expiry));
        }
        // The id of the file is one of Volley's own columns already, and no one reads JSON.
        let extras = plan.api.as_ref().and_then(|calls| calls.extras);
        let own = plan.columns.iter().enumerate();
        let own = own.filter(|(n, name)| extras != Some(*n) && !name.eq_ignore_ascii_case("ClientMessageId"));
        columns.extend(own.map(|(n, name)| (name.clone(), Column::Own(n))));
        for (index, step) in plan.indexed_steps() {
            let of_step = OF_STEP.iter().enumerate();
            columns.extend(
                of_step.map(|(n, name)| (format!("{index} {} {name}", step.channel), Column::OfStep(index, n))),
            );
        }
        Self { columns, plan: plan.clone(), zone: zone.or(plan.time_zone), tag }
    }

    /// Selects the named columns, in the given order. No names select all columns.
    ///
    /// A name in another case is found too, unless a column has exactly that name: `country` is the country of the
    /// number, and `Country` may be a column of the file.
    pub fn only(self, names: &[String]) -> std::result::Result<Self, NoColumn> {
        if names.is_empty() {
            return Ok(self);
        }
        let find = |name: &String| {
            let wanted = name.trim();
            let exact = self.columns.iter().find(|(known, _)| known == wanted);
            let found = exact.or_else(|| self.columns.iter().find(|(known, _)| known.eq_ignore_ascii_case(wanted)));
            let known = || self.columns.iter().map(|(known, _)| known.clone()).collect();
            found.cloned().ok_or_else(|| NoColumn { name: name.clone(), known: known() })
        };
        let columns = names.iter().map(find).collect::<std::result::Result<_, _>>()?;
        Ok(Self { columns, ..self })
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|(name, _)| name.as_str())
    }

    fn row(&self, whole: &MessageFacts, addresses: &Addresses) -> Vec<String> {
        let own = whole.recipient.as_ref().and_then(|recipient| recipient.fields.unpack().ok()).unwrap_or_default();
        let address = addresses.of(whole.message.address);
        self.columns.iter().map(|(_, column)| self.cell(*column, whole, address.as_ref(), &own)).collect()
    }

    fn cell(&self, column: Column, whole: &MessageFacts, address: Option<&Address>, own: &[Cow<'_, str>]) -> String {
        let (message, row) = (&whole.message, &whole.message.present);
        match column {
            Column::Message => MessageId { key: message.key, tag: self.tag }.to_string(),
            Column::ClientMessageId => {
                let id = whole.recipient.as_ref().and_then(|recipient| recipient.client_message_id.as_deref());
                id.unwrap_or_default().to_owned()
            }
            Column::Number => address.map(ToString::to_string).unwrap_or_default(),
            Column::Country => whole.country.map(|country| country.to_string()).unwrap_or_default(),
            Column::State => row.state_name().to_owned(),
            Column::Outcome => row.outcome().map(|outcome| outcome.to_string()).unwrap_or_default(),
            Column::Reason => self.reason(whole),
            Column::Expiry => self.time(row.expires),
            Column::Own(n) => own.get(n).map(|field| field.clone().into_owned()).unwrap_or_default(),
            Column::OfStep(index, n) => {
                self.plan.step(index).map(|step| self.of_step(step, index, n, whole)).unwrap_or_default()
            }
        }
    }

    fn of_step(&self, step: &Step, index: StepIndex, column: usize, whole: &MessageFacts) -> String {
        let marks = whole.message.present.marks;
        let mut tries = whole.attempts.iter().filter(|attempt| attempt.step == index);
        let first = tries.clone().next();
        // Of several tries, the last one that was submitted decides.
        let submitted = tries.clone().rfind(|attempt| attempt.verdict.was_begun());
        let refused = tries.rfind(|attempt| attempt.verdict == Verdict::Rejected);
        let receipts = || whole.receipts.iter().filter(|receipt| receipt.step == index);
        let report = |receipt| report_of(receipt, Some(step));
        // A higher status implies a lower one, but not its time.
        let reached = |wanted: Status| {
            let of_it = receipts().filter(|receipt| report(receipt) == Some(AttemptReport::Reached(wanted)));
            self.time(of_it.map(|receipt| receipt.stamp).min())
        };
        let bad = || receipts().rfind(|receipt| matches!(report(receipt), Some(AttemptReport::Failed { .. })));
        match OF_STEP[column] {
            "status" => status(&whole.message.present, index).to_owned(),
            "queued" => self.time(first.map(|attempt| attempt.queued)),
            "submitted" => self.time(submitted.and_then(|attempt| match attempt.verdict {
                Verdict::Accepted => Some(attempt.answered),
                Verdict::Unknown => attempt.intent,
                _ => None,
            })),
            "sent" => reached(Status::Sent),
            "delivered" => reached(Status::Delivered),
            "read" => reached(Status::Read),
            "undelivered" => self.time(bad().map(|receipt| receipt.stamp)),
            "code" => {
                let code = refused.and_then(|attempt| attempt.code).or(bad().map(|receipt| receipt.code));
                code.filter(|code| *code != 0).map(|code| code.to_string()).unwrap_or_default()
            }
            "meaning" => meaning(refused, bad()).unwrap_or_default().to_owned(),
            _ if marks.passed_over(index) => "not for the country".to_owned(),
            _ => ended(marks.ending(index)).to_owned(),
        }
    }

    /// Why the message ended as it did, where the outcome alone does not say it.
    fn reason(&self, whole: &MessageFacts) -> String {
        let Present { state, marks, .. } = whole.message.present;
        match state {
            State::Done { skipped: Some(reason), .. } => reason.to_string(),
            _ if marks.delivered_twice() => "delivered twice".to_owned(),
            _ if marks.late() => "late".to_owned(),
            State::Done { outcome: Outcome::Undelivered | Outcome::Expired, .. } => {
                self.last_failure(whole).unwrap_or_default().to_owned()
            }
            _ => String::new(),
        }
    }

    /// The meaning of the code that ended the last failed step; without a code, how the step ended.
    fn last_failure(&self, whole: &MessageFacts) -> Option<&'static str> {
        let marks = whole.message.present.marks;
        let is_over = |index: StepIndex| marks.failed(index) || !matches!(marks.ending(index), Ending::Open);
        let steps = self.plan.indexed_steps().filter(|(index, _)| !marks.passed_over(*index) && is_over(*index));
        let (index, step) = steps.last()?;
        let mut tries = whole.attempts.iter().filter(|attempt| attempt.step == index);
        let refused = tries.rfind(|attempt| attempt.verdict == Verdict::Rejected);
        let has_failed =
            |receipt: &&Receipt| matches!(report_of(receipt, Some(step)), Some(AttemptReport::Failed { .. }));
        let failed = whole.receipts.iter().filter(|receipt| receipt.step == index).rfind(has_failed);
        let ended = if marks.failed(index) { "undelivered" } else { ended(marks.ending(index)) };
        meaning(refused, failed.filter(|receipt| receipt.code != 0)).or(Some(ended))
    }

    /// Formats a time: `2026-12-01T09:00:00.123+08:00`.
    fn time(&self, at: Option<Timestamp>) -> String {
        let Some(utc) = at.and_then(|at| DateTime::<Utc>::from_timestamp_millis(at.millis())) else {
            return String::new();
        };
        match self.zone {
            Some(Zone(zone)) => utc.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Millis, true),
            None => utc.to_rfc3339_opts(SecondsFormat::Millis, true),
        }
    }
}

/// What the code of a refusal, else of a receipt, means.
fn meaning(refused: Option<&Attempt>, failed: Option<&Receipt>) -> Option<&'static str> {
    let answer = refused.map(|attempt| codes::of_answer(400, attempt.code.map(i64::from)).meaning);
    answer.or_else(|| Some(codes::of_receipt(Some(i64::from(failed?.code))).meaning))
}

/// The status that the attempt of a step reached.
fn status(row: &Present, step: StepIndex) -> &'static str {
    let marks = row.marks;
    match marks.status(step) {
        _ if marks.failed(step) => "undelivered",
        _ if marks.unknown(step) => "unknown",
        _ if marks.ending(step) == Ending::Rejected => "rejected",
        Some(status) => status.as_str(),
        None if row.step == step && matches!(row.state, State::Queued { .. }) => "queued",
        None if row.step == step && matches!(row.state, State::Sending { .. }) => "sending",
        None => "",
    }
}

const fn ended(ending: Ending) -> &'static str {
    match ending {
        Ending::Open => "",
        Ending::Success => "success",
        Ending::Deadline => "deadline",
        Ending::Undelivered => "undelivered",
        Ending::Rejected => "rejected",
        Ending::CouldNotLeave => "could not leave",
        Ending::OutsideWindow => "outside window",
        Ending::MissingVariable => "missing variable",
        Ending::OptedOut => "opted out",
    }
}

/// The rows of a batch as it stood at one moment, page by page.
///
/// They come from a copy, so a slow reader keeps no transaction open.
#[derive(Debug)]
pub struct ExportRows {
    walk: Walk,
    columns: ExportColumns,
}

impl ExportRows {
    /// Copies the batch; `None` if it does not exist. Calls `seen` now and then with the number of messages copied and
    /// the total.
    pub async fn copy(
        store: &dyn Store,
        batch: BatchId,
        columns: ExportColumns,
        mut seen: impl FnMut(CopyProgress, u64),
    ) -> Result<Option<Self>> {
        let walk = copied(store, batch, Scope::FactsAndRecipients, &mut seen).await?;
        Ok(walk.map(|walk| Self { walk, columns }))
    }

    /// The next rows, in the order of the messages; `None` after the last.
    pub async fn next(&mut self, store: &dyn Store) -> Result<Option<Vec<Vec<String>>>> {
        let Some(page) = self.walk.next().await? else { return Ok(None) };
        let addresses = Addresses::read(store, page.iter().map(|whole| whole.message.address)).await?;
        Ok(Some(page.iter().map(|whole| self.columns.row(whole, &addresses)).collect()))
    }
}

/// Passes every message of a batch to `row`, in order. Stops at the first row for which `row` returns an error.
///
/// Calls `seen` now and then with the number of messages copied, and later passed on, and the total.
pub async fn export<E>(
    store: &dyn Store,
    batch: BatchId,
    columns: &ExportColumns,
    mut row: impl FnMut(Vec<String>) -> std::result::Result<(), E>,
    mut seen: impl FnMut(CopyProgress, u64),
) -> Result<std::result::Result<u64, E>> {
    let Some(mut rows) = ExportRows::copy(store, batch, columns.clone(), &mut seen).await? else { return Ok(Ok(0)) };
    let (all, mut so_far) = (u64::from(rows.walk.frame.batch.messages), 0);
    while let Some(page) = rows.next(store).await? {
        so_far += page.len() as u64;
        for cells in page {
            if let Err(error) = row(cells) {
                return Ok(Err(error));
            }
        }
        seen(CopyProgress::Seen(so_far), all);
    }
    Ok(Ok(so_far))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::domain::{ApiCalls, Channel};

    #[test]
    fn a_column_of_the_file_is_found_by_its_exact_name_and_its_id_is_written_once() {
        let names = ["Mobile", "Country", "ClientMessageId"].map(str::to_owned).to_vec();
        let plan = Plan { columns: names, ..Plan::of_steps(vec![Step::of_text(Channel::Sms, "sms", "Hi")]) };
        let all = || ExportColumns::of(&plan, Tag::from_random(1), None);
        assert_eq!(all().names().filter(|name| *name == "ClientMessageId").count(), 1);
        let only = |name: &str| all().only(&[name.to_owned()]).unwrap().columns[0].1;
        assert_eq!(
            [only("Country"), only("country"), only("COUNTRY")],
            [Column::Own(1), Column::Country, Column::Country]
        );
        assert_eq!(only("clientmessageid"), Column::ClientMessageId);
    }

    #[test]
    fn messages_of_api_calls_have_a_column_for_their_expiry() {
        let launched = Plan::of_steps(vec![Step::of_text(Channel::Sms, "sms", "Hi")]);
        let api =
            Some(ApiCalls { sub_account: "acme".to_owned(), caller: String::new(), callback: None, extras: None });
        for (plan, has) in [(Plan { api, ..launched.clone() }, true), (launched, false)] {
            let columns = ExportColumns::of(&plan, Tag::from_random(1), None);
            assert_eq!(columns.names().any(|name| name == "expiry"), has);
        }
    }
}
