//! The provider's templates: what Volley knows of them, and the rules that they follow.
//!
//! In: the provider's list of templates and its later webhooks; the content of a step; a request that creates a template.
//!
//! Out:
//! - [`Catalogue`]: each template with its present status, category, quality and reason of rejection.
//! - [`pull`]: fetches the lists, and says what has changed.
//! - [`problems`]: what of a step does not fit its template.
//! - [`KnownTemplate::approved`]: its texts and buttons, for a preview.
//! - [`broken_rules`]: which documented rules a new template breaks; [`rule_notes`]: where the rules contradict each other.
//! - [`push`] and [`remove`]: ask the provider.
//!
//! Promises:
//! - The list and the webhooks are one view: the newer word applies.
//! - A status that a list brings has the effects of a webhook with it: it holds and releases.
//! - A channel that was never fetched is unknown, and nothing about it is refused.
//!
//! May not: send messages, or change a campaign.

mod approved;
mod fit;
mod known;
mod needs;
mod new_template;
mod pull;
mod requests;
mod rules;
mod rules_buttons;
mod shape;
mod views;

pub use fit::{Misfit, problems};
pub use known::{Catalogue, KnownTemplate, Lookup, lanes_at, place_of};
pub use needs::{ButtonValue, NeededButton, NeededHeader, TemplateNeeds};
pub use new_template::{NewTemplateError, read_new_template};
pub use pull::{ChangeKind, Pull, PulledChannel, TemplateChange, pull, unnamed};
pub use requests::{RequestError, push, remove, room_warning};
pub use rules::{BrokenRule, broken_rules, rule_notes};
pub use views::{PullView, TemplateTextView};
