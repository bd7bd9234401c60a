//! Prints an error with its causes.

use std::error::Error;
use std::fmt;

/// Prints an error and each of its sources, joined by `: `, on one line.
#[derive(Debug, Clone, Copy)]
pub struct Causes<'a>(pub &'a dyn Error);

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot write")]
    struct Outer(#[source] Inner);

    #[derive(Debug, thiserror::Error)]
    #[error("the disk is full")]
    struct Inner;

    #[test]
    fn an_error_prints_with_its_causes() {
        assert_eq!(Causes(&Outer(Inner)).to_string(), "cannot write: the disk is full");
        assert_eq!(Causes(&Inner).to_string(), "the disk is full");
    }
}
