//! Alerts: what they are about, and how they are written.

use super::word::words;

words! {
    /// What an alert is about.
    AlertKind, "kind of alert" {
        /// A rule paused a campaign.
        CampaignPaused = 0, "campaign_paused";
        /// A step of a campaign is held.
        CampaignHeld = 1, "campaign_held";
        /// A lane, or a template on it, is held.
        LaneHeld = 2, "lane_held";
        /// The provider throttles a lane.
        LaneSlowed = 3, "lane_slowed";
        /// The provider does not accept the messages of a lane.
        Outage = 4, "outage";
        /// It is not proven that receipts arrive.
        DeafServer = 5, "deaf_server";
        /// A portfolio's tier has no free slot.
        TierFull = 6, "tier_full";
        /// The disk of the database has little space left.
        DiskFull = 7, "disk_full";
        /// A campaign has nothing left to submit. It has no end.
        CampaignFinished = 8, "campaign_finished";
        /// A reply may be an opt-out. It has no end.
        PossibleOptOut = 9, "possible_opt_out";
    }
}

words! {
    /// The form of an alert's body.
    AlertForm, "format" {
        Json = 0, "json";
        /// As Slack's incoming webhooks, and those of compatible programs, read it.
        Slack = 1, "slack";
    }
}
