//! Implements [`Sketches`]: each verb runs the statements of its module.

use super::super::{Sqlite, sketches};
use crate::base::domain::{SketchId, Timestamp};
use crate::store::{Result, Sketch, Sketches};

#[async_trait::async_trait]
impl Sketches for Sqlite {
    async fn create_sketch(&self, sketch: Sketch) -> Result<()> {
        self.write("store a campaign that is being written", move |c| Box::pin(sketches::create(c, sketch))).await
    }

    async fn sketch(&self, id: SketchId) -> Result<Option<Sketch>> {
        self.read("read a campaign that is being written", move |c| Box::pin(sketches::find(c, id))).await
    }

    async fn sketches(&self, before: Option<(Timestamp, SketchId)>, limit: u32) -> Result<Vec<Sketch>> {
        self.read("list campaigns that are being written", move |c| Box::pin(sketches::list(c, before, limit))).await
    }

    async fn change_sketch(&self, sketch: Sketch) -> Result<bool> {
        self.write("change a campaign that is being written", move |c| Box::pin(sketches::change(c, sketch))).await
    }

    async fn remove_sketch(&self, id: SketchId) -> Result<bool> {
        self.write("remove a campaign that was being written", move |c| Box::pin(sketches::remove(c, id))).await
    }

    async fn forget_sketches(&self, before: Timestamp) -> Result<()> {
        while self.write("remove old unfinished campaigns", move |c| Box::pin(sketches::forget(c, before))).await? > 0 {
        }
        Ok(())
    }
}
