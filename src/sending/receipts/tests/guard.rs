//! The quality guard: what each report does on a lane, and what undoes it.

use super::*;
use crate::base::config::{Config, Lane};
use crate::base::domain::OverridableSetting;
use crate::base::events::{Origin, Subject};
use crate::sending::receipts::business::read;
use crate::sending::receipts::guard::Known;
use crate::store::{AccountEvent, HeldBy, Hold, Override, ProviderReport, ReleasedBy};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn lanes(quality: &str) -> Vec<Lane> {
    let text = format!(
        "[provider]\nsub_account = \"acme\"\n[quality]\n{quality}\n\
         [[lane]]\nname = \"wa\"\nchannel = \"WhatsApp\"\nnumber = \"+15550783881\"\nrate = \"80/s\"\n\
         [[lane]]\nname = \"sms\"\nchannel = \"SMS\"\n"
    );
    let none = std::iter::empty::<(&str, String)>();
    Config::read(Some((std::path::Path::new("volley.toml"), &text)), std::iter::empty(), none).unwrap().config.lanes
}

/// What is known before an event; events that it takes add to it.
#[derive(Default)]
struct Before {
    overrides: Vec<Override>,
    holds: Vec<Hold>,
    reports: Vec<ProviderReport>,
}

impl Before {
    /// Applies an event that names no account.
    fn take(&mut self, lanes: &[Lane], kind: &str, details: &str, second: i64) -> AccountEvent {
        self.take_from(lanes, None, kind, details, second)
    }

    /// Applies an event of an account as the store does.
    fn take_from(
        &mut self,
        lanes: &[Lane],
        account: Option<&str>,
        kind: &str,
        details: &str,
        second: i64,
    ) -> AccountEvent {
        let at = Timestamp::from_millis(second * 1_000).rfc3339();
        let account = account.map(|account| format!(r#""accountId":"{account}","#)).unwrap_or_default();
        let body = format!(
            r#"{{"eventId":"{second}","timestamp":"{at}",{account}"eventType":"{kind}","eventDetails":{details}}}"#
        );
        let Some(wire::WebhookEvent::Business { business, raw }) = wire::parse_events(body.as_bytes()).pop() else {
            panic!("{body}")
        };
        let known = Known { overrides: &self.overrides, holds: &self.holds, reports: &self.reports };
        let event = read(&business, raw, lanes, NOW).unwrap().with(known, |_| Vec::new());
        self.overrides.retain(|known| !event.ended.contains(known));
        for new in &event.overrides {
            self.overrides.retain(|known| (known.setting, &known.name) != (new.setting, &new.name));
            self.overrides.push(new.clone());
        }
        self.holds.retain(|hold| !event.releases.iter().any(|release| release.template == hold.template));
        self.holds.extend(event.holds.clone());
        for new in &event.reports {
            self.reports.retain(|known| (&known.about, &known.what) != (&new.about, &new.what));
            self.reports.push(new.clone());
        }
        event
    }

    fn score(&mut self, lanes: &[Lane], template: &str, score: &str, second: i64) -> AccountEvent {
        let details = format!(
            r#"{{"templateName":"{template}","templateLanguage":"en","meta":{{"newQualityScore":"{score}"}}}}"#
        );
        self.take(lanes, "template_quality_update", &details, second)
    }

    fn number(&mut self, lanes: &[Lane], word: &str, second: i64) -> AccountEvent {
        let details = format!(r#"{{"displayPhoneNumber":"15550783881","meta":{{"event":"{word}"}}}}"#);
        self.take(lanes, "phone_number_quality_update", &details, second)
    }

    fn rates(&self) -> Vec<&str> {
        self.overrides.iter().map(|known| known.value.as_str()).collect()
    }
}

#[test]
fn without_a_guard_falling_quality_changes_nothing() {
    let (lanes, mut before) = (lanes(""), Before::default());
    for event in [before.score(&lanes, "promo", "RED", 1), before.number(&lanes, "FLAGGED", 2)] {
        assert!(event.holds.is_empty() && event.overrides.is_empty() && event.releases.is_empty(), "{event:?}");
    }
}

#[test]
fn a_template_is_held_until_its_score_is_good_enough() {
    let (lanes, mut before) = (lanes("red = \"hold\"\n"), Before::default());
    let event = before.score(&lanes, "promo", "RED", 10);
    let [hold] = &event.holds[..] else { panic!("{event:?}") };
    assert_eq!((hold.lane.as_str(), hold.template.as_str(), hold.by), ("wa", "promo", HeldBy::Quality));
    let reason =
        "the provider reports RED for template promo (en); MARKETING messages wait, as [quality] red = \"hold\" says";
    assert_eq!(hold.origin, Origin::rule(reason));
    assert!(before.score(&lanes, "promo", "UNKNOWN", 11).releases.is_empty(), "an unknown score is no good score");
    assert!(before.score(&lanes, "promo", "GREEN", 5).releases.is_empty(), "an event from before");
    before.reports.retain(|known| known.at > Timestamp::from_millis(5_000));
    let event = before.score(&lanes, "promo", "YELLOW", 12);
    assert_eq!((event.releases.len(), event.releases[0].because), (1, ReleasedBy::Quality));
    assert!(before.holds.is_empty());
}

#[test]
fn a_flagged_number_slows_its_lane_until_every_cause_is_gone() {
    let (lanes, mut before) = (lanes("yellow = \"slow\"\nflagged = \"slow\"\n"), Before::default());
    before.number(&lanes, "FLAGGED", 10);
    assert_eq!(before.rates(), ["40/s"]);
    before.score(&lanes, "promo", "YELLOW", 11);
    assert_eq!(before.rates(), ["40/s"], "it is slowed once");
    before.number(&lanes, "UNFLAGGED", 12);
    assert_eq!(before.rates(), ["40/s"], "the template is still YELLOW");
    before.score(&lanes, "promo", "GREEN", 13);
    assert!(before.rates().is_empty());
}

#[test]
fn an_upgrade_while_the_guard_slows_takes_effect_afterwards() {
    let (lanes, mut before) = (lanes("flagged = \"slow\"\n"), Before::default());
    before.number(&lanes, "FLAGGED", 10);
    before.number(&lanes, "THROUGHPUT_UPGRADE", 11);
    assert_eq!(before.rates(), ["40/s"]);
    before.number(&lanes, "UNFLAGGED", 12);
    assert_eq!(before.rates(), ["1000/s"]);
}

#[test]
fn a_rate_that_an_operator_sets_stays() {
    let (lanes, mut before) = (lanes("flagged = \"slow\"\n"), Before::default());
    before.number(&lanes, "FLAGGED", 10);
    before.overrides = vec![Override {
        setting: OverridableSetting::Rate,
        name: "wa".to_owned(),
        value: "30/s".to_owned(),
        in_file: "80/s".to_owned(),
        origin: Origin::operator("Ann", None),
        since: Timestamp::from_millis(11_000),
    }];
    let event = before.number(&lanes, "UNFLAGGED", 12);
    assert!(event.ended.is_empty() && event.overrides.is_empty(), "{event:?}");
    assert_eq!(before.rates(), ["30/s"]);
}

#[test]
fn a_flagged_number_holds_the_marketing_of_its_lane() {
    let (lanes, mut before) = (lanes("flagged = \"hold\"\n"), Before::default());
    let event = before.number(&lanes, "FLAGGED", 10);
    let [hold] = &event.holds[..] else { panic!("{event:?}") };
    assert_eq!((hold.template.as_str(), hold.by), ("", HeldBy::Quality));
    assert_eq!(event.events[0].subject, Subject::lane("wa"));
    let step = |category: &str| {
        let text = format!(r#"{{"template": {{"name": "promo", "language": "en", "category": "{category}"}}}}"#);
        let content = serde_json::from_str(&text).unwrap();
        Step { content, ..Step::of_text(Channel::WhatsApp, "wa", "Hi") }
    };
    assert!(hold.is_on("wa", &step("MARKETING")) && !hold.is_on("wa", &step("UTILITY")));
    assert_eq!(before.number(&lanes, "UNFLAGGED", 11).releases.len(), 1);
}

/// Lanes of two accounts, with the rates that the guard halves.
fn of_two_accounts() -> Vec<Lane> {
    let text = "[provider]\nsub_account = \"acme\"\n[quality]\nyellow = \"slow\"\nflagged = \"slow\"\n\
                [[lane]]\nname = \"wa\"\nchannel = \"WhatsApp\"\naccount_id = \"acme\"\nnumber = \"+15550783881\"\nrate = \"80/s\"\n\
                [[lane]]\nname = \"other\"\nchannel = \"WhatsApp\"\naccount_id = \"other\"\nrate = \"20/s\"\n";
    let none = std::iter::empty::<(&str, String)>();
    Config::read(Some((std::path::Path::new("volley.toml"), text)), std::iter::empty(), none).unwrap().config.lanes
}

#[test]
fn a_template_that_is_no_longer_sent_slows_no_lane() {
    for status in ["DISABLED", "REJECTED", "PENDING_DELETION"] {
        let (lanes, mut before) = (lanes("yellow = \"slow\"\nred = \"hold\"\n"), Before::default());
        before.score(&lanes, "promo", "YELLOW", 10);
        before.score(&lanes, "other", "YELLOW", 11);
        before.score(&lanes, "held", "RED", 12);
        let status_of = |before: &mut Before, template: &str, second| {
            let details =
                format!(r#"{{"templateName":"{template}","templateLanguage":"en","meta":{{"status":"{status}"}}}}"#);
            before.take(&lanes, "template_status_update", &details, second)
        };
        status_of(&mut before, "promo", 13);
        assert_eq!(before.rates(), ["40/s"], "{status}: another template is YELLOW");
        status_of(&mut before, "other", 14);
        assert!(before.rates().is_empty(), "{status}");
        let event = status_of(&mut before, "held", 15);
        assert!(event.releases.is_empty(), "{status}: that is no good score");
    }
}

#[test]
fn an_unknown_score_ends_slow_and_no_score_changes_nothing() {
    let (lanes, mut before) = (lanes("yellow = \"slow\"\n"), Before::default());
    before.score(&lanes, "promo", "YELLOW", 10);
    let none = r#"{"templateName":"promo","templateLanguage":"en","meta":{}}"#;
    before.take(&lanes, "template_quality_update", none, 11);
    assert_eq!(before.rates(), ["40/s"]);
    before.score(&lanes, "promo", "UNKNOWN", 12);
    assert!(before.rates().is_empty());
}

#[test]
fn a_flag_that_an_unknown_account_reports_slows_nothing_and_keeps_nothing_slow() {
    let (mut lanes, mut before) = (lanes("yellow = \"slow\"\nflagged = \"slow\"\n"), Before::default());
    lanes[0].provider.account_id = Some("acme".to_owned());
    let details = r#"{"displayPhoneNumber":"15550783881","meta":{"event":"FLAGGED"}}"#;
    before.take_from(&lanes, Some("stranger"), "phone_number_quality_update", details, 10);
    assert!(before.rates().is_empty());
    before.score(&lanes, "promo", "YELLOW", 11);
    before.score(&lanes, "promo", "GREEN", 12);
    assert!(before.rates().is_empty());
}

#[test]
fn a_template_of_another_account_slows_no_lane_of_this_one() {
    let (lanes, mut before) = (of_two_accounts(), Before::default());
    let score = |before: &mut Before, account: &str, score: &str, second| {
        let details =
            format!(r#"{{"templateName":"promo","templateLanguage":"en","meta":{{"newQualityScore":"{score}"}}}}"#);
        before.take_from(&lanes, Some(account), "template_quality_update", &details, second)
    };
    score(&mut before, "other", "YELLOW", 10);
    assert_eq!(before.rates(), ["10/s"]);
    before.number(&lanes, "FLAGGED", 11);
    assert_eq!(before.rates(), ["10/s", "40/s"]);
    before.number(&lanes, "UNFLAGGED", 12);
    assert_eq!(before.rates(), ["10/s"], "the YELLOW template is of the other account");
    score(&mut before, "acme", "GREEN", 13);
    assert_eq!(before.rates(), ["10/s"], "so is its namesake");
    score(&mut before, "other", "GREEN", 14);
    assert!(before.rates().is_empty());
}
