//! What a message looks like on the handset, for an operator to read before it is sent.
//!
//! - [`BoundMessage`]: a content whose variables are bound to columns, made once for a step.
//! - [`Bubble`]: the message of one recipient, as typed data that the terminal, a page and JSON show.
//! - [`Measures`] and [`Broken`]: its length, and the limits that it breaks.

mod approved;
mod bound;
mod bubble;
mod kinds;
mod lines;
mod measure;
mod text;

pub use bound::{ApprovedButton, ApprovedTemplate, BoundMessage, TemplateParameter};
pub use bubble::{
    Bubble, BubbleButton, BubbleCard, BubbleFile, BubbleHeader, BubbleNotice, BubbleOption, BubblePlace, BubbleSection,
    BubbleValue, ButtonKind, FileKind, TemplateLabel, Wording,
};
pub use lines::PreviewLine;
pub use measure::{Broken, Measures, Rule};
pub use text::{Run, ShownText};

#[cfg(test)]
mod kinds_tests;
#[cfg(test)]
mod tests;
