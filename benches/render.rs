//! WhatsApp template messages a second that one core renders, against `serde_json` writing the same bytes from ready
//! values.
//!
//! `cargo bench --bench render [-- messages]`; each figure is the best of five rounds of each, in turns.

#![expect(clippy::print_stdout, reason = "figures are what it is for")]
#![expect(clippy::unwrap_used, reason = "a benchmark that fails should stop")]
#![expect(clippy::disallowed_methods, reason = "it measures real time")]

use std::borrow::Cow;
use std::time::{Duration, Instant};

use volley::base::domain::{
    AttemptId, BatchId, Channel, Content, Country, MessageKey, MessagingApi, Msisdn, Names, Step, StepIndex, Tag,
    Timestamp,
};
use volley::rules::template::{Pattern, To};
use volley::rules::wire;
use volley::sending::dispatch::compose;

const COLUMNS: [&str; 4] = ["FirstName", "Amount", "Day", "Code"];
const RECIPIENTS: usize = 1_000;
const ROUNDS: usize = 5;

struct Recipient {
    msisdn: Msisdn,
    attempt: AttemptId,
    fields: [String; 4],
}

fn main() {
    let asked = std::env::args().skip(1).find_map(|argument| argument.parse().ok());
    let messages: usize = asked.unwrap_or(2_000_000);
    let recipients: Vec<Recipient> = (0..RECIPIENTS).map(recipient).collect();
    let at = Timestamp::parse_rfc3339("2026-12-01T09:00:00Z").unwrap();
    let plain = pattern(["{{FirstName|there}}", "{{Amount}}", "{{Day}}", "{{Code}}"]);
    let filtered = pattern([
        "{{FirstName:title|there}}",
        "{{Amount:number(2, 'de')}}",
        "{{Day:date('%d %B %Y', 'de')}}",
        "{{Code:upper}}",
    ]);

    let requests: Vec<wire::SendRequest<'_>> = recipients.iter().map(request).collect();
    let serialize = |n: usize, out: &mut Vec<u8>| serde_json::to_writer(out, &requests[n]).unwrap();

    for (n, recipient) in recipients.iter().enumerate() {
        let (mut rendered, mut serialized) = (Vec::new(), Vec::new());
        render(&plain, recipient, at, &mut rendered);
        serialize(n, &mut serialized);
        assert_eq!(String::from_utf8(rendered), String::from_utf8(serialized), "both write the same bytes");
    }

    let mut best = [Duration::MAX; 3];
    for _ in 0..ROUNDS {
        let rounds = [
            timed(messages, |n, out| render(&plain, &recipients[n], at, out)),
            timed(messages, serialize),
            timed(messages, |n, out| render(&filtered, &recipients[n], at, out)),
        ];
        best.iter_mut().zip(rounds).for_each(|(best, round)| *best = round.min(*best));
    }
    let [rendered, serialized, filtered] = best;
    println!("| messages with four variables | messages/s | ratio |\n| --- | ---: | ---: |");
    println!("| serde_json, from ready values | {} | |", a_second(messages, serialized));
    for (name, took) in [("volley", rendered), ("volley, each with a filter", filtered)] {
        let ratio = serialized.as_secs_f64() / took.as_secs_f64();
        println!("| {name} | {} | {ratio:.2} |", a_second(messages, took));
    }
}

fn recipient(n: usize) -> Recipient {
    let index = u32::try_from(n).unwrap();
    Recipient {
        msisdn: format!("+65912{index:05}").parse().unwrap(),
        attempt: AttemptId {
            key: MessageKey { batch: BatchId(7), n: index },
            step: StepIndex::FIRST,
            tag: Tag::from_random(u64::from(index)),
        },
        fields: [
            ["Ann", "Björn", "Mei Ling", "O\"Neil"][n % 4].to_owned(),
            format!("{}.{:02}", 1_000 + n, n % 100),
            format!("2026-12-{:02}", 1 + n % 28),
            format!("code-{n:06}"),
        ],
    }
}

fn pattern(body: [&str; 4]) -> Pattern {
    let template = serde_json::json!({
        "template": { "name": "promo", "language": "en", "category": "MARKETING", "body": body },
    });
    let content: Content = serde_json::from_value(template).unwrap();
    let step = Step { content, ..Step::of_text(Channel::WhatsApp, "promo", "") };
    let columns = COLUMNS.map(str::to_owned);
    compose(MessagingApi::ChatApps, &step, "promo", Country::by_code("SG").unwrap().into(), Names::of_columns(&columns))
        .unwrap()
}

fn render(pattern: &Pattern, Recipient { msisdn, attempt, fields }: &Recipient, at: Timestamp, out: &mut Vec<u8>) {
    let fields = fields.each_ref().map(|field| Cow::Borrowed(field.as_str()));
    pattern.render(To::Number(*msisdn), *attempt, at.into(), &fields, out).unwrap();
}

/// The request of a recipient, ready to be written.
fn request(Recipient { msisdn, attempt, fields }: &Recipient) -> wire::SendRequest<'_> {
    let text = |text: &'_ String| wire::Parameter {
        kind: "text".into(),
        text: Some(text.clone().into()),
        ..wire::Parameter::default()
    };
    let body = wire::Component {
        kind: "body".into(),
        parameters: fields.iter().map(text).collect(),
        ..wire::Component::default()
    };
    let template = wire::Template { name: "promo".into(), language: "en".into(), components: vec![body] };
    wire::SendRequest {
        user: Some(wire::User { msisdn: Some(msisdn.to_string().into()), ..wire::User::default() }),
        client_message_id: Some(attempt.to_string().into()),
        kind: Some("template".into()),
        content: Some(wire::Content { template: Some(template), ..wire::Content::default() }),
        channels: vec![wire::ChannelStep { channel: "WhatsApp".into(), ..wire::ChannelStep::default() }],
        ..wire::SendRequest::default()
    }
}

/// How long it takes to write so many messages, each into an emptied buffer.
fn timed(messages: usize, write: impl Fn(usize, &mut Vec<u8>)) -> Duration {
    let mut out = Vec::with_capacity(1_024);
    let begun = Instant::now();
    for n in (0..RECIPIENTS).cycle().take(messages) {
        out.clear();
        write(n, &mut out);
        std::hint::black_box(&out);
    }
    begun.elapsed()
}

#[expect(clippy::cast_precision_loss, reason = "rounded for display")]
fn a_second(messages: usize, took: Duration) -> String {
    format!("{:.0}", messages as f64 / took.as_secs_f64())
}
