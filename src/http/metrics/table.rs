//! Every metric: its name, its labels and its meaning.

use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// One metric. Its full name begins with `volley_`, and ends with its unit, and with `_total` if it is a counter.
#[derive(Debug)]
pub struct Metric {
    pub(super) name: &'static str,
    pub kind: Kind,
    pub(super) unit: Option<Unit>,
    pub labels: &'static [&'static str],
    pub help: &'static str,
}

impl Metric {
    /// The name under which it is queried; a histogram adds `_bucket`, `_sum` and `_count`.
    pub fn full_name(&self) -> String {
        let unit = self.unit.as_ref().map_or_else(String::new, |unit| format!("_{}", unit.as_str()));
        let total = if self.kind == Kind::Counter { "_total" } else { "" };
        format!("{}_{}{unit}{total}", super::page::PREFIX, self.name)
    }
}

impl Kind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }

    pub(super) const fn as_type(self) -> MetricType {
        match self {
            Self::Counter => MetricType::Counter,
            Self::Gauge => MetricType::Gauge,
            Self::Histogram => MetricType::Histogram,
        }
    }
}

macro_rules! metrics {
    ($($constant:ident = $kind:ident $name:literal $unit:expr, $labels:expr, $help:literal;)+) => {
        $(pub(super) static $constant: Metric =
            Metric { name: $name, kind: Kind::$kind, unit: $unit, labels: &$labels, help: $help };)+

        /// Every metric, in the order of the page.
        pub static ALL: &[&Metric] = &[$(&$constant,)+];
    };
}

metrics! {
    BUILD = Gauge "build" None, ["version"], "1 for the version that runs";
    SUBMISSIONS = Counter "submissions" None, ["lane", "step", "result"], "Requests for a message by their result: accepted, rejected or unknown";
    NOT_SUBMITTED = Counter "not_submitted" None, ["lane", "step", "reason"], "Steps that could not be submitted, by reason";
    RECEIPTS = Counter "receipts" None, ["lane", "step", "status"], "Messages of which the provider reported a status for the first time";
    FALLBACKS = Counter "fallbacks" None, ["lane", "step", "reason"], "Messages that fell back from this lane and step";
    OUTCOMES = Counter "outcomes" None, ["lane", "step", "outcome"], "Messages by outcome; a late success counts again as reached";
    REQUEST_TIME = Histogram "request" Some(Unit::Seconds), ["lane"], "Time from the beginning of a request to the provider's answer";
    RECORD_TIME = Histogram "claim_to_record" Some(Unit::Seconds), ["lane"], "Time from the claim of a message to the record of its result";
    IN_FLIGHT = Gauge "in_flight_messages" None, ["lane"], "Messages that are claimed and not recorded yet";
    QUEUED = Gauge "queued_messages" None, ["lane"], "Messages of running campaigns that are queued on a lane, including those that it shares with other lanes";
    RATE = Gauge "lane_rate" None, ["lane"], "Messages per second that the lane may submit";
    PORTION = Gauge "lane_rate_used" Some(Unit::Ratios), ["lane"], "Share of its rate that the lane uses after throttling";
    HELD = Gauge "lane_held" None, ["lane"], "1 while the lane is held or paused";
    STANDSTILL = Gauge "lane_standstill" None, ["lane", "cause"], "1 while the lane waits because of throttling, an outage or a refusal without a known code";
    TIER_USED = Gauge "tier_recipients" None, ["portfolio"], "Recipients that count against the messaging tier";
    TIER_LIMIT = Gauge "tier_recipients_limit" None, ["portfolio"], "Recipients that the messaging tier allows";
    LATENESS = Histogram "deadline_lateness" Some(Unit::Seconds), [], "How late deadlines were applied";
    SET_ASIDE = Gauge "set_aside_messages" None, [], "Messages that the provider refused again while it accepted others, and that wait for an operator";
    CAMPAIGNS = Gauge "open_campaigns" None, ["state"], "Campaigns whose messages do not all have an outcome";
    GROUP_SIZE = Histogram "writer_group_size" None, [], "Writes in one commit of the database";
    COMMIT_TIME = Histogram "writer_commit" Some(Unit::Seconds), [], "Time from the beginning of a group of writes to its commit";
    WRITER_QUEUE = Gauge "writer_queued_writes" None, [], "Writes that wait for the database";
    WRITER_LAG = Gauge "writer_lag" Some(Unit::Seconds), [], "How long the oldest write has waited";
    WRITER_FAILED = Counter "writer_failed_commits" None, [], "Groups of writes that could not be committed";
    WEBHOOKS = Counter "webhooks" None, ["result"], "Tries of outgoing webhooks and alerts by their result: delivered, failed (to be repeated) or given_up";
    DISK_FREE = Gauge "disk_free" Some(Unit::Bytes), [], "Free space on the disk of the database";
    CONNECTIONS = Gauge "http_connections" None, [], "Open connections to the server";
    CONNECTIONS_MAX = Gauge "http_connections_limit" None, [], "Connections that the server accepts at a time";
    ACCEPTED = Counter "http_accepted_connections" None, [], "Connections that the server has accepted";
    HANDSHAKES_FAILED = Counter "http_failed_handshakes" None, [], "TLS handshakes that failed or took too long";
    IN_PROGRESS = Gauge "http_requests_in_progress" None, [], "Requests that are not answered yet";
    LONG_REQUESTS = Gauge "http_long_requests" None, ["limit"], "Event streams, and uploads, downloads and long operations in progress";
    LONG_REQUESTS_MAX = Gauge "http_long_requests_limit" None, ["limit"], "How many of them the server accepts at a time";
    TURNED_AWAY = Counter "http_turned_away" None, ["limit"], "Connections that were closed or refused for others, and requests that were refused, by the limit that was reached";
    REQUESTS = Counter "http_requests" None, ["route", "status"], "Answered requests";
}
