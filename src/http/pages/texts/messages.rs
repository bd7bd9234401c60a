//! The texts about what became of one message, and about lists of messages.

use super::texts;
use crate::base::domain::text::{grouped, plural, span};
use crate::base::domain::{AddressFields, Outcome, SkipReason, Status};
use crate::campaigns::report::{CodeResult, StepBrief, StepResult};
use crate::campaigns::story::{ExplainedStep, FailureReason};
use crate::http::pages::show::Plain;

texts! {
    /// The texts about what became of messages.
    MessageTexts;
    details = "Rules, ids and recorded facts";
    rules = "The rule behind each decision";
    ids = "Ids";
    all_messages = "All messages";
    send_again = "Send again…";
    what_to_do = "What to do:";
    release = "Release";
    cancel = "Cancel this message";
    sent = "What was sent";
    sent_hint = "Made from the campaign and the values of the recipient, as they were when the step was submitted. The text of a template is the one that was fetched last.";
    not_yet = "not submitted yet";
    no_text = "The text of this step cannot be shown.";
    of_template = "Template:";
    erased = "The recipient was erased: neither the texts nor the values are stored any more.";
    not_stored = "The row of the recipient is not stored any more, and neither are the texts.";
    values = "Values of the recipient";
    no_values = "The recipient has no values.";

    // Search.
    may_be_number = "It may be the number";
    names_not_found = "Names are not searched: they are stored with their recipients, without an index. Download the audience, and look for the name there.";
    to_audiences = "Audiences";

    // Lists.
    any = "Any";
    standing = "State or outcome";
    recipient = "Recipient";
    open = "Open (all)";
    missed = "Not reached (all)";
    more_filters = "More filters";
    country = "Country";
    country_hint = "Two letters, such as SG.";
    code = "Code of the provider";
    show_list = "Show these recipients, to release or cancel their messages";
    download_list = "Download this list";
    none_so_far = "No message with this id was found yet. Go on to search older campaigns.";
    nothing_sent = "Nothing was sent.";
    code_hint = "A number, or the word none for failures without a code.";
    result = "Kind of failure";
    any_result = "Any";
    rejected = "Rejected, at the submission";
    undelivered = "Undelivered, after the submission";
}

/// A status within a sentence.
fn spoken(status: Status) -> String {
    status.as_str().to_lowercase()
}

impl MessageTexts {
    /// `All messages to +6591234567`.
    pub fn all_to(&self, address: &AddressFields) -> String {
        format!("{} to {address}", self.all_messages)
    }

    /// The state of a message without an outcome.
    pub fn state_name(&self, state: &str) -> &'static str {
        match state {
            "queued" => "To submit",
            "set_aside" => "Set aside",
            "sending" => "Being submitted",
            "awaiting" => "Waiting for receipts",
            _ => "Done",
        }
    }

    /// What became of a message at a step: `not delivered in time`.
    pub fn step_result(&self, step: &StepBrief) -> String {
        self.result_within(step, "in time")
    }

    fn result_within(&self, step: &StepBrief, within: &str) -> String {
        let success = spoken(step.success);
        let best = step.best.filter(|best| *best > Status::Accepted).map(spoken);
        let with_best = |text: String| match &best {
            Some(best) => format!("{text} (last status: {best})"),
            None => text,
        };
        match step.result {
            StepResult::PassedOver => "not for this recipient".to_owned(),
            StepResult::Queued => "to submit".to_owned(),
            StepResult::Sending => "being submitted".to_owned(),
            StepResult::Awaiting => with_best("waiting for receipts".to_owned()),
            StepResult::Reached => best.unwrap_or(success),
            StepResult::NotInTime => with_best(format!("not {success} {within}")),
            StepResult::Undelivered => "undelivered".to_owned(),
            StepResult::Rejected => "rejected".to_owned(),
            StepResult::CouldNotLeave => "could not be submitted in time".to_owned(),
            StepResult::OutsideWindow => "no open 24-hour window".to_owned(),
            StepResult::MissingVariable => "a value is missing".to_owned(),
            StepResult::OptedOut => "opted out of such messages".to_owned(),
            StepResult::NoReceipt => with_best("no final receipt".to_owned()),
            StepResult::Unknown => "unknown whether the provider accepted it".to_owned(),
            StepResult::Submitted => with_best("submitted".to_owned()),
            StepResult::NotSent => "not sent".to_owned(),
        }
    }

    /// The same with its reason: `undelivered: not on this channel, or absent (code 1)`.
    pub fn explained(&self, step: &ExplainedStep) -> String {
        let within =
            step.patience.map_or_else(|| "in time".to_owned(), |patience| format!("within {}", span(patience)));
        let text = self.result_within(&step.brief, &within);
        match step.reason {
            Some(FailureReason { meaning, code: Some(code), .. }) => format!("{text}: {meaning} (code {code})"),
            Some(FailureReason { meaning, code: None, .. }) => format!("{text}: {meaning}"),
            None => text,
        }
    }

    /// How a message ended, in a sentence.
    pub fn ended(&self, outcome: impl Plain<Outcome>, skipped: Option<SkipReason>) -> &'static str {
        match outcome.plain() {
            Outcome::Reached => "The recipient was reached.",
            Outcome::Undelivered => "The recipient was not reached: the last step failed.",
            Outcome::Silent => "No receipt says whether the last step arrived. The recipient may have the message.",
            Outcome::Unknown => {
                "It is unknown whether the provider accepted the last message. The recipient may have it."
            }
            Outcome::Expired => {
                "The recipient was not reached: a deadline passed before the next step could be submitted."
            }
            Outcome::Cancelled => "Nothing was sent: the campaign was cancelled first.",
            Outcome::Skipped => match skipped {
                Some(SkipReason::OptedOut) => "Nothing was sent: the recipient has opted out.",
                Some(SkipReason::MissingVariable) => "Nothing was sent: a variable has neither a value nor a default.",
                Some(SkipReason::OutsideWindow) => "Nothing was sent: the 24-hour window was closed.",
                Some(SkipReason::Excluded) => "Nothing was sent: the campaign excludes the number.",
                Some(SkipReason::NoStep) => "Nothing was sent: no step is for this recipient.",
                None => "Nothing was sent.",
            },
        }
    }

    /// What an operator can do about it. `None` if there is nothing to do.
    pub fn advice(&self, outcome: impl Plain<Outcome>, skipped: Option<SkipReason>) -> Option<&'static str> {
        match outcome.plain() {
            Outcome::Reached => None,
            // The reasons of its steps say more.
            Outcome::Undelivered => Some("send again later. The provider gave no reason for the failure."),
            Outcome::Silent | Outcome::Unknown => {
                Some("wait, a later receipt still counts. If you send again, the recipient may get the message twice.")
            }
            Outcome::Expired => Some("send again, with a later end of first messages or a longer time for all steps."),
            Outcome::Cancelled => Some("send again, if the message is still wanted."),
            Outcome::Skipped => match skipped? {
                SkipReason::OptedOut => Some("nothing, until the recipient opts in again."),
                SkipReason::MissingVariable => Some(
                    "add the value to the recipient file, or a default to the text, then press Use again on the campaign.",
                ),
                SkipReason::OutsideWindow => Some("use a template: it needs no open window."),
                SkipReason::Excluded => {
                    Some("remove the number from the exclusions, then press Use again on the campaign.")
                }
                SkipReason::NoStep => Some(
                    "add a step for this country, or on WhatsApp for somebody without a number, then press Use again on the \
                     campaign.",
                ),
            },
        }
    }

    pub fn code_result(&self, result: &CodeResult) -> &'static str {
        match result {
            CodeResult::Rejected => self.rejected,
            CodeResult::Undelivered => self.undelivered,
        }
    }

    /// Where a message without an outcome is, in a sentence.
    pub fn going_on(&self, state: &str) -> &'static str {
        match state {
            "queued" => "The next step waits to be submitted.",
            "set_aside" => {
                "The provider refuses this message while it accepts others. It waits until it is released or cancelled."
            }
            "sending" => "The next step is being submitted.",
            _ => "The step was submitted. Its receipts may still come.",
        }
    }

    /// The button that sends again to the recipients of a list.
    pub fn send_again_to(&self, recipients: impl Plain<i64>, outcome: Option<Outcome>) -> String {
        let recipients = plural(recipients.plain(), "recipient", "recipients");
        match outcome {
            None | Some(Outcome::Reached) => format!("Send again to the {recipients} not reached"),
            Some(Outcome::Undelivered) => format!("Send again to the {recipients} whose last step failed"),
            Some(Outcome::Silent) => format!("Send again to the {recipients} without a final receipt"),
            Some(Outcome::Unknown) => format!("Send again to the {recipients} with an unknown result"),
            Some(Outcome::Expired) => format!("Send again to the {recipients} whose deadline passed"),
            Some(Outcome::Cancelled) => format!("Send again to the {recipients} whose message was cancelled"),
            Some(Outcome::Skipped) => format!("Send again to the {recipients} who were skipped"),
        }
    }

    /// Those among the recipients not reached who may have the message.
    pub fn may_have_it(&self, recipients: impl Plain<i64>) -> String {
        let recipients = plural(recipients.plain(), "more recipient", "more recipients");
        format!(
            "{recipients} may have the message: no final receipt came, or it is unknown whether the provider accepted it."
        )
    }

    /// How much of a long list this page has looked at.
    pub fn looked_at(&self, looked: u32, all: u32) -> String {
        format!("Looked at {} of {}; the next page goes on.", grouped(looked), plural(all, "recipient", "recipients"))
    }
}
