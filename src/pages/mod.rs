//! Pages for operators, as HTML. Their templates are the files in `html`.
//!
//! In: typed data of other rooms, such as the [`Bubble`](crate::template::preview::Bubble) of a message.
//!
//! Out: [`PreviewPage`], a self-contained page of messages as handsets show them, and [`ReferencePage`], the reference of
//! the API.
//!
//! Promises:
//! - Every value is escaped where it is written, so a cell of a recipient file stays text.
//! - A page loads nothing and runs no script, and its Content-Security-Policy forbids both.
//! - Without colours, without style and to a screen reader, a page says the same.
//!
//! May not: use any room but `domain` and `template`; do I/O; decide anything.

mod preview;
mod reference;

pub use preview::{PreviewMessage, PreviewPage, PreviewStep};
pub use reference::{Operation, OperationGroup, Parameter, PossibleAnswer, ReferencePage, SchemaText};
