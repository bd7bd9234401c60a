//! The names of the languages of templates, as the provider writes them in its lists and errors.

/// The name of a language, such as `English (US)`; of one that is not listed, its code.
pub(super) fn name_of(code: &str) -> &str {
    let known = NAMES.binary_search_by_key(&code, |(known, _)| known).ok();
    known.map_or(code, |index| NAMES[index].1)
}

/// By code, in order.
#[rustfmt::skip]
const NAMES: &[(&str, &str)] = &[
    ("af", "Afrikaans"), ("ar", "Arabic"), ("az", "Azerbaijani"), ("bg", "Bulgarian"), ("bn", "Bengali"),
    ("ca", "Catalan"), ("cs", "Czech"), ("da", "Danish"), ("de", "German"), ("el", "Greek"), ("en", "English"),
    ("en_GB", "English (UK)"), ("en_US", "English (US)"), ("es", "Spanish"), ("es_AR", "Spanish (ARG)"),
    ("es_ES", "Spanish (SPA)"), ("es_MX", "Spanish (MEX)"), ("et", "Estonian"), ("fa", "Persian"), ("fi", "Finnish"),
    ("fil", "Filipino"), ("fr", "French"), ("ga", "Irish"), ("gu", "Gujarati"), ("ha", "Hausa"), ("he", "Hebrew"),
    ("hi", "Hindi"), ("hr", "Croatian"), ("hu", "Hungarian"), ("id", "Indonesian"), ("it", "Italian"),
    ("ja", "Japanese"), ("ka", "Georgian"), ("kk", "Kazakh"), ("kn", "Kannada"), ("ko", "Korean"), ("lo", "Lao"),
    ("lt", "Lithuanian"), ("lv", "Latvian"), ("mk", "Macedonian"), ("ml", "Malayalam"), ("mr", "Marathi"),
    ("ms", "Malay"), ("nb", "Norwegian"), ("nl", "Dutch"), ("pa", "Punjabi"), ("pl", "Polish"),
    ("pt_BR", "Portuguese (BR)"), ("pt_PT", "Portuguese (POR)"), ("ro", "Romanian"), ("ru", "Russian"),
    ("sk", "Slovak"), ("sl", "Slovenian"), ("sq", "Albanian"), ("sr", "Serbian"), ("sv", "Swedish"), ("sw", "Swahili"),
    ("ta", "Tamil"), ("te", "Telugu"), ("th", "Thai"), ("tr", "Turkish"), ("uk", "Ukrainian"), ("ur", "Urdu"),
    ("uz", "Uzbek"), ("vi", "Vietnamese"), ("zh_CN", "Chinese (CHN)"), ("zh_HK", "Chinese (HKG)"),
    ("zh_TW", "Chinese (TAI)"), ("zu", "Zulu"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_has_the_name_of_the_documents() {
        assert!(NAMES.is_sorted_by(|one, next| one.0 < next.0));
        let named = ["en", "en_US", "id", "xx"].map(name_of);
        assert_eq!(named, ["English", "English (US)", "Indonesian", "xx"]);
    }
}
