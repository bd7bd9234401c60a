//! The provider's own words for its codes. Where a document shows a message, it is that message; elsewhere it is the
//! description in the provider's list of codes.

/// The message of an error.
pub fn of_answer(code: i64) -> &'static str {
    let known = ANSWERS.binary_search_by_key(&code, |(known, _)| *known).ok();
    known.map_or("Invalid parameter", |index| ANSWERS[index].1)
}

/// The message of an error 3060: the name of a template is locked after its removal. It names the language.
pub fn of_locked_name(language: &str) -> String {
    format!(
        "New {language} content can't be added while the existing {language} content is being deleted. Try again in 4 weeks \
         or consider creating a new message template."
    )
}

/// How the SMS API describes a message of a batch that it rejects. It has no codes there.
pub fn of_sms_rejection(code: i64) -> &'static str {
    match code {
        1_004 => "Invalid Text value. Reached max allowed limit",
        1_005 => "Invalid Source value. Reached max allowed limit",
        1_006 => "Expiry time already reached",
        // The chat-apps API has another code for the same error.
        3_002 | 3_003 => of_answer(1_002),
        other => of_answer(other),
    }
}

/// The message of a negative receipt.
pub fn of_receipt(code: i64) -> &'static str {
    let known = RECEIPTS.binary_search_by_key(&code, |(known, _)| *known).ok();
    known.map_or("An unknown error occurred with no more specific reason available", |index| RECEIPTS[index].1)
}

#[rustfmt::skip]
const ANSWERS: &[(i64, &str)] = &[
    (1000, "Invalid parameter"),
    (1001, "Provided subAccountId doesn't belongs to your account"),
    (1002, "Invalid MSISDN format (not E.164 international number)"),
    (1003, "Invalid Encoding"),
    (1004, "Invalid Text"),
    (1005, "Invalid Source"),
    (1006, "Invalid Expiry"),
    (1007, "Invalid SMS Template"),
    (1008, "Invalid ID"),
    (1009, "Invalid Country Code"),
    (1010, "Parameter out of range"),
    (1011, "Invalid Schedule Time"),
    (1012, "Invalid Ip Address"),
    (1100, "Bulk limit reached"),
    (1200, "Request was not authenticated properly"),
    (1201, "Access forbidden"),
    (1300, "Object wasn't found or is already expired"),
    (1400, "Resending interval violation"),
    (2000, "Internal server error"),
    (2001, "Function not implemented"),
    (2002, "Unsupported API version"),
    (2003, "Unsupported product"),
    (3001, "Missed User"),
    (3002, "Missed MSISDN"),
    (3003, "Invalid MSISDN"),
    (3004, "Missed Content"),
    (3005, "Missed Text"),
    (3006, "Too long text"),
    (3007, "Missed Media URL"),
    (3008, "Invalid Media URL"),
    (3009, "Too long ClientMessageId"),
    (3010, "Invalid Content Type"),
    (3011, "Too long SMS Source"),
    (3012, "Missed messages"),
    (3013, "Too much messages"),
    (3014, "Too long ClientBatchId"),
    (3015, "Missed UserId"),
    (3016, "Missed WeChatUserId"),
    (3017, "Too long Fallback text"),
    (3018, "Invalid Country code"),
    (3019, "Missed FacebookUserId"),
    (3020, "Invalid DR Callback URL"),
    (3021, "Empty or Invalid Location"),
    (3022, "Invalid Fallback Channel"),
    (3023, "Invalid Fallback Delay range"),
    (3024, "Invalid Fallback Status"),
    (3025, "Invalid Fallback Status Delivered"),
    (3026, "Invalid Fallback Status Read"),
    (3027, "Invalid Fallback SubAccount Channel"),
    (3028, "Missed ZaloUserId"),
    (3029, "Missed UMID"),
    (3030, "Empty Template"),
    (3031, "Invalid Template Name Length"),
    (3032, "Invalid Template Name"),
    (3033, "Too much template parameters passed"),
    (3034, "Invalid template components combination"),
    (3035, "SubAccount don't have channels, supported templates"),
    (3036, "Empty Template language"),
    (3037, "Invalid Template language"),
    (3038, "Template not found"),
    (3039, "Invalid Template Component type"),
    (3040, "Empty template parameters"),
    (3041, "Invalid Template parameter"),
    (3042, "Invalid Template parameter type"),
    (3043, "Template Text parameter length exceeded"),
    (3044, "Template Location parameter empty"),
    (3045, "Template parameter not allowed"),
    (3046, "Template parameter URL is invalid"),
    (3047, "Missed WhatsApp UserID"),
    (3048, "Using ChatGroupId with UserId not allowed"),
    (3049, "Invalid button parameter"),
    (3050, "Missed KakaoId"),
    (3051, "Invalid Fallback ChannelID"),
    (3052, "Invalid Template Component SubType"),
    (3053, "Invalid index"),
    (4018, "Invalid jobId"),
];

#[rustfmt::skip]
const RECEIPTS: &[(i64, &str)] = &[
    (1, "Subscriber is not registered in this chat channel"),
    (2, "Content Type is not supported by this channel"),
    (3, "The request is missing a required parameter"),
    (9, "The receiver's app version is not capable of receiving business messages"),
    (11, "Too many messages sent to the recipient in a short period of time"),
    (14, "Internal error"),
    (15, "Invalid destination"),
    (18, "Invalid or missing parameters. Check that all required parameters are passed and are of the correct type"),
    (23, "Channel connection error"),
    (25, "Message is intentionally undelivered by Channel"),
    (29, "The specified parameter value is invalid"),
    (36, "Message expired (not delivered at the requested time)"),
    (41, "Message rejected by Chat channel"),
    (42, "Not enough credit on Account wallet"),
    (43, "Message filtered by anti-spam reason"),
    (46, "Message sent to Channel, but user is not reachable for delivery"),
    (57, "An unknown error occurred with no more specific reason available"),
    (61, "Message trashed by session expired reason"),
    (1002, "API Too Many Calls - App rate limit reached (WhatsApp: 4)"),
    (1007, "Temporarily blocked for policy violations (WhatsApp: 368)"),
    (1008, "WABA rate limit reached (WhatsApp: 80007)"),
    (1009, "Rate limit hit - Message throughput limit reached (WhatsApp: 130429)"),
    (1010, "Number part of experiment (WhatsApp: 130472)"),
    (1012, "Something went wrong - Unknown error (WhatsApp: 131000)"),
    (1016, "Service unavailable - Temporary service downtime (WhatsApp: 131016)"),
    (1018, "Message undeliverable (WhatsApp: 131026)"),
    (1019, "Account locked (WhatsApp: 131031)"),
    (1022, "Re-engagement message (outside 24-hour window) (WhatsApp: 131047)"),
    (1023, "Spam rate limit hit (WhatsApp: 131048)"),
    (1024, "Meta chose not to deliver (WhatsApp: 131049)"),
    (1026, "Media download error (WhatsApp: 131052)"),
    (1027, "Media upload error (WhatsApp: 131053)"),
    (1028, "Sender/recipient pair rate limit hit (WhatsApp: 131056)"),
    (1029, "Account in maintenance mode (WhatsApp: 131057)"),
    (1030, "Template param count mismatch (WhatsApp: 132000)"),
    (1031, "Template does not exist (WhatsApp: 132001)"),
    (1032, "Template hydrated text too long (WhatsApp: 132005)"),
    (1033, "Template policy violation (WhatsApp: 132007)"),
    (1034, "Template param format mismatch (WhatsApp: 132012)"),
    (1035, "Template paused (WhatsApp: 132015)"),
    (1036, "Template disabled (WhatsApp: 132016)"),
    (1037, "Flow blocked (WhatsApp: 132068)"),
    (1038, "Flow throttled (WhatsApp: 132069)"),
    (1040, "Server temporarily unavailable (WhatsApp: 133004)"),
    (1051, "The recipient has opted-out of receiving marketing messages from your business (WhatsApp: 131050)"),
    (2001, "Internal processing failure"),
    (2002, "Service ID unused or not yet uploaded"),
    (2003, "Malformed request (e.g. JSON formatting)"),
    (2004, "Unsupported or invalid message type"),
    (2005, "Required field like tracking_data is missing"),
    (2006, "Viber server timeout"),
    (2007, "User has blocked this ID or all business messages"),
    (2008, "Destination number not registered with Viber"),
    (2009, "Device not compatible with Business Messages"),
    (2010, "Wrong IP or ID not whitelisted"),
    (2012, "Missing or invalid 'label' parameter"),
    (2013, "TTL is out of allowed range"),
    (2014, "Exceeded 10-message session cap"),
    (2015, "File type not allowed for this feature"),
    (2016, "File name exceeds 25 character limit"),
    (2017, "Thumbnail URL exceeds 1000 characters"),
    (2018, "File size exceeds 200 MB"),
    (2019, "Video duration exceeds 600 seconds"),
    (2020, "The provided template ID is not found"),
    (2021, "Template variables did not pass the server validation"),
    (2022, "Version is not compatible to the message fields"),
    (2023, "The destination number is invalid or does not exist. Please verify the destination phone number and try again"),
    (2024, "Message delivery failed because one or more List Message parameters are invalid"),
    (2025, "Message delivery failed because one or more Carousel Message parameters are invalid"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_in_order_and_have_the_documents_words() {
        for table in [ANSWERS, RECEIPTS] {
            assert!(table.is_sorted_by(|one, next| one.0 < next.0));
        }
        assert_eq!(of_answer(1_001), "Provided subAccountId doesn't belongs to your account");
        assert_eq!(of_answer(1_002), "Invalid MSISDN format (not E.164 international number)");
        assert_eq!(of_answer(1_200), "Request was not authenticated properly");
        assert_eq!(of_answer(4_018), "Invalid jobId");
        assert_eq!(of_receipt(15), "Invalid destination");
    }
}
