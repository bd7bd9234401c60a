//! The pages on which a campaign is written, one after the other.

use std::borrow::Cow;

use askama::Template;

use super::audiences::{AudienceContents, AudienceRow, audience_path};
use super::figures::Portion;
use super::file_fields::{CountryQuestion, FileFields};
use super::frame::Frame;
use super::preview::{PreviewStep, button_name, class, language, media_name, values_alone};
use super::show::Plain;
use super::texts::{ENGLISH, Texts};
use crate::base::domain::Timestamp;
use crate::recipients::audience::Corrected;
use crate::rules::template::preview::{BubbleHeader, Run};

/// A page of the way to a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WritingPage {
    Recipients,
    Check,
    Route,
    Content,
    Time,
    Review,
}

impl WritingPage {
    /// In the order in which they are filled in.
    pub const ALL: [Self; 6] = [Self::Recipients, Self::Check, Self::Route, Self::Content, Self::Time, Self::Review];

    /// Its part of the address.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Recipients => "recipients",
            Self::Check => "check",
            Self::Route => "route",
            Self::Content => "content",
            Self::Time => "time",
            Self::Review => "review",
        }
    }

    /// The page after it.
    pub fn next(self) -> Self {
        let at = Self::ALL.iter().position(|page| *page == self).unwrap_or_default();
        Self::ALL.get(at + 1).copied().unwrap_or(Self::Review)
    }

    const fn title(self, texts: &Texts) -> &'static str {
        match self {
            Self::Recipients => texts.step_recipients,
            Self::Check => texts.step_check,
            Self::Route => texts.step_route,
            Self::Content => texts.step_content,
            Self::Time => texts.step_time,
            Self::Review => texts.step_review,
        }
    }
}

/// What all pages of one campaign have in common.
#[derive(Debug)]
pub struct Writing {
    pub frame: Frame,
    pub id: String,
    pub page: WritingPage,
    pub version: u32,
    /// The name so far.
    pub name: String,
    pub changed_at: Timestamp,
    pub changed_by: String,
    /// What is wrong and belongs to no field of the page.
    pub problems: Vec<String>,
    /// Whether the review led here: the page leads back to it.
    pub is_from_review: bool,
    /// The operator who was faster, if the page shows a change that came too late and is not saved.
    pub late: Option<String>,
}

impl Writing {
    pub fn path(&self, page: impl Plain<WritingPage>) -> String {
        format!("/new/{}/{}", self.id, page.plain().as_str())
    }

    /// Where the import of an upload begins.
    pub(super) fn import_path(&self) -> String {
        format!("/new/{}/import", self.id)
    }

    pub(super) fn own_path(&self) -> String {
        self.path(self.page)
    }

    /// Whether its page is filled in by clicks, which are not kept.
    pub(super) fn is_chosen(&self) -> bool {
        self.page == WritingPage::Recipients
    }

    /// Each page: its number, title, address, and whether it is this one.
    pub(super) fn trail(&self) -> Vec<(usize, &'static str, String, &'static str)> {
        let each = |(number, page): (usize, &WritingPage)| {
            let current = if *page == self.page { "step" } else { "false" };
            (number + 1, page.title(&ENGLISH), self.path(*page), current)
        };
        WritingPage::ALL.iter().enumerate().map(each).collect()
    }

    /// The address of this page, with the way back.
    pub(super) fn again_path(&self) -> String {
        let back = if self.is_from_review { "?from=review" } else { "" };
        format!("{}{back}", self.own_path())
    }

    /// The label of the button that saves the page and goes on.
    pub(super) fn next_label(&self) -> &'static str {
        if self.is_from_review { ENGLISH.wizard.back_to_review } else { ENGLISH.go_on }
    }

    pub(super) fn discard_path(&self) -> String {
        format!("/new/{}/delete", self.id)
    }

    pub(super) fn title(&self) -> &'static str {
        self.page.title(&ENGLISH)
    }
}

/// A field of a form.
#[derive(Debug)]
pub struct Field {
    pub name: String,
    pub label: Cow<'static, str>,
    pub hint: Cow<'static, str>,
    pub value: String,
    pub kind: FieldKind,
    /// What is wrong with its value: the sentence that a command would print.
    pub problem: Option<String>,
    /// The length of its value.
    pub count: Option<Count>,
}

impl Field {
    /// A field for a text.
    pub fn text(
        name: impl Into<String>,
        (label, hint): (impl Into<Cow<'static, str>>, impl Into<Cow<'static, str>>),
        value: String,
    ) -> Self {
        let (name, label, hint) = (name.into(), label.into(), hint.into());
        Self { name, label, hint, value, kind: FieldKind::Text, problem: None, count: None }
    }

    /// The ids of what describes it.
    pub(super) fn about(&self) -> String {
        let count = if self.count.is_some() { format!("{}-count ", self.name) } else { String::new() };
        format!("{count}{}-hint", self.name)
    }

    /// The step that it belongs to, and its own name.
    fn in_step(&self) -> Option<(&str, &str)> {
        self.name.split_once('-')
    }

    pub(super) fn step(&self) -> &str {
        self.in_step().map_or("", |(step, _)| step)
    }

    /// The card of a template that it belongs to, from 1: `1-template_card_2_body_1` belongs to card 2.
    fn card(&self) -> Option<usize> {
        self.in_step()?.1.strip_prefix("template_card_")?.split('_').next()?.parse().ok()
    }

    /// Whether it chooses a template, on which other fields depend.
    pub(super) fn is_template(&self) -> bool {
        self.in_step().is_some_and(|(_, name)| name == "template")
    }
}

/// The length of a text.
#[derive(Debug)]
pub struct Count {
    /// What is counted, for the script.
    pub of: String,
    pub sentence: String,
    /// Whether it is too long.
    pub is_over: bool,
}

/// The texts of a template, each in parts: whether it is the place of a variable, and the text.
#[derive(Debug)]
pub struct Pattern {
    pub texts: Vec<Vec<(bool, String)>>,
    /// The texts of its cards.
    pub cards: Vec<Self>,
}

impl Pattern {
    pub fn of<'a>(texts: impl Iterator<Item = &'a str>, cards: Vec<Self>) -> Self {
        Self { texts: texts.filter(|text| !text.is_empty()).map(parts).collect(), cards }
    }
}

/// Splits a text at the places of its variables: `Hi {{1}}` is `Hi ` and `{{1}}`.
fn parts(text: &str) -> Vec<(bool, String)> {
    let mut found = Vec::new();
    for (number, piece) in text.split("{{").enumerate() {
        let literal = match piece.split_once("}}").filter(|_| number > 0) {
            Some((name, literal)) => {
                found.push((true, format!("{{{{{name}}}}}")));
                literal.to_owned()
            }
            None if number > 0 => format!("{{{{{piece}"),
            None => piece.to_owned(),
        };
        if !literal.is_empty() {
            found.push((false, literal));
        }
    }
    found
}

#[derive(Debug)]
pub enum FieldKind {
    Text,
    /// A date with a time.
    Instant,
    /// Several lines.
    Area,
    /// One of these: value and label of each.
    Choice(Vec<(String, String)>),
}

/// The choice of the recipients.
#[derive(Debug, Template)]
#[template(path = "new_recipients.html")]
pub struct WriteRecipients {
    pub writing: Writing,
    /// The audiences of the campaign.
    pub chosen: Vec<ChosenAudience>,
    /// What is wrong with them.
    pub problems: Vec<String>,
    /// The imported audiences, latest first, and the part of the name by which they were searched.
    pub audiences: Vec<AudienceRow>,
    pub name: Option<String>,
    pub is_later: bool,
    pub first: String,
    pub next: Option<String>,
    pub file: FileFields,
    /// A file that is uploaded but not imported: the id of the upload, and the name of the file.
    pub uploaded: Option<(String, String)>,
}

/// An audience of an unfinished campaign.
#[derive(Debug)]
pub struct ChosenAudience {
    pub name: String,
    /// `None` if it was deleted.
    pub recipients: Option<u32>,
}

impl ChosenAudience {
    fn path(&self) -> String {
        audience_path(&self.name)
    }
}

/// What the base of all pages asks for.
macro_rules! framed {
    ($($page:ident),+) => {$(
        impl $page {
            const fn frame(&self) -> &Frame {
                &self.writing.frame
            }
        }
    )+};
}

framed!(WriteRecipients, WriteImport, WriteCheck, WriteRoute, WriteTime, DiscardPage);

impl WriteContent<'_> {
    const fn frame(&self) -> &Frame {
        &self.writing.frame
    }

    /// The preview of a step, by its number.
    fn preview(&self, number: &usize) -> Option<&PreviewStep<'_>> {
        self.previews.get(number.checked_sub(1)?)
    }
}

impl WriteRecipients {
    fn upload_path(&self) -> String {
        format!("/new/{}/upload", self.writing.id)
    }

    /// Where the page leads, and the label of the link.
    fn next(&self) -> (String, &'static str) {
        match self.writing.is_from_review {
            true => (self.writing.path(WritingPage::Review), ENGLISH.wizard.only_back_to_review),
            false => (self.writing.path(WritingPage::Check), ENGLISH.audiences.go_to_check),
        }
    }

    fn is_chosen(&self, name: &str) -> bool {
        self.chosen.iter().any(|chosen| chosen.name == name)
    }
}

/// An import that is running, asks, or has failed.
#[derive(Debug, Template)]
#[template(path = "new_import.html")]
pub struct WriteImport {
    pub writing: Writing,
    pub file: String,
    pub rows: u64,
    pub bytes_done: u64,
    pub bytes_total: u64,
    pub question: Option<CountryQuestion>,
    pub failed: Option<String>,
}

impl WriteImport {
    fn done(&self) -> String {
        let part = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        Portion::of(part(self.bytes_done), part(self.bytes_total)).width()
    }
}

/// What the audiences have: columns, countries, rejected rows; and whom of them to send to.
#[derive(Debug, Template)]
#[template(path = "new_check.html")]
pub struct WriteCheck {
    pub writing: Writing,
    pub audiences: Vec<AudienceContents>,
    pub corrected: Corrected,
    /// Those who get a message, if they are not all.
    pub selected: Option<u64>,
    pub filter: Field,
}

impl WriteCheck {
    fn recipients(&self) -> u64 {
        self.audiences.iter().map(|audience| u64::from(audience.recipients)).sum()
    }

    fn rejected(&self) -> u64 {
        let listed: u64 = self.audiences.iter().map(|audience| audience.rejection.rows).sum();
        listed.saturating_sub(self.corrected.still_listed)
    }
}

/// A step with the fields of a page.
#[derive(Debug)]
pub struct StepFields {
    /// From 1.
    pub number: usize,
    pub title: String,
    pub fields: Vec<Field>,
    /// What is wrong and belongs to none of the fields.
    pub problems: Vec<String>,
    /// The texts of its template.
    pub pattern: Option<Pattern>,
    /// Why there is no list of templates to choose from, and no text of a template.
    pub unfetched: Option<String>,
}

impl StepFields {
    /// The fields without those of cards.
    fn own_fields(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(|field| field.card().is_none())
    }

    /// The fields of one card of its template, from 1.
    fn fields_of_card(&self, number: impl Plain<usize>) -> Vec<&Field> {
        let number = Some(number.plain());
        self.fields.iter().filter(|field| field.card() == number).collect()
    }
}

/// A step at a glance.
#[derive(Debug)]
pub struct LineStep {
    /// From 1.
    pub number: usize,
    pub channel: String,
    pub success: String,
    pub countries: String,
    /// When the next step follows; `None` for the last.
    pub falls_back: Option<String>,
}

/// The steps: channels, deadlines, countries.
#[derive(Debug, Template)]
#[template(path = "new_route.html")]
pub struct WriteRoute {
    pub writing: Writing,
    pub line: Vec<LineStep>,
    pub steps: Vec<StepFields>,
}

/// The contents of the steps, with previews.
#[derive(Debug, Template)]
#[template(path = "new_content.html")]
pub struct WriteContent<'a> {
    pub writing: Writing,
    pub columns: Vec<String>,
    pub steps: Vec<StepFields>,
    pub previews: Vec<PreviewStep<'a>>,
}

/// When and how fast.
#[derive(Debug, Template)]
#[template(path = "new_time.html")]
pub struct WriteTime {
    pub writing: Writing,
    pub groups: Vec<(&'static str, Vec<Field>)>,
}

/// The question before an unfinished campaign is discarded.
#[derive(Debug, Template)]
#[template(path = "new_discard.html")]
pub struct DiscardPage {
    pub writing: Writing,
}

/// An unfinished campaign, in a list.
#[derive(Debug)]
pub struct Unfinished {
    /// Empty if it has none so far.
    pub name: String,
    pub path: String,
    pub changed_at: Timestamp,
    pub changed_by: String,
}

/// The unfinished campaigns, latest change first.
#[derive(Debug, Template)]
#[template(path = "new_list.html")]
pub struct UnfinishedPage {
    pub frame: Frame,
    pub rows: Vec<Unfinished>,
    pub is_later: bool,
    /// The address of the first page.
    pub first: String,
    /// The address of the next page.
    pub next: Option<String>,
}

impl UnfinishedPage {
    const fn frame(&self) -> &Frame {
        &self.frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_split_at_the_places_of_its_variables() {
        let split =
            |text| parts(text).into_iter().map(|(is_place, part)| format!("{is_place}:{part}")).collect::<Vec<_>>();
        assert_eq!(split("Hi {{1}}, {{ 2 }}"), ["false:Hi ", "true:{{1}}", "false:, ", "true:{{ 2 }}"]);
        assert_eq!(split("{{1}}"), ["true:{{1}}"]);
        assert_eq!(split("a }} b {{ c"), ["false:a }} b ", "false:{{ c"]);
        assert!(split("").is_empty());
    }
}
