//! The part of the contract that is about campaigns that operators are writing.

use crate::base::domain::{SketchId, Timestamp};
use crate::store::{Result, Sketch};

/// Sketches: campaigns before their launch.
#[async_trait::async_trait]
pub trait Sketches: Send + Sync + std::fmt::Debug {
    async fn create_sketch(&self, sketch: Sketch) -> Result<()>;
    async fn sketch(&self, id: SketchId) -> Result<Option<Sketch>>;
    /// Lists sketches, latest change first; those after the one with this last change and id, if they are given.
    async fn sketches(&self, before: Option<(Timestamp, SketchId)>, limit: u32) -> Result<Vec<Sketch>>;
    /// Replaces the version before this one; returns whether it was the present one.
    async fn change_sketch(&self, sketch: Sketch) -> Result<bool>;
    /// Removes a sketch; returns whether there was one.
    async fn remove_sketch(&self, id: SketchId) -> Result<bool>;
    /// Removes the sketches that were last changed before then.
    async fn forget_sketches(&self, before: Timestamp) -> Result<()>;
}
