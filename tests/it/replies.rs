//! Replies of recipients: they are stored, end fallbacks, opt recipients out and open windows.

use serde_json::{Value, json};
use volley::base::clock::Clock;
use volley::base::domain::{
    Address, AttemptId, BatchState, Channel, Keyword, MessageKey, OptOutSource, Outcome, Present, SkipReason, Span,
    State, StepIndex, Timestamp,
};
use volley::campaigns::campaign::Launched;
use volley::store::{Cursor, InboundOf, OptOut};

use crate::cli::{installation, run};
use crate::support::by_hand::{ByHand, is_awaiting};
use crate::support::world::Setup;
use crate::support::{Installation, Shape, number};

const VIBER: &str =
    "[[step]]\nchannel = \"Viber\"\nfallback_after = \"15m\"\nsuccess_status = \"Read\"\ntext = \"Hello\"\n";
const SMS: &str = "[[step]]\nchannel = \"SMS\"\ntext = \"Hello\"\n";
const TEMPLATE: &str = "[[step]]\nchannel = \"WhatsApp\"\nfallback_after = \"15m\"\n\
     template = { name = \"promo\", language = \"en\", category = \"MARKETING\", ttl = \"10m\" }\n";
const FREE_TEXT: &str = "[[step]]\nchannel = \"WhatsApp\"\nfallback_after = \"15m\"\ntext = \"Hello\"\n";
const QUARTER: Span = Span::from_secs(15 * 60);

struct Scene {
    world: ByHand,
    launched: Launched,
    key: MessageKey,
}

async fn launch(world: &ByHand, head: &str, steps: &[&str]) -> Launched {
    world.launch(&format!("numbers = [\"+6591000001\"]\n{head}\n{}", steps.concat())).await
}

fn is_done(present: &Present) -> bool {
    present.outcome().is_some()
}

impl Scene {
    /// Submitted on Viber, and not read yet.
    async fn on_viber() -> Self {
        let world = ByHand::start("").await;
        let launched = launch(&world, "", &[VIBER, SMS]).await;
        let key = MessageKey { batch: launched.batch, n: 0 };
        world.until(key, "handed over", is_awaiting).await;
        Self { world, launched, key }
    }

    /// The provider's id of the attempt on Viber, which this provider makes from ours.
    fn umid(&self) -> String {
        AttemptId { key: self.key, step: StepIndex::FIRST, tag: self.launched.id.tag }.to_string()
    }

    async fn pass(&self, span: Span) {
        self.world.advance_to(self.world.clock.now() + span).await;
    }

    async fn present(&self) -> Present {
        self.world.message(self.key).await.present
    }

    async fn written(&self) -> usize {
        self.world.store.inbound(InboundOf::All, Cursor::START, 100).await.unwrap().len()
    }

    async fn is_out(&self) -> bool {
        !self
            .world
            .store
            .opted_out_numbers(None, 10, volley::base::domain::OptOutOf::Everything)
            .await
            .unwrap()
            .is_empty()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_ends_the_fallback_and_counts_as_read() {
    let scene = Scene::on_viber().await;
    let umid = scene.umid();
    scene.world.write("in-1", Channel::Viber, "Thank you", |event| event["replyToUmid"] = umid.into()).await;
    let present = scene.present().await;
    assert_eq!((present.step, present.outcome()), (StepIndex::FIRST, Some(Outcome::Reached)));
    scene.pass(QUARTER).await;
    let report = scene.world.report(&scene.launched).await;
    assert_eq!((report.steps[0].read, report.steps[0].replied, report.steps[1].handed_over), (1, 1, 0));
    let story = scene.world.story(&scene.launched, scene.key).await;
    assert!(story.proven, "{story:#?}");
    let told = "The recipient replied on Viber, and so has read it. This is the success status of the step: done, and no further \
                step is sent.";
    assert!(story.lines.iter().any(|line| line.text == told), "{story:#?}");
    assert!(!format!("{story:?}").contains("Thank you"), "the story does not contain the text");
    scene.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_reply_is_one_and_a_reply_to_it_counts_for_its_message() {
    let scene = Scene::on_viber().await;
    let umid = scene.umid();
    for _ in 0..2 {
        scene.world.write("in-1", Channel::Viber, "Thank you", |event| event["replyToUmid"] = json!(umid)).await;
    }
    scene.world.write("in-2", Channel::Viber, "and again", |event| event["replyToUmid"] = "in-1".into()).await;
    assert_eq!(scene.written().await, 2);
    let on = scene.world.store.inbound(InboundOf::Message(scene.key), Cursor::START, 10).await.unwrap();
    assert_eq!(on.len(), 2);
    assert_eq!(scene.world.report(&scene.launched).await.steps[0].replied, 1);
    scene.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_names_none_of_ours_or_came_on_another_channel_is_no_reply() {
    let scene = Scene::on_viber().await;
    let umid = scene.umid();
    let write = |umid, change: fn(&mut Value, &str)| {
        let ours = scene.umid();
        scene.world.write(umid, Channel::Viber, "Hello", move |event| change(event, &ours))
    };
    write("in-1", |_, _| {}).await;
    write("in-2", |event, _| event["replyToUmid"] = "of somebody else".into()).await;
    write("in-3", |event, ours| {
        event["replyToUmid"] = ours.into();
        event["recipient"]["channel"] = "whatsapp".into();
    })
    .await;
    assert_eq!(scene.written().await, 3, "all of it is kept");
    assert!(is_awaiting(&scene.present().await));
    // A recipient without a number on the channel is known by their reply.
    let nameless = move |event: &mut Value| {
        event["replyToUmid"] = umid.into();
        event["user"] = json!({ "channelUserId": "US.13491208655302741918" });
    };
    scene.world.write("in-4", Channel::Viber, "stop", nameless).await;
    assert_eq!(scene.present().await.outcome(), Some(Outcome::Reached));
    assert!(scene.is_out().await);
    scene.world.stop().await;
}

/// WhatsApp reports opt-outs of marketing of one sender: they stop neither service nor other channels.
#[tokio::test(flavor = "multi_thread")]
async fn a_reported_opt_out_stops_marketing_of_its_sender_alone() {
    let world = ByHand::start("").await;
    let of = |launched: &Launched| MessageKey { batch: launched.batch, n: 0 };
    let on_sms = |present: &Present| present.step.get() == 1 && is_awaiting(present);
    let minute = async || world.advance_to(world.clock.now() + Span::from_secs(60)).await;
    let first = launch(&world, "name = \"first\"", &[TEMPLATE, SMS]).await;
    world.until(of(&first), "handed over", is_awaiting).await;
    world.post_receipt(&first, (of(&first), 0), Channel::WhatsApp, "undelivered", Some(1_051)).await.unwrap();
    world.until(of(&first), "sent as an SMS", on_sms).await;
    minute().await;
    let next = launch(&world, "name = \"next\"", &[TEMPLATE, SMS]).await;
    world.until(of(&next), "sent as an SMS", on_sms).await;
    let report = world.report(&next).await;
    assert_eq!((report.steps[0].handed_over, report.steps[0].fell_back.opted_out), (0, 1));
    let told =
        "WhatsApp was not submitted: the recipient has opted out of such messages there. Fell back to step 2, SMS.";
    let story = world.story(&next, of(&next)).await;
    assert!(story.proven && story.lines.iter().any(|line| line.text == told), "{story:#?}");
    minute().await;
    let alone = TEMPLATE.replace("fallback_after = \"15m\"\n", "");
    let only = launch(&world, "name = \"only\"", &[&alone]).await;
    world.until(of(&only), "skipped", is_done).await;
    let ended = world.message(of(&only)).await.present.state;
    assert!(matches!(ended, State::Done { skipped: Some(SkipReason::OptedOut), .. }), "{ended:?}");
    assert!(world.story(&only, of(&only)).await.proven);
    // A code is no marketing, whether its template or the campaign says so.
    let code = TEMPLATE.replace("MARKETING", "UTILITY");
    for (name, step) in [("code", code.as_str()), ("purpose = \"service\"", TEMPLATE)] {
        minute().await;
        let head = if name == "code" { "name = \"code\"".to_owned() } else { format!("name = \"stated\"\n{name}") };
        let service = launch(&world, &head, &[step, SMS]).await;
        let on_whatsapp = |present: &Present| present.step == StepIndex::FIRST && is_awaiting(present);
        world.until(of(&service), "handed over on WhatsApp", on_whatsapp).await;
    }
    world.stop().await;
}

/// A channel may know the recipient by another number than the one that was written to.
#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_names_our_umid_is_that_recipients_from_any_number() {
    let scene = Scene::on_viber().await;
    let other = launch(&scene.world, "name = \"other\"\nat = \"2099-01-01T09:00Z\"", &[SMS]).await;
    let umid = scene.umid();
    let tapped = move |event: &mut Value| {
        event["replyToUmid"] = umid.into();
        event["user"] = json!({ "msisdn": "+6598765432", "channelUserId": "6598765432" });
    };
    scene.world.write("in-1", Channel::Viber, "Stop", tapped).await;
    let recipient = "+6591000001".parse().unwrap();
    assert_eq!(
        scene.world.store.opted_out(vec![recipient], volley::base::domain::OptOutOf::Everything).await.unwrap(),
        [recipient]
    );
    let replies = scene.world.store.inbound(InboundOf::Recipient(recipient.into()), Cursor::START, 9).await.unwrap();
    assert_eq!(replies.len(), 1);
    let other_key = MessageKey { batch: other.batch, n: 0 };
    scene.world.until(other_key, "skipped", is_done).await;
    scene.pass(QUARTER).await;
    assert_eq!(scene.world.report(&scene.launched).await.steps[1].handed_over, 0, "no SMS follows");
    // From now on the number is a name of the recipient.
    let as_known = |event: &mut Value| event["user"] = json!({ "msisdn": "+6598765432" });
    scene.world.write("in-2", Channel::Viber, "Start", as_known).await;
    assert_eq!(
        scene.world.store.opted_out(vec![recipient], volley::base::domain::OptOutOf::Everything).await.unwrap(),
        []
    );
    scene.world.write("in-3", Channel::Viber, "Stop", as_known).await;
    assert_eq!(
        scene.world.store.opted_out(vec![recipient], volley::base::domain::OptOutOf::Everything).await.unwrap(),
        [recipient]
    );
    scene.world.stop().await;
}

/// Each number as a file has it, and as WhatsApp names its recipient.
const SPELLINGS: [[&str; 2]; 3] =
    [["+5511987654321", "551187654321"], ["+525512345678", "5215512345678"], ["+541123456789", "5491123456789"]];

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_from_whatsapps_spelling_of_a_number_stops_the_next_step() {
    for [number, id] in SPELLINGS {
        let world = ByHand::start("").await;
        let launched = world.launch(&format!("numbers = [\"{number}\"]\n{TEMPLATE}{SMS}")).await;
        let later = "name = \"later\"\nat = \"2099-01-01T09:00Z\"";
        let later = world.launch(&format!("{later}\nnumbers = [\"{number}\"]\n{SMS}")).await;
        let key = MessageKey { batch: launched.batch, n: 0 };
        world.until(key, "handed over", is_awaiting).await;
        let user = json!({ "msisdn": format!("+{id}"), "channelUserId": id });
        world.write("in-1", Channel::WhatsApp, "STOP", move |event| event["user"] = user.clone()).await;
        let recipient = number.parse().unwrap();
        assert_eq!(
            world.store.opted_out(vec![recipient], volley::base::domain::OptOutOf::Everything).await.unwrap(),
            [recipient],
            "{number}"
        );
        world.until(key, "cut", |present| present.marks.opted_out()).await;
        world.advance_to(world.clock.now() + QUARTER).await;
        assert_eq!(world.report(&launched).await.steps[1].handed_over, 0, "{number}: no SMS follows");
        let present = world.until(MessageKey { batch: later.batch, n: 0 }, "skipped", is_done).await;
        assert!(matches!(present.state, State::Done { skipped: Some(SkipReason::OptedOut), .. }), "{present:?}");
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_between_two_steps_stops_the_second_and_every_other_campaign() {
    let scene = Scene::on_viber().await;
    let other = launch(&scene.world, "name = \"other\"\nat = \"2099-01-01T09:00Z\"", &[SMS]).await;
    let other_key = MessageKey { batch: other.batch, n: 0 };
    // On another channel than the message, and without a reference.
    scene.world.write("in-1", Channel::Sms, " Stop. ", |_| {}).await;
    assert!(scene.is_out().await, "at once");
    scene.world.until(scene.key, "cut", |present| present.marks.opted_out()).await;
    let skipped = scene.world.until(other_key, "skipped", is_done).await;
    assert!(matches!(skipped.state, State::Done { skipped: Some(SkipReason::OptedOut), .. }), "{skipped:?}");
    scene.pass(QUARTER).await;
    let report = scene.world.report(&scene.launched).await;
    assert_eq!((report.steps[0].handed_over, report.steps[1].handed_over), (1, 0));
    let story = scene.world.story(&scene.launched, scene.key).await;
    assert!(story.proven, "{story:#?}");
    let told = "The recipient had opted out by then (stop by message on SMS, 2027-01-15 ";
    assert!(story.lines.iter().any(|line| line.text.starts_with(told)), "{story:#?}");
    let story = scene.world.story(&other, other_key).await;
    let told = "Not sent: the recipient has opted out (stop by message on SMS, 2027-01-15 ";
    assert!(story.lines.iter().any(|line| line.text.starts_with(told)), "{story:#?}");
    scene.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claimed_message_is_not_sent_after_an_opt_out() {
    // One message in ten seconds: the second is claimed, and waits for the rate.
    let world = ByHand::start("rate = \"6/min\"\nburst = 1").await;
    let text = "numbers = [\"+6591000009\", \"+6591000001\"]\n[[step]]\nchannel = \"Viber\"\ntext = \"Hello\"\n";
    let launched = world.launch(text).await;
    let key = MessageKey { batch: launched.batch, n: 1 };
    world.until(MessageKey { batch: launched.batch, n: 0 }, "handed over", is_awaiting).await;
    world.until(key, "claimed", |present| matches!(present.state, State::Sending { .. })).await;
    world.write("in-1", Channel::Viber, "STOP", |_| {}).await;
    world.advance_to(world.clock.now() + Span::from_secs(60)).await;
    let present = world.until(key, "skipped", is_done).await;
    assert!(matches!(present.state, State::Done { skipped: Some(SkipReason::OptedOut), .. }), "{present:?}");
    assert!(world.store.attempts(vec![key]).await.unwrap().concat().is_empty());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_counts_in_a_button_and_in_every_form_of_message() {
    type Form = fn(&mut Value);
    let forms: [(Channel, Form); 5] = [
        (Channel::WhatsApp, |event| event["content"] = json!({ "text": "Bitte nicht mehr", "payload": "STOP_ALL" })),
        (Channel::WhatsApp, |event| {
            event["type"] = "Interactive".into();
            let reply = json!({ "id": "no-1", "title": "Stop promotions" });
            event["content"] = json!({ "interactive": { "type": "button_reply", "button_reply": reply } });
        }),
        (Channel::WhatsApp, |event| {
            event["type"] = "Interactive".into();
            let reply = json!({ "id": "unsubscribe", "title": "Genug", "description": "…" });
            event["content"] = json!({ "interactive": { "type": "list_reply", "list_reply": reply } });
        }),
        (Channel::Sms, |event| {
            *event = json!({ "umid": "s-1", "source": "+6591000001", "destination": "+6590000000", "body": "退訂" });
        }),
        // Unknown parts do not affect the others.
        (Channel::WhatsApp, |event| {
            event["type"] = json!(["Text"]);
            event["recipient"] = json!(7);
            event["content"]["url"] = json!({ "of": "what" });
        }),
    ];
    for (channel, form) in forms {
        let world = ByHand::start("").await;
        world.write("in-1", channel, "STOP", form).await;
        assert_eq!(
            world.store.opted_out_numbers(None, 10, volley::base::domain::OptOutOf::Everything).await.unwrap().len(),
            1,
            "{channel}"
        );
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_ends_the_recipients_own_opt_out_but_not_an_operators() {
    let scene = Scene::on_viber().await;
    scene.world.write("in-1", Channel::Viber, "STOP", |_| {}).await;
    scene.pass(Span::from_secs(10)).await;
    scene.world.write("in-2", Channel::Viber, "start!", |_| {}).await;
    assert!(!scene.is_out().await);
    let again = launch(&scene.world, "name = \"again\"", &[SMS]).await;
    scene.world.until(MessageKey { batch: again.batch, n: 0 }, "handed over", is_awaiting).await;
    let (address, since) = ("+6591000001".parse::<Address>().unwrap(), scene.world.clock.now());
    let by_list = OptOut {
        address: address.clone(),
        of: volley::base::domain::WishSubject::EVERYTHING,
        since,
        from: OptOutSource::Operator,
        source: "a list".to_owned(),
    };
    scene.world.store.opt_out(vec![by_list]).await.unwrap();
    scene.pass(Span::from_secs(10)).await;
    scene.world.write("in-3", Channel::Viber, "START", |_| {}).await;
    assert!(scene.is_out().await);
    assert_eq!(scene.world.store.wishes(address).await.unwrap().len(), 4);
    scene.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn free_text_is_sent_in_an_open_window_and_falls_back_afterwards() {
    let world = ByHand::start("").await;
    world.write("in-1", Channel::WhatsApp, "Hello?", |_| {}).await;
    let first = |launched: &Launched| MessageKey { batch: launched.batch, n: 0 };
    let open = launch(&world, "", &[FREE_TEXT, SMS]).await;
    let present = world.until(first(&open), "handed over", is_awaiting).await;
    assert_eq!(present.step, StepIndex::FIRST);
    world.advance_to(world.clock.now() + Span::from_secs(86_400)).await;
    let closed = launch(&world, "", &[FREE_TEXT, SMS]).await;
    let present = world.until(first(&closed), "handed over", is_awaiting).await;
    assert_eq!(present.step, StepIndex::new(1).unwrap());
    assert_eq!(world.report(&closed).await.steps[0].fell_back.outside_window, 1);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_to_another_subaccount_is_stored_has_no_effect_and_is_named_by_the_doctor() {
    let world = ByHand::start("").await;
    world.write("in-1", Channel::WhatsApp, "Hello", |event| event["subAccountId"] = "another".into()).await;
    assert!(
        world.store.opted_out_numbers(None, 10, volley::base::domain::OptOutOf::Everything).await.unwrap().is_empty()
    );
    let strays = world
        .store
        .strays(volley::store::StrayKind::OtherSubaccount, Timestamp::default(), Cursor::START, 10)
        .await
        .unwrap();
    assert_eq!(strays.len(), 1);
    assert!(strays[0].1.raw.contains("in-1"));
    let installed = installation();
    world.copy_to(&installed.path().join("volley.db")).await;
    let doctor = run(installed.path(), &["doctor"]).stdout;
    assert!(doctor.contains("1 webhook is for another subaccount (\"another\")"), "{doctor}");
    world.stop().await;
}

/// Recipients who send STOP while the server is being killed.
const STOPPERS: u64 = 20;

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledged_stop_survives_the_server() {
    let profile = "[channel.WhatsApp]\nsilent = 0.0\nundelivered = 0.0\nreject = 0.0\ndelivered = 1.0".to_owned();
    let mut world = Installation::new(&Shape { seed: 3, profile, rate: 100, batch: None, connections: 8 }).await;
    world.write_people("people.csv", 0..STOPPERS + 1);
    world.serve().await;
    // The first of them is acknowledged, and the server is killed at once.
    world.provider.post_reply(number(0), Channel::WhatsApp, "STOP").await;
    world.provider.wait_until_seen("posted=1", 60).await.unwrap();
    world.kill_server().await;
    let first = format!("+{}", number(0));
    let shown = world.volley(&["opt-out", "show", &first, "--json"]).await.json();
    assert_eq!(
        (&shown["is_opted_out"], &shown["by"], &shown["replies"]),
        (&json!(true), &json!("recipient"), &json!(1))
    );
    // For the others the server is down, starts, is killed and starts again: the provider repeats until one listens.
    for person in 1..STOPPERS {
        world.provider.post_reply(number(person), Channel::Sms, "stop!").await;
        if person == STOPPERS / 2 {
            world.serve().await;
        }
    }
    world.kill_server().await;
    world.serve().await;
    world.provider.wait_until_seen(&format!("posted={STOPPERS}"), 120).await.unwrap();
    let out = world.volley(&["opt-out", "list", "--json"]).await.stdout;
    let replies = world.volley(&["reply", "list", "--json"]).await.stdout;
    assert_eq!((out.lines().count() as u64, replies.lines().count() as u64), (STOPPERS, STOPPERS), "{replies}");
    assert!(!replies.contains(&number(0).to_string()), "numbers are masked: {replies}");
    std::fs::write(
        world.path("promo.toml"),
        "name = \"promo\"\naudience = \"people.csv\"\n[[step]]\nchannel = \"SMS\"\ntext = \"Hi\"",
    )
    .unwrap();
    world.volley(&["campaign", "launch", "promo.toml", "--wait", "--json"]).await;
    let arrived = world.provider.arrived().await;
    let people: Vec<u64> = arrived.iter().map(|message| message.msisdn.get()).collect();
    assert_eq!(people, [number(STOPPERS)], "only the one who said nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn opt_out_commands_add_and_remove_recipients_and_report_the_result() {
    let shape = Shape { seed: 4, profile: String::new(), rate: 100, batch: None, connections: 8 };
    let mut world = Installation::new(&shape).await;
    world.serve().await;
    std::fs::write(world.path("list.txt"), "+6591000001\n91000002\n\nnonsense\n+65 9100 0001\n").unwrap();
    let add = ["opt-out", "add", "+6591000003", "--file", "list.txt", "--country", "SG", "--json"];
    // What can be read takes effect, and the exit code tells that some could not.
    let add_all = async |add: &[&str], code: i32| {
        let added = world.volley(add).await;
        assert_eq!(added.status.code(), Some(code), "{}", added.stderr);
        assert!(added.stderr.contains("line 4, \"nonsense\": "), "{}", added.stderr);
        serde_json::from_str::<Value>(&added.stdout).unwrap()
    };
    let added = add_all(&add, 1).await;
    let counts = |shown: &Value| {
        ["numbers", "changed", "unchanged", "invalid", "duplicates"].map(|key| shown[key].as_u64().unwrap())
    };
    assert_eq!(counts(&added), [3, 3, 0, 1, 1], "{added}");
    assert_eq!((&added["countries"], &added["noted"]), (&json!({ "SG": 3 }), &json!(true)));
    assert_eq!(counts(&add_all(&add, 1).await), [3, 0, 3, 1, 1], "again changes nothing");
    add_all(&[&add[..], &["--strict"]].concat(), 3).await;
    // A recipient's START does not end it; an operator does.
    world.provider.post_reply(6_591_000_003, Channel::WhatsApp, "START").await;
    world.provider.wait_until_seen("posted=1", 60).await.unwrap();
    let removed =
        world.volley(&["opt-out", "remove", "91000003", "+6591000009", "--country", "SG", "--json"]).await.json();
    assert_eq!(counts(&removed), [2, 1, 1, 0, 0], "{removed}");
    let shown = world.volley(&["opt-out", "show", "+6591000003", "--json"]).await.json();
    let wishes: Vec<_> = shown["wishes"].as_array().unwrap().iter().map(|wish| (&wish["wants"], &wish["by"])).collect();
    let (stop, start, operator) = (json!("stop"), json!("start"), json!("operator"));
    assert_eq!(wishes, [(&stop, &operator), (&start, &json!("recipient")), (&start, &operator)], "{shown}");
    assert_eq!(shown["is_opted_out"], json!(false));
    let listed = world.volley(&["opt-out", "list"]).await.stdout;
    assert!(listed.contains("+6591000001") && listed.contains("from list.txt"), "{listed}");
    let said = world.volley(&["reply", "list", "--from", "+6591000003", "--unmasked"]).await.stdout;
    assert!(said.contains("+6591000003") && said.contains("START"), "{said}");
    let nobody = world.volley(&["opt-out", "add", "nonsense"]).await;
    assert_eq!(nobody.status.code(), Some(1));
    assert!(nobody.stderr.contains("nonsense"), "{}", nobody.stderr);
    // A number given as an argument has no line and no column.
    let bare = world.volley(&["opt-out", "add", "123", "+6591000004"]).await;
    assert!(
        bare.stderr.contains(
            "1 entry could not be read, and all others took effect:\n  \"123\": The number has no country code"
        ),
        "{}",
        bare.stderr
    );
    assert!(!bare.stderr.contains("olumn"), "{}", bare.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn recipients_of_the_practice_provider_reply_stop_and_return() {
    let profile = "speed = 1000.0\n[channel.WhatsApp]\nreject = 0.0\nundelivered = 0.0\nsilent = 0.0\ndelivered = 1.0\n\
        read = 1.0\n[channel.WhatsApp.answers]\nshare = 1.0\nstops = 0.4\nbuttons = 0.3\nreturns = 0.5\n";
    let profile = volley::practice::simulator::Profile::from_toml(profile).unwrap();
    let world = Setup { profile, ..Setup::default() }.start().await;
    let template = "[[step]]\nchannel = \"WhatsApp\"\nfallback_after = \"60s\"\n\
        template = { name = \"promo\", language = \"en\", category = \"MARKETING\" }\n";
    let launched = world.launch(100, &[template, SMS].concat()).await;
    let report = world
        .when("every recipient has read and replied", || async {
            let report = world.report(&launched).await;
            let whatsapp = &report.steps[0];
            if (whatsapp.read, whatsapp.replied) == (100, 100) { Ok(report) } else { Err(format!("{whatsapp:?}")) }
        })
        .await;
    assert_eq!(report.steps[1].handed_over, 0);
    let words = async |keyword: Keyword| {
        let all = world.store.inbound(InboundOf::All, Cursor::START, 1_000).await.unwrap();
        all.iter().filter(|(_, inbound)| inbound.keyword == Some(keyword)).count()
    };
    let stops = words(Keyword::Stop).await;
    assert!((10..90).contains(&stops), "{stops}");
    let out = world
        .when("some are back", || async {
            let (out, back) = (
                world
                    .store
                    .opted_out_numbers(None, 1_000, volley::base::domain::OptOutOf::Everything)
                    .await
                    .unwrap()
                    .len(),
                words(Keyword::Start).await,
            );
            if back > 0 && out + back == stops {
                Ok(out)
            } else {
                Err(format!("{out} of {stops} are out, {back} back"))
            }
        })
        .await;
    assert!(out > 0);
    let seen = world.seen().await;
    assert!(seen["answers"].as_u64().unwrap() >= 100, "{seen}");
    world.stop().await;
}

/// The id that the practice provider gives its WhatsApp channel.
const PRACTICE_CHANNEL: &str = "tier = \"unlimited\"\nchannel_id = \"269a57f4-3522-4b11-8278-00155d9f2701\"";
const OTHER_CHANNEL: &str = "tier = \"unlimited\"\nchannel_id = \"another\"";

#[tokio::test(flavor = "multi_thread")]
async fn a_message_to_the_practice_provider_opens_the_window_of_its_channel() {
    for (whatsapp, is_open) in [(PRACTICE_CHANNEL, true), (OTHER_CHANNEL, false)] {
        let world = Setup { whatsapp, ..Setup::default() }.start().await;
        world.hear_from("+6591000001").await;
        world
            .when("the message is stored", || async {
                let stored = world.store.inbound(InboundOf::All, Cursor::START, 10).await.unwrap().len();
                if stored == 1 { Ok(()) } else { Err(stored.to_string()) }
            })
            .await;
        let text = format!("numbers = [\"+6591000001\"]\n{FREE_TEXT}{SMS}");
        let launched = world.launch_text(&text).await;
        let report = world.until_state(&launched, BatchState::Settled).await;
        let [whatsapp, sms] = &report.steps[..] else { panic!("{report:?}") };
        let reached = if is_open { (1, 0) } else { (0, 1) };
        assert_eq!((whatsapp.reached, sms.reached), reached, "{report:?}");
        assert_eq!(whatsapp.fell_back.outside_window, i64::from(!is_open));
        world.stop().await;
    }
}
