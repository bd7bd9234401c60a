//! Composes the body of a request to the SMS API, which has an envelope of its own.

use super::Uncomposable;
use crate::base::domain::{Content, Country, SmsEncoding, Step};
use crate::rules::template::{ATTEMPT_MARK, MSISDN_MARK, MarkedContent, expiry_mark};
use crate::rules::wire;

/// The request of a marked content to the SMS API. A plan is refused if one of its SMS is no text.
pub(super) fn request(
    step: &Step,
    lane: &str,
    country: Country,
    marked: &MarkedContent,
) -> Result<String, Uncomposable> {
    let Content::Text { text, encoding, .. } = &marked.content else { return Err(Uncomposable::NoText) };
    let request = wire::SmsRequest {
        destination: MSISDN_MARK.into(),
        source: step.source(lane, country).map(Into::into),
        text: text.as_str().into(),
        encoding: encoding.map_or("AUTO", SmsEncoding::as_str).into(),
        client_message_id: ATTEMPT_MARK.into(),
        expiry: step.ttl.map(|ttl| expiry_mark(ttl).into()),
        ..wire::SmsRequest::default()
    };
    Ok(serde_json::to_string(&request)?)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::super::compose;
    use super::*;
    use crate::base::domain::{
        AttemptId, BatchId, Channel, MessageKey, MessagingApi, Names, Sources, Span, StepIndex, Tag, TemplateContent,
        Timestamp,
    };
    use crate::rules::template::To;

    fn composed(step: &Step) -> Result<String, Uncomposable> {
        let columns = ["Name".to_owned()];
        let country = Country::by_code("SG").unwrap();
        let pattern = compose(MessagingApi::Sms, step, "sms", country.into(), Names::of_columns(&columns))?;
        let key = MessageKey { batch: BatchId(1), n: 2 };
        let attempt = AttemptId { key, step: StepIndex::FIRST, tag: Tag::from_random(3) };
        let (mut out, at) = (Vec::new(), Timestamp::parse_rfc3339("2026-12-01T09:00:00Z").unwrap());
        let fields = [Cow::Borrowed("Ann \"A\"")];
        pattern.render(To::Number("+6591234567".parse().unwrap()), attempt, at.into(), &fields, &mut out).unwrap();
        Ok(String::from_utf8(out).unwrap().replace(&attempt.to_string(), "ID"))
    }

    #[test]
    fn a_text_is_written_as_the_sms_api_spells_it() {
        let mut step = Step::of_text(Channel::Sms, "sms", "Hi {{Name}}");
        let plain = r#"{"destination":"+6591234567","text":"Hi Ann \"A\"","encoding":"AUTO","clientMessageId":"ID"}"#;
        assert_eq!(composed(&step).unwrap(), plain);
        step.ttl = Some(Span::from_secs(3_600));
        step.content = Content::Text {
            text: "Hi".to_owned(),
            source: Sources { others: Some("ACME".to_owned()), ..Sources::default() },
            encoding: Some(SmsEncoding::Ucs2),
        };
        assert_eq!(
            composed(&step).unwrap(),
            "{\"destination\":\"+6591234567\",\"source\":\"ACME\",\"text\":\"Hi\",\"encoding\":\"UCS2\",\
             \"clientMessageId\":\"ID\",\"expiry\":\"2026-12-01T10:00:00.000Z\"}"
        );
    }

    #[test]
    fn a_template_is_no_sms() {
        let template = TemplateContent {
            name: "t".to_owned(),
            language: "en".to_owned(),
            category: crate::base::domain::Category::Utility,
            ttl: None,
            header: None,
            body: Vec::new(),
            buttons: Vec::new(),
            carousel: Vec::new(),
        };
        let step = Step { content: Content::Template(template), ..Step::of_text(Channel::Sms, "sms", "") };
        assert!(matches!(composed(&step), Err(Uncomposable::NoText)));
    }
}
