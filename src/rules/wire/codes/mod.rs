//! The cause of each code. There are two tables, because the provider uses the same numbers in answers to requests and in
//! receipts: 1002 is an invalid number in the first and a rate limit in the second.
//!
//! The rule of both (a fault of ours or of the sender never turns into messages on another channel):
//!
//! * `Recipient`: the code is about this recipient, or about a value that may differ between recipients (an empty
//!   parameter, a text that is too long, a media address). Each of these codes has a subject. If nothing of that subject
//!   differs between the recipients of a step, the fault is the sender's after all ([`fault_in`]).
//! * `RecipientLimit`: the provider sends this recipient no more for a day or longer.
//! * `Sender`: the next message would get the same answer, because of the key, the subaccount, the template or the shape of
//!   our request. A hold is visible and can be released; needless SMS cannot be recalled.
//! * `Temporary`: the same request may succeed later.
//!
//! Unknown codes follow from that rule. After an **answer** with an unknown code in the 400s another message shows whether
//! the lane is refused or that message alone, and no message falls back. A **receipt** with an unknown code is the recipient's fault:
//! the provider accepted the request, so a later failure is far more often about the recipient than about us. If it is not,
//! many in a row show that, because such a receipt has no known subject. Both have `known` false, so that they can be
//! counted.
//!
//! A vague code of the provider may come with WhatsApp's own, in the newer formats of receipts. That is the second key
//! ([`most_specific`]), with its own table. Its numbers are far above the provider's, so the deciding code can be stored in
//! place of the other.

pub mod advice;
mod answers;
mod meta;
mod receipts;
pub mod remedies;
pub mod words;

use crate::base::domain::{Fault, RefusalSubject, SenderPart, Step};

/// A code with its meaning and its cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// 0 for codes that are not in the table.
    pub code: i64,
    pub fault: Fault,
    /// The part of the message that it is about.
    pub subject: RefusalSubject,
    pub meaning: &'static str,
    /// Whether the code is in the table; otherwise the fault is an assumption.
    pub known: bool,
    /// Whether it reports throttling, which slows the lane.
    pub throttles: bool,
}

impl Entry {
    const fn new(code: i64, fault: Fault, meaning: &'static str) -> Self {
        let subject = match fault {
            Fault::Recipient | Fault::RecipientLimit | Fault::OptedOut => RefusalSubject::Number,
            Fault::Sender(SenderPart::Template | SenderPart::Step) => RefusalSubject::Template,
            Fault::Sender(SenderPart::Lane) | Fault::Temporary => RefusalSubject::Account,
        };
        Self { code, fault, subject, meaning, known: true, throttles: false }
    }

    /// A code about a value of the message. The step decides whether it is the sender's fault (see [`fault_in`]).
    const fn about(code: i64, subject: RefusalSubject, meaning: &'static str) -> Self {
        Self { subject, ..Self::new(code, RECIPIENT, meaning) }
    }

    /// A temporary failure because of throttling.
    const fn throttled(code: i64, meaning: &'static str) -> Self {
        Self { throttles: true, ..Self::new(code, TEMPORARY, meaning) }
    }

    /// Whether it may be the sender's fault: always, or if its subject is the same for every recipient.
    pub fn may_be_senders(&self) -> bool {
        match self.fault {
            Fault::Sender(_) => true,
            Fault::Recipient => self.subject != RefusalSubject::Number,
            Fault::RecipientLimit | Fault::OptedOut | Fault::Temporary => false,
        }
    }

    /// Whether the same step may be sent again after it.
    pub fn may_be_sent_again(&self) -> bool {
        matches!(self.fault, Fault::Temporary | Fault::RecipientLimit) || self.may_be_senders()
    }

    const fn unknown(fault: Fault, meaning: &'static str) -> Self {
        let known = Self::new(0, fault, meaning);
        let subject = if matches!(fault, Fault::Recipient) { UNSAID } else { known.subject };
        Self { known: false, subject, ..known }
    }
}

const RECIPIENT: Fault = Fault::Recipient;
const RECIPIENT_LIMIT: Fault = Fault::RecipientLimit;
const LANE: Fault = Fault::Sender(SenderPart::Lane);
const TEMPLATE: Fault = Fault::Sender(SenderPart::Template);
const OPTED_OUT: Fault = Fault::OptedOut;
const TEMPORARY: Fault = Fault::Temporary;
const TEXT: RefusalSubject = RefusalSubject::Text;
const MEDIA: RefusalSubject = RefusalSubject::Media;
const OPERATOR: RefusalSubject = RefusalSubject::Operator;
const EXPIRY: RefusalSubject = RefusalSubject::Expiry;
const PARAMETER: RefusalSubject = RefusalSubject::Parameter;
const UNSAID: RefusalSubject = RefusalSubject::Unsaid;

static REFUSED: Entry = Entry::unknown(LANE, "refused with an unknown code");
static ELSEWHERE: Entry = Entry::unknown(LANE, "the address redirects elsewhere; check base_url");
static NOT_ALLOWED: Entry = Entry::unknown(LANE, "the key is invalid or lacks permission");
static NOT_THERE: Entry = Entry::unknown(LANE, "unknown address at the provider");
static THROTTLED: Entry = Entry::unknown(TEMPORARY, "too many requests");
static BROKEN: Entry = Entry::unknown(TEMPORARY, "internal error of the provider");
static UNDELIVERED: Entry = Entry::unknown(RECIPIENT, "not delivered, for an unknown reason");

/// The entry for an answer to a request, by its HTTP status and the `code` of its body. For a rejected entry of a batch, the
/// status is that of the whole answer (200) and the code is the entry's `errorCode`.
///
/// A status about the caller or about a temporary state decides, because the provider's own samples have code 1001 on both
/// 401 and 500. Otherwise the code decides. It does not tell whether a request with an answer in the 500s was processed;
/// the caller decides that.
pub fn of_answer(status: u16, code: Option<i64>) -> &'static Entry {
    let coded = code.and_then(|code| find(answers::TABLE, code));
    let with_fault = |fault, otherwise| coded.filter(|entry| entry.fault == fault).unwrap_or(otherwise);
    match status {
        401 | 403 => with_fault(LANE, &NOT_ALLOWED),
        429 => with_fault(TEMPORARY, &THROTTLED),
        // An address that redirects accepts no messages, whatever its body says.
        300..=399 => &ELSEWHERE,
        408 | 500.. => with_fault(TEMPORARY, &BROKEN),
        404 | 405 | 410 => coded.unwrap_or(&NOT_THERE),
        _ => coded.unwrap_or(&REFUSED),
    }
}

/// The entry for the `errorCode` of a negative receipt. From 3000 on it is in the table of answers: a message that is refused
/// after acceptance gets the API's code.
pub fn of_receipt(code: Option<i64>) -> &'static Entry {
    let Some(code) = code else { return &UNDELIVERED };
    let table = match code {
        meta::FIRST.. => meta::TABLE,
        3_000.. => answers::TABLE,
        _ => receipts::TABLE,
    };
    find(table, code).unwrap_or(&UNDELIVERED)
}

/// The most specific code of a negative receipt: the provider's own, unless that is vague and WhatsApp's own is known.
pub fn most_specific(code: Option<i64>, underlying: Option<i64>) -> Option<i64> {
    let is_vague = code.is_none_or(|code| meta::GENERAL.contains(&code) || !of_receipt(Some(code)).known);
    underlying.filter(|underlying| is_vague && find(meta::TABLE, *underlying).is_some()).or(code)
}

/// Whether a code of a receipt is WhatsApp's own.
pub const fn is_whatsapps(code: i64) -> bool {
    code >= meta::FIRST
}

/// WhatsApp's own codes, in order.
pub fn whatsapps() -> &'static [Entry] {
    meta::TABLE
}

/// Every code of answers, in order.
pub fn answers() -> &'static [Entry] {
    answers::TABLE
}

/// Every code of receipts, in order.
pub fn receipts() -> &'static [Entry] {
    receipts::TABLE
}

/// The cause of a refusal in one step. If its subject does not differ between recipients, it is the sender's fault (rule 2).
pub fn fault_in(step: &Step, fault: Fault, subject: RefusalSubject) -> Fault {
    match fault {
        Fault::Recipient if !step.varies_in(subject) => Fault::Sender(SenderPart::Step),
        Fault::Recipient | Fault::RecipientLimit | Fault::Sender(_) | Fault::OptedOut | Fault::Temporary => fault,
    }
}

fn find(table: &'static [Entry], code: i64) -> Option<&'static Entry> {
    table.binary_search_by_key(&code, |entry| entry.code).ok().map(|at| &table[at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::domain::{Channel, Content};

    #[test]
    fn the_tables_are_sorted_without_duplicates() {
        for table in [answers(), receipts(), whatsapps()] {
            assert!(table.windows(2).all(|pair| pair[0].code < pair[1].code));
        }
    }

    #[test]
    fn whatsapps_own_code_is_the_second_key() {
        for (code, underlying, wanted) in [
            (Some(41), Some(131_049), Some(131_049)),
            (None, Some(132_015), Some(132_015)),
            (Some(9_999), Some(131_050), Some(131_050)),
            (Some(1_018), Some(131_042), Some(1_018)),
            (Some(41), Some(7), Some(41)),
            (Some(41), None, Some(41)),
            (None, None, None),
        ] {
            assert_eq!(most_specific(code, underlying), wanted, "{code:?} {underlying:?}");
        }
        assert_eq!(of_receipt(Some(131_050)).fault, Fault::OptedOut);
        assert_eq!(of_receipt(Some(131_042)).fault, LANE);
        assert!(!of_receipt(Some(999_999)).known);
        // If the provider has its own number for a code of WhatsApp, both have the same cause.
        for entry in receipts() {
            let bracketed = entry.meaning.rsplit_once(" [").and_then(|(_, code)| code.strip_suffix(']')?.parse().ok());
            if let Some(same) = bracketed.and_then(|code| find(whatsapps(), code)) {
                assert_eq!(same.fault, entry.fault, "{}", entry.code);
            }
        }
    }

    #[test]
    fn the_same_number_has_different_meanings_in_the_two_tables() {
        assert_eq!(of_answer(400, Some(1002)).fault, Fault::Recipient);
        assert_eq!(of_receipt(Some(1002)).fault, Fault::Temporary);
        assert_eq!(of_answer(400, Some(2001)).fault, LANE);
        assert_eq!(of_receipt(Some(2001)).fault, Fault::Temporary);
    }

    #[test]
    fn codes_of_the_sender_cause_no_fallback() {
        for code in [1000, 1001, 1005, 1200, 1201, 3011, 3027, 3035, 3051] {
            assert_eq!(of_answer(400, Some(code)).fault, LANE, "{code}");
        }
        for code in [3030, 3032, 3037, 3038, 3060] {
            assert_eq!(of_answer(400, Some(code)).fault, TEMPLATE, "{code}");
        }
        for code in [42, 1007, 1019, 1023] {
            assert_eq!(of_receipt(Some(code)).fault, LANE, "{code}");
        }
        for code in [1030, 1031, 1033, 1034, 1035, 1036] {
            assert_eq!(of_receipt(Some(code)).fault, TEMPLATE, "{code}");
        }
    }

    #[test]
    fn codes_about_one_recipients_value_are_the_recipients_fault() {
        for code in [3002, 3003, 3005, 3006, 3008, 3040, 3041, 3043, 3046] {
            assert_eq!(of_answer(400, Some(code)).fault, Fault::Recipient, "{code}");
        }
        for code in [1, 9, 15, 18, 46, 1018, 1032, 2007, 2008] {
            assert_eq!(of_receipt(Some(code)).fault, Fault::Recipient, "{code}");
        }
        assert_eq!(of_receipt(Some(1024)).fault, Fault::RecipientLimit);
        assert_eq!(of_receipt(Some(1051)).fault, Fault::OptedOut);
    }

    #[test]
    fn a_value_that_is_equal_for_all_recipients_is_the_senders_fault() {
        let text = |text: &str| Step::of_text(Channel::Viber, "vb", text);
        let template = |rest: serde_json::Value| {
            let mut content = serde_json::json!({ "name": "promo", "language": "en", "category": "MARKETING" });
            content.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
            let content = Content::Template(serde_json::from_value(content).unwrap());
            Step { content, ..text("") }
        };
        let image = |image: &str| template(serde_json::json!({ "header": { "image": image }, "body": ["{{Name}}"] }));
        let step = Fault::Sender(SenderPart::Step);
        for (code, sent, fault) in [
            (3_006, text("Hello"), step),
            (3_006, text("Hello {{Name}}"), Fault::Recipient),
            // Another recipient's number may be valid.
            (3_003, text("Hello"), Fault::Recipient),
            (3_008, image("https://media.example/one.png"), step),
            (3_008, image("https://media.example/{{Picture}}"), Fault::Recipient),
            (3_041, image("https://media.example/one.png"), Fault::Recipient),
            (3_041, template(serde_json::json!({ "body": ["Ann"] })), step),
            (3_049, template(serde_json::json!({ "buttons": [{ "index": 0, "url": "{{slug}}" }] })), Fault::Recipient),
            (3_038, text("Hello"), TEMPLATE),
            // The `ttl` of the step. A message's own expiry is not its content.
            (1_006, text("Hello {{Name}}"), step),
        ] {
            let entry = of_answer(400, Some(code));
            assert_eq!(fault_in(&sent, entry.fault, entry.subject), fault, "{code} of {sent:?}");
        }
        // A network or a device may accept content that another does not.
        let entry = of_receipt(Some(38));
        assert_eq!(fault_in(&text("Hello"), entry.fault, entry.subject), Fault::Recipient);
    }

    #[test]
    fn without_variables_only_codes_about_the_recipient_fall_back() {
        let constant = Step::of_text(Channel::Viber, "vb", "Hello");
        for entry in answers().iter().chain(receipts()).chain(whatsapps()) {
            let falls_back = fault_in(&constant, entry.fault, entry.subject) == Fault::Recipient;
            let may_differ =
                matches!(entry.subject, RefusalSubject::Number | RefusalSubject::Operator | RefusalSubject::Unsaid);
            assert!(!falls_back || may_differ, "{entry:?}");
            assert!(!falls_back || entry.subject == RefusalSubject::Number || entry.may_be_senders(), "{entry:?}");
        }
    }

    #[test]
    fn codes_that_may_be_the_senders_fault_are_counted() {
        for code in [None, Some(1999), Some(0), Some(7), Some(41), Some(38), Some(2015)] {
            assert!(of_receipt(code).may_be_senders(), "{code:?}");
        }
        for code in [1, 12, 21, 36, 46, 1018, 1024, 2007, 2008, 2023, 131_026] {
            assert!(!of_receipt(Some(code)).may_be_senders(), "{code}: of a number");
        }
        for code in [3002, 3015, 3028, 3047] {
            assert!(of_answer(400, Some(code)).may_be_senders(), "{code}: no user is named");
        }
        for code in [1002, 1009, 3003, 3018] {
            assert!(!of_answer(400, Some(code)).may_be_senders(), "{code}: of a number");
        }
    }

    #[test]
    fn temporary_codes_are_retried() {
        for code in [11, 14, 23, 1002, 1008, 1009, 1012, 1016, 1029] {
            assert_eq!(of_receipt(Some(code)).fault, Fault::Temporary, "{code}");
        }
        assert_eq!(of_answer(429, Some(429)).fault, Fault::Temporary);
        assert_eq!(of_answer(503, None).fault, Fault::Temporary);
    }

    #[test]
    fn the_status_overrides_a_code_of_another_status() {
        assert_eq!(of_answer(500, Some(1001)).fault, Fault::Temporary);
        assert_eq!(of_answer(401, Some(1002)).fault, LANE);
        assert_eq!(of_answer(429, Some(3038)).fault, Fault::Temporary);
        assert_eq!(of_answer(200, Some(3038)).fault, TEMPLATE);
    }

    #[test]
    fn an_unknown_answer_holds_and_an_unknown_receipt_falls_back() {
        for (status, code) in [(400, Some(3999)), (422, None), (404, None), (418, Some(7))] {
            let entry = of_answer(status, code);
            assert_eq!((entry.fault, entry.known), (LANE, false), "{status} {code:?}");
        }
        for code in [None, Some(1999), Some(-1), Some(3999)] {
            let entry = of_receipt(code);
            assert_eq!((entry.fault, entry.known), (Fault::Recipient, false), "{code:?}");
        }
        assert_eq!(of_receipt(Some(3038)).fault, TEMPLATE);
    }
}
