//! What is told of all rows together.

use super::Note;
use super::note::Rows;
use super::number::{Beside, Number};

/// What came up in accepted rows, and what their text suffered from.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    /// Characters that are none in the encoding of the file.
    pub(super) damaged: u64,
    /// Cells that hold what a spreadsheet program shows where there is no value.
    pub(super) error_texts: u64,
    others: Rows,
    words: Rows,
    extensions: Rows,
    fixed: Rows,
    pub(super) untold: Rows,
    foreign: Rows,
    beside: Rows,
}

impl Seen {
    /// Looks at the number of an accepted row, and whether something stands right of the row's table.
    pub(super) fn note(&mut self, line: u64, number: Number, beside_table: bool) {
        let Number { beside, is_fixed, .. } = number;
        if beside == Beside::default() && !is_fixed && !beside_table {
            return;
        }
        let Beside { others, extension, words, untold, foreign } = beside;
        for (rows, is_one) in [
            (&mut self.others, others),
            (&mut self.words, words),
            (&mut self.extensions, extension),
            (&mut self.fixed, is_fixed),
            (&mut self.untold, untold),
            (&mut self.foreign, foreign),
            (&mut self.beside, beside_table),
        ] {
            if is_one {
                rows.add(line);
            }
        }
    }

    /// Takes in what came up in later rows.
    pub(super) fn take_in(&mut self, later: &Self) {
        let Self { damaged, error_texts, others, words, extensions, fixed, untold, foreign, beside } = later;
        self.damaged += damaged;
        self.error_texts += error_texts;
        self.others.take_in(*others);
        self.words.take_in(*words);
        self.extensions.take_in(*extensions);
        self.fixed.take_in(*fixed);
        self.untold.take_in(*untold);
        self.foreign.take_in(*foreign);
        self.beside.take_in(*beside);
    }

    pub(super) fn notes(&self, encoding: Option<&'static str>) -> impl Iterator<Item = Note> {
        let damaged = encoding.map(|encoding| Note::Damaged { characters: self.damaged, encoding });
        let of = |rows: Rows, note: fn(Rows) -> Note| (rows.number > 0).then(|| note(rows));
        [
            damaged.filter(|_| self.damaged > 0),
            (self.error_texts > 0).then_some(Note::ErrorTexts { cells: self.error_texts }),
            of(self.untold, Note::UntoldCountry),
            of(self.foreign, Note::OtherCountry),
            of(self.others, Note::SeveralNumbers),
            of(self.words, Note::Words),
            of(self.extensions, Note::Extensions),
            of(self.fixed, Note::FixedLines),
            of(self.beside, Note::BesideTable),
        ]
        .into_iter()
        .flatten()
    }
}
