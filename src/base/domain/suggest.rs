//! Suggests the known name that a misspelled one probably means.

use super::effort::count_steps;

/// The most characters of a name that gets a suggestion. Comparing two names takes the product of their lengths.
const COMPARED_MAX: usize = 200;

/// The known name that was probably meant: the one with the fewest changes, if those are few. Without one, a known name
/// whose first words are the given ones, as `falback` for `fallback_after`.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Option<&'a str> {
    let wrong = name.to_lowercase();
    let length = wrong.chars().count();
    if length > COMPARED_MAX {
        return None;
    }
    let changes = |right: &str, most: usize| {
        let right = right.to_lowercase();
        // Each character that one of them has more is a change.
        let other = right.chars().count();
        let is_near = other.abs_diff(length) <= most;
        count_steps(if is_near { other * length } else { 1 });
        is_near.then(|| strsim::damerau_levenshtein(&wrong, &right)).filter(|changes| *changes <= most)
    };
    let whole = known
        .clone()
        .into_iter()
        .filter_map(|right| Some((changes(right, 1 + right.chars().count().min(length) / 4)?, right)))
        .min_by_key(|(changes, _)| *changes);
    let beginnings = |right: &'a str| right.match_indices(['_', '-', ' ']).map(move |(end, _)| (&right[..end], right));
    let partly = || {
        let begun = known.into_iter().flat_map(beginnings);
        let near = begun.filter_map(|(beginning, right)| Some((changes(beginning, length / 4)?, right)));
        near.min_by_key(|(changes, _)| *changes)
    };
    whole.or_else(partly).map(|(_, right)| right)
}

/// The end of an error about an unknown name: the nearest one, or else what to do.
pub fn suggestion(nearest: Option<&str>, otherwise: &str) -> String {
    nearest.map_or_else(|| otherwise.to_owned(), |right| format!("did you mean \"{right}\"?"))
}

/// The end of an error about an unknown name: `did you mean …?`, or else all known names.
pub fn hint<'a>(name: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    let all: Vec<&str> = known.clone().into_iter().collect();
    suggestion(nearest(name, known), &format!("use one of {}", all.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::super::effort::steps_of;
    use super::*;

    #[test]
    fn a_misspelled_name_is_recognized_and_nonsense_is_not() {
        let known = ["rate", "burst", "api_key", "api_key_file", "webhook_authorization", "fallback_after"];
        for (wrong, right) in [
            ("rat", Some("rate")),
            ("Rate", Some("rate")),
            ("brust", Some("burst")),
            ("apikey", Some("api_key")),
            ("webhook_autorisation", Some("webhook_authorization")),
            ("falback", Some("fallback_after")),
            ("webhook", Some("webhook_authorization")),
            ("colour", None),
        ] {
            assert_eq!(nearest(wrong, known), right, "{wrong}");
        }
    }

    #[test]
    fn a_name_is_compared_only_with_names_of_about_its_length() {
        let long = "a".repeat(1 << 20);
        let ((), steps) = steps_of(|| {
            assert_eq!(nearest(&long, ["rate", &long]), None);
            assert_eq!(nearest("rate", [long.as_str(), "rates"]), Some("rates"));
        });
        assert!(steps < 100, "{steps} steps");
    }
}
