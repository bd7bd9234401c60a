//! The messages of a template preview as JSON.

use serde::Serialize;

use crate::base::domain::StepIndex;
use crate::campaigns::campaign::MessagePreview;

#[derive(Debug, Serialize)]
pub struct ValuesView<'a> {
    steps: Vec<StepView<'a>>,
}

#[derive(Debug, Serialize)]
struct StepView<'a> {
    step: StepIndex,
    #[serde(flatten)]
    message: &'a MessagePreview,
}

impl<'a> ValuesView<'a> {
    /// The messages, each with its step.
    pub fn new(messages: &'a [(StepIndex, MessagePreview)]) -> Self {
        Self { steps: messages.iter().map(|(step, message)| StepView { step: *step, message }).collect() }
    }
}
