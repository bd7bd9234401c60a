//! Partitions between server and provider after messages were submitted: webhooks are lost, requests are lost, or
//! both. No recipient with a delivery gets an SMS for it, and the commands name the address in doubt.

use std::collections::BTreeSet;
use std::ops::Range;

use serde_json::Value;
use volley::base::domain::{Channel, Msisdn, Span};

use crate::support::proxy::Partition;
use crate::support::{Arrived, Installation, Networks, Shape, clock, number, until};

const PATIENCE: Span = Span::from_secs(300);
/// The time between two commands that look at a campaign: each is a process.
const LOOK: Span = Span::from_millis(300);
/// More messages than may fall back without a query.
const DELIVERED: Range<u64> = 0..36;
const ALL: i64 = 36;
/// Recipients whom the provider neither delivers to nor reports.
const SILENT: Range<u64> = 1_000_000..1_000_006;

/// Viber delivers in two seconds, except to numbers that begin with +6592.
const PROFILE: &str = r#"
[channel.Viber]
reject = 0.0
undelivered = 0.0
silent = 0.0
delivered = 1.0
sent_after = { median = "1s", spread = 1.0 }
delivered_after = { median = "1s", spread = 1.0 }
[channel.Viber.country."+6592"]
silent = 1.0
delivered = 0.0
[channel.SMS]
undelivered = 0.0
silent = 0.0
delivered = 1.0
"#;

struct Site {
    site: Installation,
    networks: Networks,
}

impl Site {
    /// A server that has sent before and got receipts: both directions are proven.
    async fn start(seed: u64, settings: &str) -> Self {
        let shape = Shape { seed, profile: PROFILE.to_owned(), rate: 500, batch: None, connections: 4 };
        let (mut site, networks) = Installation::apart(&shape, settings).await;
        site.serve().await;
        let site = Self { site, networks };
        site.launch("before", "20s", 2_000_000..2_000_002).await;
        site.until_reported("before", "reached", |report| &report["outcomes"]["reached"], 2).await;
        site
    }

    /// Launches a campaign that falls back from Viber to SMS, and waits until all of it is submitted.
    async fn launch(&self, name: &str, fallback_after: &str, recipients: impl Iterator<Item = u64>) {
        let numbers: Vec<String> = recipients.map(|n| format!("\"+{}\"", number(n))).collect();
        let campaign = format!(
            "name = \"{name}\"\nnumbers = [{}]\n\
             [[step]]\nchannel = \"Viber\"\nfallback_after = \"{fallback_after}\"\ntext = \"Hello\"\n\
             [[step]]\nchannel = \"SMS\"\ntext = \"Hello\"\n",
            numbers.join(",")
        );
        let file = format!("{name}.toml");
        std::fs::write(self.site.path(&file), campaign).unwrap();
        self.site.volley(&["campaign", "launch", &file, "--json"]).await.json();
        let all = i64::try_from(numbers.len()).unwrap();
        self.until_reported(name, "submitted", |report| &report["steps"][0]["handed_over"], all).await;
    }

    async fn until_reported(&self, name: &str, what: &str, of: impl Fn(&Value) -> &Value, count: i64) -> Value {
        until(what, PATIENCE, || async {
            let report = self.site.report(name).await;
            if *of(&report) == count {
                return Ok(report);
            }
            clock().sleep(LOOK).await;
            Err(report)
        })
        .await
    }

    /// Waits until `volley campaign show` and `volley doctor` report, as text and as JSON, that an address is in doubt,
    /// and how long the queries take.
    async fn wait_for_reported_doubt(&self, kind: &str, text: &str) {
        let is_of = |obstacle: &&Value| obstacle["kind"] == kind;
        let obstacle = until("the campaign shows the doubt", PATIENCE, || async {
            let shown = self.site.show("promo").await;
            if let Some(found) = shown["obstacles"].as_array().and_then(|all| all.iter().find(is_of)) {
                return Ok(found.clone());
            }
            clock().sleep(LOOK).await;
            Err(shown)
        })
        .await;
        let what = obstacle["what"].as_str().unwrap();
        let waiting = obstacle["waiting"].as_i64().unwrap();
        assert!((1..=ALL + 6).contains(&waiting) && what.contains(text), "{obstacle}");
        // One a second, and a little more.
        let takes = |waiting: i64| format!("takes {} s", waiting + 1);
        assert!(what.contains("deadline") && what.contains(&takes(waiting)), "{obstacle}");
        let asking = "asking at one per second takes";
        let shown = self.site.volley(&["campaign", "show", "promo"]).await.stdout;
        assert!(shown.contains(text) && shown.contains(asking), "{shown}");
        let doctor = self.site.volley(&["doctor"]).await.stdout;
        assert!(doctor.contains(text) && doctor.contains(asking), "{doctor}");
        let found: Value = serde_json::from_str(&self.site.volley(&["doctor", "--json"]).await.stdout).unwrap();
        let doubt = found["findings"].as_array().unwrap().iter().find(|finding| finding["what"] == "doubt");
        let doubt = doubt.unwrap_or_else(|| panic!("{found}"));
        assert_eq!((&found["ok"], doubt["health"].as_str()), (&Value::Bool(false), Some("failed")), "{found}");
        let said = doubt["text"].as_str().unwrap();
        assert!(said.contains(text) && said.contains(asking), "{found}");
    }

    /// The recipients of accepted SMS, each of whom must occur once.
    fn sms(&self) -> BTreeSet<Msisdn> {
        let journal = self.site.journal();
        let sms: Vec<&Arrived> = journal.iter().filter(|arrived| arrived.channel == Channel::Sms).collect();
        let to: BTreeSet<Msisdn> = sms.iter().map(|arrived| arrived.msisdn).collect();
        assert_eq!(to.len(), sms.len(), "sent twice: {sms:?}");
        to
    }

    async fn stop(mut self) {
        let server = self.site.take_server();
        server.interrupt();
        server.ended().await;
    }
}

fn numbers(recipients: Range<u64>) -> BTreeSet<Msisdn> {
    recipients.map(|n| Msisdn::try_from(number(n)).unwrap()).collect()
}

/// The number of reached recipients of a campaign.
fn reached(report: &Value) -> &Value {
    &report["outcomes"]["reached"]
}

fn is_settled_without_unknown(report: &Value) -> bool {
    report["open"] == 0 && report["unknown_count"] == 0 && report["delivered_twice"] == 0
}

/// All three partitions at once: each waits for deadlines most of its time.
#[tokio::test(flavor = "multi_thread")]
async fn no_partition_makes_a_delivered_message_fall_back() {
    let (way_in, both, way_out) = (the_way_in_is_cut(), both_ways_are_cut(), the_way_out_is_cut());
    tokio::join!(way_in, both, way_out);
}

/// Webhooks are lost, and queries are answered.
async fn the_way_in_is_cut() {
    let site = Site::start(41, "").await;
    site.networks.way_in.part(Partition::Both);
    // The last queries come after their deadlines: one query a second, from 30 s before the deadlines on.
    site.launch("promo", "55s", DELIVERED).await;
    site.wait_for_reported_doubt("receipts do not come", "its webhooks do not arrive at /webhooks/8x8").await;
    // No webhook arrives: each message is queried.
    let report = site.until_reported("promo", "all reached", reached, ALL).await;
    assert!(is_settled_without_unknown(&report), "{report}");
    assert_eq!(site.sms(), BTreeSet::new());
    site.stop().await;
}

/// Nothing gets through until the doubt is reported. Then queries are answered, and still no webhook arrives.
async fn both_ways_are_cut() {
    // The default timeout: an answer to a message may take longer than the deadlines have left.
    let site = Site::start(42, "").await;
    site.networks.way_in.part(Partition::Both);
    site.launch("promo", "40s", DELIVERED).await;
    site.networks.way_out.part(Partition::Both);
    site.wait_for_reported_doubt("provider not reached", "does not answer").await;
    site.networks.way_out.heal();
    let report = site.until_reported("promo", "all reached", reached, ALL).await;
    assert!(is_settled_without_unknown(&report), "{report}");
    assert_eq!(site.sms(), BTreeSet::new());
    site.stop().await;
}

/// Webhooks arrive, and no request reaches the provider. Undelivered messages fall back once one does.
async fn the_way_out_is_cut() {
    let site = Site::start(43, "timeout = \"2s\"").await;
    site.launch("promo", "30s", DELIVERED.chain(SILENT)).await;
    site.networks.way_out.part(Partition::Both);
    // Webhooks arrive, and their statuses count.
    site.until_reported("promo", "told", reached, ALL).await;
    site.wait_for_reported_doubt("provider not reached", "does not answer").await;
    assert_eq!(site.sms(), BTreeSet::new());
    site.networks.way_out.heal();
    let silent = numbers(SILENT);
    let report = site.until_reported("promo", "all reached", reached, ALL + 6).await;
    assert!(is_settled_without_unknown(&report), "{report}");
    assert_eq!(site.sms(), silent);
    site.stop().await;
}
