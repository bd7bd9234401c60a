//! The texts about writing a campaign that are not with the others.

use super::texts;
use crate::domain::Status;

texts! {
    /// The texts about writing a campaign that are not with the others.
    WizardTexts;

    // The list of what is being written.
    all_unfinished = "All campaigns that are being written";
    none_unfinished = "No campaign is being written.";
    none_unfinished_hint = "Start one with New campaign. A campaign that nobody has changed for 90 days is removed.";
    changed = "Last change";
    changed_by = "By";

    // Two operators.
    late_lead = "Your entries are below. They are not saved.";
    late_see = "Open the saved version in a new tab";
    late_choice = "Your choice is not saved. This page shows the campaign as it is now: choose again if you still want to.";
    late_upload = "Your file is uploaded, but not imported yet:";
    late_save = "Compare both, then save to replace what you changed here.";

    // Discarding.
    discard_ask = "Discard…";
    discard_title = "Discard this campaign?";
    discard_lead = "What was written is removed. Imported recipients stay. This cannot be undone.";
    discard_confirm = "Discard the campaign";
    keep_writing = "Keep writing";

    // The route.
    at_a_glance = "The route at a glance";
    counts_when = "Reached when";
    drag = "Drag step";

    // The content.
    header_text = "Value of the header's variable";
    header_file_hint = "A web address.";
    pattern = "Text of the template";
    has_cards = "This template has cards. The pages cannot fill them: launch it by command or over the API.";
    show_fields = "Show its fields";
    too_long = "Too long:";

    // Approval.
    approval = "Needs approval";
    approve = "Approve and start";
    approve_hint = "Check its recipients, texts and times first. Your name is in the events.";
    approval_asked = "The campaign waits for another operator, who approves and starts it. Nothing is sent before.";
    changed_before_start = "The campaign was changed meanwhile, so it is not started. It is shown as it is now: check it, and start it if it is right.";
    review_again = "Show the review again";
}

impl WizardTexts {
    pub fn was_faster(&self, operator: &str) -> String {
        format!("{operator} has changed this campaign meanwhile.")
    }

    pub fn import_file(&self, file: &str) -> String {
        format!("Import {file}")
    }

    /// A text of a step that another operator has removed.
    pub fn lost_text(&self, text: &str) -> String {
        format!("a step was removed meanwhile; your text for it was: {text}")
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

    /// When the next step follows: `after 15 min, if not delivered`.
    pub fn falls_back(&self, after: &str, success: Status) -> String {
        if after.is_empty() { "only if it fails".to_owned() } else { format!("after {after}, if not {success}") }
    }

    /// The label of a file in a template's header.
    pub fn header_file(&self, kind: &str) -> String {
        match kind {
            "image" => "Address of the header's image".to_owned(),
            "gif" => "Address of the header's GIF".to_owned(),
            kind => format!("Address of the header's {kind}"),
        }
    }

    /// The label of a part of a location.
    pub fn location_part(&self, key: &str) -> String {
        format!("Location: {key}")
    }

    pub fn value_of(&self, variable: &str) -> String {
        format!("Value of {{{{{variable}}}}}")
    }

    /// The label of a button's value.
    pub fn button_value(&self, key: &str, title: &str) -> String {
        let what = match key {
            "url" => "End of the address",
            "copy_code" => "Code to copy",
            "payload" => "Data of the reply",
            _ => "First screen of the form",
        };
        if title.is_empty() { format!("{what} of a button") } else { format!("{what} of the button {title}") }
    }

    pub fn button_hint(&self, key: &str) -> &'static str {
        match key {
            "url" => "",
            "copy_code" => "From 4 to 15 characters.",
            _ => "May stay empty.",
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
