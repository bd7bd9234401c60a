//! Problems of a campaign file or a route.

use std::fmt;

use crate::base::domain::StepIndex;

/// One problem to fix. The sentence says what is wrong and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The route of the configuration that it is in; `None` if it is in the campaign file.
    pub route: Option<String>,
    pub step: Option<StepIndex>,
    /// The key as it is written in the file, such as `fallback_after` or `template, body 2`.
    pub key: String,
    pub sentence: String,
}

impl Problem {
    pub fn new(step: Option<StepIndex>, key: impl Into<String>, sentence: impl fmt::Display) -> Self {
        Self { route: None, step, key: key.into(), sentence: sentence.to_string() }
    }

    #[must_use]
    pub fn in_route(self, name: &str) -> Self {
        Self { route: Some(name.to_owned()), ..self }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(route) = &self.route {
            write!(f, "route {route}, ")?;
        }
        if let Some(step) = self.step {
            write!(f, "step {step}, ")?;
        }
        write!(f, "{}: {}", self.key, self.sentence)
    }
}
