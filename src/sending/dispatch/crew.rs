//! Named tasks, and how each of them ended.

use std::any::Any;
use std::collections::HashMap;

use tokio::task::{Id, JoinSet};

/// A set of named tasks whose ends and panics are reported.
#[derive(Debug, Default)]
pub struct Crew {
    tasks: JoinSet<()>,
    names: HashMap<Id, String>,
}

/// A task has panicked, which is a bug of Volley.
#[derive(Debug, thiserror::Error)]
#[error("{name} panicked: {message}")]
pub struct Panicked {
    name: String,
    message: String,
}

impl Crew {
    pub fn spawn(&mut self, name: impl Into<String>, task: impl Future<Output = ()> + Send + 'static) {
        let id = self.tasks.spawn(task).id();
        self.names.insert(id, name.into());
    }

    /// Waits for the next task to end and returns its name; `None` after the last one.
    pub async fn next(&mut self) -> Option<Result<String, Panicked>> {
        let (id, panic) = match self.tasks.join_next_with_id().await? {
            Ok((id, ())) => (id, None),
            // These tasks are never aborted, so an error is a panic.
            Err(error) => (error.id(), Some(error.try_into_panic().map_or_else(|error| error.to_string(), message))),
        };
        let name = self.names.remove(&id).unwrap_or_default();
        Some(match panic {
            None => Ok(name),
            Some(message) => Err(Panicked { name, message }),
        })
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the payload of a panic is a box")]
fn message(panic: Box<dyn Any + Send>) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no panic message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn ended_tasks_are_reported_by_name_and_panics_with_their_message() {
        let mut crew = Crew::default();
        crew.spawn("a worker", async { panic!("no jobs: {}", 0) });
        let panicked = crew.next().await.unwrap().unwrap_err();
        assert_eq!(panicked.to_string(), "a worker panicked: no jobs: 0");
        crew.spawn("the recorder", async {});
        assert_eq!(crew.next().await.unwrap().unwrap(), "the recorder");
        assert!(crew.next().await.is_none());
    }
}
