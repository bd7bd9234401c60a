//! Counts a text, or the recipients of a filter, while an operator writes it, for the script of the page.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::recipients::count_selected;
use crate::base::domain::{Scope, SketchId, SmsEncoding};
use crate::http::api::Shared;
use crate::http::api::native::{Answer, Call, Query};
use crate::http::pages::Count;
use crate::rules::template::{CountedText, TextCount};

/// What is counted of a filter: with it, the id of an unfinished campaign.
const FILTER_OF: &str = "filter of ";

/// The count of the recipients that a filter selects.
pub(super) fn count_of_filter(sketch: SketchId, sentence: String) -> Count {
    Count { of: format!("{FILTER_OF}{sketch}"), sentence, is_over: false }
}

/// A text, and what of a message it is.
#[derive(Debug, Deserialize)]
pub(in crate::http::api::web) struct CountQuery {
    /// As [`Count`] names it.
    of: String,
    text: String,
}

#[derive(Debug, Serialize)]
struct CountView {
    sentence: String,
    is_over: bool,
}

pub(in crate::http::api::web) async fn count(
    State(shared): State<Shared>,
    Query(query): Query<CountQuery>,
    call: Call,
) -> Answer<Response> {
    call.caller.check(Scope::Manage)?;
    if let Some(sketch) = query.of.strip_prefix(FILTER_OF) {
        let sentence = count_selected(&shared, &call, sketch, &query.text).await?;
        return Ok(Json(CountView { sentence, is_over: false }).into_response());
    }
    let counted = read(&query.of).map(|counted| TextCount::of(counted, &query.text));
    let view = counted.map(|count| CountView { sentence: count.to_string(), is_over: count.is_over() });
    Ok(Json(view).into_response())
}

/// The count of a text of a field.
pub(super) fn counted(of: CountedText, text: &str) -> Option<Count> {
    let count = TextCount::of(of, text);
    Some(Count { of: written(of), sentence: count.to_string(), is_over: count.is_over() })
}

/// The name of a kind of text in a request.
fn written(of: CountedText) -> String {
    match of {
        CountedText::Text(channel) => channel.to_string(),
        CountedText::Sms { encoding, transliterates: false } => format!("SMS {encoding}"),
        CountedText::Sms { encoding, transliterates: true } => format!("SMS {encoding} plain"),
        CountedText::HeaderText => "header".to_owned(),
        CountedText::BodyValue => "body".to_owned(),
        CountedText::Address => "address".to_owned(),
        CountedText::CopyCode => "code".to_owned(),
    }
}

fn read(of: &str) -> Option<CountedText> {
    let mut words = of.split(' ');
    let (first, encoding, plain) = (words.next()?, words.next(), words.next());
    Some(match first {
        "header" => CountedText::HeaderText,
        "body" => CountedText::BodyValue,
        "address" => CountedText::Address,
        "code" => CountedText::CopyCode,
        "SMS" => CountedText::Sms {
            encoding: encoding.map_or(Some(SmsEncoding::Auto), |word| word.parse().ok())?,
            transliterates: plain.is_some(),
        },
        channel => CountedText::Text(channel.parse().ok()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::domain::Channel;

    #[test]
    fn every_kind_of_text_is_read_as_it_is_written() {
        let sms = |encoding, transliterates| CountedText::Sms { encoding, transliterates };
        for kind in [
            CountedText::Text(Channel::Viber),
            CountedText::Text(Channel::LineNotification),
            sms(SmsEncoding::Auto, false),
            sms(SmsEncoding::Gsm7, true),
            CountedText::HeaderText,
            CountedText::BodyValue,
            CountedText::Address,
            CountedText::CopyCode,
        ] {
            assert_eq!(read(&written(kind)), Some(kind));
        }
        assert_eq!((read("Pigeon"), read(""), read("SMS UTF-8")), (None, None, None));
    }
}
