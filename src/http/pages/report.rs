//! The report of a campaign: to read or to print, by country and code, and as others see it by a link.

use askama::Template;

use super::access::ShownSecret;
use super::assets::Assets;
use super::campaign::{OutcomeRow, outcomes};
use super::campaigns::campaign_path;
use super::figures::Portion;
use super::frame::Frame;
use super::messages::{NO_CODE, Standing};
use super::show::Plain;
use super::texts::{ENGLISH, Texts};
use crate::base::clock::{format_time, format_time_short};
use crate::base::domain::{BatchState, Money, Outcome, Timestamp, Zone};
use crate::campaigns::report::{Breakdown, CodeReport, CountryReport, Report, StepReport};

/// Rows of a table on a page. Its CSV file has all.
const ROWS_SHOWN: usize = 150;

/// The report of a campaign, as a page to read or to print.
#[derive(Debug, Template)]
#[template(path = "report.html")]
pub struct ReportPage<'a> {
    pub frame: Frame,
    pub report: &'a Report,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub made_at: Timestamp,
    /// Whether its messages were purged, so that nothing of them can be counted or downloaded.
    pub is_purged: bool,
}

impl ReportPage<'_> {
    const fn frame(&self) -> &Frame {
        &self.frame
    }

    fn path(&self) -> String {
        campaign_path(&self.report.id)
    }

    fn recipients(&self) -> String {
        format!("{}/recipients", self.path())
    }

    fn outcomes(&self) -> Vec<OutcomeRow> {
        outcomes(self.report)
    }

    fn open(&self) -> Portion {
        Portion::of(self.report.open, self.report.audience)
    }

    fn may_share(&self) -> bool {
        self.frame.may_manage() && self.report.state != BatchState::Draft
    }
}

/// Whether the cost of a step is known.
pub(super) fn has_costs(report: &Report) -> bool {
    report.steps.iter().any(|step| step.spent.is_some())
}

/// Whether anything is reserved for messages that may still arrive.
pub(super) fn has_reserved(report: &Report) -> bool {
    !report.reserved().is_zero()
}

/// What is reserved for messages of a step.
pub(super) fn reserved(report: &Report, step: &StepReport) -> String {
    step.reserved.map(|reserved| reserved.rounded(report.currency.as_deref())).unwrap_or_default()
}

/// What a step has cost; empty if that is unknown.
pub(super) fn spent(report: &Report, step: &StepReport) -> String {
    step.spent.map(|spent| spent.rounded(report.currency.as_deref())).unwrap_or_default()
}

/// The figures that matter most: each with its meaning.
pub(super) fn highlights(report: &Report) -> Vec<(String, String)> {
    let reached = report.outcome(Outcome::Reached);
    let submitted: i64 = report.steps.iter().map(|step| step.handed_over).sum();
    let replied: i64 = report.steps.iter().map(|step| step.replied).sum();
    let mut found = vec![
        (
            Portion::of(reached, report.audience).percent(),
            format!("{}: {}", ENGLISH.reached, ENGLISH.of(reached, report.audience)),
        ),
        (super::show::grouped(submitted), ENGLISH.results.submissions.to_owned()),
    ];
    if has_costs(report) {
        let all: Money = report.steps.iter().filter_map(|step| step.spent).sum();
        let currency = report.currency.as_deref();
        let each = u64::try_from(reached).ok().and_then(|reached| all.millionths().checked_div(reached));
        let each = each.map(|each| Money::from_millionths(each).rounded(currency));
        let reserved = report.reserved_words();
        found.push((all.rounded(currency), ENGLISH.results.cost_with(each.as_deref(), reserved.as_deref())));
    }
    if replied > 0 {
        found.push((super::show::grouped(replied), ENGLISH.results.replied.to_owned()));
    }
    found
}

/// The report by country and code.
#[derive(Debug)]
pub struct Tables<'a> {
    pub counted: &'a Breakdown,
    pub currency: Option<&'a str>,
    pub at: Timestamp,
    /// The address of the campaign's recipients. Readers without an account get no link to them.
    pub recipients: Option<String>,
}

impl Tables<'_> {
    pub(super) fn countries(&self) -> &[CountryReport] {
        &self.counted.countries[..self.counted.countries.len().min(ROWS_SHOWN)]
    }

    pub(super) fn codes(&self) -> &[CodeReport] {
        &self.counted.codes[..self.counted.codes.len().min(ROWS_SHOWN)]
    }

    /// The rows that the page leaves out.
    pub(super) fn countries_more(&self) -> i64 {
        more(self.counted.countries.len())
    }

    pub(super) fn codes_more(&self) -> i64 {
        more(self.counted.codes.len())
    }

    /// The outcomes besides `reached` that a recipient has.
    pub(super) fn others(&self) -> Vec<Outcome> {
        outcomes_besides_reached(self.counted)
    }

    pub(super) fn has_open(&self) -> bool {
        self.counted.countries.iter().any(|country| country.open > 0)
    }

    pub(super) fn has_costs(&self) -> bool {
        self.counted.countries.iter().any(|country| country.spent().is_some())
    }

    /// The list of a country's recipients, or of those with this outcome or without one. `None` if there are none to list.
    fn of_country(&self, country: &CountryReport, standing: Option<Standing>, number: i64) -> Option<String> {
        let code = country.country.filter(|_| number > 0)?;
        let outcome = standing.map(|standing| format!("&outcome={}", standing.as_str())).unwrap_or_default();
        Some(format!("{}?country={code}{outcome}", self.recipients.as_ref()?))
    }

    pub(super) fn all_of(&self, country: &CountryReport) -> Option<String> {
        self.of_country(country, None, country.audience)
    }

    pub(super) fn reached_of(&self, country: &CountryReport) -> Option<String> {
        self.with_outcome(country, Outcome::Reached)
    }

    pub(super) fn open_of(&self, country: &CountryReport) -> Option<String> {
        self.of_country(country, Some(Standing::Open), country.open)
    }

    pub(super) fn with_outcome(&self, country: &CountryReport, outcome: impl Plain<Outcome>) -> Option<String> {
        let outcome = outcome.plain();
        self.of_country(country, Some(Standing::With(outcome)), country.outcome(outcome))
    }

    /// Whether it says what to do, which readers without an account cannot.
    pub(super) const fn is_for_operators(&self) -> bool {
        self.recipients.is_some()
    }

    /// The list of the recipients for whom the provider gave a reason.
    pub(super) fn with_code(&self, code: &CodeReport) -> Option<String> {
        let number = code.code.map_or_else(|| NO_CODE.to_owned(), |code| code.to_string());
        let path = self.recipients.as_ref()?;
        Some(format!("{path}?step={}&code={number}&result={}", code.step, code.result))
    }

    pub(super) fn cost(&self, country: &CountryReport) -> String {
        country.spent().map(|spent| spent.rounded(self.currency)).unwrap_or_default()
    }
}

fn more(rows: usize) -> i64 {
    i64::try_from(rows.saturating_sub(ROWS_SHOWN)).unwrap_or(i64::MAX)
}

/// The outcomes besides `reached` that a recipient has.
pub fn outcomes_besides_reached(counted: &Breakdown) -> Vec<Outcome> {
    let has = |outcome: &Outcome| counted.countries.iter().any(|country| country.outcome(*outcome) > 0);
    Outcome::ALL.iter().copied().filter(|outcome| *outcome != Outcome::Reached).filter(has).collect()
}

/// The number of a country's recipients with an outcome.
pub(super) fn number(country: &CountryReport, outcome: impl Plain<Outcome>) -> i64 {
    country.outcome(outcome.plain())
}

pub(super) fn reached(country: &CountryReport) -> Portion {
    Portion::of(country.outcome(Outcome::Reached), country.audience)
}

/// Where the count of a campaign is.
#[derive(Debug)]
pub enum TablesStage<'a> {
    NotCounted,
    /// Each message is first copied, then counted.
    Counting {
        done: u64,
        of: u64,
    },
    Failed(String),
    Counted(Tables<'a>),
}

/// The report by country and by code.
#[derive(Debug, Template)]
#[template(path = "report_tables.html")]
pub struct TablesPage<'a> {
    pub frame: Frame,
    pub campaign: String,
    pub campaign_id: String,
    pub messages: u32,
    pub state: BatchState,
    pub stage: TablesStage<'a>,
}

impl TablesPage<'_> {
    const fn frame(&self) -> &Frame {
        &self.frame
    }

    fn path(&self) -> String {
        campaign_path(&self.campaign_id)
    }

    const fn is_counting(&self) -> bool {
        matches!(self.stage, TablesStage::Counting { .. })
    }

    /// Whether its figures change no more.
    fn is_final(&self) -> bool {
        self.state == BatchState::Settled
    }

    /// Thousandths of two passes, as a width.
    fn width(&self, done: &u64, of: &u64) -> String {
        let plain = |number: &u64| i64::try_from(*number).unwrap_or(i64::MAX);
        Portion::of(plain(done), plain(of)).width()
    }
}

/// A link to a report, for operators.
#[derive(Debug)]
pub struct ShareLink {
    /// Names it in a form. It is no secret.
    pub id: String,
    pub made_by: String,
    pub made_at: Timestamp,
    pub expires_at: Timestamp,
}

/// The links to the report of a campaign.
#[derive(Debug, Template)]
#[template(path = "report_share.html")]
pub struct SharePage {
    pub frame: Frame,
    pub campaign: String,
    pub campaign_id: String,
    /// A link that was just made, and until when it works.
    pub made: Option<(ShownSecret, Timestamp)>,
    pub links: Vec<ShareLink>,
    /// Whether the campaign can have another link.
    pub is_full: bool,
}

impl SharePage {
    const fn frame(&self) -> &Frame {
        &self.frame
    }

    fn path(&self) -> String {
        campaign_path(&self.campaign_id)
    }
}

/// The report of a campaign as others see it by a link: without navigation, and without recipients.
#[derive(Debug, Template)]
#[template(path = "report_shared.html")]
pub struct SharedReportPage<'a> {
    pub report: &'a Report,
    pub tables: Option<Tables<'a>>,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub made_at: Timestamp,
    pub expires_at: Timestamp,
}

impl SharedReportPage<'_> {
    fn texts(&self) -> &'static Texts {
        &ENGLISH
    }

    fn assets(&self) -> &'static Assets {
        Assets::all()
    }

    fn outcomes(&self) -> Vec<OutcomeRow> {
        outcomes(self.report)
    }

    fn open(&self) -> Portion {
        Portion::of(self.report.open, self.report.audience)
    }

    /// The zone of its times: that of the campaign.
    const fn zone(&self) -> Option<Zone> {
        self.report.zone
    }

    fn time(&self, at: impl Plain<Timestamp>) -> String {
        format_time_short(at.plain(), self.zone())
    }

    fn full_time(&self, at: impl Plain<Timestamp>) -> String {
        format_time(at.plain(), self.zone())
    }
}
