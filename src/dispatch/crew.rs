//! Tasks with names: who has ended, and who in a panic.

use std::any::Any;
use std::collections::HashMap;

use tokio::task::{Id, JoinSet};

/// Tasks that somebody watches. Whoever ends is told by name, so that no panic stays unseen.
#[derive(Debug, Default)]
pub struct Crew {
    tasks: JoinSet<()>,
    names: HashMap<Id, String>,
}

/// A fault of ours: a task has ended in the middle of its work.
#[derive(Debug, thiserror::Error)]
#[error("{name} has panicked: {message}")]
pub struct Panicked {
    name: String,
    message: String,
}

impl Crew {
    pub fn spawn(&mut self, name: impl Into<String>, task: impl Future<Output = ()> + Send + 'static) {
        let id = self.tasks.spawn(task).id();
        self.names.insert(id, name.into());
    }

    /// The name of the next one to end; nothing once all have.
    pub async fn next(&mut self) -> Option<Result<String, Panicked>> {
        let (id, panic) = match self.tasks.join_next_with_id().await? {
            Ok((id, ())) => (id, None),
            // Nobody aborts a task of a crew, so what is no end is a panic.
            Err(error) => (error.id(), Some(error.try_into_panic().map_or_else(|error| error.to_string(), message))),
        };
        let name = self.names.remove(&id).unwrap_or_default();
        Some(match panic {
            None => Ok(name),
            Some(message) => Err(Panicked { name, message }),
        })
    }
}

#[expect(clippy::needless_pass_by_value, reason = "what a panic carries is a box")]
fn message(panic: Box<dyn Any + Send>) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("it did not say why").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_ends_is_told_by_name_and_whoever_panics_with_its_reason() {
        let mut crew = Crew::default();
        crew.spawn("a worker", async { panic!("no hands: {}", 0) });
        let panicked = crew.next().await.unwrap().unwrap_err();
        assert_eq!(panicked.to_string(), "a worker has panicked: no hands: 0");
        crew.spawn("the recorder", async {});
        assert_eq!(crew.next().await.unwrap().unwrap(), "the recorder");
        assert!(crew.next().await.is_none());
    }
}
