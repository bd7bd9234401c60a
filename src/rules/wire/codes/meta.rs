//! WhatsApp's own codes, which the provider passes on beside its own: the second key, if the first is vague. They are far
//! above all of the provider's numbers, so a code alone shows which table it is from.

use super::{Entry, LANE, OPTED_OUT, PARAMETER, RECIPIENT, RECIPIENT_LIMIT, TEMPLATE, TEMPORARY, TEXT, UNSAID};

/// The first code of WhatsApp's own.
pub(super) const FIRST: i64 = 80_000;

/// Codes of the provider that only report a failure, so that WhatsApp's own code decides.
pub(super) const GENERAL: &[i64] = &[0, 7, 8, 14, 18, 27, 29, 40, 41, 48, 57, 1_012];

#[rustfmt::skip]
pub(super) const TABLE: &[Entry] = &[
    Entry::throttled(80_007, "rate limit of the business account"),
    Entry::throttled(130_429, "the number's throughput is reached"),
    Entry::new(130_472, RECIPIENT, "the recipient is part of an experiment"),
    Entry::about(130_497, UNSAID, "the account may not send to this country"),
    Entry::new(131_000, TEMPORARY, "something went wrong at WhatsApp"),
    Entry::new(131_005, LANE, "the account lacks permission"),
    Entry::about(131_008, PARAMETER, "a parameter is missing"),
    Entry::about(131_009, PARAMETER, "a parameter is invalid"),
    Entry::new(131_016, TEMPORARY, "WhatsApp is down"),
    Entry::new(131_021, RECIPIENT, "the recipient is the sender"),
    Entry::new(131_026, RECIPIENT, "undeliverable"),
    Entry::new(131_031, LANE, "the account is locked"),
    Entry::new(131_037, LANE, "the number's display name is not approved"),
    Entry::new(131_042, LANE, "there is a problem with the account's payment"),
    Entry::new(131_045, LANE, "the number is not correctly registered"),
    Entry::new(131_047, RECIPIENT, "no open 24-hour window, and no template"),
    Entry::new(131_048, LANE, "the number's spam limit is reached"),
    Entry::new(131_049, RECIPIENT_LIMIT, "withheld: the recipient gets enough marketing"),
    Entry::new(131_050, OPTED_OUT, "the recipient opted out of marketing"),
    Entry::about(131_051, TEXT, "the type of message is not supported"),
    Entry::new(131_052, TEMPORARY, "the media could not be fetched"),
    Entry::new(131_053, TEMPORARY, "the media could not be passed on"),
    Entry::new(131_056, TEMPORARY, "too many messages to this recipient"),
    Entry::new(131_057, TEMPORARY, "maintenance"),
    Entry::new(131_062, RECIPIENT, "this kind of user id cannot get this message"),
    Entry::new(132_000, TEMPLATE, "the number of parameters is not the template's"),
    Entry::new(132_001, TEMPLATE, "the template does not exist in this language"),
    Entry::about(132_005, TEXT, "the text with its values is too long"),
    Entry::new(132_007, TEMPLATE, "the template breaks a policy"),
    Entry::new(132_012, TEMPLATE, "the parameters' format is not the template's"),
    Entry::new(132_015, TEMPLATE, "the template is paused"),
    Entry::new(132_016, TEMPLATE, "the template is disabled"),
    Entry::new(132_068, TEMPLATE, "the template's flow is blocked"),
    Entry::throttled(132_069, "the template's flow is throttled"),
    Entry::new(133_004, TEMPORARY, "the server is temporarily unavailable"),
    Entry::new(133_010, LANE, "the number is not registered"),
];
