//! Account events as the provider's documents show them, and the effect of each.

use super::*;
use crate::base::config::{Config, Lane};
use crate::base::domain::OverridableSetting;
use crate::base::events::{AccountReport, Event, EventKind, Origin, Subject, TemplateEffect};
use crate::sending::receipts::business::read;
use crate::sending::receipts::guard::Known;
use crate::store::{AccountEvent, Override, ProviderReport, Release, ReleasedBy};

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

/// An event with these details.
fn body(kind: &str, details: &str) -> String {
    format!(
        r#"{{"eventId":"0f88f5c4-fae7-4dcf-8ff2-b2990133edea","timestamp":"2025-01-01T00:00:00.00Z","provider":"WhatsApp",
        "businessAccountId":"950","accountId":"acme-account","eventType":"{kind}","eventDetails":{details}}}"#
    )
}

fn event_for(lanes: &[Lane], body: &str) -> Option<AccountEvent> {
    event_with(&[], lanes, body)
}

/// The same, with overrides in effect.
fn event_with(overrides: &[Override], lanes: &[Lane], body: &str) -> Option<AccountEvent> {
    match wire::parse_events(body.as_bytes()).pop() {
        Some(wire::WebhookEvent::Business { business, raw }) => {
            let known = Known { overrides, holds: &[], reports: &[] };
            read(&business, raw, lanes, NOW).map(|event| event.with(known, |_| vec!["spring".to_owned()]))
        }
        other => panic!("{other:?}"),
    }
}

fn account_event(kind: &str, details: &str) -> AccountEvent {
    event_for(&lanes(""), &body(kind, details)).unwrap()
}

fn number(number: &str, meta: &str) -> AccountEvent {
    account_event("phone_number_quality_update", &format!(r#"{{"displayPhoneNumber":"{number}","meta":{meta}}}"#))
}

fn template(kind: &str, meta: &str) -> AccountEvent {
    account_event(
        kind,
        &format!(r#"{{"templateId":123,"templateName":"promo","templateLanguage":"en","meta":{meta}}}"#),
    )
}

fn overrides(event: &AccountEvent) -> Vec<(OverridableSetting, &str, &str, &str)> {
    let overrides = event.overrides.iter();
    overrides
        .map(|overridden| {
            (overridden.setting, overridden.name.as_str(), overridden.value.as_str(), overridden.in_file.as_str())
        })
        .collect()
}

#[test]
fn a_limit_change_sets_the_tier_of_the_portfolio_in_every_spelling() {
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
            assert_eq!(overrides(&event), [(OverridableSetting::Tier, "acme", tier, "1K")], "{shown} {meta}");
            assert_eq!(event.overrides[0].since, Timestamp::parse_rfc3339("2025-01-01T00:00:00Z").unwrap());
        }
    }
}

#[test]
fn unknown_tiers_and_unknown_events_change_nothing_and_are_shown() {
    for meta in [
        r#"{"event":"UPGRADE","maxDailyConversationsPerBusiness":"TIER_NOT_SET"}"#,
        r#"{"event":"UPGRADE","maxDailyConversationsPerBusiness":"TIER_9000"}"#,
        r#"{"event":"UPGRADE"}"#,
        r#"{"event":"SOMETHING_NEW","currentLimit":"TIER_10K"}"#,
        r#"{"event":"ONBOARDING","maxDailyConversationsPerBusiness":"TIER_10K"}"#,
        r#"{"event":"FLAGGED","currentLimit":"TIER_10K"}"#,
    ] {
        let event = number("15550783881", meta);
        assert!(event.overrides.is_empty() && event.events.len() == 1, "{meta}: {event:?}");
    }
    let unknown = number("15559999999", r#"{"event":"UPGRADE","currentLimit":"TIER_10K"}"#);
    assert!(
        unknown.overrides.is_empty() && unknown.events[0].text().contains("the `number` of no lane"),
        "{unknown:?}"
    );
}

#[test]
fn a_throughput_upgrade_raises_the_rate_but_never_the_tier() {
    for meta in [
        r#"{"event":"THROUGHPUT_UPGRADE","currentLimit":"TIER_UNLIMITED"}"#,
        r#"{"event":"THROUGHPUT_UPGRADE","maxDailyConversationsPerBusiness":"TIER_UNLIMITED"}"#,
        r#"{"event":"THROUGHPUT_UPGRADE","maxDailyConversationsPerBusiness":"TIER_10K"}"#,
    ] {
        assert_eq!(
            overrides(&number("15550783882", meta)),
            [(OverridableSetting::Rate, "two", "1000/s", "80/s")],
            "{meta}"
        );
        assert!(number("15550783883", meta).overrides.is_empty(), "its rate is higher already");
    }
}

#[test]
fn a_flagged_number_is_shown_with_its_lane() {
    for word in ["FLAGGED", "UNFLAGGED"] {
        let event = number("15550783881", &format!(r#"{{"event":"{word}","reason":"QUALITY_DECREASE"}}"#));
        assert_eq!((&event.reports[0].about, event.reports[0].value.as_str()), (&Subject::lane("one"), word));
        assert_eq!(event.events[0].subject, Subject::lane("one"));
    }
}

#[test]
fn a_paused_template_is_held_on_every_lane_and_an_approved_one_released() {
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
        let held: Vec<_> =
            event.holds.iter().map(|hold| (hold.lane.as_str(), hold.origin.reason.as_deref().unwrap())).collect();
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
        assert_eq!(event.releases.len(), 3, "{meta}");
        let (lane, template, language) = ("one".to_owned(), "promo".to_owned(), "en".to_owned());
        assert_eq!(event.releases[0], Release { lane, template, language, because: ReleasedBy::Status });
    }
    for meta in [r#"{"status":"PENDING"}"#, r#"{"status":"SOMETHING"}"#, "{}"] {
        let event = template("template_status_update", meta);
        assert!(event.holds.is_empty() && event.releases.is_empty() && event.events.len() == 1, "{meta}");
    }
}

#[test]
fn a_flagged_template_shows_when_it_will_be_disabled() {
    let meta = r#"{"status":"FLAGGED","disableInfo":{"disableDate":"2025-02-01T00:00:00.00Z"}}"#;
    let event = template("template_status_update", meta);
    assert!(event.holds.is_empty());
    let reports: Vec<_> = event.reports.iter().map(|report| (report.what.as_str(), report.value.as_str())).collect();
    assert_eq!(reports, [("status", "FLAGGED"), ("disable_date", "2025-02-01T00:00:00.00Z")]);
    let disabled_at = Timestamp::parse_rfc3339("2025-02-01T00:00:00Z");
    let flagged = |effect| matches!(effect, TemplateEffect::AtRisk { disabled_at: at } if at == disabled_at);
    let EventKind::AccountReported { report: AccountReport::TemplateStatus { effect, .. }, .. } = event.events[0].kind
    else {
        panic!("{:?}", event.events)
    };
    assert!(flagged(effect), "{effect:?}");
}

#[test]
fn quality_category_and_account_are_shown_and_change_nothing() {
    for (event, about, value) in [
        (
            template("template_quality_update", r#"{"previousQualityScore":"UNKNOWN","newQualityScore":"RED"}"#),
            Subject::template("promo", "en"),
            "RED",
        ),
        (
            template("template_category_update", r#"{"previousCategory":"UTILITY","newCategory":"MARKETING"}"#),
            Subject::template("promo", "en"),
            "MARKETING",
        ),
        (
            template("template_correct_category_detection", r#"{"category":"UTILITY","correctCategory":"MARKETING"}"#),
            Subject::template("promo", "en"),
            "MARKETING",
        ),
        (
            account_event(
                "account_update",
                r#"{"event":"ACCOUNT_RESTRICTION","phoneNumber":"15550783881","restrictionInfo":[
                {"restrictionType":"RESTRICTED_BUSINESS_INITIATED_CALLING","expiration":"2026-02-01T00:00:00Z"}]}"#,
            ),
            Subject::ProviderAccount,
            "ACCOUNT_RESTRICTION",
        ),
    ] {
        assert_eq!((&event.reports[0].about, event.reports[0].value.as_str()), (&about, value));
        assert_eq!(event.events.len(), 1);
        assert!(event.overrides.is_empty() && event.holds.is_empty() && event.releases.is_empty(), "{event:?}");
    }
}

/// Another account than that of the events, named in the same form.
const OURS: &str = "account_id = \"other-account\"";

fn unknown_account_event(kind: &str, details: &str) -> AccountEvent {
    let event = event_for(&lanes(OURS), &body(kind, details)).unwrap();
    assert!(event.events.iter().all(|event| event.text().contains("\"acme-account\"")), "{:?}", event.events);
    let unknown: Vec<_> = event.reports.iter().filter_map(ProviderReport::unknown_account).collect();
    assert_eq!(unknown, ["acme-account"]);
    event
}

#[test]
fn restrictions_of_an_account_with_another_name_are_obeyed() {
    let number = |meta: &str| {
        let details = format!(r#"{{"displayPhoneNumber":"15550783881","meta":{meta}}}"#);
        unknown_account_event("phone_number_quality_update", &details)
    };
    let template = |meta: &str| {
        let details = format!(r#"{{"templateName":"promo","templateLanguage":"en","meta":{meta}}}"#);
        unknown_account_event("template_status_update", &details)
    };
    let reports = |event: &AccountEvent, value: &str| event.reports.iter().any(|report| report.value == value);
    for status in ["PAUSED", "DISABLED", "REJECTED", "PENDING_DELETION"] {
        let event = template(&format!(r#"{{"status":"{status}"}}"#));
        assert!(event.holds.len() == 3 && reports(&event, status), "{status}: {event:?}");
    }
    let flagged = template(r#"{"status":"FLAGGED","disableInfo":{"disableDate":"2025-02-01T00:00:00.00Z"}}"#);
    assert!(reports(&flagged, "FLAGGED") && reports(&flagged, "2025-02-01T00:00:00.00Z"), "{flagged:?}");
    // Nothing that this account reports would end it, so the guard does not know the word.
    assert!(reports(&number(r#"{"event":"FLAGGED"}"#), "FLAGGED, says an unknown account"));
    let down = number(r#"{"event":"DOWNGRADE","currentLimit":"TIER_250"}"#);
    assert_eq!(overrides(&down), [(OverridableSetting::Tier, "acme", "250", "1K")]);
}

#[test]
fn an_account_with_another_name_lowers_the_tier_in_effect() {
    // The override, the tier in the event, and whether the event lowers it. The file says 1K.
    for (counts, limit, is_less) in
        [("10K", "TIER_2K", true), ("50", "TIER_250", false), ("2K", "TIER_2K", false), ("2K", "TIER_250", true)]
    {
        let in_effect = Override {
            setting: OverridableSetting::Tier,
            name: "acme".to_owned(),
            value: counts.to_owned(),
            in_file: "1K".to_owned(),
            origin: Origin::operator("Ann", None),
            since: NOW,
        };
        let meta = format!(r#"{{"event":"DOWNGRADE","currentLimit":"{limit}"}}"#);
        let details = format!(r#"{{"displayPhoneNumber":"15550783881","meta":{meta}}}"#);
        let event = event_with(&[in_effect], &lanes(OURS), &body("phone_number_quality_update", &details)).unwrap();
        assert_eq!(
            (event.overrides.len(), event.events.len()),
            (usize::from(is_less), usize::from(!is_less)),
            "{event:?}"
        );
    }
}

#[test]
fn nothing_is_released_or_raised_for_an_account_with_another_name() {
    let nothing = |event: &AccountEvent| {
        let says = event.reports.iter().filter(|report| report.unknown_account().is_none()).count();
        event.overrides.is_empty() && event.holds.is_empty() && event.releases.is_empty() && says == 0
    };
    for meta in [
        r#"{"event":"UPGRADE","currentLimit":"TIER_10K"}"#,
        r#"{"event":"UPGRADE","currentLimit":"TIER_250"}"#,
        r#"{"event":"DOWNGRADE","currentLimit":"TIER_10K"}"#,
        r#"{"event":"THROUGHPUT_UPGRADE","currentLimit":"TIER_UNLIMITED"}"#,
        r#"{"event":"UNFLAGGED"}"#,
    ] {
        let details = format!(r#"{{"displayPhoneNumber":"15550783881","meta":{meta}}}"#);
        let event = unknown_account_event("phone_number_quality_update", &details);
        assert!(nothing(&event) && event.events.len() == 1, "{meta}: {event:?}");
    }
    for (kind, meta) in [
        ("template_status_update", r#"{"status":"APPROVED"}"#),
        ("template_status_update", r#"{"status":"PAUSED","otherInfo":{"title":"UNPAUSE"}}"#),
        ("template_quality_update", r#"{"newQualityScore":"GREEN"}"#),
        ("template_category_update", r#"{"newCategory":"UTILITY"}"#),
    ] {
        let details = format!(r#"{{"templateName":"promo","templateLanguage":"en","meta":{meta}}}"#);
        let event = unknown_account_event(kind, &details);
        assert!(nothing(&event) && event.events.len() == 1, "{kind} {meta}: {event:?}");
    }
    let violation =
        r#"{"event":"ACCOUNT_VIOLATION","phoneNumber":"16505552771","violationInfo":{"violationType":"SPAM"}}"#;
    let event = unknown_account_event("account_update", violation);
    assert!(event.events[0].text().contains("ACCOUNT_VIOLATION for 16505552771: SPAM"), "{:?}", event.events);
    // A lane without `account_id` accepts every event.
    let mut some = lanes(OURS);
    some[0].provider.account_id = None;
    let approved = r#"{"templateName":"promo","templateLanguage":"en","meta":{"status":"APPROVED"}}"#;
    let event = event_for(&some, &body("template_status_update", approved)).unwrap();
    assert_eq!(event.releases.iter().map(|lift| lift.lane.as_str()).collect::<Vec<_>>(), ["one"]);
}

/// As in the documents: the API names the account by a UUID, and its events by a name.
#[test]
fn an_event_that_names_its_account_in_another_form_takes_effect() {
    let uuid = "91b106f0-c0da-4aba-a43a-7af9c5893a80";
    let (ours, kind) = (lanes(&format!("account_id = \"{uuid}\"")), "template_status_update");
    let approved = body(kind, r#"{"templateName":"promo","templateLanguage":"en","meta":{"status":"APPROVED"}}"#);
    let by_name = event_for(&ours, &approved).unwrap();
    assert_eq!(by_name.releases.len(), 3);
    assert!(by_name.reports.iter().all(|report| report.unknown_account().is_none()), "{by_name:?}");
    let by_uuid = |uuid: &str| event_for(&ours, &approved.replace("acme-account", uuid)).unwrap();
    assert_eq!(by_uuid(&uuid.replace('-', "").to_uppercase()).releases.len(), 3, "another spelling of ours");
    assert!(by_uuid("11111111-c0da-4aba-a43a-7af9c5893a80").releases.is_empty(), "another account");
}

#[test]
fn an_event_names_reason_number_and_campaigns() {
    for (event, words) in [
        (number("15550783881", r#"{"event":"FLAGGED","reason":"QUALITY_DECREASE"}"#), "FLAGGED (QUALITY_DECREASE) for"),
        (number("15550783881", r#"{"event":"UNFLAGGED"}"#), "its limit may go up again"),
        (
            account_event("account_update", r#"{"event":"ACCOUNT_VIOLATION","phoneNumber":"16505552771"}"#),
            "ACCOUNT_VIOLATION for 16505552771",
        ),
        (
            template("template_category_update", r#"{"previousCategory":"UTILITY","newCategory":"MARKETING"}"#),
            "campaigns in progress that use it get its price for what they have not sent: spring",
        ),
    ] {
        assert!(event.events[0].text().contains(words), "{:?}", event.events[0].text());
    }
}

#[test]
fn the_number_of_no_lane_is_recorded_as_unknown() {
    let event = number("+1 555-999-9999", r#"{"event":"FLAGGED"}"#);
    assert_eq!(event.reports.iter().filter_map(ProviderReport::unknown_number).collect::<Vec<_>>(), ["15559999999"]);
    assert!(
        number("15550783881", r#"{"event":"FLAGGED"}"#).reports.iter().all(|report| report.unknown_number().is_none())
    );
}

#[test]
fn an_account_event_concerns_only_the_lanes_of_its_account() {
    let details = r#"{"displayPhoneNumber":"15550783881","meta":{"event":"UPGRADE","currentLimit":"TIER_10K"}}"#;
    let kind = "phone_number_quality_update";
    let stated = |account: &str| lanes(&format!("account_id = \"{account}\""));
    let event = event_for(&stated("ACME-account"), &body(kind, details)).unwrap();
    assert_eq!(overrides(&event), [(OverridableSetting::Tier, "acme", "10K", "1K")]);
    assert!(event.reports.iter().all(|report| report.unknown_account().is_none()));
    assert!(event_for(&lanes(""), &body("flow_update", details)).is_none());
    // With two accounts it concerns the lanes of its own, and those without `account_id`.
    let mut both = stated("ACME-account");
    both[1].provider.account_id = Some("another".to_owned());
    both[2].provider.account_id = None;
    let paused = r#"{"templateName":"promo","templateLanguage":"en","meta":{"status":"PAUSED"}}"#;
    let event = event_for(&both, &body("template_status_update", paused)).unwrap();
    let held: Vec<&str> = event.holds.iter().map(|hold| hold.lane.as_str()).collect();
    assert_eq!(held, ["one", "fast"]);
    // A hold without a template would hold the whole lane.
    for paused in [r#"{"meta":{"status":"PAUSED"}}"#, r#"{"templateName":"","meta":{"status":"APPROVED"}}"#] {
        let event = event_for(&both, &body("template_status_update", paused)).unwrap();
        assert!(event.holds.is_empty() && event.releases.is_empty() && event.events.len() == 1, "{paused}");
    }
    let nameless = body(kind, details).replace("0f88f5c4-fae7-4dcf-8ff2-b2990133edea", "");
    let id = |body: &str| event_for(&lanes(""), body).unwrap().id;
    assert_eq!((id(&nameless).len(), id(&nameless) == id(&nameless.replace("10K", "2K"))), (32, false));
}

/// Every account event of the documents, one a line, with its place: a document and its line.
const SAMPLES: &str = include_str!("account_events.jsonl");

/// What follows from an event: settings, held and released lanes, and what is recorded.
fn effects(event: &AccountEvent) -> Vec<String> {
    let settings = overrides(event).into_iter().map(|(_, name, value, _)| format!("{name} set to {value}"));
    let held = event.holds.iter().map(|hold| format!("{} held", hold.lane));
    let released = event.releases.iter().map(|release| format!("{} released", release.lane));
    let recorded = event.reports.iter().map(|report| format!("{} {}", report.what, report.value));
    settings.chain(held).chain(released).chain(recorded).collect()
}

#[test]
fn every_documented_account_event_has_its_effect() {
    const HELD: [&str; 3] = ["one held", "two held", "fast held"];
    const RELEASED: [&str; 3] = ["one released", "two released", "fast released"];
    let rejected = [&HELD[..], &["rejection INCORRECT_CATEGORY", "status REJECTED", "disable_date "]].concat();
    let update = |word: &'static str| vec![word];
    let (violation, restriction) = (update("update ACCOUNT_VIOLATION"), update("update ACCOUNT_RESTRICTION"));
    let verification = update("update BUSINESS_VERIFICATION_STATUS_UPDATE");
    // The place, what follows, and a part of the sentence that is shown, if there is one.
    let expected: [(&str, Vec<&str>, &str); 22] = [
        ("002:1072", vec!["category MARKETING"], "changed its category to MARKETING, from UTILITY"),
        ("002:1091", vec!["quality GREEN"], "quality GREEN, after UNKNOWN"),
        ("002:1110", [&RELEASED[..], &["status APPROVED", "disable_date "]].concat(), "APPROVED: it may be sent"),
        ("002:1129", rejected.clone(), "REJECTED (INCORRECT_CATEGORY): its messages wait"),
        ("002:1148", vec!["status FLAGGED", "disable_date DATE"], "FLAGGED"),
        (
            "002:1169",
            [&HELD[..], &["status PAUSED", "disable_date "]].concat(),
            "PAUSED (FIRST_PAUSE: Pause description)",
        ),
        ("002:1197", vec!["advised_category MARKETING"], "considers it MARKETING instead of UTILITY"),
        ("002:1274", vec!["acme set to 10K"], ""),
        ("002:1290", vec!["one set to 1000/s", "throughput UPGRADED"], ""),
        ("002:1308", vec!["quality ONBOARDING"], "ONBOARDING for 15550783881: it is still being registered"),
        ("002:1323", vec!["one set to 1000/s", "throughput UPGRADED"], ""),
        (
            "002:1408",
            verification.clone(),
            "_UPDATE: FAILED: LEGAL_NAME_NOT_FOUND_IN_DOCUMENTS, BUSINESS_NOT_ELIGIBLE; nothing changes",
        ),
        ("002:1430", verification, "_UPDATE: APPROVED; nothing changes"),
        (
            "002:1451",
            violation,
            "for 16505552771: USER_INITIATED_CALLS_LOW_PICKUP_RATE (Please identify and address the cause",
        ),
        ("002:1470", restriction.clone(), "RESTRICTED_USER_INITIATED_CALLING until 2022-01-10T20:54:17.00Z; nothing"),
        ("002:1493", restriction.clone(), "DIRECT_SEND_UTILITY_CATEGORY_ABUSE_WARN"),
        ("002:1512", restriction.clone(), "RESTRICTED_DIRECT_SEND_UTILITY_TEMPLATES"),
        ("002:1537", restriction, "DIRECT_SEND_UTILITY_CATEGORY_ABUSE_UNBAN"),
        ("004:3702", rejected, "REJECTED (INCORRECT_CATEGORY): its messages wait"),
        ("004:3755", vec!["quality GREEN"], "quality GREEN, after UNKNOWN"),
        ("004:3807", vec!["acme set to 10K"], ""),
        ("004:3826", vec!["quality FLAGGED"], "FLAGGED (QUALITY_DECREASE) for 15550783881"),
    ];
    let lanes = lanes("");
    assert_eq!(SAMPLES.lines().count(), expected.len());
    for (line, (at, follows, sentence)) in SAMPLES.lines().zip(expected) {
        let sample: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(sample["at"], at);
        let event = event_for(&lanes, &sample["event"].to_string()).unwrap_or_else(|| panic!("{at}: unknown"));
        assert_eq!(effects(&event), follows, "{at}");
        let said: Vec<String> = event.events.iter().map(Event::text).collect();
        let is_said =
            if sentence.is_empty() { said.is_empty() } else { said.iter().any(|said| said.contains(sentence)) };
        assert!(is_said, "{at}: {said:?}");
        let subject = event.events.first().map(|event| event.subject.to_string()).unwrap_or_default();
        let is_of_template = event.kind.starts_with("template");
        assert_eq!(is_of_template, subject.contains("<TEMPLATE_NAME>"), "{at}: {subject}");
    }
}
