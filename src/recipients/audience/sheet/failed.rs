//! Why a spreadsheet cannot be read.

use std::io;

use super::package::Grown;
use crate::recipients::audience::error::BoxError;

/// Why a spreadsheet, or a sheet of it, cannot be read.
#[derive(Debug)]
pub(super) enum Failed {
    Locked,
    /// It needs more memory than it may take.
    TooHeavy,
    /// It grows too much when it is unpacked.
    Bomb,
    Broken(BoxError),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        if error.get_ref().is_some_and(|inner| inner.is::<Grown>()) { Self::Bomb } else { Self::Broken(error.into()) }
    }
}

impl From<&'static str> for Failed {
    fn from(reason: &'static str) -> Self {
        Self::Broken(reason.into())
    }
}
