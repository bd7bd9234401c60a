//! Every text of the pages, in one language. A translation is another value of [`Texts`].

use super::campaign::Done;
use super::show::Plain;
use crate::domain::text::{grouped, plural};
use crate::domain::{BatchState, Channel, Outcome};

/// Declares the texts of a language by name, and the English ones.
macro_rules! texts {
    ($($name:ident = $english:literal;)+) => {
        /// The texts of one language.
        #[derive(Debug)]
        pub struct Texts {
            /// The language, as HTML names it.
            pub language: &'static str,
            $(pub $name: &'static str,)+
        }

        /// The texts in English.
        pub(super) static ENGLISH: Texts = Texts { language: "en", $($name: $english,)+ };
    };
}

texts! {
    // The frame of every page.
    skip_to_content = "Skip to the content";
    main_navigation = "Main";
    home = "Home";
    campaigns = "Campaigns";
    events = "Events";
    find_label = "Number, message or campaign";
    find = "Find";
    signed_in_as = "Signed in as";
    times_in = "Times in";
    change_zone = "Show times in";
    save = "Save";
    sign_out = "Sign out";
    api_reference = "API reference";

    // Signing in.
    sign_in = "Sign in";
    sign_in_lead = "Campaigns by WhatsApp, Viber and SMS, with every message accounted for.";
    name = "Name";
    password = "Password";
    no_account = "No account yet? An operator with the scope admin creates one with: volley operator create NAME";
    set_up = "Create the first operator";
    set_up_lead = "This server has no operator yet. The first start has printed a setup token, which is valid for 24 hours.";
    setup_token = "Setup token";
    setup_token_hint = "It begins with vs_";
    password_hint = "12 characters or more";
    create_operator = "Create and sign in";

    // Errors.
    back_home = "Back to the home page";
    error_hint = "If this repeats, the log of the server has more under this id:";

    // Home.
    running_now = "Running now";
    needs_attention = "Needs attention";
    coming_next = "Coming next";
    lately_finished = "Lately finished";
    nothing_runs = "Nothing is being sent.";
    nothing_runs_hint = "A campaign that is launched appears here, with its progress.";
    nothing_needs_attention = "Nothing needs your attention.";
    nothing_scheduled = "Nothing is scheduled.";
    nothing_finished = "No campaign has finished yet.";
    no_campaigns = "There are no campaigns yet.";
    no_campaigns_hint = "Launch the first one with: volley campaign launch promo.toml";
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
    test_send = "test send";
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
    resume_hint = "A message that was submitted is never sent again.";
    live = "Live";
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
    open = "Open";
    to_submit = "To submit";
    awaiting = "Waiting for receipts";
    ended_otherwise = "Not reached";
    rate = "Rate";
    rate_now = "Submissions now";
    allowed = "allowed";
    forecast = "Forecast";
    forecast_none = "No forecast";
    worst_case = "At the latest";
    all_known = "Outcomes known";
    latest_events = "Latest events";
    no_events = "Nothing has happened yet.";
    all_events = "All events";
    left_out = "Rows left out";
    left_out_lead = "Rows of the recipient file that became no message.";
    reason = "Reason";
    rows = "Rows";
    skipped = "Skipped";
    delivered_twice = "delivered twice";
    late = "reached late";
    unknown_submissions = "submissions with an unknown result";
    download_csv = "Download CSV";
    print = "Print";
    replies = "Replies";
    choice = "Reply";
    count = "Count";

    // Cancelling.
    cancel_title = "Cancel this campaign?";
    cancel_lead = "Once you confirm, nothing more is sent. This cannot be undone.";
    cancel_confirm = "Cancel the campaign";
    keep_it = "Keep it running";
    reason_label = "Reason (shown in the events)";

    // Recipients of a campaign, and one message.
    number = "Number";
    client_id = "Your id";
    now_at = "Step";
    message = "Message";
    whom = "Number or your own id";
    any_outcome = "Any";
    search = "Search";
    story = "What happened";
    rule = "rule";
    proven = "Each decision was checked against the recorded facts.";
    contradiction = "From here on, the rules and the recorded facts contradict each other:";
    facts = "Recorded facts";
    attempts = "Submissions";
    receipts = "Receipts";
    asked = "Questions to the provider";
    none_yet = "None yet.";
    expiry = "Expiry";
    messages_to = "Messages to";
    no_messages = "No message is known for this.";
    no_messages_hint = "Search by a number with its country code, such as +6591234567, a message id, or the name of a campaign.";
    subject = "About";
    what_happened = "What happened";
    time = "Time";
}

impl Texts {
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
            BatchState::Draft => "nothing is sent before it is started",
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
            Done::Started => "The campaign is started.",
            Done::Paused => "The campaign is paused. Submitted messages stay submitted; nothing else is sent.",
            Done::Resumed => "The campaign is resumed. No message that was submitted is sent again.",
            Done::Cancelled => "The campaign is cancelled. The events below have its certificate.",
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
            Outcome::Reached => "a step met its success status",
            Outcome::Undelivered => "the last step failed",
            Outcome::Silent => "no receipt came for the last step",
            Outcome::Unknown => "it is unknown whether the provider has the last step",
            Outcome::Expired => "its time was over before it was sent",
            Outcome::Cancelled => "it was cancelled before it was sent",
            Outcome::Skipped => "it was not to be sent",
        }
    }

    pub fn channel_name(&self, channel: &Channel) -> String {
        channel.to_string()
    }

    pub fn recipients_count(&self, number: impl Plain<i64>) -> String {
        plural(number.plain(), "recipient", "recipients")
    }

    /// `2,061 of 5,239`.
    pub fn of(&self, part: impl Plain<i64>, whole: impl Plain<i64>) -> String {
        format!("{} of {}", grouped(part.plain()), grouped(whole.plain()))
    }
}
