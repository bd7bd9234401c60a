//! Suggests the known name that a misspelled one probably means.

/// The known name that was probably meant: the one with the fewest changes, if those are few. Without one, a known name
/// whose first words are the given ones, as `falback` for `fallback_after`.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Option<&'a str> {
    let wrong = name.to_lowercase();
    let changes = |right: &str| strsim::damerau_levenshtein(&wrong, &right.to_lowercase());
    let length = wrong.chars().count();
    let whole = known
        .clone()
        .into_iter()
        .map(|right| (changes(right), right))
        .filter(|(changes, right)| *changes <= 1 + right.chars().count().min(length) / 4)
        .min_by_key(|(changes, _)| *changes);
    let beginnings = |right: &'a str| right.match_indices(['_', '-', ' ']).map(move |(end, _)| (&right[..end], right));
    let partly = || {
        let begun = known.into_iter().flat_map(beginnings).map(|(beginning, right)| (changes(beginning), right));
        begun.filter(|(changes, _)| *changes <= length / 4).min_by_key(|(changes, _)| *changes)
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
}
