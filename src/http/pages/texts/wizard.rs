//! The texts about writing a campaign that are not with the others.

use super::texts;
use crate::base::domain::Status;
use crate::base::domain::text::{grouped, list, plural};
use crate::http::pages::show::Plain;

texts! {
    /// The texts about writing a campaign that are not with the others.
    WizardTexts;

    // The list of unfinished campaigns.
    all_unfinished = "All unfinished campaigns";
    none_unfinished = "There are no unfinished campaigns.";
    none_unfinished_hint = "A new campaign is saved here until its launch. After 90 days without a change, it is removed.";
    changed = "Last change";
    changed_by = "By";

    // Two operators.
    late_lead = "Your entries below are not saved.";
    late_see = "Open the saved version in a new tab";
    late_choice = "Your choice is not saved. This page shows the campaign as it is now: choose again if you still want to.";
    late_upload = "Your file is uploaded, but not imported yet:";
    late_save = "Compare both. Save again to keep your entries instead.";

    // Discarding.
    discard_ask = "Discard…";
    discard_title = "Discard this unfinished campaign?";
    discard_lead = "Its steps, texts and settings are removed. Imported recipients stay. This cannot be undone.";
    discard_confirm = "Discard it";
    keep_writing = "Keep it";

    // The route.
    at_a_glance = "The route at a glance";
    counts_when = "Reached when";
    drag = "Drag step";

    // The content.
    header_text = "Value of the variable in the header";
    header_file_hint = "";
    pattern = "Text of the template";
    values_alone = "The preview shows the values alone, because Volley does not have the text of this template.";
    values_of_fixed = "The preview shows the values alone, because WhatsApp writes the text of authentication templates.";
    see_templates = "Fetch the templates to see their texts";
    other_template = "Another template, by its name";
    fetch_to_choose = "Fetch them to choose one from a list";
    show_fields = "Show its fields";
    save_to_count = "Save to count the recipients of this filter.";
    fill_in = "The template needs this value";
    selects_none_yet = "This is no filter yet.";
    no_step_yet = "A message needs a step first.";
    to_route = "Add a step on Route";
    too_long = "Too long:";

    // The time.
    recipients_zone = "Each recipient's local time";
    no_zone = "Not chosen";

    // Approval.
    approval = "Needs approval";
    approve = "Approve and start";
    approve_hint = "Read its plan first: whom it goes to, what they read, when, and what it costs. The events record your decision.";
    refuse = "Refuse";
    refuse_title = "Refuse this campaign?";
    refuse_lead = "It stays a draft, and is not sent. Its authors read the reason; once they change it, it asks for an approval again.";
    refuse_reason = "What has to change";
    refuse_why = "Say what has to change, so that its authors can change it.";
    see_plan = "See the plan";
    keep_asking = "Back, without a decision";
    approval_asked = "The campaign is saved as a draft. Another operator has to approve and start it.";
    changed_before_decision = "The campaign was changed meanwhile, so nothing was decided. It is shown as it is now: check it, then decide.";
    back_to_review = "Save and return to the review";
    only_back_to_review = "Return to the review";
    review_again = "Show the review again";
}

/// `lane a`, `lanes a and b`.
fn named_lanes(lanes: &[&str]) -> String {
    format!("{} {}", if lanes.len() == 1 { "lane" } else { "lanes" }, list(lanes))
}

impl WizardTexts {
    pub fn was_faster(&self, operator: &str) -> String {
        format!("{operator} has changed this campaign in the meantime.")
    }

    pub fn import_file(&self, file: &str) -> String {
        format!("Import {file}")
    }

    /// Why a step has no list of templates.
    pub fn unfetched(&self, lanes: &[&str]) -> String {
        let lanes = named_lanes(lanes);
        format!(
            "The templates of {lanes} were never fetched. So Volley has no list of them, and neither checks a template nor \
             shows its text."
        )
    }

    /// A template that was not checked, because it is unknown.
    pub fn unchecked(&self, template: &str, language: &str, lanes: &[&str]) -> String {
        let lanes = named_lanes(lanes);
        format!(
            "template {template} ({language}) was not checked, because the templates of {lanes} were never fetched; fetch \
             them on the page Templates"
        )
    }

    /// A text of a step that another operator has removed.
    pub fn lost_text(&self, text: &str) -> String {
        format!("another operator has removed a step; your text for it was: {text}")
    }

    /// Where keys without a field can be set.
    pub fn no_field(&self, keys: &str, count: usize) -> String {
        let them = if count == 1 { "it" } else { "them" };
        format!("The pages have no field for {keys}: a campaign file can set {them}")
    }

    pub fn countries(&self, only: &str, except: &str) -> String {
        match (only, except) {
            ("", "") => "All countries".to_owned(),
            ("", except) => format!("All countries but {except}"),
            (only, "") => only.to_owned(),
            (only, except) => format!("{only}, but not {except}"),
        }
    }

    /// What the button does that moves a step.
    pub fn move_earlier(&self, step: impl Plain<usize>) -> String {
        let step = step.plain();
        format!("Move step {step} before step {}", step - 1)
    }

    pub fn move_later(&self, step: impl Plain<usize>) -> String {
        let step = step.plain();
        format!("Move step {step} after step {}", step + 1)
    }

    /// The status that counts unless another one is chosen.
    pub fn usual_status(&self, status: Status) -> String {
        format!("{status} (default)")
    }

    /// When the next step follows: `after 15 min, if not delivered`.
    pub fn falls_back(&self, after: &str, success: Status) -> String {
        if after.is_empty() { "only if it fails".to_owned() } else { format!("after {after}, if not {success}") }
    }

    /// The label of a file in a template's header.
    pub fn header_file(&self, kind: &str) -> String {
        match kind {
            "gif" => "Web address of the GIF".to_owned(),
            kind => format!("Web address of the {kind}"),
        }
    }

    /// The label of a part of a location.
    pub fn location_part(&self, key: &str) -> String {
        format!("Location: {key}")
    }

    /// The heading of the fields of a card.
    pub fn card(&self, number: impl Plain<usize>) -> String {
        format!("Card {}", number.plain())
    }

    /// How many recipients a filter selects.
    pub fn selects(&self, selected: u64, all: u64) -> String {
        format!("{} of {} selected", grouped(selected), plural(all, "recipient", "recipients"))
    }

    pub fn value_of(&self, variable: &str) -> String {
        format!("Value of {{{{{variable}}}}}")
    }

    /// The label of a button's value.
    pub fn button_value(&self, key: &str, title: &str) -> String {
        let what = match key {
            "url" => "End of the link",
            "copy_code" => "Code to copy",
            "payload" => "Data sent back with the reply",
            _ => "First screen of the form",
        };
        if title.is_empty() { format!("{what} of a button") } else { format!("{what} of the button {title}") }
    }

    pub fn button_hint(&self, key: &str) -> &'static str {
        match key {
            "url" => "",
            "copy_code" => "From 4 to 15 characters.",
            _ => "Optional.",
        }
    }

    /// The label of the button that asks another operator.
    pub fn ask_for(&self, recipients: &str) -> String {
        format!("Ask for approval to send to {recipients}")
    }

    /// What the authors of a campaign with many recipients see.
    pub fn needs_another(&self, authors: &str) -> String {
        format!("Written by {authors}. Another operator has to approve and start it.")
    }
}
