//! Rows of one file in the columns of another, to which they are added.

use super::columns::place_of;
use super::outputs::BEHIND;
use super::pipeline::Halt;
use crate::domain::{Fields, Recipient};

#[derive(Debug)]
pub(super) struct Onto {
    columns: Vec<String>,
    /// Where each of the columns stands in the file; nothing where it has none of the kind.
    places: Vec<Option<usize>>,
    /// Columns of the file that have no place.
    pub(super) strange: Vec<String>,
}

impl Onto {
    pub(super) fn new(columns: &[String]) -> Self {
        Self { columns: columns.to_vec(), places: Vec::new(), strange: Vec::new() }
    }

    /// Looks for the columns in a file that has these. Stops where one of those has no place.
    pub(super) fn find(&mut self, names: &[String]) -> Result<&[String], Halt> {
        self.places = self.columns.iter().map(|column| place_of(column, names)).collect();
        let is_ours = |index: usize| index + BEHIND.len() >= names.len() && BEHIND.contains(&names[index].as_str());
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
