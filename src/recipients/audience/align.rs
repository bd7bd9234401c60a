//! Aligns the rows of a file with the columns of an existing audience, to which they are added.

use super::columns::{Columns, place_of};
use super::outputs::{AFTER, BEFORE};
use super::pipeline::Halt;
use crate::base::domain::{Fields, InvalidFields, Meaning, Recipient};

/// Maps the columns of a file to those of an audience.
#[derive(Debug)]
pub(super) struct Alignment {
    columns: Vec<String>,
    /// Index of the number column among them.
    number: Option<usize>,
    /// Index of each column in the file; `None` if the file lacks it.
    indices: Vec<Option<usize>>,
    /// Columns of the file.
    width: usize,
    /// Columns of the file that the audience lacks.
    pub(super) unmatched: Vec<String>,
}

impl Alignment {
    pub(super) fn new(columns: &[String], number: Option<&str>) -> Self {
        let number = number.and_then(|number| columns.iter().position(|column| column == number));
        Self { columns: columns.to_vec(), number, indices: Vec::new(), width: 0, unmatched: Vec::new() }
    }

    /// Finds the audience's columns in a file. Stops if the file has a column that the audience lacks.
    pub(super) fn match_columns(&mut self, file: &Columns) -> Result<&[String], Halt> {
        let names = file.names();
        self.width = names.len();
        self.indices = self.columns.iter().map(|column| place_of(column, names)).collect();
        // Columns of one meaning match, such as Vorname and FirstName.
        for (column, index) in self.columns.iter().zip(&mut self.indices).filter(|(_, index)| index.is_none()) {
            let meaning = Meaning::of(column);
            let is_alike = |name: &String| meaning.is_some() && Meaning::of(name) == meaning;
            *index = names.iter().position(|name| is_alike(name) && place_of(name, &self.columns).is_none());
        }
        // The number columns match, even if their names differ.
        if let Some(number) = self.number.filter(|number| self.indices[*number].is_none())
            && !self.indices.contains(&Some(file.number_place()))
        {
            self.indices[number] = Some(file.number_place());
        }
        // Columns that Volley itself has added to output files.
        let is_ours = |index: usize| {
            let name = names[index].as_str();
            (index + AFTER.len() >= names.len() && AFTER.contains(&name)) || BEFORE.get(index) == Some(&name)
        };
        let unmatched = (0..names.len()).filter(|index| !self.indices.contains(&Some(*index)) && !is_ours(*index));
        self.unmatched = unmatched.map(|index| names[index].clone()).collect();
        if self.unmatched.is_empty() { Ok(&self.columns) } else { Err(Halt::Stop) }
    }

    /// Puts the fields of recipients into the order of the audience's columns.
    pub(super) fn apply(&self, recipients: &mut [Recipient]) -> Result<(), Halt> {
        for recipient in recipients {
            recipient.fields = self.aligned(&recipient.fields)?;
        }
        Ok(())
    }

    /// The cells of a row in the order of the audience's columns, and then those after the last column of the file.
    pub(super) fn aligned(&self, fields: &Fields) -> Result<Fields, InvalidFields> {
        let cells = fields.unpack()?;
        let own = self.indices.iter().map(|index| index.and_then(|index| cells.get(index)).map_or("", AsRef::as_ref));
        Ok(Fields::pack(own.chain(cells.iter().skip(self.width).map(AsRef::as_ref))))
    }
}
