//! What an operator has to fix when a code holds a lane or a template: the kind of remedy for each code of the sender, and a
//! sentence for each kind.

/// What has to be fixed before a hold is released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    Key,
    SubAccount,
    /// The provider's address, or the path of the request.
    Address,
    Credit,
    /// Locked or blocked by WhatsApp.
    Locked,
    /// The number may not reach more recipients for now.
    SpamLimit,
    /// The sender of an SMS.
    Source,
    /// The subaccount does not have the channel.
    Channel,
    /// The Viber sender is unknown or may not send.
    ViberSender,
    /// The template does not exist, or not in this language.
    TemplateMissing,
    /// Paused, disabled, being deleted, or against a policy.
    TemplateStopped,
    /// The content of the step does not fit the template.
    TemplateMisfit,
    /// The template itself cannot be sent.
    TemplateInvalid,
    /// The provider does not understand our request; no setting is known to help.
    Request,
    /// Only the provider's message tells.
    AsItSays,
}

impl Remedy {
    /// What to do before the hold is released.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Key => {
                "write the right key into the file of api_key_file, which takes effect within 5 s; or set api_key or \
                 VOLLEY_PROVIDER_API_KEY and restart `volley serve`"
            }
            // A server reads its addresses at its start.
            Self::SubAccount => "set the right sub_account under [provider] or on the lane, and restart `volley serve`",
            Self::Address => "set the right base_url under [provider] or on the lane, and restart `volley serve`",
            Self::Credit => "top up the account's credit at the provider",
            Self::Locked => "have the account unlocked by the provider's support; WhatsApp Manager shows the reason",
            Self::SpamLimit => {
                "recipients have reported this number; check its quality rating in WhatsApp Manager and wait until it recovers"
            }
            Self::Source => {
                "register the sender with the provider, or set a registered one as `source` on the step or the lane, and \
                 restart `volley serve`"
            }
            Self::Channel => "have the provider add this channel to the subaccount, or use the subaccount that has it",
            Self::ViberSender => {
                "have the Viber sender approved for this subaccount and these countries at the provider"
            }
            Self::TemplateMissing => {
                "create the template in this language at the provider and have it approved, or cancel and launch with \
                 an existing one"
            }
            Self::TemplateStopped => {
                "check the template in WhatsApp Manager; sending continues once it is active; or launch with another one"
            }
            Self::TemplateMisfit => {
                "compare the step's header, body and buttons with the template at the provider, and launch a step that fits"
            }
            Self::TemplateInvalid => "check the template at the provider, and launch with one that can be sent",
            Self::Request => {
                "the provider does not understand the request; check that the channel supports the step's content, and report \
                 a bug if it does"
            }
            Self::AsItSays => "fix the problem that the provider reports",
        }
    }
}

use Remedy::{
    Address, AsItSays, Channel, Credit, Key, Locked, Request, Source, SpamLimit, SubAccount, TemplateInvalid,
    TemplateMisfit, TemplateMissing, TemplateStopped, ViberSender,
};

/// By codes of answers; by HTTP status if the body has no code.
#[rustfmt::skip]
pub(super) const ANSWERS: &[(i64, Remedy)] = &[
    (401, Key), (403, Key), (404, Address), (405, Address), (410, Address),
    (1000, Request), (1001, SubAccount), (1003, Request), (1005, Source), (1007, TemplateMissing),
    (1008, Request), (1010, Request), (1011, Request), (1012, AsItSays), (1014, AsItSays), (1200, Key), (1201, Key),
    (1300, Address), (2001, Address), (2002, Address), (2003, AsItSays),
    (3001, Request), (3004, Request), (3009, Request), (3010, Request), (3011, Source),
    (3012, Request), (3013, Request), (3014, Request), (3017, Request), (3020, Request), (3022, Request),
    (3023, Request), (3024, Request), (3025, Request), (3026, Request), (3027, Channel), (3029, Request),
    (3030, TemplateInvalid), (3031, TemplateMissing), (3032, TemplateMissing), (3033, TemplateMisfit),
    (3034, TemplateMisfit), (3035, Channel), (3036, TemplateMissing), (3037, TemplateMissing),
    (3038, TemplateMissing), (3039, TemplateMisfit), (3042, TemplateMisfit), (3045, TemplateMisfit),
    (3048, Request), (3051, Channel), (3052, TemplateMisfit), (3053, TemplateMisfit), (3060, TemplateStopped),
];

/// By codes of receipts.
#[rustfmt::skip]
pub(super) const RECEIPTS: &[(i64, Remedy)] = &[
    (19, Source), (42, Credit), (1007, Locked), (1019, Locked), (1023, SpamLimit),
    (1030, TemplateMisfit), (1031, TemplateMissing), (1033, TemplateStopped), (1034, TemplateMisfit),
    (1035, TemplateStopped), (1036, TemplateStopped), (1037, TemplateStopped),
    (2002, ViberSender), (2010, ViberSender), (2012, ViberSender), (2020, TemplateMissing), (2021, TemplateMissing),
];

/// The remedy for a hold by an answer with this code.
pub fn of_answer(code: i64) -> Remedy {
    find(ANSWERS, code).unwrap_or(AsItSays)
}

/// The remedy for a hold by a receipt with this code.
pub fn of_receipt(code: i64) -> Remedy {
    // From 3000 on receipts have the codes of answers.
    let table = if code >= 3_000 { ANSWERS } else { RECEIPTS };
    find(table, code).unwrap_or(AsItSays)
}

fn find(table: &'static [(i64, Remedy)], code: i64) -> Option<Remedy> {
    table.binary_search_by_key(&code, |(of, _)| *of).ok().map(|at| table[at].1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::domain::Fault;
    use crate::rules::wire::codes::{Entry, answers, receipts};

    #[test]
    fn exactly_the_codes_of_the_sender_have_a_remedy() {
        for (codes, remedies) in [(answers(), ANSWERS), (receipts(), RECEIPTS)] {
            assert!(remedies.windows(2).all(|pair| pair[0].0 < pair[1].0), "sorted, without duplicates");
            let of_senders = |entry: &&Entry| matches!(entry.fault, Fault::Sender(_));
            let wanted: Vec<i64> = codes.iter().filter(of_senders).map(|entry| entry.code).collect();
            // Below 1,000 the number is an HTTP status.
            let found: Vec<i64> =
                remedies.iter().map(|(code, _)| *code).filter(|code| !(400..1_000).contains(code)).collect();
            assert_eq!(found, wanted);
        }
    }

    #[test]
    fn the_same_number_has_different_remedies_in_the_two_tables() {
        assert_eq!((of_answer(1_007), of_receipt(1_007)), (TemplateMissing, Locked));
        assert_eq!((of_answer(2_002), of_receipt(2_002)), (Address, ViberSender));
        assert_eq!((of_answer(3_038), of_receipt(3_038)), (TemplateMissing, TemplateMissing));
        assert_eq!((of_answer(3_999), of_receipt(1_999)), (AsItSays, AsItSays));
    }
}
