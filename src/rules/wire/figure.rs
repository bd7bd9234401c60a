//! Numbers that some samples write as text.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Number;

use super::text::Hidden;

/// A number, written back as it came: as a number or as a text. `Debug` hides it, because it may be a recipient's.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Figure<'a> {
    Number(Number),
    #[serde(borrow)]
    Text(Hidden<'a>),
}

impl<'a> Figure<'a> {
    /// The number that a text states, else the text.
    pub fn number(text: &'a str) -> Self {
        match text.trim().parse() {
            Ok(number) => Self::Number(number),
            Err(_) => Self::text(text),
        }
    }

    pub fn text(text: &'a str) -> Self {
        Self::Text(text.into())
    }
}

impl fmt::Debug for Figure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Number(_) => "(number)",
            Self::Text(_) => "(text)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_written_as_it_came() {
        for json in ["5", "1.285651", "-77.0536", "\"5\"", "\"1.2857\""] {
            let figure: Figure<'_> = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&figure).unwrap(), json);
        }
        assert_eq!(serde_json::to_string(&Figure::number("300")).unwrap(), "300");
        assert_eq!(serde_json::to_string(&Figure::number("-77.0536")).unwrap(), "-77.0536");
        assert_eq!(serde_json::to_string(&Figure::number("{a}")).unwrap(), "\"{a}\"");
    }
}
