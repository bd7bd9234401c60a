//! The limits of the SMS API, which has codes of its own for them.

use crate::base::domain::Msisdn;
use crate::rules::wire::SmsRequest;

pub(super) const SOURCE_MAX: usize = 16;
pub(super) const TEXT_MAX: usize = 35_000;
const CLIENT_ID_MAX: usize = 350;

/// Checks a request of the SMS API. The error is the provider's code.
pub(super) fn check(sms: &SmsRequest<'_>) -> Result<(), i64> {
    let len = |text: &str| text.chars().count();
    if sms.destination.parse::<Msisdn>().is_err() {
        return Err(1_002);
    }
    if !matches!(sms.encoding.to_ascii_uppercase().as_str(), "" | "AUTO" | "GSM7" | "UCS2") {
        return Err(1_003);
    }
    if sms.text.is_empty() || len(&sms.text) > TEXT_MAX {
        return Err(1_004);
    }
    if sms.source.as_deref().is_some_and(|source| len(source) > SOURCE_MAX) {
        return Err(1_005);
    }
    let id = &sms.client_message_id;
    if len(id) > CLIENT_ID_MAX || id.contains('\0') { Err(1_008) } else { Ok(()) }
}
