//! The texts about a recipient, opt-outs and replies.

use super::texts;
use crate::base::domain::text::{grouped, plural};
use crate::base::domain::{AddressFields, Keyword, OptOutSource};
use crate::http::pages::show::Plain;
use crate::http::pages::{ConsentDone, Opted, UNDECIDED_COUNTED};

texts! {
    /// The texts about a recipient, opt-outs and replies.
    RecipientTexts;

    // A recipient.
    opted_out = "Opted out";
    not_opted_out = "Not opted out";
    since = "Since";
    by = "By";
    since_then = "since";
    by_whom = "by";
    how = "How";
    messages = "Messages";
    replies = "Replies";
    replies_hint = "Messages from this recipient";
    window = "WhatsApp window";
    window_open = "Open";
    window_closed = "Closed";
    window_closed_hint = "Only templates can be sent now. A message from the recipient opens it for 24 hours.";
    until = "until";
    other_addresses = "Other numbers and ids";
    consent_history = "Opt-outs and opt-ins";
    history = "Messages and replies";
    nothing_known = "Nothing was sent to this number, and nothing came from it.";
    nothing_known_hint = "Check the number: it begins with the country code.";
    goes_on_later = "Nothing on this page. The search goes on with the next page.";
    sent_to = "Message";
    received_from = "Received";
    not_shown = "No text";
    on_step = "step";
    answers = "answers";
    everything_about = "Everything about";

    // Opting out and in.
    opt_out_action = "Opt out…";
    opt_in_action = "Remove the opt-out…";
    ask_out = "Opt this recipient out?";
    ask_in = "Remove this opt-out?";
    confirm_out = "Opt out";
    confirm_in = "Remove the opt-out";
    keep = "Change nothing";
    reason = "Reason";
    reason_hint = "Shown in the history of the recipient, such as: asked on the phone.";
    asked_themselves = "The recipient asked for this opt-out. Remove it only if they have agreed to messages again.";
    said_by_provider = "The provider reported this opt-out. The provider may still refuse messages after it is removed here.";

    // The list of opt-outs.
    opt_outs = "Opt-outs";
    add = "Add opt-outs";
    not_an_address = "Neither a number nor an id of a channel. Write a number with its country code, such as +6591234567.";
    number_or_id = "Number or id";
    of = "Of";
    all_of_it = "everything";
    opt_out_of = "Opt out of";
    opt_out_of_hint = "Somebody who opts out of marketing still gets service: codes, deliveries, appointments.";
    of_everything = "Everything";
    of_marketing = "Marketing alone";
    out_of = "of";
    remove = "Remove…";
    remove_of = "Remove the opt-out of";
    none = "Nobody has opted out.";
    none_hint = "A recipient opts out with a word such as STOP. An operator adds numbers here.";
    has_none = "has not opted out.";
    look_at = "Everything about this number";

    // Adding opt-outs.
    add_lead = "These recipients get no more messages, or no more marketing, on any channel. Such messages that wait are cancelled. A recipient cannot end an opt-out of an operator: remove it here.";
    by_hand = "Enter numbers";
    numbers = "Numbers and ids";
    numbers_hint = "One on each line, up to 3,000. An id of LINE or WhatsApp is taken as well.";
    opt_them_out = "Opt out";
    by_file = "Upload a file";
    file = "File with numbers or ids";
    file_hint = "A recipient file, or one number a line: CSV or a spreadsheet. Every number of a row is opted out.";
    upload = "Upload and opt out";
    none_in_file = "No row of the file has a number or an id that can be read. Check the file and the country.";
    none_entered = "Enter at least one number.";

    // Replies.
    no_replies = "No recipient has replied yet.";
    no_replies_hint = "What recipients write or choose appears here.";
    no_replies_found = "No reply was found.";
    undecided_lead = "These replies have a word such as \"stop\" in a sentence, so Volley did not take them for opt-outs. Decide what each of them means. Somebody who opts out gets no message of any campaign any more.";
    none_undecided = "No reply awaits a decision.";
    dismiss = "No opt-out";
    decided_out = "The recipient has opted out.";
    decided_not = "The reply is no opt-out.";
    contains = "Text contains";
    campaign_name = "Campaign, by name or id";
    no_such_campaign = "No campaign has this name or id.";
    unknown_writer = "Unknown";
    choice = "choice";
    whole_text = "Whole text";
    whole_text_of = "Whole text of the reply of";
}

impl RecipientTexts {
    /// Leads to the replies that may be opt-outs, of which a page counts so many.
    pub fn undecided(&self, replies: impl Plain<u64>) -> String {
        match replies.plain() {
            some if some > u64::from(UNDECIDED_COUNTED) => {
                format!("More than {UNDECIDED_COUNTED} replies may be opt-outs")
            }
            some => plural(some, "reply may be an opt-out", "replies may be opt-outs"),
        }
    }

    /// Who asked for it.
    pub fn source(&self, by: impl Plain<OptOutSource>) -> &'static str {
        match by.plain() {
            OptOutSource::Recipient => "the recipient",
            OptOutSource::Provider => "the provider",
            OptOutSource::Operator => "an operator",
        }
    }

    /// An entry of the history: a recipient's START does not end the opt-out of an operator.
    pub fn wish(&self, wants: impl Plain<Keyword>, by: impl Plain<OptOutSource>) -> &'static str {
        match (wants.plain(), by.plain()) {
            (Keyword::Stop, _) => "Opted out",
            (Keyword::Start, OptOutSource::Operator) => "Opt-out removed",
            (Keyword::Start, OptOutSource::Recipient | OptOutSource::Provider) => "Asked to opt in",
        }
    }

    /// What a word in a reply did.
    pub fn keyword(&self, keyword: impl Plain<Keyword>) -> &'static str {
        match keyword.plain() {
            Keyword::Stop => "opts out",
            Keyword::Start => "opts in",
        }
    }

    pub const fn consent_done(&self, done: ConsentDone) -> &'static str {
        match done {
            ConsentDone::Out => "Opted out. Waiting messages are cancelled.",
            ConsentDone::In => "The opt-out is removed. Cancelled messages stay cancelled.",
            ConsentDone::Unchanged => "Nothing has changed: it was so before.",
        }
    }

    /// What an opt-out does, one sentence each.
    pub const fn effects_of_stop(&self) -> [&'static str; 3] {
        [
            "No campaign sends to this recipient any more, on any channel; or none sends marketing, if you choose that.",
            "Waiting messages to this recipient are cancelled, unless one is on its way.",
            "The recipient cannot end it with a word such as START: an operator removes it here.",
        ]
    }

    pub const fn effects_of_start(&self) -> [&'static str; 2] {
        [
            "Every opt-out of this recipient ends: later campaigns send again.",
            "Messages that the opt-out has cancelled stay cancelled.",
        ]
    }

    /// `12 numbers opted out; 3 had opted out before.`
    pub fn opted(&self, opted: &Opted) -> String {
        let mut text = format!("{} opted out", plural(opted.changed, "number or id", "numbers and ids"));
        if opted.unchanged > 0 {
            text += &format!("; {} had opted out before", grouped(opted.unchanged));
        }
        if opted.duplicates > 0 {
            text += &format!("; {} listed more than once", grouped(opted.duplicates));
        }
        if opted.invalid > 0 {
            text += &format!("; {} could not be read", plural(opted.invalid, "row", "rows"));
        }
        text + "."
    }

    /// What stands beside the field with the lines that could not be read.
    pub fn unread(&self, lines: u64) -> String {
        let is = if lines == 1 { "is neither a number nor an id" } else { "are neither numbers nor ids" };
        format!("{} {is}. Correct or remove what is left below.", plural(lines, "line", "lines"))
    }

    pub fn too_many(&self, most: usize) -> String {
        format!("Enter at most {} lines; upload a longer list as a file.", grouped(most as u64))
    }

    /// `open until … for promo-wa`.
    pub fn for_lanes(&self, lanes: &str) -> String {
        format!("for {lanes}")
    }

    /// `100 or more` if not all were counted.
    pub fn at_least(&self, number: impl Plain<i64>, has_more: &bool) -> String {
        let number = grouped(number.plain());
        if *has_more { format!("{number} or more") } else { number }
    }

    /// `Everything about +6591234567`.
    pub fn everything(&self, address: &AddressFields) -> String {
        format!("{} {address}", self.everything_about)
    }
}
