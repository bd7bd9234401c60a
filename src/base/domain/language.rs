//! The languages in which recipients opt out.

use super::Country;
use super::word::words;

words! {
    /// A language with stop words of its own.
    Language, "language" {
        Arabic = 0, "ar";
        Bengali = 1, "bn";
        Czech = 2, "cs";
        Danish = 3, "da";
        German = 4, "de";
        Greek = 5, "el";
        English = 6, "en";
        Spanish = 7, "es";
        Persian = 8, "fa";
        Finnish = 9, "fi";
        Filipino = 10, "fil";
        French = 11, "fr";
        Hebrew = 12, "he";
        Hindi = 13, "hi";
        Hungarian = 14, "hu";
        Indonesian = 15, "id";
        Italian = 16, "it";
        Japanese = 17, "ja";
        Korean = 18, "ko";
        Malay = 19, "ms";
        Dutch = 20, "nl";
        Norwegian = 21, "no";
        Polish = 22, "pl";
        Portuguese = 23, "pt";
        Romanian = 24, "ro";
        Russian = 25, "ru";
        Slovak = 26, "sk";
        Swedish = 27, "sv";
        Tamil = 28, "ta";
        Thai = 29, "th";
        Turkish = 30, "tr";
        Ukrainian = 31, "uk";
        Urdu = 32, "ur";
        Vietnamese = 33, "vi";
        Chinese = 34, "zh";
    }
}

/// Countries in which one language serves nearly everyone.
const COUNTRIES: &[(Language, &[&str])] = &[
    (Language::Arabic, &["AE", "BH", "EG", "JO", "KW", "LY", "OM", "QA", "SA", "SY", "YE"]),
    (Language::Bengali, &["BD"]),
    (Language::Chinese, &["CN", "HK", "MO", "TW"]),
    (Language::Czech, &["CZ"]),
    (Language::Danish, &["DK"]),
    (Language::Dutch, &["NL", "SR"]),
    (Language::English, &["AU", "GB", "IE", "NZ", "US"]),
    (Language::Filipino, &["PH"]),
    (Language::Finnish, &["FI"]),
    (Language::French, &["FR", "MC"]),
    (Language::German, &["AT", "DE", "LI"]),
    (Language::Greek, &["CY", "GR"]),
    (Language::Hebrew, &["IL"]),
    (Language::Hungarian, &["HU"]),
    (Language::Indonesian, &["ID"]),
    (Language::Italian, &["IT", "SM"]),
    (Language::Japanese, &["JP"]),
    (Language::Korean, &["KR"]),
    (Language::Malay, &["BN"]),
    (Language::Norwegian, &["NO"]),
    (Language::Persian, &["IR"]),
    (Language::Polish, &["PL"]),
    (Language::Portuguese, &["AO", "BR", "MZ", "PT"]),
    (Language::Romanian, &["MD", "RO"]),
    (Language::Russian, &["BY", "RU"]),
    (Language::Slovak, &["SK"]),
    (
        Language::Spanish,
        &[
            "AR", "BO", "CL", "CO", "CR", "CU", "DO", "EC", "ES", "GT", "HN", "MX", "NI", "PA", "PE", "PY", "SV", "UY",
            "VE",
        ],
    ),
    (Language::Swedish, &["SE"]),
    (Language::Thai, &["TH"]),
    (Language::Turkish, &["TR"]),
    (Language::Ukrainian, &["UA"]),
    (Language::Urdu, &["PK"]),
    (Language::Vietnamese, &["VN"]),
];

impl Language {
    /// The language of nearly everyone in a country, if there is one.
    pub fn of_country(country: Country) -> Option<Self> {
        let of_it = COUNTRIES.iter().find(|(_, countries)| countries.contains(&country.as_str()));
        of_it.map(|(language, _)| *language)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_country_has_at_most_one_language() {
        let mut all: Vec<&str> = COUNTRIES.iter().flat_map(|(_, countries)| countries.iter().copied()).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
        let of = |country: &str| Language::of_country(country.parse().unwrap());
        assert_eq!((of("AT"), of("SG"), of("CH")), (Some(Language::German), None, None));
    }
}
