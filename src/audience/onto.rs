//! Rows of one file in the columns of another, to which they are added.

use super::columns::{Columns, place_of};
use super::outputs::{BEFORE, BEHIND};
use super::pipeline::Halt;
use crate::domain::{Fields, Recipient};

#[derive(Debug)]
pub(super) struct Onto {
    columns: Vec<String>,
    /// The one of them that holds the numbers.
    number: Option<usize>,
    /// Where each of the columns stands in the file; nothing where it has none of the kind.
    places: Vec<Option<usize>>,
    /// Columns of the file that have no place.
    pub(super) strange: Vec<String>,
}

impl Onto {
    pub(super) fn new(columns: &[String], number: Option<&str>) -> Self {
        let number = number.and_then(|number| columns.iter().position(|column| column == number));
        Self { columns: columns.to_vec(), number, places: Vec::new(), strange: Vec::new() }
    }

    /// Looks for the columns in a file that has these. Stops where one of those has no place.
    pub(super) fn find(&mut self, file: &Columns) -> Result<&[String], Halt> {
        let names = file.names();
        self.places = self.columns.iter().map(|column| place_of(column, names)).collect();
        // Whatever either calls its numbers, they are the numbers.
        if let Some(number) = self.number.filter(|number| self.places[*number].is_none())
            && !self.places.contains(&Some(file.number_place()))
        {
            self.places[number] = Some(file.number_place());
        }
        let is_ours = |index: usize| {
            let name = names[index].as_str();
            (index + BEHIND.len() >= names.len() && BEHIND.contains(&name)) || BEFORE.get(index) == Some(&name)
        };
        let strange = (0..names.len()).filter(|index| !self.places.contains(&Some(*index)) && !is_ours(*index));
        self.strange = strange.map(|index| names[index].clone()).collect();
        if self.strange.is_empty() { Ok(&self.columns) } else { Err(Halt::Stop) }
    }

    pub(super) fn turn(&self, recipients: &mut [Recipient]) -> Result<(), Halt> {
        for recipient in recipients {
            let cells = recipient.fields.unpack()?;
            let turned =
                self.places.iter().map(|place| place.and_then(|place| cells.get(place)).map_or("", AsRef::as_ref));
            let turned = Fields::pack(turned);
            recipient.fields = turned;
        }
        Ok(())
    }
}
