//! The list of campaigns.

use askama::Template;

use super::figures::{Bar, Portion};
use super::frame::Frame;
use super::show::Plain;
use super::texts::ENGLISH;
use super::writing::Unfinished;
use crate::base::domain::{BatchState, Outcome};
use crate::campaigns::status::Look;

/// The list of campaigns, latest first.
#[derive(Debug, Template)]
#[template(path = "campaigns.html")]
pub struct CampaignsPage<'a> {
    pub frame: Frame,
    pub rows: Vec<Row<'a>>,
    /// Unfinished campaigns: the latest.
    pub unfinished: Vec<Unfinished>,
    /// Whether there are more of them.
    pub more_unfinished: bool,
    /// What the list was filtered by.
    pub name: Option<String>,
    pub state: Option<BatchState>,
    pub tests: bool,
    /// Whether it is not the first page.
    pub is_later: bool,
    /// The address of the first page with the same filters.
    pub first: String,
    /// The address of the next page.
    pub next: Option<String>,
}

impl CampaignsPage<'_> {
    const fn frame(&self) -> &Frame {
        &self.frame
    }

    fn is_filtered(&self) -> bool {
        self.name.is_some() || self.state.is_some() || self.tests
    }

    fn is_chosen(&self, state: impl Plain<BatchState>) -> bool {
        self.state == Some(state.plain())
    }

    /// The states that a campaign can be found by.
    fn states(&self) -> impl Iterator<Item = BatchState> {
        BatchState::ALL.iter().copied().filter(|state| *state != BatchState::Launching)
    }
}

/// A campaign of a list.
#[derive(Debug)]
pub struct Row<'a> {
    pub look: &'a Look,
    pub is_test: bool,
}

impl Row<'_> {
    pub fn path(&self) -> String {
        campaign_path(&self.look.show.id)
    }

    pub fn reached(&self) -> Portion {
        Portion::of(self.look.report.outcome(Outcome::Reached), self.look.report.audience)
    }

    pub fn bar(&self) -> Bar {
        progress(self.look, None)
    }
}

/// The address of a campaign's page.
pub fn campaign_path(id: &str) -> String {
    format!("/campaigns/{id}")
}

/// The parts of a campaign: reached, ended otherwise, set aside if any is, waiting for receipts, to submit. With the address of its
/// recipients, each part links to its own.
pub(super) fn progress(look: &Look, recipients: Option<&str>) -> Bar {
    let (counts, state) = (look.show.counts, look.batch.state);
    let reached = look.report.outcome(Outcome::Reached);
    let link = |query: &str| recipients.map(|path| format!("{path}?{query}"));
    let parts = [
        ("reached", ENGLISH.reached, reached, link("outcome=reached")),
        ("missed", ENGLISH.ended_otherwise, counts.done - reached, link("outcome=missed")),
        ("aside", ENGLISH.on_messages.state_name("set_aside"), counts.set_aside, link("outcome=set_aside")),
        ("awaiting", ENGLISH.awaiting, counts.to_come(state), link("outcome=awaiting")),
        ("queued", ENGLISH.to_submit, counts.to_hand_over(state), link("outcome=to_submit")),
    ];
    let parts = parts.into_iter().filter(|(class, _, number, _)| *class != "aside" || *number > 0);
    Bar::of(look.report.audience, parts)
}
