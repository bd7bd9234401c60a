//! How a language writes numbers and dates, by the data of the GNU C library.

use chrono::Locale;
use pure_rust_locales::locale_match;

use super::FilterProblem;
use crate::base::domain::nearest;

/// The locale of a language that is named without a country. The others have the country of the same letters, as `de`
/// has `de_DE`.
const ALONE: [(&str, &str); 37] = [
    ("af", "af_ZA"),
    ("am", "am_ET"),
    ("ar", "ar_EG"),
    ("bn", "bn_BD"),
    ("ca", "ca_ES"),
    ("cs", "cs_CZ"),
    ("da", "da_DK"),
    ("el", "el_GR"),
    ("en", "en_US"),
    ("et", "et_EE"),
    ("eu", "eu_ES"),
    ("fa", "fa_IR"),
    ("fil", "fil_PH"),
    ("gl", "gl_ES"),
    ("gu", "gu_IN"),
    ("he", "he_IL"),
    ("hi", "hi_IN"),
    ("ja", "ja_JP"),
    ("ka", "ka_GE"),
    ("kk", "kk_KZ"),
    ("km", "km_KH"),
    ("kn", "kn_IN"),
    ("ko", "ko_KR"),
    ("lo", "lo_LA"),
    ("ml", "ml_IN"),
    ("mr", "mr_IN"),
    ("ms", "ms_MY"),
    ("my", "my_MM"),
    ("nb", "nb_NO"),
    ("si", "si_LK"),
    ("sl", "sl_SI"),
    ("sv", "sv_SE"),
    ("ta", "ta_IN"),
    ("uk", "uk_UA"),
    ("ur", "ur_PK"),
    ("vi", "vi_VN"),
    ("zh", "zh_CN"),
];

/// Names that are suggested for a misspelled one.
const COMMON: [&str; 16] = [
    "de", "de_AT", "de_CH", "en", "en_GB", "en_IN", "es", "es_MX", "fr", "fr_CA", "id", "it", "pt_BR", "th", "vi", "zh",
];

/// The locale of a language such as `de`, or of a language and a country such as `de_AT` or `de-AT`.
pub(super) fn locale(name: &str) -> Result<Locale, FilterProblem> {
    let unknown = || FilterProblem::Language { name: name.to_owned() };
    let written = name.trim().replace('-', "_");
    let full = match written.split_once('_') {
        Some((language, country)) => format!("{}_{}", language.to_lowercase(), country.to_uppercase()),
        None => {
            let language = written.to_lowercase();
            let alone = ALONE.iter().find(|(alone, _)| *alone == language).map(|(_, locale)| (*locale).to_owned());
            alone.unwrap_or_else(|| format!("{language}_{}", language.to_uppercase()))
        }
    };
    Locale::try_from(full.as_str()).map_err(|_| unknown())
}

/// The end of the error about an unknown language.
pub(super) fn nearest_or_example(name: &str) -> String {
    match nearest(name, COMMON) {
        Some(right) => format!("did you mean \"{right}\"?"),
        None => "write a language and its country, such as \"de_DE\" or \"pt_BR\"".to_owned(),
    }
}

/// The marks in the numbers of a language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) decimal: &'static str,
    pub(super) between_groups: &'static str,
    /// The sizes of the groups of digits from the right; the last one repeats.
    groups: &'static [i64],
}

impl Marks {
    pub(super) fn of(locale: Locale) -> Self {
        Self {
            decimal: locale_match!(locale => LC_NUMERIC::DECIMAL_POINT),
            between_groups: locale_match!(locale => LC_NUMERIC::THOUSANDS_SEP),
            groups: locale_match!(locale => LC_NUMERIC::GROUPING),
        }
    }

    /// Whether a group of digits begins with this many digits after it.
    ///
    /// Its cost does not depend on their number: a cell may have a million digits, and each of them is asked about.
    pub(super) fn is_boundary(&self, after: usize) -> bool {
        let sizes = self.groups.iter().map_while(|size| usize::try_from(*size).ok().filter(|size| *size > 0));
        let (mut end, mut last) = (0, None);
        for size in sizes {
            if end >= after {
                break;
            }
            (end, last) = (end + size, Some(size));
        }
        last.is_some_and(|size| if end < after { (after - end).is_multiple_of(size) } else { end == after })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_has_a_locale_with_or_without_its_country() {
        for (name, expected) in ALONE.into_iter().chain([
            ("de", "de_DE"),
            ("DE-at", "de_AT"),
            ("pt_br", "pt_BR"),
            ("tr", "tr_TR"),
            (" th ", "th_TH"),
            ("en-GB", "en_GB"),
        ]) {
            assert!(locale(name).unwrap() == Locale::try_from(expected).unwrap(), "{name}");
        }
        for common in COMMON {
            assert!(locale(common).is_ok(), "{common}");
        }
        for (name, end) in
            [("dee", "did you mean \"de\"?"), ("klingon", "such as \"de_DE\" or \"pt_BR\""), ("", "pt_BR\"")]
        {
            let error = locale(name).unwrap_err().to_string();
            assert!(error.ends_with(end), "{error}");
        }
    }

    #[test]
    fn groups_of_digits_are_those_of_the_language() {
        let boundaries = |name: &str| {
            let marks = Marks::of(locale(name).unwrap());
            (0..10).filter(|after| marks.is_boundary(*after)).collect::<Vec<_>>()
        };
        assert_eq!(boundaries("en"), [3, 6, 9]);
        assert_eq!(boundaries("en_IN"), [3, 5, 7, 9]);
        assert_eq!(boundaries("fr"), [3, 6, 9]);
    }

    #[test]
    fn a_boundary_far_from_the_decimal_mark_is_found_at_once() {
        for (name, first, size) in [("en", 3, 3), ("en_IN", 3, 2)] {
            let marks = Marks::of(locale(name).unwrap());
            let far = first + size * (usize::MAX / 8);
            assert!(marks.is_boundary(far) && !marks.is_boundary(far + 1), "{name}");
        }
    }
}
