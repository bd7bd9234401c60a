//! Names the operator of a decision.

/// Who decides. Flattened into every command that changes something for operators.
#[derive(Debug, clap::Args)]
pub(super) struct Operator {
    /// Your name, shown in events. Default: the variable VOLLEY_OPERATOR, else USER.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

impl Operator {
    /// The given name; `None` if it is missing or blank.
    pub(super) fn name(&self) -> Option<&str> {
        self.by.as_deref().map(str::trim).filter(|name| !name.is_empty())
    }
}
