//! The text of one cell, in bounded memory.

use memchr::memmem;

use super::xml::push_unescaped;

/// The most characters of a cell, which is the limit of Excel.
pub(super) const CHARACTERS_MAX: usize = 32_767;
/// Bytes that are collected of a cell: more than its characters can take, and than its spaces at both ends.
const BYTES_MAX: usize = 8 * CHARACTERS_MAX;
/// Characters that are kept of a longer text, so that its row can be recognised.
const KEPT_CHARACTERS: usize = 100;

/// Collects the text of a cell, up to its limit.
#[derive(Debug, Default)]
pub(super) struct CellText {
    bytes: Vec<u8>,
    is_cut: bool,
}

impl CellText {
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.is_cut = false;
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Appends text with escapes.
    pub(super) fn push_escaped(&mut self, raw: &[u8]) {
        if self.has_room() {
            push_unescaped(&mut self.bytes, raw);
        }
    }

    pub(super) fn push(&mut self, text: &[u8]) {
        if self.has_room() {
            self.bytes.extend_from_slice(text);
        }
    }

    /// A piece may exceed the limit by its own length, which is bounded too.
    fn has_room(&mut self) -> bool {
        self.is_cut |= self.bytes.len() > BYTES_MAX;
        !self.is_cut
    }

    /// Removes spaces at both ends of the text from `start` on.
    pub(super) fn trim_from(&mut self, start: usize) {
        let text = self.bytes[start..].trim_ascii();
        let kept = text.len();
        let from = start + self.bytes[start..].len() - self.bytes[start..].trim_ascii_start().len();
        self.bytes.copy_within(from..from + kept, start);
        self.bytes.truncate(start + kept);
    }

    /// Replaces the escapes that spreadsheets use in texts, such as `_x000D_`, from `start` on.
    pub(super) fn replace_wide_escapes_from(&mut self, start: usize) {
        if memmem::find(&self.bytes[start..], b"_x").is_none() {
            return;
        }
        if let Some(replaced) = without_wide_escapes(&String::from_utf8_lossy(&self.bytes[start..])) {
            self.bytes.truncate(start);
            self.bytes.extend_from_slice(replaced.as_bytes());
        }
    }

    /// Appends the whole text to `text`. A text over the limit is cut to its beginning; returns whether it was.
    pub(super) fn write_to(&self, text: &mut String) -> bool {
        let own = String::from_utf8_lossy(&self.bytes);
        push_limited(text, &own, self.is_cut)
    }
}

/// Appends a text, or the beginning of one over the limit. Returns whether it is over the limit.
pub(super) fn push_limited(text: &mut String, own: &str, is_cut: bool) -> bool {
    let is_too_long = is_cut || (own.len() > CHARACTERS_MAX && own.chars().nth(CHARACTERS_MAX).is_some());
    if is_too_long {
        text.extend(own.chars().take(KEPT_CHARACTERS));
        text.push('…');
    } else {
        text.push_str(own);
    }
    is_too_long
}

/// A text without its wide escapes; `None` if it has none.
fn without_wide_escapes(text: &str) -> Option<String> {
    let unit = |text: &str| {
        let digits = text.strip_prefix("_x")?.get(..4).filter(|_| text.as_bytes().get(6) == Some(&b'_'))?;
        digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
    };
    let mut from = text.find("_x")?;
    let (mut replaced, mut rest) = (String::new(), text);
    loop {
        let mut units = Vec::new();
        let mut after = &rest[from..];
        while let Some(found) = unit(after) {
            units.push(found);
            after = &after[7..];
        }
        let passed = if units.is_empty() { 2 } else { 0 };
        replaced.push_str(&rest[..from + passed]);
        replaced.push_str(&String::from_utf16_lossy(&units));
        rest = &after[passed..];
        match rest.find("_x") {
            Some(next) => from = next,
            None => return Some(replaced + rest),
        }
    }
}

/// The texts that cells share, by their place in a table.
#[derive(Debug)]
pub(super) struct SharedTexts {
    chunks: Vec<Chunk>,
    /// Bytes that the table may still take.
    left: usize,
}

#[derive(Debug, Default)]
struct Chunk {
    text: String,
    /// The end of each text, and whether it was over the limit of a cell.
    ends: Vec<(u32, bool)>,
}

/// Texts in one piece of memory: few enough that it is never moved far while it grows.
const CHUNK: usize = 256;

impl SharedTexts {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { chunks: Vec::new(), left: bytes_max }
    }

    /// Adds a text; false if the table is then too large.
    pub(super) fn add(&mut self, add: impl FnOnce(&mut String) -> bool) -> bool {
        if self.chunks.last().is_none_or(|chunk| chunk.ends.len() == CHUNK) {
            if let Some(full) = self.chunks.last_mut() {
                full.text.shrink_to_fit();
            }
            self.chunks.push(Chunk { ends: Vec::with_capacity(CHUNK), ..Chunk::default() });
        }
        let Some(chunk) = self.chunks.last_mut() else { return false };
        let before = chunk.text.len();
        let is_too_long = add(&mut chunk.text);
        let taken = chunk.text.len() - before + size_of::<(u32, bool)>();
        chunk.ends.push((u32::try_from(chunk.text.len()).unwrap_or(u32::MAX), is_too_long));
        let left = self.left.checked_sub(taken);
        self.left = left.unwrap_or(0);
        left.is_some()
    }

    /// The text at a place, and whether it was over the limit of a cell.
    pub(super) fn get(&self, at: usize) -> Option<(&str, bool)> {
        let chunk = self.chunks.get(at / CHUNK)?;
        let (end, is_too_long) = *chunk.ends.get(at % CHUNK)?;
        let start = (at % CHUNK).checked_sub(1).map_or(0, |before| chunk.ends[before].0);
        Some((chunk.text.get(start as usize..end as usize)?, is_too_long))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_over_the_limit_is_cut_to_its_beginning() {
        let written = |character: &str, times: usize, pieces: usize| {
            let mut cell = CellText::default();
            for _ in 0..pieces {
                cell.push_escaped(character.repeat(times).as_bytes());
            }
            let mut text = String::new();
            let is_too_long = cell.write_to(&mut text);
            assert!(cell.bytes.len() <= BYTES_MAX + times * character.len());
            (text.chars().count(), is_too_long)
        };
        assert_eq!(written("é", CHARACTERS_MAX, 1), (CHARACTERS_MAX, false));
        assert_eq!(written("&#x1f600;", CHARACTERS_MAX, 1), (CHARACTERS_MAX, false));
        assert_eq!(written("x", CHARACTERS_MAX + 1, 1), (KEPT_CHARACTERS + 1, true));
        assert_eq!(written("x", 1_000, 10_000), (KEPT_CHARACTERS + 1, true));
    }

    #[test]
    fn spaces_are_trimmed_from_a_run_alone() {
        let mut cell = CellText::default();
        for (run, trimmed) in [(" a ", false), ("\n b c\t", true), (" ", true), (" d", false)] {
            let start = cell.len();
            cell.push(run.as_bytes());
            if trimmed {
                cell.trim_from(start);
            }
        }
        assert_eq!(cell.bytes(), b" a b c d");
    }

    #[test]
    fn wide_escapes_are_replaced_once() {
        assert_eq!(without_wide_escapes("plain _text_"), None);
        let replaced = |text: &str| without_wide_escapes(text).unwrap();
        assert_eq!(replaced("a_x000D_\n_x0041_x0042_"), "a\r\nAx0042_");
        assert_eq!(replaced("_xD83D__xDE00_ _xD83D_"), "😀 \u{fffd}");
        assert_eq!(replaced("_x005F_x000D_ _xé00D_ _x00_ _x"), "_x000D_ _xé00D_ _x00_ _x");
    }

    #[test]
    fn shared_texts_are_found_by_their_place_up_to_a_limit() {
        let mut texts = SharedTexts::new(100_000);
        let mut added = 0_usize;
        while texts.add(|text| {
            text.push_str(&format!("text {added}"));
            added.is_multiple_of(3)
        }) {
            added += 1;
        }
        assert!((5_000..10_000).contains(&added), "{added}");
        for at in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, added - 1] {
            assert_eq!(texts.get(at), Some((format!("text {at}").as_str(), at % 3 == 0)));
        }
        assert_eq!(texts.get(added + 1), None);
    }
}
