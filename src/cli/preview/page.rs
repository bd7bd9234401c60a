//! Writes previews as a page.

use std::io::Write;
use std::path::Path;

use anyhow::Context;

use super::draw::limit_line;
use crate::base::domain::{Channel, StepIndex};
use crate::campaigns::campaign::{MessagePreview, StepPreview};
use crate::cli::words::{capital, count, plural};
use crate::cli::{CommandContext, out};
use crate::http::pages::{Page as _, PreviewMessage, PreviewPage, PreviewStep};
use crate::recipients::audience::folder_of;

/// A page that is being put together.
pub(in crate::cli) struct Page<'a>(PreviewPage<'a>);

impl<'a> Page<'a> {
    pub(in crate::cli) fn new(title: &'a str, facts: Vec<String>, made_at: String) -> Self {
        Self(PreviewPage { title, facts, made_at, steps: Vec::new() })
    }

    /// Adds a step with the messages of its recipients.
    pub(in crate::cli) fn add_step(&mut self, step: &'a StepPreview, channel: Channel) {
        let recipients = plural(step.recipients, "message", "messages");
        let fact = match step.breaking {
            0 => format!("No limit is broken in {recipients}."),
            breaking => format!("Broken limits in {} of {recipients}.", count(breaking)),
        };
        self.0.steps.push(PreviewStep {
            title: format!("Step {}: {channel}", step.step),
            facts: vec![fact],
            broken: step.broken.iter().map(limit_line).collect(),
            messages: step.shown.iter().map(message).collect(),
        });
    }

    /// Adds the one message of a step that was filled with values.
    pub(in crate::cli) fn add_message(&mut self, index: StepIndex, one: &'a MessagePreview) {
        self.0.steps.push(PreviewStep {
            title: format!("Step {index}: {}", one.bubble.channel),
            facts: Vec::new(),
            broken: Vec::new(),
            messages: vec![message(one)],
        });
    }
}

fn message(message: &MessagePreview) -> PreviewMessage<'_> {
    let choices: Vec<&str> = message.chosen_as.iter().map(|choice| choice.as_str()).collect();
    let title = match &message.to {
        Some(to) => format!("To {to} ({})", choices.join(", ")),
        None => "With the values given".to_owned(),
    };
    PreviewMessage {
        title,
        bubble: &message.bubble,
        length: message.measures.to_string(),
        broken: message.broken.iter().map(|broken| capital(&broken.to_string())).collect(),
    }
}

/// Writes the page to a file, which appears when it is complete. Only its owner may read it: it holds phone numbers.
pub(in crate::cli) fn write(page: &Page<'_>, (context, file): (&CommandContext, &Path)) -> anyhow::Result<()> {
    let html = page.0.html()?;
    let cannot = || format!("cannot write {}", file.display());
    let target = context.output(file);
    let mut written = tempfile::NamedTempFile::new_in(folder_of(&target)).with_context(cannot)?;
    written.write_all(html.as_bytes()).with_context(cannot)?;
    written.persist(&target).with_context(cannot)?;
    out::talk(format_args!("Wrote the preview to {}.", file.display()));
    Ok(())
}
