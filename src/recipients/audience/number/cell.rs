//! Separates numbers from the words, marks, extensions and dates in a cell.

use std::borrow::Cow;

/// Replaces digits that belong to words, such as `24h` or `2. Nummer`, by separators.
///
/// Returns `None` if a letter touches the digits of a number: it stands for a digit, and which one is unknown.
pub(super) fn without_remarks(cell: &str) -> Option<Cow<'_, str>> {
    if !cell.chars().any(char::is_alphabetic) {
        return Some(Cow::Borrowed(cell));
    }
    let words: Vec<&str> = cell.split_whitespace().collect();
    let mut kept = Vec::with_capacity(words.len());
    for (index, word) in words.iter().enumerate() {
        let begins = |word: &str| word.chars().next().is_some_and(char::is_alphabetic);
        let is_ordinal = word.ends_with('.') && words.get(index + 1).is_some_and(|next| begins(next));
        let is_long = digits(word) >= DIGITS_FOR_SURE;
        // Positions at which a letter touches a digit. Several letters before the digits are a word, as in `Tel91234567`.
        let runs = word.char_indices().zip(word.chars().skip(1));
        let mut touching = runs.filter(|((_, one), next)| {
            (one.is_alphabetic() && next.is_numeric()) || (one.is_numeric() && next.is_alphabetic())
        });
        let first = touching.next();
        let is_named = first.is_some_and(|((at, one), _)| {
            one.is_alphabetic() && word[..at].chars().count() > 0 && word[..at].chars().all(char::is_alphabetic)
        }) && touching.next().is_none();
        kept.push(match (first.is_some(), is_long) {
            (true, true) if !is_named => return None,
            (true, false) if !is_named => ";",
            (false, false) if is_ordinal && digits(word) > 0 => ";",
            _ => word,
        });
    }
    Some(Cow::Owned(kept.join(" ")))
}

/// Marks that separate numbers and are rare within one.
pub(super) const SEPARATORS: [char; 8] = [';', '|', '&', ',', '\n', '、', '，', '；'];

pub(in crate::recipients::audience) fn digits(text: &str) -> usize {
    text.chars().filter(|char| char.is_numeric()).count()
}

/// Trims the words and marks around a number.
pub(super) fn trimmed(piece: &str) -> &str {
    piece.trim_matches(|char: char| {
        char.is_alphabetic() || char.is_whitespace() || SEPARATORS.contains(&char) || "/.:*<>=`\"#~!?".contains(char)
    })
}

/// Whether a cell is a date in a notation that phone numbers never have.
pub(in crate::recipients::audience) fn is_date(cell: &str) -> bool {
    let is_mark = |index: usize| cell.as_bytes().get(index).is_some_and(|byte| matches!(byte, b'-' | b'.' | b'/'));
    if ![1, 2, 4].into_iter().any(is_mark) {
        return false;
    }
    let mut parts = cell.splitn(4, ['-', '.', '/']);
    let (Some(first), Some(month), Some(last), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let last = last.split([' ', 'T']).next().unwrap_or_default();
    let number = |text: &str, digits: usize| text.parse::<u32>().ok().filter(|_| text.len() <= digits);
    let is_year = |year: Option<u32>| year.is_some_and(|year| (1900..2100).contains(&year));
    let is_day = |day: Option<u32>, up_to: u32| day.is_some_and(|day| (1..=up_to).contains(&day));
    let (month, day) = (number(month, 2), number(first, 2));
    match first.len() {
        3.. => is_year(number(first, 4)) && is_day(month, 12) && is_day(number(last, 2), 31),
        _ => is_year(number(last, 4)) && is_day(day, 31) && is_day(month, 31) && (is_day(day, 12) || is_day(month, 12)),
    }
}

/// The number after a list number, as in `1. 0171 2345678` and `12) 81234567`; `None` without a list number.
pub(super) fn without_list_number(cell: &str) -> Option<&str> {
    let length = cell.bytes().take(5).take_while(u8::is_ascii_digit).count();
    let number = cell.get(length..)?.strip_prefix(['.', ')'])?;
    let is_listed = (1..=4).contains(&length) && number.starts_with([' ', '\t']) && digits(number) >= DIGITS_FOR_SURE;
    is_listed.then(|| number.trim_start())
}

/// Words that introduce an extension after the number.
const EXTENSIONS: [&str; 12] =
    ["ext", "extn", "extension", "x", "#", "poste", "durchwahl", "dw", "anexo", "ramal", "int", "доб"];

/// The number before an extension; `None` without one.
///
/// An extension is a number, one of [`EXTENSIONS`] and a few digits, in this order.
pub(super) fn without_extension(cell: &str) -> Option<&str> {
    let is_word = |char: char| char.is_alphabetic() || char == '#';
    let (word, _) = cell.char_indices().find(|(_, char)| is_word(*char))?;
    let (number, rest) = cell.split_at(word);
    let end = rest.find(|char: char| !is_word(char)).unwrap_or(rest.len());
    let (word, extension) = rest.split_at(end);
    let is_known = EXTENSIONS.iter().any(|known| word.to_lowercase() == *known);
    let is_short = extension.chars().all(|char| char.is_ascii_digit() || " .:-=".contains(char));
    let fits = is_known && digits(number) >= DIGITS_FOR_SURE && is_short && (1..=7).contains(&digits(extension));
    fits.then(|| number.trim_end_matches([' ', ',', ';', '-', '.', '/', '(']))
}

/// Cuts a cell with several numbers at the marks and words between them.
pub(super) fn pieces(cell: &str) -> impl Iterator<Item = &str> + Clone {
    // A plus begins a number.
    let before_plus = cell.char_indices().filter(|(_, char)| matches!(char, '+' | '＋')).map(|(at, _)| at);
    let marks = cell.char_indices().filter(|(_, char)| *char == '/' || SEPARATORS.contains(char)).map(|(at, _)| at);
    let words = cell.char_indices().zip(cell.chars().skip(1)).filter(|((_, one), next)| {
        // "or", "and" and the like, in any language.
        one.is_alphabetic() && !next.is_alphabetic()
    });
    let words = words.map(|((at, _), _)| at);
    let mut cuts: Vec<usize> = before_plus.chain(marks).chain(words).collect();
    cuts.sort_unstable();
    cuts.push(cell.len());
    let from = std::iter::once(0).chain(cuts.clone()).collect::<Vec<_>>();
    from.into_iter().zip(cuts).filter_map(|(from, to)| cell.get(from..to)).map(trimmed)
}

/// The digits from which content alone identifies a number: some countries have numbers as short as a year.
pub(in crate::recipients::audience) const DIGITS_FOR_SURE: usize = 7;
