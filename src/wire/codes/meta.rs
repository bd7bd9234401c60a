//! WhatsApp's own codes, as the provider passes them on beside its own: the second key, where the first says little.
//! They begin far above every number of the provider's, so one code is enough to tell which table it is from.

use super::{Entry, LANE, PARAMETER, PASSING, PERSON, RECIPIENT, TEMPLATE, TEXT, UNSAID};

/// From here on a receipt's code is WhatsApp's.
pub(super) const FIRST: i64 = 80_000;

/// Codes of the provider's that say no more than that it failed, so that the one behind them decides.
pub(super) const GENERAL: &[i64] = &[0, 7, 8, 14, 18, 27, 29, 40, 41, 48, 57, 1_012];

#[rustfmt::skip]
pub(super) const TABLE: &[Entry] = &[
    Entry::throttled(80_007, "rate limit of the business account"),
    Entry::throttled(130_429, "the number's throughput is reached"),
    Entry::new(130_472, RECIPIENT, "the person is part of an experiment"),
    Entry::about(130_497, UNSAID, "the account may not write to this country"),
    Entry::new(131_000, PASSING, "something went wrong at WhatsApp"),
    Entry::new(131_005, LANE, "the account may not do this"),
    Entry::about(131_008, PARAMETER, "a parameter is missing"),
    Entry::about(131_009, PARAMETER, "a parameter is not valid"),
    Entry::new(131_016, PASSING, "WhatsApp is down"),
    Entry::new(131_021, RECIPIENT, "the person is the sender"),
    Entry::new(131_026, RECIPIENT, "undeliverable"),
    Entry::new(131_031, LANE, "the account is locked"),
    Entry::new(131_037, LANE, "the number's display name is not approved"),
    Entry::new(131_042, LANE, "there is a problem with the account's payment"),
    Entry::new(131_045, LANE, "the number is not registered rightly"),
    Entry::new(131_047, RECIPIENT, "no open 24-hour window, and no template"),
    Entry::new(131_048, LANE, "the number's spam limit is reached"),
    Entry::new(131_049, RECIPIENT, "withheld: the person gets enough marketing"),
    Entry::new(131_050, PERSON, "the person wants no more marketing"),
    Entry::about(131_051, TEXT, "the type of message is not supported"),
    Entry::new(131_052, PASSING, "the media could not be fetched"),
    Entry::new(131_053, PASSING, "the media could not be passed on"),
    Entry::new(131_056, PASSING, "too many messages to this person"),
    Entry::new(131_057, PASSING, "maintenance"),
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
    Entry::new(133_004, PASSING, "the server is away for now"),
    Entry::new(133_010, LANE, "the number is not registered"),
];
