//! The whole output of `message explain`: the story of one message for each of the ten rules of fallback.

use volley::base::clock::Clock;
use volley::base::domain::{Channel, MessageKey, Span, StepIndex};

use crate::support::by_hand::{ByHand, ProviderAnswer, is_awaiting};
use crate::support::scene::{SMS, Scene, VIBER, is_done, is_queued};

const HEAD: &str = "name = \"November promo\"\ntime_zone = \"Asia/Singapore\"\n";
const WHATSAPP: &str = "[[step]]\nchannel = \"WhatsApp\"\nfallback_after = \"15m\"\n\
     template = { name = \"promo\", language = \"en\", category = \"UTILITY\", ttl = \"10m\" }\n";
const MINUTES_2: Span = Span::from_secs(2 * 60);
const MINUTES_15: Span = Span::from_secs(15 * 60);
const HOUR: Span = Span::from_secs(3_600);
const HOURS_2: Span = Span::from_secs(2 * 3_600);

/// The story without times and ids, which differ from run to run.
fn masked(text: &str) -> String {
    let is_date = |word: &str| word.len() == 10 && word.matches('-').count() == 2;
    let is_time = |word: &str| word.contains(':') && word.chars().all(|c| c.is_ascii_digit() || c == ':');
    let is_zone = |word: &str| word == "+08";
    let mut words: Vec<String> = Vec::new();
    for word in text.split(' ') {
        let bare = word.trim_end_matches(['.', ',', ';', ':', ')']);
        let behind = &word[bare.len()..];
        match bare {
            date if is_date(date) => {}
            zone if is_zone(zone) => {
                let last = words.pop();
                words.extend(last.map(|before| before + behind));
            }
            time if is_time(time) => words.push(format!("TIME{behind}")),
            id if id.starts_with("att_") => words.push(format!("UMID{behind}")),
            _ => words.push(word.to_owned()),
        }
    }
    let text = words.join(" ");
    match text.split_once(" delayed it by ").and_then(|(before, rest)| Some((before, rest.split_once('.')?.1))) {
        Some((before, behind)) => format!("{before} delayed it by SOME TIME.{behind}"),
        None => text,
    }
}

impl Scene {
    /// The story as a reader sees it. The message must be done, and its audit must hold.
    async fn proven_story(self) -> String {
        let story = self.world.story(&self.launched, self.key).await;
        assert!(story.proven, "{story:#?}");
        let lines: Vec<_> =
            story.lines.iter().map(|line| format!("{}\n    [{}]", masked(&line.text), line.rule)).collect();
        self.stop().await;
        lines.join("\n")
    }

    /// After a long gap, too, the provider's repeats are awaited first.
    async fn is_waived(&self) {
        self.pass(MINUTES_2).await;
        self.until("waived", |present| present.marks.waived()).await;
    }

    async fn until_step(&self, step: u8) {
        self.until("at that step", |present| present.step == StepIndex::new(step).unwrap() && is_awaiting(present))
            .await;
    }
}

/// A campaign of these steps to one recipient, on a provider that accepts everything.
async fn scene(head: &str, steps: &[&str]) -> Scene {
    Scene::on(ByHand::start("").await, &format!("{HEAD}{head}\n{}", steps.concat())).await
}

macro_rules! assert_story {
    ($name:literal, $scene:expr) => {
        let story = $scene.proven_story().await;
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false, snapshot_path => "stories" }, {
            insta::assert_snapshot!($name, story);
        });
    };
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_1_a_deadline_runs_from_acceptance() {
    let scene = scene("", &[WHATSAPP, SMS]).await;
    scene.until("handed over", is_awaiting).await;
    scene.post_receipt_of(0, Channel::WhatsApp, "sent", None).await;
    scene.pass(MINUTES_15).await;
    scene.until_step(1).await;
    scene.post_receipt_of(1, Channel::Sms, "delivered", None).await;
    assert_story!("1_deadline", scene);
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_2_undelivered_because_of_the_recipient_falls_back_at_once() {
    let scene = scene("", &[VIBER, SMS]).await;
    scene.until("handed over", is_awaiting).await;
    scene.post_receipt("undelivered", Some(2_008)).await;
    scene.until_step(1).await;
    scene.post_receipt_of(1, Channel::Sms, "undelivered", Some(1)).await;
    assert_story!("2_recipient_by_receipt", scene);
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_2_rejected_because_of_the_recipient_falls_back_at_once() {
    let world = ByHand::start("").await;
    world.set_answer(ProviderAnswer::No);
    let scene = Scene::on(world, &format!("{HEAD}{VIBER}{SMS}")).await;
    scene.until("rejected everywhere", is_done).await;
    assert_story!("2_recipient_by_answer", scene);
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_2_a_failure_of_the_sender_returns_the_message_to_its_queue() {
    let scene = scene("", &[WHATSAPP, SMS]).await;
    scene.until("handed over", is_awaiting).await;
    // The next try must not be sent before the server has noted the hold that the receipt places.
    scene.hold_template("wa", "promo").await;
    scene.post_receipt_of(0, Channel::WhatsApp, "undelivered", Some(1_019)).await;
    scene.until("back in its queue", is_queued).await;
    scene.pass(MINUTES_2).await;
    scene.release_template("wa", "promo").await;
    assert_story!("2_sender_by_receipt", scene);
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_2_a_failure_of_the_template_returns_the_message_to_its_queue() {
    let scene = scene("", &[WHATSAPP, SMS]).await;
    scene.until("handed over", is_awaiting).await;
    // The next try must not be sent before the server has noted the hold that the receipt places.
    scene.hold("wa").await;
    scene.post_receipt_of(0, Channel::WhatsApp, "undelivered", Some(1_034)).await;
    scene.until("back in its queue", is_queued).await;
    scene.pass(MINUTES_2).await;
    scene.release("wa").await;
    assert_story!("2_template", scene);
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_2_a_refused_key_consumes_no_step() {
    let world = ByHand::start("").await;
    world.set_answer(ProviderAnswer::Refuses(401, 1_200));
    let scene = Scene::on(world, &format!("{HEAD}{VIBER}{SMS}")).await;
    scene
        .world
        .when("held", async || {
            let holds = scene.world.store.holds().await.unwrap();
            if holds.is_empty() { Err("not yet".to_owned()) } else { Ok(()) }
        })
        .await;
    scene.until("back in its queue", is_queued).await;
    assert_story!("2_sender_by_answer", scene);
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_2_an_opt_out_that_a_receipt_reports_ends_its_step() {
    let scene = scene("", &[VIBER, SMS]).await;
    scene.until("handed over", is_awaiting).await;
    scene.post_receipt("undelivered", Some(1_051)).await;
    scene.until_step(1).await;
    scene.post_receipt_of(1, Channel::Sms, "delivered", None).await;
    assert_story!("2_person", scene);
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_2_a_temporary_failure_is_retried() {
    let scene = scene("", &[VIBER, SMS]).await;
    scene.until("handed over", is_awaiting).await;
    scene.post_receipt("undelivered", Some(2_006)).await;
    scene.until("back in its queue", is_queued).await;
    scene.until("handed over again", is_awaiting).await;
    scene.post_receipt("delivered", None).await;
    assert_story!("2_passing", scene);
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_3_the_highest_status_of_a_channel_ends_its_step() {
    let scene = scene("", &[&VIBER.replace("text =", "success_status = \"Read\"\ntext ="), SMS]).await;
    scene.until("handed over", is_awaiting).await;
    scene.post_receipt("delivered", None).await;
    let umid = scene.umid();
    scene.world.write("in-1", Channel::Viber, "Thank you", |event| event["replyToUmid"] = umid.into()).await;
    scene.until("read", is_done).await;
    assert_story!("3_success_status", scene);
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_4_the_last_step_waits_until_its_window_closes() {
    let scene = scene("", &[&SMS.replace("text =", "receipt_window = \"2h\"\ntext =")]).await;
    scene.until("handed over", is_awaiting).await;
    scene.post_receipt_of(0, Channel::Sms, "sent", None).await;
    scene.pass(HOURS_2).await;
    scene.until("closed", is_done).await;
    assert_story!("4_last_step", scene);
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_5_nothing_is_sent_after_the_ttl() {
    let scene = scene("ttl = \"1h\"", &[VIBER, SMS]).await;
    scene.falls_back().await;
    scene.pass(HOUR).await;
    scene.until("expired", is_done).await;
    assert_story!("5_ttl", scene);
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_5_nothing_is_sent_after_the_end_of_the_campaign() {
    let world = ByHand::start("").await;
    world.set_answer(ProviderAnswer::Refuses(401, 1_200));
    let scene = Scene::on(world, &format!("{HEAD}end = \"2027-01-15T17:00\"\n{VIBER}{SMS}")).await;
    scene.pass(HOURS_2).await;
    scene.until("expired", is_done).await;
    assert_story!("5_end", scene);
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_5_a_deadline_waits_while_the_provider_may_still_deliver() {
    let viber = VIBER.replace("text =", "ttl = \"30m\"\ntext =");
    let scene = scene("on_overlap = \"wait\"", &[&viber, SMS]).await;
    scene.until("handed over", is_awaiting).await;
    scene.pass(Span::from_secs(30 * 60 + 30)).await;
    scene.until_step(1).await;
    scene.post_receipt_of(1, Channel::Sms, "delivered", None).await;
    assert_story!("5_overlap", scene);
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_6_a_late_success_recalls_a_queued_step() {
    let scene = scene("", &[VIBER, SMS]).await;
    scene.falls_back().await;
    scene.post_receipt("delivered", None).await;
    scene.until("recalled", is_done).await;
    assert_story!("6_recalled", scene);
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_6_a_late_success_after_the_next_step_is_delivered_twice() {
    let scene = scene("", &[VIBER, SMS]).await;
    scene.until("handed over", is_awaiting).await;
    scene.pass(MINUTES_15).await;
    scene.until_step(1).await;
    scene.post_receipt("delivered", None).await;
    scene.post_receipt_of(1, Channel::Sms, "delivered", None).await;
    assert_story!("6_delivered_twice", scene);
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_6_a_success_after_the_end_counts_as_late() {
    let scene = scene("", &[&SMS.replace("text =", "receipt_window = \"2h\"\ntext =")]).await;
    scene.until("handed over", is_awaiting).await;
    scene.pass(HOURS_2).await;
    scene.until("closed", is_done).await;
    scene.pass(HOUR).await;
    scene.post_receipt_of(0, Channel::Sms, "delivered", None).await;
    assert_story!("6_late", scene);
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_7_an_unknown_attempt_counts_as_sent_and_falls_back() {
    let world = ByHand::start("").await;
    world.set_answer(ProviderAnswer::Nothing);
    let sms = SMS.replace("text =", "receipt_window = \"2h\"\ntext =");
    let scene = Scene::on(world, &format!("{HEAD}{VIBER}{sms}")).await;
    scene.until("unknown", is_awaiting).await;
    // Silence counts only once the provider has answered after the broken request.
    let due = scene.world.clock.now() + MINUTES_15;
    scene.world.until_reachable().await;
    scene.world.advance_to(due).await;
    scene.until_step(1).await;
    scene.pass(HOURS_2).await;
    scene.until("closed", is_done).await;
    assert_story!("7_unknown", scene);
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_7_a_receipt_adopts_an_unknown_attempt() {
    let world = ByHand::start("").await;
    world.set_answer(ProviderAnswer::Nothing);
    let scene = Scene::on(world, &format!("{HEAD}{VIBER}{SMS}")).await;
    scene.until("unknown", is_awaiting).await;
    scene.post_receipt("sent", None).await;
    scene.until("settled", |present| !present.marks.unknown(StepIndex::FIRST)).await;
    assert_story!("7_adopted", scene);
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_7_an_unknown_attempt_is_resent_if_the_route_says_so() {
    let world = ByHand::start("").await;
    world.set_next_answer(ProviderAnswer::Nothing);
    let scene = Scene::on(world, &format!("{HEAD}on_unknown = \"resend\"\n{VIBER}{SMS}")).await;
    scene.until("handed over", is_awaiting).await;
    assert_story!("7_resent", scene);
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_8_a_pause_holds_a_fallback_that_is_due() {
    let scene = scene("", &[VIBER, SMS]).await;
    scene.until("handed over", is_awaiting).await;
    scene.world.pause(&scene.launched).await;
    scene.pass(HOUR).await;
    assert_story!("8_paused", scene);
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_8_a_fallback_that_a_pause_held_is_sent_after_it() {
    let scene = scene("", &[VIBER, SMS]).await;
    scene.until("handed over", is_awaiting).await;
    scene.world.pause(&scene.launched).await;
    scene.pass(HOUR).await;
    scene.world.resume(&scene.launched).await;
    scene.until_step(1).await;
    assert_story!("8_resumed", scene);
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_8_a_cancel_before_the_first_submission_ends_the_message() {
    let scene = scene("at = \"2027-01-20T09:00\"", &[VIBER, SMS]).await;
    scene.cancel().await;
    scene.until("cancelled", is_done).await;
    assert_story!("8_cancelled_before", scene);
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_8_after_a_cancel_the_present_step_is_the_last() {
    let scene = scene("", &[VIBER, SMS]).await;
    scene.until("handed over", is_awaiting).await;
    scene.pass(MINUTES_2).await;
    scene.cancel().await;
    scene.until("cut", |present| present.marks.cut()).await;
    assert_story!("8_cancelled_after", scene);
}

/// No receipt can be stored for this long, and the deadline of Viber falls into that time.
async fn lose_receipts(scene: &Scene, span: Span) {
    scene.until("handed over", is_awaiting).await;
    scene.pass(Span::from_secs(14 * 60)).await;
    let trigger = "CREATE TRIGGER full BEFORE INSERT ON receipt BEGIN SELECT RAISE(ABORT, 'no room'); END";
    scene.post_receipt("sent", None).await;
    scene.world.execute_sql(trigger).await;
    let heard = |key| scene.world.post_receipt(&scene.launched, (key, 0), Channel::Viber, "sent", None);
    assert!(heard(scene.key).await.is_err());
    scene.world.clock.advance(span);
    assert!(heard(scene.key).await.is_err());
    scene.world.execute_sql("DROP TRIGGER full").await;
    // Of no message, so it does not appear in the story.
    heard(MessageKey { n: 99, ..scene.key }).await.unwrap();
    scene.pass(Span::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_9_a_short_gap_holds_the_deadline_until_the_repeats_are_over() {
    let scene = scene("", &[VIBER, SMS]).await;
    lose_receipts(&scene, MINUTES_2).await;
    scene.pass(MINUTES_2).await;
    scene.until_step(1).await;
    assert_story!("9_held", scene);
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_9_after_a_long_gap_a_queried_message_not_delivered_falls_back() {
    let scene = scene("", &[VIBER, SMS]).await;
    lose_receipts(&scene, HOUR).await;
    // Before that the provider reports nothing: an answer before the next look at the deadline would decide at once.
    scene.is_waived().await;
    scene.world.provider_knows("sent");
    scene.pass(HOUR).await;
    scene.until_step(1).await;
    assert_story!("9_asked_not_arrived", scene);
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_9_after_a_long_gap_a_queried_message_delivered_is_done() {
    let scene = scene("", &[VIBER, SMS]).await;
    lose_receipts(&scene, HOUR).await;
    scene.is_waived().await;
    scene.world.provider_knows("delivered");
    scene.pass(HOUR).await;
    scene.until("reached", is_done).await;
    assert_story!("9_asked_arrived", scene);
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_9_a_message_that_the_provider_does_not_know_waits() {
    let scene = scene("", &[VIBER, SMS]).await;
    lose_receipts(&scene, HOUR).await;
    scene.is_waived().await;
    scene.asked().await;
    assert_story!("9_asked_in_vain", scene);
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_9_after_a_long_gap_it_waits_unasked_if_the_route_says_so() {
    let scene = scene("after_gap = \"wait\"", &[VIBER, SMS]).await;
    lose_receipts(&scene, HOUR).await;
    scene.is_waived().await;
    assert_story!("9_waits", scene);
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_9_after_a_long_gap_it_falls_back_if_the_route_says_so() {
    let scene = scene("after_gap = \"fall_back\"", &[VIBER, SMS]).await;
    lose_receipts(&scene, HOUR).await;
    scene.until_step(1).await;
    assert_story!("9_falls_back", scene);
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_10_waiting_for_a_hold_consumes_no_step() {
    let scene = scene("", &[VIBER, SMS]).await;
    scene.falls_back().await;
    assert_story!("10_held", scene);
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_10_a_step_not_sent_within_its_time_falls_back() {
    let viber = VIBER.replace("text =", "leave_within = \"5m\"\ntext =");
    let scene = scene("at = \"2027-01-15T16:10\"", &[&viber, SMS]).await;
    scene.hold("viber").await;
    scene.pass(Span::from_secs(16 * 60)).await;
    scene.until_step(1).await;
    assert_story!("10_leave_within", scene);
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_10_a_spent_tier_falls_back_if_the_route_says_so() {
    let others: Vec<String> = (2..=251).map(|n| format!("\"+6591000{n:03}\"")).collect();
    let whatsapp = WHATSAPP.replace("template =", "on_tier_spent = \"fall_back\"\ntemplate =");
    let world = ByHand::start("").await;
    let text = format!("numbers = [{}, \"+6591000001\"]\n{HEAD}{whatsapp}{SMS}", others.join(", "));
    let launched = world.launch(&text).await;
    let key = MessageKey { batch: launched.batch, n: 250 };
    let scene = Scene { world, launched, key };
    scene.until_step(1).await;
    assert_story!("10_tier_spent", scene);
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_10_free_text_is_not_sent_outside_the_window() {
    let text = "[[step]]\nchannel = \"WhatsApp\"\nfallback_after = \"15m\"\ntext = \"Hello\"\n";
    let scene = scene("", &[text, SMS]).await;
    scene.until_step(1).await;
    assert_story!("10_outside_window", scene);
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_10_an_opt_out_while_a_step_waits_suppresses_it() {
    let scene = scene("", &[VIBER, SMS]).await;
    scene.falls_back().await;
    scene.opts_out().await;
    scene.until("cut", |present| present.marks.opted_out()).await;
    assert_story!("10_opted_out", scene);
}
