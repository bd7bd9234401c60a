//! No variable and no filter allocates memory while a message is rendered into a buffer that is large enough.

use std::borrow::Cow;

use volley::base::domain::{
    AttemptId, BatchId, Channel, Country, MessageKey, MessagingApi, Names, Span, Step, StepIndex, Tag, Timestamp,
    Values,
};
use volley::rules::template::To;
use volley::sending::dispatch::compose;

#[test]
fn rendering_allocates_nothing() {
    let text = "{{Name}} {{Name:title|you}} {{Empty|nothing}} {{Amount:number(2, 'de')}} {{Day:date('%d %B %Y', 'de')}} \
                {{Name:trim:upper:url}} {{Name:truncate(3, '…'):lower}} {{Shop:upper}} {{Greeting}} {{Off}}";
    let values = r#"{"Shop": {"text": "Volley"}, "Greeting": {"text": "Dear {{Name}}"},
                     "Off": {"choice": {"by": "Amount", "texts": {"1": "one"}, "others": "many {{Name}}"}}}"#;
    let values: Values = serde_json::from_str(values).unwrap();
    let columns = ["Name", "Empty", "Amount", "Day"].map(str::to_owned);
    let fields = ["ąnn \"A\" ńg", "", "1234.5", "2026-12-01"].map(Cow::Borrowed);
    let attempt =
        AttemptId { key: MessageKey { batch: BatchId(1), n: 2 }, step: StepIndex::FIRST, tag: Tag::from_random(3) };
    let at = Timestamp::parse_rfc3339("2026-12-01T09:00:00Z").unwrap();
    for transliterate in [false, true] {
        let step = Step { ttl: Some(Span::from_secs(60)), transliterate, ..Step::of_text(Channel::Sms, "sms", text) };
        let names = Names { columns: &columns, values: &values };
        let pattern =
            compose(MessagingApi::ChatApps, &step, "sms", Country::by_code("SG").unwrap().into(), names).unwrap();
        let mut out = Vec::with_capacity(4_096);
        let to = To::Number("+6591234567".parse().unwrap());
        let allocations =
            allocation_counter::measure(|| pattern.render(to, attempt, at.into(), &fields, &mut out).unwrap());
        assert_eq!(allocations.count_total, 0, "{}", String::from_utf8_lossy(&out));
        let name = if transliterate { "ann" } else { "ąnn" };
        let sent: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert!(sent["content"]["text"].as_str().unwrap().starts_with(name), "{sent}");
    }
}
