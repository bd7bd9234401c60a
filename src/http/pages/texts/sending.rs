//! The texts about templates, prices and the calendar.

use chrono::{Datelike as _, NaiveDate};

use super::texts;
use crate::base::domain::text::grouped;
use crate::base::domain::{ClosedBy, Free};
use crate::campaigns::status::OverrideView;
use crate::http::pages::sending::TemplateDone;

texts! {
    /// The texts about templates, prices and the calendar.
    SendingTexts;

    // Templates.
    templates = "Templates";
    template = "Template";
    fetch = "Fetch from the provider";
    never_fetched = "The templates of the provider were never fetched. Fetch them to see texts, languages and status.";
    none_listed = "The provider lists no template for these lanes.";
    fetched_at = "Fetched:";
    last_fetch = "Latest answer of the provider";
    not_fetched = "Not fetched";
    missing_settings = "Missing settings";
    missing_settings_lead = "The provider is not asked for the templates of these lanes.";
    see_settings = "See where the settings of each lane are";
    no_whatsapp = "No lane is on WhatsApp, the only channel with templates. Add one to the configuration.";
    status = "Status";
    only_held = "Only on hold";
    languages = "Languages";
    category = "Category";
    quality = "Quality";
    active_campaigns = "Active campaigns";
    waiting = "Messages waiting";
    on_hold = "On hold";
    not_listed = "not listed";
    nothing_found = "No template matches.";
    nothing_found_hint = "Shorten the name, or clear the filter.";
    no_templates = "No template is known.";
    no_templates_hint = "Fetch the templates, or launch a campaign that uses one.";
    not_used = "No active campaign uses it.";
    used_by = "Used by";
    runs_past = "The provider will disable this template before these campaigns are done:";
    hold_title = "Hold or resume";
    hold_lead = "While a template is on hold, its messages wait and their deadlines keep running. Resume also releases holds that the provider caused.";
    on_lane = "Lane";
    every_lane = "Every WhatsApp lane";
    reason = "Reason";
    reason_hint = "Shown in the events and on this page.";
    hold = "Hold";
    text_unknown = "Its text is unknown.";
    text_unknown_hint = "Fetch the templates. If it is still missing then, the provider has no such template for these lanes.";
    rejected_because = "Rejected because of";
    account = "Account";
    channel_id = "Channel id";
    updated = "Updated";
    fetched = "Fetched";
    variables = "Variables";
    variable = "Variable";
    part = "Part";
    example = "Example";
    no_variables = "It has no variables.";
    new_campaign_with_it = "New campaign with it";
    unreadable = "The provider's description of this template cannot be read.";
    reports = "Reports of the provider";

    // Lanes.
    change_lane = "Change the rate";
    lane_settings_lead = "A change takes effect at once, also for running campaigns. It outlives restarts, and ends when the value in volley.toml changes. An empty field restores that value.";
    lane_rate = "Rate";
    lane_rate_hint = "Messages in a time, such as 80/s or 5/min.";
    burst = "Burst";
    burst_hint = "Messages that may be sent at once after a pause.";
    account_rate_hint = "All lanes of the account share it.";
    tier_hint = "Recipients in 24 hours for the whole portfolio: 50, 250, 2K, 10K, 100K or unlimited.";
    lane_reason_hint = "Shown in events and with the lane.";
    tier_used = "Recipients of the last 24 hours";
    tier_used_lead = "After a restore, Volley does not know whom it sent to after the backup. It counts the whole tier as used for a day, unless you say here how many recipients that were.";
    tier_used_hint = "Of the whole portfolio, without those that this database knows; 0 if there were none.";
    tier_used_problem = "Enter a number, such as 180.";
    tell_tier_used = "Count these";
    lane_changed_meanwhile = "the lane was changed meanwhile; its present values are below, and yours were not saved";

    // Prices.
    prices = "Prices";
    prices_from = "Plans read";
    prices_lead = "A campaign keeps the prices of its launch. Each part of an SMS has the price of a message.";
    prices_broken = "No campaign can be planned or launched:";
    no_prices = "No price list is set. Campaigns show no costs, and cannot have a budget.";
    no_prices_hint = "Write a CSV file with the columns channel and price; country, category, currency, charged and free messages are optional. Set file under [prices] in volley.toml, then restart the server.";
    unpriced = "Lanes without a price:";
    unpriced_hint = "Their messages count as free.";
    channel = "Channel";
    country = "Country";
    price = "Price of a message";
    charged = "Charged for";
    for_submission = "A submission";
    for_delivery = "A delivery";
    free = "Free";
    other_countries = "All other countries";
    other_categories = "All other categories";
    prices_empty = "The price list has no lines.";
    prices_empty_hint = "Add a line for each channel, such as: SMS,SG,0.04";
    no_price_found = "No price matches.";
    no_price_found_hint = "Clear the filter. A country without its own line has the price of all other countries.";

    // The calendar.
    calendar = "Calendar";
    calendar_caption = "Campaigns of the month, one column for each weekday";
    other_months = "Other months";
    today = "Today";
    times_in = "Time zone:";
    month_empty = "No campaign is sent or scheduled in this month.";
    month_empty_hint = "Campaigns appear on each day on which they send.";
    day_empty = "No campaign is sent or scheduled on this day.";
    undated = "Without a date";
    undated_lead = "These start when an operator starts them, or when their templates are approved.";
    whole_month = "Whole month";
    starts_at = "starts";
    started_at = "started";
    until = "until";
    goes_on = "continues";
    closed_for = "Nothing is sent:";
    closed_lead = "Days on which a campaign sends nothing to recipients in your zone are marked.";
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

impl SendingTexts {
    /// The messages of a line that cost nothing.
    pub fn free_messages(&self, free: Free) -> String {
        match free {
            Free::AMonth(messages) => format!("the first {} a month", grouped(messages)),
            Free::InWindow(messages) => format!("the first {} after a reply", grouped(messages)),
        }
    }

    /// What was just done, and what it means.
    pub const fn done(&self, done: TemplateDone) -> &'static str {
        match done {
            TemplateDone::Held => "The template is on hold. Messages with it wait.",
            TemplateDone::Resumed => "The template is resumed. Messages that waited for it are sent.",
        }
    }

    pub fn lane_settings(&self, lane: &str) -> String {
        format!("Rate of {lane}")
    }

    pub fn account_rate(&self, account: &str) -> String {
        format!("Rate of the account {account}")
    }

    pub fn recipients_of(&self, portfolio: &str) -> String {
        format!("Recipients of {portfolio} that are not known here")
    }

    pub fn tier_of(&self, portfolio: &str) -> String {
        format!("Tier of {portfolio}")
    }

    /// `rate 40/s (80/s in the file): set by ann`.
    pub fn overridden(&self, overridden: &OverrideView) -> String {
        let OverrideView { setting, value, in_file, reason, .. } = overridden;
        format!("{} {value} ({in_file} in the file): {reason}", setting.what())
    }

    /// Why a campaign sends nothing on a day.
    pub const fn closed_by(&self, rule: ClosedBy) -> &'static str {
        match rule {
            ClosedBy::Start => "before its start",
            ClosedBy::Holidays => "holiday",
            ClosedBy::SendWindow => "outside its send window",
            ClosedBy::QuietHours => "quiet hours",
        }
    }

    /// `December 2026`; the first month is 0.
    pub fn month(&self, month0: u32, year: i32) -> String {
        let name = usize::try_from(month0).ok().and_then(|month| MONTHS.get(month)).copied().unwrap_or_default();
        format!("{name} {year}")
    }

    /// The weekdays, from Monday.
    pub const fn weekdays(&self) -> [&'static str; 7] {
        WEEKDAYS
    }

    pub fn weekday(&self, day: &NaiveDate) -> &'static str {
        WEEKDAYS[day.weekday().num_days_from_monday() as usize % WEEKDAYS.len()]
    }

    /// `Saturday, December 5, 2026`.
    pub fn day(&self, day: NaiveDate) -> String {
        let month = MONTHS[day.month0() as usize % MONTHS.len()];
        format!("{}, {month} {}, {}", self.weekday(&day), day.day(), day.year())
    }

    /// How many of a list are not shown.
    pub fn and_more(&self, more: usize) -> String {
        format!("and {} more", grouped(i64::try_from(more).unwrap_or(i64::MAX)))
    }

    /// The link to the campaigns of a day that the month does not show.
    pub fn more(&self, more: &usize, day: &NaiveDate) -> String {
        let month = MONTHS[day.month0() as usize % MONTHS.len()];
        format!("{} more on {month} {}", grouped(i64::try_from(*more).unwrap_or(i64::MAX)), day.day())
    }
}
