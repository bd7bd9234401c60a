//! Events of the account as the provider's documents show them, and what becomes of each.

use super::*;
use crate::config::{Config, Lane};
use crate::domain::Knob;
use crate::receipts::business::read;
use crate::store::BusinessEvent;

fn lanes(more: &str) -> Vec<Lane> {
    let text = format!(
        "[provider]\nsub_account = \"acme\"\n{more}\n\
         [[lane]]\nname = \"one\"\nchannel = \"WhatsApp\"\nnumber = \"+15550783881\"\nportfolio = \"acme\"\ntier = \"1K\"\n\
         [[lane]]\nname = \"two\"\nchannel = \"WhatsApp\"\nnumber = \"+15550783882\"\nportfolio = \"acme\"\ntier = \"1K\"\n\
         [[lane]]\nname = \"fast\"\nchannel = \"WhatsApp\"\nnumber = \"+15550783883\"\nrate = \"2000/s\"\n\
         [[lane]]\nname = \"sms\"\nchannel = \"SMS\"\n"
    );
    let none = std::iter::empty::<(&str, String)>();
    Config::read(Some((std::path::Path::new("volley.toml"), &text)), std::iter::empty(), none).unwrap().config.lanes
}

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// An event around these details.
fn body(kind: &str, details: &str) -> String {
    format!(
        r#"{{"eventId":"0f88f5c4-fae7-4dcf-8ff2-b2990133edea","timestamp":"2025-01-01T00:00:00.00Z","provider":"WhatsApp",
        "businessAccountId":"950","accountId":"acme-account","eventType":"{kind}","eventDetails":{details}}}"#
    )
}

fn heard_by(lanes: &[Lane], body: &str) -> Option<BusinessEvent> {
    match wire::parse_events(body.as_bytes()).pop() {
        Some(wire::Event::Business { business, raw }) => read(&business, raw, lanes, NOW),
        other => panic!("{other:?}"),
    }
}

fn heard(kind: &str, details: &str) -> BusinessEvent {
    heard_by(&lanes(""), &body(kind, details)).unwrap()
}

fn number(number: &str, meta: &str) -> BusinessEvent {
    heard("phone_number_quality_update", &format!(r#"{{"displayPhoneNumber":"{number}","meta":{meta}}}"#))
}

fn template(kind: &str, meta: &str) -> BusinessEvent {
    heard(kind, &format!(r#"{{"templateId":123,"templateName":"promo","templateLanguage":"en","meta":{meta}}}"#))
}

fn turned(event: &BusinessEvent) -> Vec<(Knob, &str, &str, &str)> {
    let dials = event.dials.iter();
    dials.map(|dial| (dial.knob, dial.name.as_str(), dial.value.as_str(), dial.in_file.as_str())).collect()
}

#[test]
fn a_limit_that_the_provider_changes_is_the_portfolios_by_whichever_name_it_comes() {
    for (meta, tier) in [
        (r#"{"event":"UPGRADE","currentLimit":"TIER_10K","oldLimit":"TIER_1K"}"#, "10K"),
        (r#"{"event":"UPGRADE","maxDailyConversationsPerBusiness":"TIER_2K"}"#, "2K"),
        (r#"{"event":"DOWNGRADE","maxDailyConversationsPerBusiness":"TIER_250","currentLimit":"TIER_1K"}"#, "250"),
        (r#"{"event":"DOWNGRADE","maxDailyConversationsPerBusiness":"TIER_50"}"#, "50"),
        (r#"{"event":"upgrade","maxDailyConversationsPerBusiness":"TIER_UNLIMITED"}"#, "unlimited"),
        (r#"{"event":"UPGRADE","currentLimit":"UNLIMITED"}"#, "unlimited"),
    ] {
        for shown in ["15550783881", "+1 555-078-3882"] {
            let event = number(shown, meta);
            assert_eq!(turned(&event), [(Knob::Tier, "acme", tier, "1K")], "{shown} {meta}");
            assert_eq!(event.dials[0].since, Timestamp::parse_rfc3339("2025-01-01T00:00:00Z").unwrap());
        }
    }
}

#[test]
fn what_is_no_tier_that_counts_people_and_what_nobody_knows_changes_nothing_and_is_shown() {
    for meta in [
        r#"{"event":"UPGRADE","maxDailyConversationsPerBusiness":"TIER_NOT_SET"}"#,
        r#"{"event":"UPGRADE","maxDailyConversationsPerBusiness":"TIER_9000"}"#,
        r#"{"event":"UPGRADE"}"#,
        r#"{"event":"SOMETHING_NEW","currentLimit":"TIER_10K"}"#,
        r#"{"event":"ONBOARDING","maxDailyConversationsPerBusiness":"TIER_10K"}"#,
        r#"{"event":"FLAGGED","currentLimit":"TIER_10K"}"#,
    ] {
        let event = number("15550783881", meta);
        assert!(event.dials.is_empty() && event.told.len() == 1, "{meta}: {event:?}");
    }
    let nobodys = number("15559999999", r#"{"event":"UPGRADE","currentLimit":"TIER_10K"}"#);
    assert!(nobodys.dials.is_empty() && nobodys.told[0].1.contains("the `number` of no lane"), "{nobodys:?}");
}

#[test]
fn a_throughput_upgrade_lifts_the_rate_of_its_number_and_never_the_tier_whatever_tier_it_names() {
    for meta in [
        r#"{"event":"THROUGHPUT_UPGRADE","currentLimit":"TIER_UNLIMITED"}"#,
        r#"{"event":"THROUGHPUT_UPGRADE","maxDailyConversationsPerBusiness":"TIER_UNLIMITED"}"#,
        r#"{"event":"THROUGHPUT_UPGRADE","maxDailyConversationsPerBusiness":"TIER_10K"}"#,
    ] {
        assert_eq!(turned(&number("15550783882", meta)), [(Knob::Rate, "two", "1000/s", "80/s")], "{meta}");
        assert!(number("15550783883", meta).dials.is_empty(), "it goes faster already");
    }
}

#[test]
fn a_flagged_number_is_shown_with_its_lane() {
    for word in ["FLAGGED", "UNFLAGGED"] {
        let event = number("15550783881", &format!(r#"{{"event":"{word}","reason":"QUALITY_DECREASE"}}"#));
        assert_eq!((event.says[0].about.as_str(), event.says[0].value.as_str()), ("lane one", word));
        assert_eq!(event.told[0].0, "lane one");
    }
}

#[test]
fn a_template_that_the_provider_stops_is_held_on_every_lane_and_one_that_it_approves_is_let_go() {
    for (meta, reason) in [
        (
            r#"{"status":"PAUSED","reason":"NONE","otherInfo":{"title":"FIRST_PAUSE","description":"Pause description"}}"#,
            "the provider has paused it (FIRST_PAUSE: Pause description)",
        ),
        (r#"{"status":"DISABLED"}"#, "the provider has disabled it for good"),
        (r#"{"status":"REJECTED","reason":"INCORRECT_CATEGORY"}"#, "the provider has rejected it (INCORRECT_CATEGORY)"),
        (r#"{"status":"PENDING_DELETION"}"#, "it is being deleted at the provider"),
        (r#"{"status":"","otherInfo":{"title":"DISABLED"}}"#, "the provider has disabled it for good (DISABLED)"),
    ] {
        let event = template("template_status_update", meta);
        let held: Vec<_> = event.holds.iter().map(|hold| (hold.lane.as_str(), hold.reason.as_str())).collect();
        assert_eq!(held, ["one", "two", "fast"].map(|lane| (lane, reason)), "{meta}");
        let hold = &event.holds[0];
        assert_eq!((hold.template.as_str(), hold.language.as_str(), hold.by), ("promo", "en", HeldBy::Event));
    }
    for meta in [
        r#"{"status":"APPROVED","reason":"NONE"}"#,
        r#"{"status":"APPROVED","otherInfo":{"title":"UNPAUSE","description":"d"}}"#,
        r#"{"status":"PAUSED","otherInfo":{"title":"UNPAUSE"}}"#,
    ] {
        let event = template("template_status_update", meta);
        assert!(event.holds.is_empty(), "{meta}");
        assert_eq!(event.lifts.len(), 3, "{meta}");
        assert_eq!(event.lifts[0], ("one".to_owned(), "promo".to_owned(), "en".to_owned()));
    }
    for meta in [r#"{"status":"PENDING"}"#, r#"{"status":"SOMETHING"}"#, "{}"] {
        let event = template("template_status_update", meta);
        assert!(event.holds.is_empty() && event.lifts.is_empty() && event.told.len() == 1, "{meta}");
    }
}

#[test]
fn a_flagged_template_says_until_when_it_may_be_sent() {
    let meta = r#"{"status":"FLAGGED","disableInfo":{"disableDate":"2025-02-01T00:00:00.00Z"}}"#;
    let event = template("template_status_update", meta);
    assert!(event.holds.is_empty());
    let says: Vec<_> = event.says.iter().map(|said| (said.what.as_str(), said.value.as_str())).collect();
    assert_eq!(says, [("status", "FLAGGED"), ("disable_date", "2025-02-01T00:00:00.00Z")]);
    assert!(event.told[0].1.contains("disabled at 2025-02-01 00:00 UTC"), "{:?}", event.told);
}

#[test]
fn quality_category_and_account_are_shown_and_change_nothing() {
    for (event, about, value) in [
        (
            template("template_quality_update", r#"{"previousQualityScore":"UNKNOWN","newQualityScore":"RED"}"#),
            "template promo (en)",
            "RED",
        ),
        (
            template("template_category_update", r#"{"previousCategory":"UTILITY","newCategory":"MARKETING"}"#),
            "template promo (en)",
            "MARKETING",
        ),
        (
            template("template_correct_category_detection", r#"{"category":"UTILITY","correctCategory":"MARKETING"}"#),
            "template promo (en)",
            "MARKETING",
        ),
        (
            heard(
                "account_update",
                r#"{"event":"ACCOUNT_RESTRICTION","phoneNumber":"15550783881","restrictionInfo":[
                {"restrictionType":"RESTRICTED_BUSINESS_INITIATED_CALLING","expiration":"2026-02-01T00:00:00Z"}]}"#,
            ),
            "account",
            "ACCOUNT_RESTRICTION",
        ),
    ] {
        assert_eq!((event.says[0].about.as_str(), event.says[0].value.as_str()), (about, value));
        assert_eq!(event.told.len(), 1);
        assert!(event.dials.is_empty() && event.holds.is_empty() && event.lifts.is_empty(), "{event:?}");
    }
}

#[test]
fn an_event_of_another_account_or_of_an_unknown_type_is_nobodys() {
    let details = r#"{"displayPhoneNumber":"15550783881","meta":{"event":"UPGRADE","currentLimit":"TIER_10K"}}"#;
    let kind = "phone_number_quality_update";
    let stated = |account: &str| lanes(&format!("account_id = \"{account}\""));
    assert!(heard_by(&stated("another"), &body(kind, details)).is_none());
    assert!(heard_by(&stated("ACME-account"), &body(kind, details)).is_some());
    assert!(heard_by(&lanes(""), &body("flow_update", details)).is_none());
    // Of two accounts it concerns the lanes of one, and those that do not say whose they are.
    let mut both = stated("ACME-account");
    both[1].provider.account_id = Some("another".to_owned());
    both[2].provider.account_id = None;
    let paused = r#"{"templateName":"promo","templateLanguage":"en","meta":{"status":"PAUSED"}}"#;
    let event = heard_by(&both, &body("template_status_update", paused)).unwrap();
    let held: Vec<&str> = event.holds.iter().map(|hold| hold.lane.as_str()).collect();
    assert_eq!(held, ["one", "fast"]);
    let nameless = body(kind, details).replace("0f88f5c4-fae7-4dcf-8ff2-b2990133edea", "");
    let id = |body: &str| heard_by(&lanes(""), body).unwrap().id;
    assert_eq!((id(&nameless).len(), id(&nameless) == id(&nameless.replace("10K", "2K"))), (32, false));
}
