//! What may differ between two runs of the same command, so that an output on a page can be compared with another run.

use std::sync::LazyLock;

use regex::Regex;

/// Whether the numbers of an output are the same in each run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbers {
    Same,
    /// They depend on how fast the machine is.
    Vary,
}

/// A pattern, what replaces it, and why it varies.
type Rule = (&'static str, &'static str, &'static str);

const RULES: &[Rule] = &[
    (
        r"\d{4}-\d{2}-\d{2}( \d{2}:\d{2}(:\d{2}(\.\d+)?)?( UTC| [A-Z]{3,4}\b| [+-]\d{2,4}\b)?)?",
        "DATE",
        "the run has another date, and its machine may have another time zone",
    ),
    (r"^\d{2}:\d{2}:\d{2}( UTC| [A-Z]{3,4}\b| [+-]\d{2,4}\b)?", "TIME", "a line of progress begins with its time"),
    (r"\b(msg|cmp|att|aud)_[0-9a-z]{32}\b", "ID", "ids have a random part"),
    (
        r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b",
        "UMID",
        "the practice provider's ids contain the time",
    ),
    (
        r"\b\d[\d,.]* (ms|s|min|h|d)\b( \d+ (s|min|h)\b)?",
        "DURATION",
        "a measured duration depends on the machine; a configured one has no space and is compared",
    ),
    (r"\bin effect at once\b", "in effect after DURATION", "a server may need less than a millisecond"),
    (
        r"\b[\d,.]+/s (now|of|on average|in the last second)\b",
        "RATE $1",
        "a measured rate depends on the machine; an allowed one is compared",
    ),
    (r"\b[\d,.]+ (kB|MB|GB)\b", "SIZE", "the room on a disk and the size of a database vary"),
    (r" {2,}", "  ", "a column is as wide as its widest value"),
];

/// For outputs whose numbers vary.
const NUMBER_RULES: &[Rule] = &[
    (r"[█▉▊▋▌▍▎▏]+", "BAR", "a bar is as long as its number is large"),
    (r"\d[\d,.]*", "N", "the machine's speed decides which receipts arrive in time"),
];

fn compiled(rules: &[Rule]) -> Vec<(Regex, &'static str)> {
    rules.iter().map(|(pattern, replacement, _)| (Regex::new(pattern).unwrap(), *replacement)).collect()
}

/// The line without what may differ.
pub(super) fn normalised(line: &str, numbers: Numbers) -> String {
    static ALWAYS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| compiled(RULES));
    static NUMBERS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| compiled(NUMBER_RULES));
    let more = if numbers == Numbers::Vary { NUMBERS.as_slice() } else { &[] };
    let rules = ALWAYS.iter().chain(more);
    rules.fold(line.to_owned(), |line, (pattern, replacement)| pattern.replace_all(&line, *replacement).into_owned())
}

#[test]
fn times_ids_and_measured_values_are_normalised_and_others_kept() {
    for (line, is) in [
        ("started 2026-11-25 17:01:31.123 UTC · took 19 s", "started DATE · took DURATION"),
        ("17:01:31 +08  running · 0.5/s of 230/s · in 5 d 21 h", "TIME  running · RATE of 230/s · in DURATION"),
        ("to cmp_000000010000800083e948aed66749f9   3,000", "to ID  3,000"),
        ("as 7eef6c15-0384-8eda-8384-b46d00000004 after 20s", "as UMID after 20s"),
        (
            "80/s allowed; 0.5/s in the last second; window 21:00-08:00",
            "80/s allowed; RATE in the last second; window 21:00-08:00",
        ),
        ("65,576 MB free", "SIZE free"),
    ] {
        assert_eq!(normalised(line, Numbers::Same), is);
    }
    assert_eq!(normalised("reached  2,993  99.8 %  ███▉", Numbers::Vary), "reached  N  N %  BAR");
}
