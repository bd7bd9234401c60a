//! `message explain` after a cancel and after an opt-out: the story ends with the message, and gives the reason.

use volley::base::domain::{Channel, Outcome, Span, StepIndex};

use crate::support::by_hand::{ByHand, ProviderAnswer, is_awaiting};
use crate::support::scene::{SMS, Scene, VIBER, is_done, is_queued, is_sending};

const CHINESE: &str = "[[step]]\nchannel = \"WhatsApp\"\nonly = [\"CN\"]\nfallback_after = \"48h\"\n\
     template = { name = \"promo\", language = \"zh\", category = \"MARKETING\", ttl = \"12h\" }\n";

const CANCELLED: &str = "The campaign was cancelled: the submitted step is the last";
const CANCELLED_IN_FLIGHT: &str = "The campaign was cancelled while Viber was being submitted";
const OPTED_OUT: &str = "The recipient had opted out by then (STOP, 2027-01-15 ";

#[tokio::test(flavor = "multi_thread")]
async fn a_message_cancelled_before_its_submission_says_so() {
    let scene = Scene::of(ByHand::start("").await, "at = \"2099-01-01T09:00Z\"").await;
    scene.cancel().await;
    scene.until("cancelled", is_done).await;
    scene.assert_story(&["Launched", "The campaign was cancelled before anything was submitted."]).await;
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_submitted_before_a_cancel_waits_only_for_its_window() {
    let scene = Scene::accepted().await;
    scene.pass(Span::from_secs(300)).await;
    scene.cancel().await;
    scene.until("cut", |present| present.marks.cut()).await;
    scene.assert_story(&["the provider accepted it", CANCELLED, "Waiting for Viber's receipts"]).await;
    scene.closes().await;
    scene.assert_story(&["the provider accepted it", CANCELLED, "silent"]).await;
    scene.post_receipt("delivered", None).await;
    scene.assert_story(&[CANCELLED, "silent", "late"]).await;
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_after_a_cancel_ends_the_message() {
    let scene = Scene::accepted().await;
    scene.cancel().await;
    scene.post_receipt("undelivered", Some(2_008)).await;
    scene.until("ended", is_done).await;
    scene.assert_story(&[CANCELLED, "undelivered"]).await;
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_in_flight_during_a_cancel_is_the_last() {
    for (answer, parts) in [
        (ProviderAnswer::Yes, &[CANCELLED_IN_FLIGHT, "the provider accepted it"][..]),
        (ProviderAnswer::No, &[CANCELLED_IN_FLIGHT, "rejected it"]),
        (ProviderAnswer::Nothing, &[CANCELLED_IN_FLIGHT, "unknown whether"]),
    ] {
        let world = ByHand::start("").await;
        world.set_answer(ProviderAnswer::Later);
        let scene = Scene::of(world, "").await;
        scene.until("on its way", is_sending).await;
        scene.cancel().await;
        scene.assert_story(&["Launched"]).await;
        scene.world.set_answer(answer);
        scene.until("answered", |present| !is_sending(present)).await;
        scene.assert_story(parts).await;
        if answer != ProviderAnswer::No {
            scene.closes().await;
            scene
                .assert_story(&[parts, &[if answer == ProviderAnswer::Yes { "silent" } else { "unknown" }]].concat())
                .await;
        }
        scene.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_while_a_fallback_waits_makes_the_step_before_the_last() {
    let scene = Scene::fallen_back().await;
    scene.assert_story(&["Fell back to step 2", "Waiting to send SMS"]).await;
    scene.cancel().await;
    scene.until("cut", |present| present.marks.cut()).await;
    scene.assert_story(&["Fell back to step 2", CANCELLED, "Waiting for Viber's receipts"]).await;
    scene.closes().await;
    scene.assert_story(&["Fell back to step 2", CANCELLED, "silent"]).await;
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_is_not_for_the_country_is_named_and_skipped() {
    const LEFT_OUT: &str = "WhatsApp, is skipped: the number is from SG";
    for route in [[CHINESE, VIBER, SMS], [VIBER, CHINESE, SMS]] {
        let scene = Scene::on(ByHand::start("").await, &route.concat()).await;
        scene.falls_back().await;
        scene.assert_story(&[LEFT_OUT, "the provider accepted it", "Fell back to step 3", "Waiting to send SMS"]).await;
        scene.cancel().await;
        scene.until("cut", |present| present.marks.cut()).await;
        scene.assert_story(&[LEFT_OUT, "Fell back to step 3", CANCELLED, "Waiting for Viber's receipts"]).await;
        scene.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recipient_who_opts_out_before_the_first_step_gets_nothing() {
    let world = ByHand::start("").await;
    world.set_answer(ProviderAnswer::Later);
    let scene = Scene::of(world, "at = \"2027-01-15T08:10Z\"").await;
    scene.opts_out().await;
    scene.pass(Span::from_secs(600)).await;
    scene.until("skipped", is_done).await;
    scene.assert_story(&["Launched", "Not sent: the recipient has opted out (STOP, 2027-01-15 "]).await;
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recipient_who_opts_out_between_steps_gets_no_second_one() {
    let scene = Scene::fallen_back().await;
    scene.opts_out().await;
    scene.release("sms").await;
    // It may be claimed at the moment of the opt-out; it then returns to its former step.
    scene.until("cut", |present| present.marks.opted_out() && is_awaiting(present)).await;
    scene.assert_story(&["Fell back to step 2", OPTED_OUT, "Waiting for Viber's receipts"]).await;
    // The cancel of the others changes nothing for this one.
    scene.cancel().await;
    scene.assert_story(&["Fell back to step 2", OPTED_OUT]).await;
    scene.closes().await;
    scene.assert_story(&["Fell back to step 2", OPTED_OUT, "silent"]).await;
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opt_out_by_receipt_ends_its_step_as_any_failure_of_the_recipient() {
    let goes_on = Scene::accepted().await;
    goes_on.post_receipt("undelivered", Some(OPTED_OUT_CODE)).await;
    goes_on.until("the next step", |present| present.step > StepIndex::FIRST && is_awaiting(present)).await;
    goes_on.assert_story(&["Fell back to step 2"]).await;
    goes_on.stop().await;
    let cancelled = Scene::accepted().await;
    cancelled.cancel().await;
    cancelled.post_receipt("undelivered", Some(OPTED_OUT_CODE)).await;
    let present = cancelled.until("its end", is_done).await;
    assert_eq!(present.outcome(), Some(Outcome::Undelivered));
    cancelled.stop().await;
}

/// The provider's code for a recipient who has blocked the sender.
const OPTED_OUT_CODE: i64 = 1_051;

/// One WhatsApp message to Singapore, within two days, with this action at the recipient's limit; then an SMS.
fn limited(action: &str) -> String {
    format!(
        "ttl = \"2d\"\n[[step]]\nchannel = \"WhatsApp\"\nfallback_after = \"15m\"\n\
         on_recipient_limit = \"{action}\"\n\
         template = {{ name = \"promo\", language = \"en\", category = \"MARKETING\" }}\n{SMS}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recipient_at_the_providers_limit_gets_the_next_step_or_the_same_a_day_later() {
    let falls_back = Scene::on(ByHand::start("").await, &limited("fall_back")).await;
    falls_back.until("handed over", is_awaiting).await;
    falls_back.post_receipt_of(0, Channel::WhatsApp, "undelivered", Some(1_024)).await;
    falls_back.until("the SMS", |present| present.step > StepIndex::FIRST && is_awaiting(present)).await;
    falls_back.assert_story(&["Fell back to step 2"]).await;
    let story = falls_back.world.story(&falls_back.launched, falls_back.key).await;
    let because = "The provider limits how much this recipient gets, and WhatsApp ends";
    assert!(story.lines.iter().any(|line| line.text.contains(because)), "{story:#?}");
    falls_back.stop().await;

    let retries = Scene::on(ByHand::start("").await, &limited("retry")).await;
    retries.until("handed over", is_awaiting).await;
    retries.post_receipt_of(0, Channel::WhatsApp, "undelivered", Some(1_024)).await;
    retries.until("waits", is_queued).await;
    retries.pass(Span::from_secs(23 * 3_600)).await;
    assert_eq!(retries.world.requests().len(), 1, "nothing is sent within a day");
    retries.pass(Span::from_secs(3_700)).await;
    let again = retries.until("sent again", is_awaiting).await;
    assert_eq!((again.step, retries.world.requests().len()), (StepIndex::FIRST, 2));
    let said = ["is sent again a day later", "the provider accepted it"];
    retries.assert_story(&said).await;
    retries.post_receipt_of(0, Channel::WhatsApp, "delivered", None).await;
    retries.until("reached", is_done).await;
    retries.stop().await;
}
