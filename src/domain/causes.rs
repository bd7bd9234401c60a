//! Errors as people read them: with what is behind them.

use std::error::Error;
use std::fmt;

/// An error with its causes, on one line.
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
    fn an_error_is_told_with_all_that_is_behind_it() {
        assert_eq!(Causes(&Outer(Inner)).to_string(), "cannot write: the disk is full");
        assert_eq!(Causes(&Inner).to_string(), "the disk is full");
    }
}
