//! The last page on which a campaign is written: what a launch does, a test of it, and the launch.

use askama::Template;

use super::frame::Frame;
use super::preview::{PreviewStep, button_name, class, language, media_name, values_alone};
use super::texts::ENGLISH;
use super::writing::{Field, FieldKind, Writing};
use crate::rules::forecast::{Booking, Days};
use crate::rules::template::preview::{BubbleHeader, Run};

/// Days of a booking that are shown.
const DAYS: usize = 31;

/// What will happen: who gets what by when, at what cost, and what to think about before.
#[derive(Debug, Template)]
#[template(path = "new_review.html")]
pub struct WriteReview<'a> {
    pub writing: Writing,
    pub name: Field,
    /// `None` if it cannot be planned yet; then the problems say why.
    pub outlook: Option<Outlook>,
    /// What is missing or wrong, each with the address of the field where it is mended.
    pub to_mend: Vec<(String, Option<String>)>,
    pub previews: Vec<PreviewStep<'a>>,
    pub test: TestForm,
}

/// What a test needs to know, and the test that was just sent.
#[derive(Debug)]
pub struct TestForm {
    pub fields: Vec<Field>,
    /// Name and address of the campaign of that test.
    pub sent: Option<(String, String)>,
}

/// What a launch would do.
#[derive(Debug)]
pub struct Outlook {
    pub recipients: u64,
    /// Rows that get no message, by reason.
    pub left_out: Vec<(String, u64)>,
    /// Rows that the import rejected, and the address that lists them.
    pub rejected: Option<(u64, String)>,
    /// What happens when: a label and a time each.
    pub times: Vec<(&'static str, String)>,
    /// What limits the speed, and what is not sent; may be empty.
    pub limited_by: String,
    /// What it costs: a label and an amount each. Empty if the lanes have no prices.
    pub costs: Vec<(&'static str, String)>,
    pub steps: Vec<OutlookStep>,
    /// Its hours and limits, in sentences.
    pub rules: Vec<String>,
    /// When sending starts, in a sentence.
    pub starts: String,
    /// The tier slots that it uses, by day.
    pub bookings: Vec<Booking>,
    /// Each with the address of the field where it can be changed.
    pub warnings: Vec<(String, Option<String>)>,
    /// Why another operator must start it.
    pub needs_approval: Option<String>,
}

/// What a launch would do with a step.
#[derive(Debug)]
pub struct OutlookStep {
    /// From 1.
    pub number: usize,
    pub channel: String,
    pub lanes: String,
    /// When the next step follows.
    pub falls_back: String,
    /// Its countries, hours and limits, in sentences.
    pub rules: Vec<String>,
    /// Those that it applies to.
    pub recipients: u64,
    /// The cost of all its messages.
    pub cost: Option<String>,
}

impl WriteReview<'_> {
    const fn frame(&self) -> &Frame {
        &self.writing.frame
    }

    fn test_path(&self) -> String {
        format!("/new/{}/test", self.writing.id)
    }

    fn launch_path(&self) -> String {
        format!("/new/{}/launch", self.writing.id)
    }

    /// The label of the button: it says to how many.
    fn launch_label(&self) -> String {
        let own = ENGLISH.review;
        let Some(outlook) = &self.outlook else { return own.launch.to_owned() };
        let recipients = ENGLISH.recipients_count(i64::try_from(outlook.recipients).unwrap_or(i64::MAX));
        match outlook.needs_approval {
            Some(_) => ENGLISH.wizard.ask_for(&recipients),
            None => format!("{} {recipients}", own.launch_to),
        }
    }

    /// Why another operator must start it.
    fn needs_approval(&self) -> Option<&str> {
        self.outlook.as_ref()?.needs_approval.as_deref()
    }

    /// Whether it may be launched, as far as is known.
    fn may_launch(&self) -> bool {
        self.outlook.is_some() || self.name.problem.is_some()
    }
}

impl Outlook {
    /// Whether every row of the files gets a message.
    fn takes_all(&self) -> bool {
        self.left_out.is_empty() && self.rejected.is_none()
    }

    fn days(&self) -> Vec<Days<'_>> {
        Days::of(&self.bookings, DAYS)
    }
}
