//! Letters and the marks on them.

use icu_normalizer::DecomposingNormalizerBorrowed;

/// The letter under its marks: `e` of `ễ`. `None` for a character that is no letter with marks.
pub fn base_letter(c: char) -> Option<char> {
    let mut parts = DecomposingNormalizerBorrowed::new_nfd().normalize_iter(std::iter::once(c));
    let base = parts.next()?;
    let has_marks = base != c && parts.all(|part| ('\u{300}'..='\u{36f}').contains(&part));
    has_marks.then_some(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_loses_all_of_its_marks() {
        for (letter, base) in [
            ('ą', Some('a')),
            ('ễ', Some('e')),
            ('ǖ', Some('u')),
            ('Й', Some('И')),
            ('a', None),
            ('ł', None),
            ('한', None),
            ('ก', None),
            ('\u{301}', None),
        ] {
            assert_eq!(base_letter(letter), base, "{letter}");
        }
    }
}
