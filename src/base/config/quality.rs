//! `[quality]`: what Volley does by itself when the provider reports falling quality.

use std::fmt;
use std::str::FromStr;

use super::error::Error;
use super::read::Reader;

/// What to do about each report; `None` shows it and changes nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QualityGuard {
    /// A template's score is YELLOW.
    pub yellow: Option<GuardAction>,
    /// A template's score is RED.
    pub red: Option<GuardAction>,
    /// A number is FLAGGED.
    pub flagged: Option<GuardAction>,
}

/// What is done until the quality is good again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GuardAction {
    /// The lane sends at half of its rate.
    Slow,
    /// The lane's MARKETING steps wait: all of them for a number, those with the template for a template.
    Hold,
}

#[derive(Debug, Clone, thiserror::Error)]
#[error("unknown value \"{0}\"; use slow or hold")]
pub struct UnknownAction(String);

impl FromStr for GuardAction {
    type Err = UnknownAction;

    fn from_str(text: &str) -> Result<Self, UnknownAction> {
        match text {
            "slow" => Ok(Self::Slow),
            "hold" => Ok(Self::Hold),
            _ => Err(UnknownAction(text.to_owned())),
        }
    }
}

impl fmt::Display for GuardAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Slow => "slow",
            Self::Hold => "hold",
        })
    }
}

impl QualityGuard {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        Ok(Self { yellow: reader.parsed("yellow")?, red: reader.parsed("red")?, flagged: reader.parsed("flagged")? })
    }
}
