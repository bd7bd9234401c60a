//! Implements [`Figures`].

use super::super::{Sqlite, figures};
use crate::base::domain::{BatchId, Timestamp};
use crate::store::{BatchFigures, Figures, Result};

#[async_trait::async_trait]
impl Figures for Sqlite {
    async fn note_figures(&self, noted: Vec<BatchFigures>, forget: Vec<(BatchId, Timestamp)>) -> Result<()> {
        self.write("note figures of campaigns", move |c| Box::pin(figures::note(c, noted, forget))).await
    }

    async fn figures(&self, batch: BatchId) -> Result<Vec<BatchFigures>> {
        self.read("read the figures of a campaign", move |c| Box::pin(figures::of(c, batch))).await
    }
}
