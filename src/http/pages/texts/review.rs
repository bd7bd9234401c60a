//! The texts of the review of a campaign: what a launch does, a test of it, and the launch.

use super::texts;
use crate::base::domain::Channel;

texts! {
    /// The texts of the review of a campaign.
    ReviewTexts;

    // What is wrong, and what may be.
    to_mend = "Correct this before the launch";
    mend_it = "Correct it";
    warnings = "Warnings";
    change_it = "Change it";

    // What a launch does.
    recipients = "Recipients";
    not_selected = "not selected";
    in_several = "also in an earlier audience";
    opted_out = "opted out";
    not_sent_to = "Left out:";
    rejected = "Rejected at the import";
    nothing_left_out = "No row is left out.";
    time = "Time";
    starts = "Starts";
    on_their_clocks = "On the recipients' clocks";
    rules = "Hours and limits";
    at_once = "at the launch";
    at_once_by_clocks = "at the launch where that time has passed, elsewhere when the recipient's clock gets there";
    no_route = "choose the channels first";
    first_messages_by = "All first messages sent before";
    last_message_by = "Last fallback sent before, at the latest";
    cost = "Cost";
    cost_first = "If no message falls back";
    cost_most = "If every message falls back";
    no_prices = "Unknown: your lanes have no prices.";
    see_prices = "See the prices";
    cost_of_step = "Cost, at most";
    falls_back = "Falls back";
    last_step = "last step";
    messages = "Messages";

    // A test.
    test = "Test";
    test_whom = "Up to 10 of your numbers get real messages, filled with the values of the first recipients.";
    test_when = "A test starts at once. The hours and limits of the campaign do not apply to it.";
    test_cost = "Test messages cost as much as others, and use slots of the WhatsApp tier.";
    test_numbers = "Your numbers";
    test_numbers_hint = "With country code, separated by commas.";
    test_steps = "Send";
    whole_route = "The whole route, with its fallbacks";
    to_test = "Go to the test";
    to_launch = "Go to the launch";
    send_test = "Send the test";
    test_sent = "The test is sent.";
    see_test = "See what became of it";
    test_result_hint = "Its result appears on a page of its own. This campaign stays here.";

    // The launch.
    launch = "Launch";
    launch_to = "Launch to";
    campaign_name = "Name of the campaign";
    campaign_name_hint = "You find the campaign and its report by this name.";
    starts_at_once = "Sending starts at once.";
    starts_by_clocks = "Sending starts at once where that time has passed, elsewhere when the recipient's clock gets there.";
    draft_hint = "A draft is complete. It sends nothing until an operator starts it.";
}

impl ReviewTexts {
    pub fn only_step(&self, number: usize, channel: &Channel) -> String {
        format!("Only step {number} · {channel}")
    }

    pub fn starts_at(&self, time: &str) -> String {
        format!("Sending starts at {time}.")
    }
}
