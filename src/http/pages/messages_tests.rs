//! Tests of the page of one message: what to do, and what was sent.

use askama::Template as _;

use super::*;
use crate::base::domain::{AddressFields, Scopes, Status};
use crate::campaigns::report::{StepBrief, StepResult};
use crate::campaigns::story::{Brief, ExplainedStep, FailureReason};
use crate::http::pages::Place;

fn step(at: u8, channel: Channel, reason: Option<FailureReason>) -> ExplainedStep {
    let result = if reason.is_some() { StepResult::Undelivered } else { StepResult::NotInTime };
    let step = StepIndex::new(at).unwrap();
    let brief = StepBrief { step, channel, result, best: None, success: Status::Delivered };
    ExplainedStep { brief, patience: None, reason }
}

fn reason(code: u32, what_to_do: &'static str) -> Option<FailureReason> {
    Some(FailureReason { meaning: "failed", code: Some(code), what_to_do })
}

/// The page of a message that was not reached at these steps.
fn page(steps: Vec<ExplainedStep>, sent: SentMessage<'_>) -> String {
    let story = Story {
        id: "msg_1".to_owned(),
        campaign: None,
        address: AddressFields::default(),
        client_message_id: None,
        state: "done",
        step: 1,
        outcome: Some(Outcome::Undelivered),
        expiry: None,
        attempts: Vec::new(),
        receipts: Vec::new(),
        asked: Vec::new(),
        lines: Vec::new(),
        proven: true,
        contradiction: None,
        brief: Brief { state: "done", outcome: Some(Outcome::Undelivered), steps, ..Brief::default() },
    };
    let frame = Frame {
        operator: "mia".to_owned(),
        scopes: Scopes::default(),
        zone: None,
        form_token: String::new(),
        place: Place::Elsewhere,
        notice: None,
    };
    let (campaign, campaign_id) = ("Promo".to_owned(), "cmp_1".to_owned());
    MessagePage { frame, story: &story, sent, campaign, campaign_id, may_repeat: false }.render().unwrap()
}

#[test]
fn the_advice_is_that_of_each_step_that_failed_for_a_reason() {
    let limit = step(0, Channel::WhatsApp, reason(131_049, "wait a day"));
    let number = step(1, Channel::Sms, reason(15, "check the number"));
    let one = page(vec![limit.clone(), step(1, Channel::Sms, None)], SentMessage::Missing);
    assert!(one.contains("What to do:</strong> WhatsApp: wait a day.</p>"), "{one}");
    let both = page(vec![limit.clone(), number], SentMessage::Missing);
    assert!(
        both.contains("<li>WhatsApp: wait a day.</li>") && both.contains("<li>SMS: check the number.</li>"),
        "{both}"
    );
    let same = page(vec![limit.clone(), step(1, Channel::Sms, limit.reason)], SentMessage::Missing);
    assert_eq!(same.matches("wait a day").count(), 1, "{same}");
    let none = page(vec![step(0, Channel::Sms, None)], SentMessage::Missing);
    assert!(none.contains("send again later. The provider gave no reason"), "{none}");
}

#[test]
fn a_page_shows_what_was_sent_or_says_why_it_cannot() {
    let erased = page(Vec::new(), SentMessage::Erased);
    assert!(erased.contains("The recipient was erased") && !erased.contains("class=\"bubble"), "{erased}");
    let missing = page(Vec::new(), SentMessage::Missing);
    assert!(missing.contains("not stored any more"), "{missing}");
    let values = [("code".to_owned(), "<b>17".to_owned())];
    let unknown = SentStep {
        step: StepIndex::FIRST,
        channel: Channel::WhatsApp,
        sent_at: None,
        template: Some("promo"),
        bubble: None,
    };
    let kept = page(Vec::new(), SentMessage::Kept { steps: vec![unknown], values: &values });
    assert!(kept.contains("Template: <span dir=\"auto\">promo</span>") && kept.contains("&#60;b&#62;17"), "{kept}");
    assert!(kept.contains("not submitted yet"), "{kept}");
}
