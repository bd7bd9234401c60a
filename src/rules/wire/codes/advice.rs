//! What a failure of one message means for an operator: its cause in a few words, and what can be done, for each code of the
//! provider. What has to be fixed before a hold is released is in `remedies`.

use super::remedies::{self, Remedy};
use super::{Entry, meta, of_answer, of_receipt};
use crate::base::domain::{Fault, RefusalSubject, SenderPart};

/// Why the provider did not deliver a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The number is invalid, or no network has it.
    Number,
    /// The number has no account on the channel.
    NotOnChannel,
    /// The device, or the app on it, cannot show the message.
    Device,
    /// The device did not receive in time.
    Absent,
    /// The recipient has blocked the sender.
    Blocked,
    /// The network or the contract of the recipient does not let the message through.
    Barred,
    /// WhatsApp limits the marketing messages to each recipient.
    MarketingLimit,
    /// WhatsApp keeps marketing from some recipients, to measure its effect.
    Experiment,
    WindowClosed,
    /// The recipient has to reply before the sender may go on.
    ReplyFirst,
    /// The recipient is the sender.
    OwnNumber,
    /// The account may not send to this country.
    Country,
    /// The recipient has no id that the channel needs.
    NoAddress,
    /// The text, or a value in it.
    Content,
    Media,
    Expiry,
    /// The network or the device does not accept the content.
    Network,
    OptedOut,
    /// A rate limit of the provider.
    Throttled,
    /// A fault that passes.
    Passing,
    /// The sender, its account or its template; what to fix first.
    Sender(SenderPart, Remedy),
    /// The provider does not say.
    Unsaid,
}

/// The cause of a failure, and what can be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advice {
    pub cause: &'static str,
    /// A sentence without its full stop.
    pub what_to_do: &'static str,
}

use Reason::{
    Absent, Barred, Blocked, Content, Country, Device, Experiment, Expiry, MarketingLimit, Media, Network, NoAddress,
    NotOnChannel, Number, OptedOut, OwnNumber, Passing, ReplyFirst, Sender, Throttled, Unsaid, WindowClosed,
};

/// Codes of answers about the recipient.
const ANSWERS: &[(i64, Reason)] = &[
    (1_002, Number),
    (1_009, Number),
    (3_002, NoAddress),
    (3_003, Number),
    (3_015, NoAddress),
    (3_016, NoAddress),
    (3_018, Number),
    (3_019, NoAddress),
    (3_028, NoAddress),
    (3_047, NoAddress),
    (3_050, NoAddress),
];

/// Codes of receipts about the recipient.
#[rustfmt::skip]
const RECEIPTS: &[(i64, Reason)] = &[
    (1, NotOnChannel), (9, Device), (12, Number), (13, Barred), (15, Number), (20, Absent), (21, Absent),
    (24, Barred), (25, Barred), (26, Barred), (28, Device), (29, Device), (30, Barred), (31, Barred), (32, Absent),
    (33, Number), (34, Barred), (36, Absent), (37, Device), (39, Barred), (44, Barred), (45, Absent), (46, Absent),
    (47, Absent), (61, Absent),
    (1_010, Experiment), (1_018, NotOnChannel), (1_022, WindowClosed), (1_024, MarketingLimit), (1_054, NoAddress),
    (2_007, Blocked), (2_008, NotOnChannel), (2_009, Device), (2_014, ReplyFirst), (2_023, Number),
];

/// WhatsApp's own codes about the recipient.
#[rustfmt::skip]
const WHATSAPPS: &[(i64, Reason)] = &[
    (130_472, Experiment), (130_497, Country), (131_021, OwnNumber), (131_026, NotOnChannel), (131_047, WindowClosed),
    (131_049, MarketingLimit), (131_062, NoAddress),
];

impl Reason {
    /// The reason of a rejection: of a refusal in the answer to a submission.
    pub fn of_answer(code: Option<i64>) -> Self {
        let entry = of_answer(400, code);
        Self::of(entry, ANSWERS, remedies::of_answer(entry.code))
    }

    /// The reason of a failure that a receipt reports.
    pub fn of_receipt(code: Option<i64>) -> Self {
        let entry = of_receipt(code);
        let table = match entry.code {
            meta::FIRST.. => WHATSAPPS,
            3_000.. => ANSWERS,
            _ => RECEIPTS,
        };
        Self::of(entry, table, remedies::of_receipt(entry.code))
    }

    fn of(entry: &Entry, table: &[(i64, Self)], remedy: Remedy) -> Self {
        let in_table = || table.iter().find(|(code, _)| *code == entry.code).map(|(_, reason)| *reason);
        match (entry.fault, entry.subject) {
            (Fault::OptedOut, _) => OptedOut,
            (Fault::Temporary, _) if entry.throttles => Throttled,
            (Fault::Temporary, _) => Passing,
            (Fault::Sender(part), _) => Sender(part, remedy),
            (Fault::Recipient, RefusalSubject::Text | RefusalSubject::Parameter) => Content,
            (Fault::Recipient, RefusalSubject::Media) => Media,
            (Fault::Recipient, RefusalSubject::Expiry) => Expiry,
            (Fault::Recipient, RefusalSubject::Operator) => Network,
            (Fault::Recipient | Fault::RecipientLimit, _) => in_table().unwrap_or(Unsaid),
        }
    }

    /// The cause in a few words, and what an operator can do about it.
    pub const fn advice(self) -> Advice {
        let (cause, what_to_do) = match self {
            Number => (
                "the number",
                "check the number in the recipient file, because the same number will most likely fail again",
            ),
            NotOnChannel => {
                ("no account on this channel", "use another channel, because the number is not reachable on this one")
            }
            Device => ("the device or its app", "use another channel; the device or its app cannot show this message"),
            Absent => (
                "the device was out of reach",
                "send again later, or give the step more time; the device was off, out of memory or out of reach",
            ),
            Blocked => {
                ("the recipient has blocked the sender", "do not send to this recipient on this channel any more")
            }
            Barred => (
                "the network or the contract of the recipient",
                "use another channel; if many messages to one network fail like this, ask the provider's support",
            ),
            MarketingLimit => (
                "WhatsApp's limit on marketing for each recipient",
                "use another channel, or send again after a day or more; WhatsApp limits how much marketing a recipient gets \
                 from all businesses",
            ),
            Experiment => (
                "an experiment of WhatsApp",
                "use another channel; WhatsApp withholds marketing from a part of its users for an experiment",
            ),
            WindowClosed => ("no open 24-hour window", "use a template: it needs no open window"),
            ReplyFirst => (
                "too many messages without a reply",
                "use another channel until the recipient replies; the channel allows only ten messages without a reply",
            ),
            OwnNumber => ("the sender's own number", "remove the sender's own number from the recipient file"),
            Country => (
                "the account may not send to this country",
                "have the account approved for this country, or use another channel there",
            ),
            NoAddress => (
                "no address on this channel",
                "use another channel, or add the recipient's id on this channel to the recipient file",
            ),
            Content => (
                "the text or a value in it",
                "check the text and the recipient's values against the limits of the channel or the template",
            ),
            Media => {
                ("the media or the link to it", "check that the link to the media is complete and needs no sign-in")
            }
            Expiry => ("the time until the message expires", "set a time within the limits of the channel"),
            Network => (
                "the network or the device does not accept the content",
                "use simpler content or another channel; if many messages fail like this, ask the provider's support",
            ),
            OptedOut => ("an opt-out", "nothing, until the recipient opts in again"),
            Throttled => ("a rate limit", "send again later, with a lower rate of the lane if it happens often"),
            Passing => ("a temporary fault at the provider or the network", "send again later"),
            Sender(SenderPart::Lane, remedy) => ("the sender or its account", remedy.sentence()),
            Sender(SenderPart::Template, remedy) => ("the template", remedy.sentence()),
            Sender(SenderPart::Step, remedy) => ("the content of the step", remedy.sentence()),
            Unsaid => (
                "not given",
                "send again later; if many messages fail like this, ask the provider's support with the ids on the page of a message",
            ),
        };
        Advice { cause, what_to_do }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::wire::codes::{answers, find, receipts, whatsapps};

    #[test]
    fn each_code_about_the_recipient_has_its_own_reason() {
        for (codes, table) in [(answers(), ANSWERS), (receipts(), RECEIPTS), (whatsapps(), WHATSAPPS)] {
            for entry in codes.iter().filter(|entry| entry.fault == Fault::Recipient) {
                let has_reason = table.iter().any(|(code, _)| *code == entry.code);
                let of_number = entry.subject == RefusalSubject::Number;
                assert!(has_reason || !of_number, "{entry:?} has no reason");
            }
            assert!(table.iter().all(|(code, _)| find(codes, *code).is_some()), "{table:?}");
        }
    }

    #[test]
    fn advice_follows_the_code_and_where_it_is_from() {
        let of_receipt = |code| Reason::of_receipt(Some(code));
        assert_eq!((of_receipt(1_024), of_receipt(131_049)), (MarketingLimit, MarketingLimit));
        assert_eq!((Reason::of_answer(Some(1_002)), of_receipt(1_002)), (Number, Throttled));
        assert_eq!((of_receipt(3_003), of_receipt(3_006), of_receipt(3_008)), (Number, Content, Media));
        assert_eq!((of_receipt(0), of_receipt(999), Reason::of_receipt(None)), (Unsaid, Unsaid, Unsaid));
        assert_eq!((of_receipt(131_050), of_receipt(46)), (OptedOut, Absent));
        assert!(of_receipt(42).advice().what_to_do.contains("top up the account's credit"));
        assert!(of_receipt(131_049).advice().what_to_do.starts_with("use another channel, or send again after a day"));
    }
}
