//! Collects findings over all rows, which become notes of the summary.

use encoding_rs::Encoding;

use super::ImportNote;
use super::note::RowCount;
use super::number::{CellExtras, Number};

/// What was found in accepted rows and in their text. Each count becomes a note.
#[derive(Debug, Clone, Default)]
pub(super) struct Findings {
    /// Characters that are invalid in the file's encoding.
    pub(super) damaged: u64,
    /// Cells with the text of a spreadsheet error, such as `#N/A`.
    pub(super) error_texts: u64,
    others: RowCount,
    words: RowCount,
    extensions: RowCount,
    fixed: RowCount,
    pub(super) untold: RowCount,
    foreign: RowCount,
    neighbors: RowCount,
    beside: RowCount,
    users: RowCount,
}

impl Findings {
    /// Records the number of an accepted row, if it has one, and whether the row has text beside the table.
    pub(super) fn record(&mut self, line: u64, number: Option<Number>, beside_table: bool) {
        let Some(Number { beside, is_fixed, .. }) = number else {
            self.users.add(line);
            return;
        };
        if beside == CellExtras::default() && !is_fixed && !beside_table {
            return;
        }
        let CellExtras { others, extension, words, untold, foreign, neighbor } = beside;
        for (rows, is_one) in [
            (&mut self.others, others),
            (&mut self.words, words),
            (&mut self.extensions, extension),
            (&mut self.fixed, is_fixed),
            (&mut self.untold, untold),
            (&mut self.foreign, foreign),
            (&mut self.neighbors, neighbor),
            (&mut self.beside, beside_table),
        ] {
            if is_one {
                rows.add(line);
            }
        }
    }

    /// Adds the findings of later rows.
    pub(super) fn merge(&mut self, later: &Self) {
        let Self { damaged, error_texts, others, words, extensions, fixed, untold, foreign, neighbors, beside, users } =
            later;
        self.damaged += damaged;
        self.error_texts += error_texts;
        self.others.merge(*others);
        self.words.merge(*words);
        self.extensions.merge(*extensions);
        self.fixed.merge(*fixed);
        self.untold.merge(*untold);
        self.foreign.merge(*foreign);
        self.neighbors.merge(*neighbors);
        self.beside.merge(*beside);
        self.users.merge(*users);
    }

    /// The notes for everything that was found.
    pub(super) fn notes(&self, encoding: Option<&'static Encoding>) -> impl Iterator<Item = ImportNote> {
        let damaged = encoding.map(|encoding| ImportNote::Damaged { characters: self.damaged, encoding });
        let of = |rows: RowCount, note: fn(RowCount) -> ImportNote| (rows.number > 0).then(|| note(rows));
        [
            damaged.filter(|_| self.damaged > 0),
            (self.error_texts > 0).then_some(ImportNote::ErrorTexts { cells: self.error_texts }),
            of(self.untold, ImportNote::UntoldCountry),
            of(self.foreign, ImportNote::OtherCountry),
            of(self.neighbors, ImportNote::SharedCode),
            of(self.others, ImportNote::SeveralNumbers),
            of(self.words, ImportNote::Words),
            of(self.extensions, ImportNote::Extensions),
            of(self.fixed, ImportNote::Landlines),
            of(self.beside, ImportNote::BesideTable),
            of(self.users, ImportNote::WithoutNumber),
        ]
        .into_iter()
        .flatten()
    }
}
