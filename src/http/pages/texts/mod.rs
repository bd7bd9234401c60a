//! Every text of the pages, in one language. A translation is another value of [`Texts`].
//!
//! Texts of one page or a few are in a module of their own; those of all pages are here.

mod access;
mod audiences;
mod countries;
mod messages;
mod plan;
mod progress;
mod recipients;
mod results;
mod review;
mod sending;
mod server;
mod wizard;

use super::campaign::Done;
use super::frame::{Part, Place};
use super::show::Plain;
use crate::base::domain::text::{grouped, plural};
use crate::base::domain::{BatchState, Channel, Outcome, StepIndex};
use crate::campaigns::report::FellBack;

/// Declares the texts of a language by name, and the English ones. In braces are those of other modules.
macro_rules! texts {
    ($(#[$doc:meta])* $type:ident $({ $($area:ident: $of:ty = $value:expr;)+ })?; $($name:ident = $english:literal;)*) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $type {
            $(pub $name: &'static str,)*
            $($(pub $area: $of,)+)?
        }

        /// The texts in English.
        pub(in crate::http::pages) static ENGLISH: $type = $type { $($name: $english,)* $($($area: $value,)+)? };
    };
}
pub(in crate::http::pages) use countries::COUNTRIES;
use texts;

texts! {
    /// The texts of one language.
    Texts {
        access: &'static access::AccessTexts = &access::ENGLISH;
        audiences: &'static audiences::AudienceTexts = &audiences::ENGLISH;
        on_messages: &'static messages::MessageTexts = &messages::ENGLISH;
        on_progress: &'static progress::ProgressTexts = &progress::ENGLISH;
        on_recipients: &'static recipients::RecipientTexts = &recipients::ENGLISH;
        results: &'static results::ResultTexts = &results::ENGLISH;
        plan: &'static plan::PlanTexts = &plan::ENGLISH;
        review: &'static review::ReviewTexts = &review::ENGLISH;
        sending: &'static sending::SendingTexts = &sending::ENGLISH;
        server: &'static server::ServerTexts = &server::ENGLISH;
        wizard: &'static wizard::WizardTexts = &wizard::ENGLISH;
    };
    // As HTML names it.
    language = "en";

    // The frame of every page.
    skip_to_content = "Skip to the content";
    main_navigation = "Main";
    part_navigation = "Pages of this part";
    home = "Home";
    campaigns = "Campaigns";
    events = "Events";
    find_label = "Number, message or campaign";
    find = "Find";
    signed_in_as = "Signed in as";
    change_zone = "Show times in";
    save = "Save";
    sign_out = "Sign out";
    api_reference = "API reference";

    // Signing in.
    sign_in = "Sign in";
    sign_in_lead = "Campaigns by WhatsApp, Viber and SMS, with every outcome accounted for.";
    name = "Name";
    password = "Password";
    session_ended = "Your session has ended. Sign in again: what you typed is kept.";
    kept_title = "What you typed was not sent";
    kept_lead = "Your session had ended. You are signed in again, and can send it now.";
    kept_send = "Send it";
    kept_leave = "Do not send it";
    no_account = "No account? Ask an operator with the scope admin to create one.";
    set_up = "Create the first operator";
    set_up_lead = "This server has no operator yet. Enter the setup token that it printed at its first start. The token is valid for 24 hours.";
    setup_token = "Setup token";
    setup_token_hint = "It begins with vs_";
    password_hint = "12 characters or more";
    create_operator = "Create and sign in";

    // Errors.
    back_home = "Back to the home page";
    error_hint = "If this happens again, search the log of the server for this id:";

    // Home.
    running_now = "Running now";
    needs_attention = "Needs attention";
    coming_next = "Coming next";
    lately_finished = "Recently finished";
    nothing_runs = "Nothing is being sent.";
    nothing_runs_hint = "A launched campaign appears here with its progress.";
    nothing_scheduled = "Nothing is scheduled.";
    nothing_scheduled_hint = "A scheduled campaign and a draft appear here.";
    nothing_finished = "No campaign has finished yet.";
    no_campaigns = "There are no campaigns yet.";
    no_campaigns_hint = "Press New campaign, or launch a campaign file with: volley campaign launch FILE";
    all_campaigns = "All campaigns";
    what_to_do = "What to do:";

    // Lists.
    campaign = "Campaign";
    state = "State";
    recipients = "Recipients";
    progress = "Progress";
    reached = "Reached";
    created = "Created";
    started = "Started";
    starts = "Starts";
    filter_name = "Name contains";
    filter_state = "State";
    any_state = "Any";
    include_tests = "Test sends too";
    filter = "Filter";
    clear = "Clear";
    is_test = "test send";
    nothing_found = "Nothing was found.";
    nothing_found_hint = "Change or clear the filter.";
    next_page = "Next page";
    first_page = "First page";

    // A campaign.
    pause = "Pause";
    resume = "Resume";
    cancel_campaign = "Cancel…";
    start_now = "Start";
    report = "Report";
    overview = "Overview";
    resume_hint = "No submitted message is sent again.";
    as_of = "As of";
    live_off = "This page does not update itself. Reload it to see more.";
    live_lost = "The connection is lost; connecting again…";
    outcomes = "Outcomes";
    outcome = "Outcome";
    share = "Share";
    steps = "Steps";
    step = "Step";
    channel = "Channel";
    lanes = "Lanes";
    lane = "Lane";
    submitted = "Submitted";
    sent = "Sent";
    delivered = "Delivered";
    read = "Read";
    undelivered = "Undelivered";
    rejected = "Rejected";
    fell_back = "Fell back";
    replied = "Replied";
    spent = "Cost";
    reserved = "Reserved";
    open = "Open";
    to_submit = "To submit";
    awaiting = "Waiting for receipts";
    ended_otherwise = "Not reached";
    rate = "Rate";
    rate_now = "Submissions now";
    allowed = "allowed";
    forecast = "Forecast: all first messages sent";
    forecast_none = "No forecast";
    worst_case = "At the latest";
    all_known = "Outcomes known at the latest";
    latest_events = "Latest events";
    no_events = "Nothing has happened yet.";
    left_out = "Rows left out";
    left_out_lead = "Rows of the recipient file for which no message was made.";
    reason = "Reason";
    rows = "Rows";
    delivered_twice = "delivered twice";
    late = "reached late";
    unknown_submissions = "submissions with an unknown result";
    download_csv = "Download CSV";
    replies = "Replies";
    choice = "Reply";
    count = "Count";

    // Cancelling.
    restored_title = "Send it all the same?";
    restored_choice = "Confirm it only if nothing of it was sent since then, or if a second message is better than none.";
    restored_confirm = "Send it all the same";
    restored_keep = "Send nothing";
    cancel_title = "Cancel this campaign?";
    cancel_lead = "After you confirm, no further message is submitted. Messages that are being submitted now may still arrive. This cannot be undone.";
    cancel_confirm = "Cancel the campaign";
    keep_it = "Do not cancel";
    reason_label = "Reason (shown in the events)";

    // Recipients of a campaign, and one message.
    number = "Number";
    client_id = "Id from the file";
    message = "Message";
    whom = "Number, or id from the file";
    search = "Search";
    story = "What happened";
    rule = "rule";
    proven = "Each decision was checked against the recorded facts.";
    contradiction = "From here on, the rules and the recorded facts contradict each other:";
    facts = "Recorded facts";
    attempts = "Submissions";
    receipts = "Receipts";
    asked = "Status queries to the provider";
    none_yet = "None yet.";
    expiry = "Expiry";
    messages_to = "Messages to";
    no_messages = "No message was found.";
    no_messages_hint = "Write a number with its country code, such as +6591234567. Without it, a number is searched in the countries of the latest campaigns. Enter an id, or the name of a campaign, in full.";
    // Lanes.
    no_lanes = "There are no lanes yet.";
    no_lanes_hint = "A lane is one sender on one channel. Add a [[lane]] to volley.toml, then restart the server.";
    tier = "Tier";
    in_24h = "recipients in the last 24 hours";
    wait_for_it = "messages wait until it is released";
    provider_says = "The provider reports";

    // Writing a campaign.
    new_campaign = "New campaign";
    unfinished = "Unfinished campaigns";
    untitled = "No name yet";
    saved = "Saved";
    go_on = "Save and continue";
    step_recipients = "Recipients";
    step_check = "Check";
    step_route = "Route";
    step_content = "Content";
    step_time = "Time and limits";
    step_review = "Review and launch";
    upload_file = "Upload a file";
    upload_lead = "CSV, text or a spreadsheet, in any encoding. Choose the file, or drop it on the field.";
    recipient_file = "Recipient file";
    upload = "Upload and import";
    uploading = "Uploading";
    upload_failed = "The upload broke off. Press the button again to send the rest.";
    default_country = "Country of numbers without a country code";
    default_country_hint = "Not needed if every number begins with + or 00, or a column names the country.";
    no_default_country = "Not chosen";
    no_audiences = "No audience has been imported yet.";
    choose_again = "Choose another file";
    importing = "Importing";
    rows_read = "Rows read";
    columns = "Columns";
    column = "Column";
    meaning = "Meaning";
    filled = "Filled";
    samples = "Samples";
    countries = "Countries";
    country = "Country";
    rejected_rows = "Rejected rows";
    no_rejects = "No row was rejected.";
    selected = "Get a message, each number once";
    filter_recipients = "Send only to recipients with";
    filter_hint = "Such as: Tier = \"gold\" and Age >= 18. Leave empty to send to all.";
    count_them = "Save and count";
    route_lead = "Each recipient gets the first step. If it fails or takes too long, the next step follows.";
    fallback_after = "Falls back after";
    fallback_after_hint = "Such as 15 min or 2 hours. Leave empty to fall back only on failure.";
    success_status = "Reached when";
    success_status_hint = "";
    success_usual = "default of the channel";
    only_countries = "Only in countries";
    only_countries_hint = "Such as SG, MY. Leave empty for all countries.";
    add_step = "Add a step";
    remove = "Remove";
    remove_step = "Remove step";
    content_lead = "Click a column to insert its value. {{Column|there}} writes “there” if the value is missing.";
    template = "Template";
    no_template = "No template (free text, only to recipients who wrote to you in the last 24 hours)";
    template_name = "Name of the template";
    template_hint = "";
    template_language = "Language";
    template_language_hint = "Such as en or pt_BR.";
    template_category = "Category";
    template_body = "Values of the text, one per line";
    template_body_hint = "Line 1 fills {{1}}, line 2 fills {{2}}, and so on.";
    template_header = "Web address of the image";
    template_header_hint = "Leave empty if the template has no image.";
    template_button = "End of the link of the first button";
    template_button_hint = "Leave empty if the link has no variable.";
    text = "Text";
    text_hint = "";
    sender = "Sender";
    sender_hint = "Leave empty to use the sender of the lane.";
    save_and_preview = "Save and preview";
    preview = "As handsets show it";
    no_preview = "Save to see the preview. It needs the content of every step.";
    preview_saved = "It shows what is saved. Save to see your changes.";
    start_group = "Start";
    start_at = "Start at";
    start_at_hint = "Leave empty to start at the launch.";
    time_zone = "Time zone";
    time_zone_hint = "Applies to the start and the end. With each recipient's local time, the end is by your own zone.";
    spread = "Spread first messages over";
    spread_hint = "Such as 2h. Leave empty to send as fast as the lanes allow.";
    hours_group = "Hours and deadlines";
    quiet_hours = "Quiet hours";
    quiet_hours_hint = "Nothing is sent then. Such as 21:00-08:00, by the clock of each recipient unless you add a zone.";
    end = "End of first messages";
    end_hint = "No first message is sent later. Leave empty for no end.";
    ttl = "Time for all steps";
    ttl_hint = "Such as 24h. No step is sent later than this after the first submission. Leave empty for no limit.";
    limits_group = "Limits";
    max_messages = "Maximum number of messages";
    max_messages_hint = "Of all steps together. Leave empty for no limit.";
    budget = "Budget";
    budget_hint = "Such as 100 EUR, by your price list. Leave empty for no budget.";
    pause_when = "Pause the campaign if";
    pause_when_hint = "Such as: undelivered > 20% of the last 1000. Leave empty for no rule.";
    launch_as_draft = "Save as a draft";
}

impl Texts {
    pub(super) const fn part(&self, part: Part) -> &'static str {
        match part {
            Part::Home => self.home,
            Part::Campaigns => self.campaigns,
            Part::Audiences => self.audiences.title,
            Part::Sending => "Sending",
            Part::Events => self.events,
            Part::Server => "Server",
        }
    }

    pub(super) const fn place(&self, place: Place) -> &'static str {
        match place {
            Place::Home | Place::Below(_) | Place::Elsewhere => self.home,
            Place::Campaigns => self.campaigns,
            Place::Calendar => "Calendar",
            Place::Audiences => self.audiences.title,
            Place::Replies => self.replies,
            Place::OptOuts => "Opt-outs",
            Place::Lanes => self.lanes,
            Place::Templates => "Templates",
            Place::Prices => "Prices",
            Place::Events => self.events,
            Place::Doctor => "Health",
            Place::Settings => "Settings",
            Place::Operators => "Operators",
            Place::Keys => "API keys",
            Place::Webhooks => "Webhooks",
            Place::AuditLog => "Audit log",
        }
    }

    pub fn batch_state(&self, state: impl Plain<BatchState>) -> &'static str {
        match state.plain() {
            BatchState::Launching => "Being launched",
            BatchState::Draft => "Draft",
            BatchState::Scheduled => "Scheduled",
            BatchState::Running => "Running",
            BatchState::Paused => "Paused",
            BatchState::Cancelling => "Being cancelled",
            BatchState::Cancelled => "Cancelled",
            BatchState::Finished => "Finished",
            BatchState::Settled => "Settled",
        }
    }

    /// What a state means, for those who see it for the first time.
    pub fn batch_state_hint(&self, state: impl Plain<BatchState>) -> &'static str {
        match state.plain() {
            BatchState::Launching => "its messages are being written",
            BatchState::Draft => "complete, and starts when an operator starts it",
            BatchState::Scheduled => "it starts by itself",
            BatchState::Running => "messages are being submitted",
            BatchState::Paused => "nothing is submitted until it is resumed",
            BatchState::Cancelling | BatchState::Cancelled => "nothing more is submitted",
            BatchState::Finished => "nothing is left to submit; last receipts may still come",
            BatchState::Settled => "every message has its outcome",
        }
    }

    /// What was just done, and what it means.
    pub const fn done(&self, done: Done) -> &'static str {
        match done {
            Done::Launched => "The campaign is launched.",
            Done::Scheduled => "The campaign is scheduled. It starts by itself.",
            Done::Kept => "The campaign is saved as a draft. Nothing is sent until an operator starts it.",
            Done::Asked => self.wizard.approval_asked,
            Done::Started => "The campaign is started.",
            Done::Refused => {
                "The draft is refused. Its authors see why; once they change it, it asks for an approval again."
            }
            Done::Paused => "The campaign is paused.",
            Done::Resumed => "The campaign is resumed. No message that was submitted is sent again.",
            Done::Cancelled => {
                "The campaign is cancelled. The events below say how many messages were sent, and how many were not."
            }
            Done::Changed => "The campaign is changed. The change applies to every message that was not submitted.",
            Done::Unchanged => self.results.nothing_changed,
        }
    }

    pub fn outcome_name(&self, outcome: impl Plain<Outcome>) -> &'static str {
        match outcome.plain() {
            Outcome::Reached => "Reached",
            Outcome::Undelivered => "Undelivered",
            Outcome::Silent => "No receipt",
            Outcome::Unknown => "Unknown",
            Outcome::Expired => "Expired",
            Outcome::Cancelled => "Cancelled",
            Outcome::Skipped => "Skipped",
        }
    }

    /// What an outcome means.
    pub fn outcome_hint(&self, outcome: impl Plain<Outcome>) -> &'static str {
        match outcome.plain() {
            Outcome::Reached => "a step got the status that counts as reached",
            Outcome::Undelivered => "the last step failed",
            Outcome::Silent => "no final receipt came for the last step",
            Outcome::Unknown => "it is unknown whether the provider accepted the last message",
            Outcome::Expired => "a deadline passed before the next step could be sent",
            Outcome::Cancelled => "it was cancelled before it was sent",
            Outcome::Skipped => "opted out or excluded, or no step could be sent",
        }
    }

    pub fn channel_name(&self, channel: &Channel) -> String {
        channel.to_string()
    }

    pub fn recipients_count(&self, number: impl Plain<i64>) -> String {
        plural(number.plain(), "recipient", "recipients")
    }

    /// What a backup of this time does not know of a campaign.
    pub fn restored_lead(&self, copied_at: &str) -> String {
        format!(
            "The database is a backup of {copied_at}. It does not know what was sent since then. What was sent already would \
             be sent again."
        )
    }

    /// What a cancel does to the messages to submit, to those whose receipts may still come, and to those that arrived.
    pub fn cancel_effects(&self, to_submit: i64, to_come: i64, reached: i64) -> [String; 3] {
        let recipients = |number| self.recipients_count(number);
        [
            format!("{} get no message, unless theirs is being submitted now.", recipients(to_submit)),
            format!("{} have a message whose receipts may still come; no fallback is sent.", recipients(to_come)),
            format!("{} reached: nothing changes.", recipients(reached)),
        ]
    }

    /// Why messages fell back: `365 not in time, 247 undelivered`.
    pub fn fell_back_because(&self, fell: &FellBack) -> String {
        let parts = [
            (fell.deadline, "not in time"),
            (fell.undelivered, "undelivered"),
            (fell.rejected, "rejected"),
            (fell.could_not_leave, "could not be submitted"),
            (fell.outside_window, "outside the window"),
            (fell.opted_out, "opted out of it"),
            (fell.missing_variable, "without a value"),
        ];
        let parts = parts.into_iter().filter(|(number, _)| *number != 0);
        parts.map(|(number, why)| format!("{} {why}", grouped(number))).collect::<Vec<_>>().join(", ")
    }

    /// A sentence about a step.
    pub fn about_step(&self, step: StepIndex, sentence: &str) -> String {
        format!("step {step}: {sentence}")
    }

    /// `44/s of 80/s`.
    pub fn of_rate(&self, now: &str, allowed: &str) -> String {
        format!("{now} of {allowed}")
    }

    /// `2,061 of 5,239`.
    pub fn of(&self, part: impl Plain<i64>, whole: impl Plain<i64>) -> String {
        format!("{} of {}", grouped(part.plain()), grouped(whole.plain()))
    }
}
