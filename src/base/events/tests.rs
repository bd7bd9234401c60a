use super::*;
use crate::base::domain::{
    BatchId, Channel, DoubtCause, OverridableSetting, Portion, Rate, ServerLimit, Span, StepIndex,
};

fn at() -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000)
}

fn rate() -> Rate {
    "80/s".parse().unwrap()
}

/// One of each kind.
pub(crate) fn kinds() -> Vec<EventKind> {
    let changes = vec![ChangedKey { step: Some(2), key: "ttl".into(), before: "1h".into(), after: "2h".into() }];
    let certificate = Certificate {
        never_sent: 7,
        in_flight: 2,
        accepted: 1_005,
        reached: 5,
        over_before: 3,
        stopped_after_ms: Some(40),
    };
    let address = || "api.example:443".to_owned();
    let mut kinds = vec![
        EventKind::Drafted,
        EventKind::Launched,
        EventKind::Scheduled { starts_at: Some(at()) },
        EventKind::Started,
        EventKind::Refused,
        EventKind::Paused,
        EventKind::Resumed,
        EventKind::Reopened,
        EventKind::Finished,
        EventKind::Cancelled,
        EventKind::CancelSwept,
        EventKind::Settled,
        EventKind::Changed { changes },
        EventKind::Renamed { before: "promo".into() },
        EventKind::Deleted,
        EventKind::Expired { messages: 1_200 },
        EventKind::MessageSetAside { message: "msg_1".into() },
        EventKind::MessageReleased { message: "msg_1".into() },
        EventKind::MessageCancelled { message: "msg_1".into() },
        EventKind::CancelCertified { certificate },
        EventKind::Purged { messages: 1 },
        EventKind::Held { code: Some(7) },
        EventKind::Released,
        EventKind::throttled(Portion::WHOLE.halved(), rate()),
        EventKind::FullRate { rate: rate() },
        EventKind::OutageBegan { in_flight: 1 },
        EventKind::OutageEnded { lasted: Span::from_secs(61) },
        EventKind::TierSpent { recipients: 250, free_at: Some(at()) },
        EventKind::TierFreed { recipients: 225, of: 250 },
        EventKind::SettingOverridden {
            setting: OverridableSetting::Rate,
            value: "20/s".into(),
            in_file: "80/s".into(),
        },
        EventKind::TierUsed { recipients: 120, is_told: true },
        EventKind::OverrideIgnored { setting: OverridableSetting::Tier, value: "1K".into() },
        EventKind::OverrideEnded { setting: OverridableSetting::Burst, value: "10".into() },
        EventKind::FoundInFlight { messages: 12 },
        EventKind::GapEnded {
            from: at(),
            lasted: Some(Span::from_secs(12)),
            doubt: None,
            address: None,
            repeats_until: Some(at()),
        },
        EventKind::ReceiptsDoubted { since: at(), doubt: DoubtCause::SecretMismatch, address: address() },
        EventKind::AskingBegan { deadlines: 3, takes: Span::from_secs(3) },
        EventKind::AskingDone,
        EventKind::ServerFull { limit: ServerLimit::Connections, holder: Some("192.0.2.1".into()), held: 384, of: 512 },
        EventKind::ServerFull { limit: ServerLimit::EventStreams, holder: None, held: 128, of: 128 },
        EventKind::ServerFreed { limit: ServerLimit::LongOperations, turned_away: 1 },
        EventKind::DiskFilling { free_mib: 212 },
        EventKind::DiskFreed { free_mib: 9_001 },
        EventKind::ImportGivenUp {
            upload: "upl_1".into(),
            file: "customers.xlsx".into(),
            audience: "customers".into(),
            crashes: 2,
        },
        EventKind::TemplatesNotFetched,
        EventKind::SubscriptionCreated,
        EventKind::SubscriptionEnabled,
        EventKind::SubscriptionDisabled,
        EventKind::SubscriptionRemoved,
        EventKind::SecretRotated { former_until: at() },
        EventKind::CredentialReplaced { key: "api_key_file".into(), file: "8x8.key".into(), secrets: 1 },
        EventKind::CredentialReplaced { key: "webhook_secret_file".into(), file: "hook.key".into(), secrets: 2 },
        EventKind::BackupRestored { copied_at: at(), paused_count: 2 },
        EventKind::CertificateReplaced { file: "server.pem".into() },
        EventKind::CertificateRejected { file: "server.pem".into(), problem: "it has no certificate".into() },
        EventKind::FilesRead {
            files: vec!["api_key_file (8x8.key)".into(), "tls_certificate (server.pem)".into()],
            not_used: Vec::new(),
            needs_restart: Vec::new(),
        },
        EventKind::FilesRead {
            files: Vec::new(),
            not_used: vec!["the price list prices.csv cannot be read".into()],
            needs_restart: vec!["server: listen".into(), "lane sms: rate".into()],
        },
        EventKind::OptOutUnidentified { channel: Some(Channel::Line) },
        EventKind::OptOutUnidentified { channel: None },
        EventKind::OptOutPossible,
        EventKind::AddressTaken { channel: Channel::WhatsApp },
    ];
    let number = || "+65 9123 4567".to_owned();
    let word = || "UPGRADE".to_owned();
    let limit = |effect| AccountReport::Limit { word: word(), limit: "TIER_1K".into(), number: number(), effect };
    let status = |effect| AccountReport::TemplateStatus { status: "PAUSED".into(), details: "spam".into(), effect };
    let reports = [
        AccountReport::NumberWithoutLane { word: word(), number: number() },
        AccountReport::UnknownWord { word: word(), number: number() },
        AccountReport::NumberState {
            state: NumberState::Flagged,
            number: number(),
            reason: Some("QUALITY_DECREASE".into()),
        },
        limit(LimitEffect::NothingChanges),
        limit(LimitEffect::UnknownLimit),
        AccountReport::Throughput { number: number(), is_as_fast: Some("80/s".into()) },
        status(TemplateEffect::Released),
        status(TemplateEffect::AtRisk { disabled_at: Some(at()) }),
        AccountReport::TemplateQuality { quality: "RED".into(), before: "GREEN".into() },
        AccountReport::TemplateCategory {
            category: "MARKETING".into(),
            before: "UTILITY".into(),
            campaigns: vec!["spring".into()],
        },
        AccountReport::TemplateAdvice { advised: "MARKETING".into(), category: "UTILITY".into() },
        AccountReport::Account { word: "VERIFIED".into(), number: Some(number()), details: String::new() },
    ];
    kinds.extend(reports.map(|report| EventKind::AccountReported { report, unknown_account: Some("acme".into()) }));
    kinds
}

#[test]
fn every_kind_reads_back_as_it_was_written_and_has_a_sentence() {
    for kind in kinds() {
        let text = serde_json::to_string(&kind).unwrap();
        assert_eq!(EventKind::read(&text), kind, "{text}");
        let sentence = Event::by_server(at(), Subject::Server, kind).sentence();
        assert!(sentence.starts_with("server: ") && sentence.len() > 12, "{sentence}");
    }
}

#[test]
fn a_kind_of_a_later_version_is_still_listed() {
    let kind = EventKind::read(r#"{"kind":"invented","with":1}"#);
    assert_eq!(kind, EventKind::Other { unknown_kind: "invented".to_owned() });
    assert_eq!(EventKind::read("nonsense"), EventKind::Other { unknown_kind: "unreadable".to_owned() });
}

#[test]
fn a_sentence_says_what_happened_to_what_by_whom_and_why() {
    let step = StepIndex::new(1).unwrap();
    let sentence = |subject, origin, kind| Event { at: at(), subject, origin, kind }.sentence();
    let ann = || Origin::operator("Ann", Some("wrong text"));
    let promo = || Subject::campaign(BatchId(3), Some("promo"));
    assert_eq!(sentence(promo(), ann(), EventKind::Paused), "campaign promo: paused by Ann: wrong text");
    assert_eq!(sentence(promo(), Origin::SERVER, EventKind::Started), "campaign promo: started");
    let of_step = Subject::step(BatchId(3), Some("promo"), step);
    let held = EventKind::Held { code: None };
    assert_eq!(
        sentence(of_step.clone(), Origin::rule("20 refusals in a row"), held.clone()),
        "campaign promo, step 2: held: 20 refusals in a row"
    );
    assert_eq!(sentence(of_step, Origin::operator("Ann", None), held.clone()), "campaign promo, step 2: paused by Ann");
    let template = || Subject::held("promo-sg", "sale", "en");
    assert_eq!(
        sentence(template(), Origin::provider("template paused"), EventKind::Held { code: Some(132_015) }),
        "template sale (en) on lane promo-sg: held: template paused (code 132015)"
    );
    assert_eq!(
        sentence(template(), Origin::operator("Ann", None), EventKind::Released),
        "template sale (en) on lane promo-sg: resumed by Ann"
    );
    let changes = vec![
        ChangedKey { step: Some(2), key: "ttl".into(), before: "1h".into(), after: "2h".into() },
        ChangedKey { step: None, key: "budget".into(), before: "none".into(), after: "5 EUR".into() },
    ];
    assert_eq!(
        sentence(promo(), Origin::operator("Ann", None), EventKind::Changed { changes }),
        "campaign promo: changed by Ann: step 2: ttl: 2h instead of 1h; budget: 5 EUR instead of none"
    );
    let set = EventKind::SettingOverridden {
        setting: OverridableSetting::Rate,
        value: "20/s".into(),
        in_file: "80/s".into(),
    };
    assert_eq!(
        sentence(Subject::of_setting(OverridableSetting::Rate, "sms"), ann(), set),
        "lane sms: rate set to 20/s (in the file: 80/s) by Ann: wrong text"
    );
}

/// `lane ` occurs in the name, and the events of a lane are still told from those of the campaign.
#[test]
fn subjects_are_told_apart_by_their_fields() {
    let campaign = Subject::campaign(BatchId(3), Some("Plane tickets"));
    assert!(campaign.is_of_batch(BatchId(3)) && !campaign.is_on_lane("tickets"));
    let template = Subject::held("tickets", "sale", "");
    assert!(template.is_on_lane("tickets") && !template.is_of_batch(BatchId(3)));
    assert_eq!(Subject::held("tickets", "", ""), Subject::lane("tickets"));
}
