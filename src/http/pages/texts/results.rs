//! The texts about reports, and about sending again.

use super::texts;
use crate::base::domain::text::{grouped, list, plural};
use crate::base::domain::{Outcome, Zone};
use crate::http::pages::show::Plain;

texts! {
    /// The texts about reports, and about sending again.
    ResultTexts;

    // The report.
    submissions = "Submissions, over all steps";
    replied = "Recipients who replied";
    download = "Download";
    recipients_csv = "Recipients as CSV";
    recipients_xlsx = "Recipients as XLSX";
    outcomes_csv = "Outcomes as CSV";
    steps_csv = "Steps as CSV";
    countries_csv = "Countries as CSV";
    codes_csv = "Codes as CSV";
    by_country_and_code = "By country and code";
    by_country_and_code_lead = "The outcomes of each country, and the reasons that the provider gave.";
    open_tables = "Open these tables";

    // By country and code.
    count_now = "Count now";
    count_again = "Count again";
    counting = "Counting…";
    counting_hint = "You can leave this page; the count goes on.";
    counted = "Counted";
    not_final = "The campaign is not settled, so the figures still change.";
    by_country = "By country";
    by_code = "By code of the provider";
    by_code_lead = "Why the provider did not accept or deliver messages.";
    no_country = "not known any more";
    no_codes = "The provider reported no errors.";
    no_code = "none";
    code = "Code";
    code_means = "Meaning";
    cause = "Cause";
    what_to_do = "What to do";
    reported = "Reported";
    currency = "Currency";
    messages = "Messages";
    ended = "Ended the step";
    ended_hint = "Ended the step: how many of these messages ended their step for this reason. The others were retried, or their step had already ended.";
    country_costs_hint = "By the prices at the launch. The cost of a country with SMS is not known here, because an SMS is priced by its parts.";

    // A link to the report.
    share = "Share this report";
    share_lead = "A link shows the figures and tables of this report to readers without an account. It shows no number of a recipient and no other page. A link ends at its time, when you end it here, or when the operator who made it is disabled.";
    works_for = "The link works for";
    one_day = "1 day";
    one_week = "1 week";
    thirty_days = "30 days";
    make_link = "Make a link";
    new_link = "The link";
    new_link_hint = "Copy it now: this page shows it once. Anyone who has it can read the report.";
    works_until = "Works until";
    links = "Links to this report";
    no_links = "There is no link.";
    no_links_hint = "A link that you make is listed here until it expires.";
    too_many_links = "This campaign has as many links as it can have. End one to make another.";
    made = "Made";
    made_by = "By";
    end_now = "End now";
    link_ended = "The link has ended. It shows nothing any more.";
    shared_until = "This link works until";

    // Sending again.
    again_title = "Send again";
    again_lead = "A new campaign, with the messages of this one. This campaign and its report stay as they are.";
    whom = "Send to recipients with the outcome";
    none_again = "This campaign has no recipient to send to again.";
    only_to = "Send again only to";
    new_name = "Name of the new campaign";
    new_name_hint = "A name that no other campaign has.";
    send_now = "Send again now";
    do_not = "Go back";
    what_they_get = "What is sent";
    same_route = "The same messages, on the same steps and lanes:";
    not_sent_again = "Who gets nothing";
    choose_an_outcome = "choose at least one outcome";
    limits_again = "Limits, budget and rules for a pause apply again, from zero.";
    no_times_again = "Start and end of this campaign do not apply.";
    one_clock_again = "It starts at one time for all, not by each recipient's clock.";
    opted_out_again = "Recipients who have opted out get nothing.";
    repeats = "Sends again to recipients of";
    repeated_by = "Sent again as";

    // Using it again.
    use_again = "Use again";
    use_again_lead = "Volley copies this campaign into a new unfinished campaign. You can change everything before the launch.";
    taken_over = "Copied";
    not_taken_over = "Not copied";
    write_it = "Copy the campaign";
    kept_rules = "Hours, limits and rules";
    lost_unnamed = "The recipients: they were imported for this campaign alone, or their audience was deleted. Choose or upload them";
    lost_of_outcomes = "The recipients: this campaign went again to those with certain outcomes. Choose or upload them";
    lost_of_unknown_filter = "The recipients: Volley did not keep filters yet when this campaign was launched. Choose them again";
    lost_values = "The campaign's own variables";
    lost_times = "Start and end";

    // Changing it.
    change_title = "Change this campaign";
    change_lead = "A change applies at once to every message that was not submitted. Empty a field to remove its rule.";
    change_text_hint = "It can be corrected until the first message is sent. Variables that need another column need a default.";
    change_name_hint = "The former name is free again.";
    change_start_hint = "Leave empty to start at once.";
    change_end_hint = "No first message is sent later.";
    with_offset = "With an offset, such as 2026-12-01T09:00+08:00.";
    of_step_hint = "Of this step alone. Leave empty for no limit.";
    send_window = "Send only in";
    send_window_hint = "Such as Mon-Fri 09:00-18:00. Leave empty to send at any time.";
    holidays = "Days without messages";
    holidays_hint = "Such as 2026-12-25, 2026-12-26.";
    hold_paid_when = "Hold the next step that costs money if";
    hold_paid_when_hint = "Such as: undelivered > 50% of the last 1000.";
    rules_group = "Rules";
    save_changes = "Save the changes";
    save_step = "Save step";
    steps_lead = "The other steps go on while one is paused. Hours and limits of a step apply to it alone.";
    pause_step = "Pause step";
    resume_step = "Resume step";
    changed_meanwhile = "the campaign was changed meanwhile; its present values are below, and yours were not saved";
    nothing_changed = "Nothing was changed.";
    step_paused = "The step is paused. The other steps go on.";
    step_resumed = "The step is resumed.";

    // Deleting a draft.
    delete_draft = "Delete…";
    delete_title = "Delete this draft?";
    delete_confirm = "Delete the draft";
    keep_draft = "Keep it";
    draft_deleted = "The draft is deleted.";

    more = "More";
    change = "Change…";
}

impl ResultTexts {
    /// A hint of a time that is entered in a zone.
    pub fn in_zone(&self, zone: Zone, hint: &str) -> String {
        format!("By the clock of {zone}. {hint}")
    }

    /// The cost, that of each recipient who was reached, and what may still be charged.
    pub fn cost_with(&self, each: Option<&str>, reserved: Option<&str>) -> String {
        let each = each.map(|each| format!("; {each} for each recipient reached")).unwrap_or_default();
        let reserved = reserved.map(|words| format!("; {words}")).unwrap_or_default();
        format!("Cost{each}{reserved}")
    }

    pub fn count_lead(&self, messages: impl Plain<i64>) -> String {
        let messages = plural(messages.plain(), "message", "messages");
        format!("A count reads every message of the campaign: {messages}. Sending goes on meanwhile.")
    }

    pub fn more_rows(&self, rows: impl Plain<i64>) -> String {
        format!("{}; the file has all.", plural(rows.plain(), "more row", "more rows"))
    }

    /// Where a code comes from.
    pub fn where_from(&self, result: &str) -> &'static str {
        match result {
            "rejected" => "rejected, at the submission",
            _ => "undelivered, after the submission",
        }
    }

    /// What to know before recipients with an outcome are sent to again.
    pub fn again_note(&self, outcome: impl Plain<Outcome>) -> &'static str {
        match outcome.plain() {
            Outcome::Silent | Outcome::Unknown => "the message may have arrived, so some may get it twice",
            Outcome::Skipped => "skipped again if the reason still applies",
            Outcome::Undelivered => "the last step failed",
            Outcome::Expired => "a deadline passed before the next step could be sent",
            Outcome::Cancelled => "the message was cancelled before it was sent",
            Outcome::Reached => "the message has arrived",
        }
    }

    pub fn up_to(&self, recipients: impl Plain<i64>) -> String {
        let recipients = plural(recipients.plain(), "recipient", "recipients");
        format!("At most {recipients}, without those who have opted out.")
    }

    pub fn include_reached(&self, recipients: impl Plain<u64>) -> String {
        let recipients = plural(recipients.plain(), "recipient", "recipients");
        format!(
            "Also send to {recipients} whom an earlier retry has reached. They would get the message a second time."
        )
    }

    pub fn reached_left_out(&self, recipients: i64) -> String {
        let recipients = plural(recipients, "recipient was reached", "recipients were reached");
        format!("{recipients}, and would get the message a second time. To send to everyone, use the campaign again.")
    }

    pub fn open_left_out(&self, recipients: i64) -> String {
        let recipients = plural(recipients, "recipient has no outcome yet", "recipients have no outcome yet");
        format!("{recipients}, and may still be reached.")
    }

    pub fn excluded_left_out(&self, recipients: i64) -> String {
        let recipients = plural(recipients, "skipped recipient was excluded", "skipped recipients were excluded");
        format!("{recipients} by the campaign, and stay so.")
    }

    /// The audience of another campaign like one, with the recipients that it has now and that the first campaign had.
    pub fn kept_recipients(&self, audiences: &[String], now: u64, had: u64) -> String {
        let has = plural(now, "recipient", "recipients");
        let had = plural(had, "recipient", "recipients");
        let named: Vec<String> = audiences.iter().map(|name| format!("\"{name}\"")).collect();
        let whole = match named.as_slice() {
            [name] => format!("the audience {name} as it is now. It has {has}"),
            _ => format!("the audiences {} as they are now. Together they have {has}", list(&named)),
        };
        format!("The recipients: {whole}; this campaign had {had}. Recipients who have opted out get no message")
    }

    pub fn kept_filter(&self, filter: &str) -> String {
        format!("The filter of the recipients: {filter}")
    }

    pub fn kept_exclusions(&self, names: &str) -> String {
        format!("Whom it leaves out: {names}")
    }

    pub fn kept_step(&self, number: usize, channel: &str, has_content: bool) -> String {
        let content = if has_content { "with its content" } else { "without its content" };
        format!("Step {number}: {channel}, {content}")
    }

    pub fn lost_contents(&self, steps: &[String]) -> String {
        let what = if steps.len() == 1 { "The content of step" } else { "The contents of steps" };
        format!("{what} {}: the pages have no fields for contents of this kind", list(steps))
    }

    pub fn wait_for_step(&self, messages: impl Plain<i64>) -> String {
        let messages = messages.plain();
        format!("{} for it.", plural(messages, "message waits", "messages wait"))
    }

    pub fn delete_lead(&self, messages: impl Plain<i64>) -> String {
        let messages = messages.plain();
        format!(
            "the draft with its {} and the recipients that were imported for it alone are removed. Nothing of it was sent. \
             This cannot be undone.",
            if messages == 1 { "1 message".to_owned() } else { format!("{} messages", grouped(messages)) }
        )
    }
}
