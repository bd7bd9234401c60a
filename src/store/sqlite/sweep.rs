//! Removes the hidden remains of launches and imports that did not complete, piece by piece.

use super::{Sqlite, audiences, batches, pieces};
use crate::base::domain::Timestamp;
use crate::store::Result;

impl Sqlite {
    /// Removes batches and audiences that were last touched before `before` and never published. Returns how many.
    pub(super) async fn sweep(&self, before: Timestamp) -> Result<u32> {
        let batches = self.read("find incomplete batches", move |c| Box::pin(batches::unpublished(c, before))).await?;
        let mut swept = 0;
        for batch in batches {
            // Its launch may have touched it since the read; the write checks that again.
            if !self.write("remove an incomplete batch", move |c| Box::pin(batches::abandon(c, batch, before))).await? {
                continue;
            }
            swept += 1;
            while !self.write("remove an incomplete batch", move |c| Box::pin(pieces::remove(c, batch))).await? {}
        }
        // After the batches: an audience that only an incomplete batch used is unused now.
        let audiences =
            self.read("find incomplete audiences", move |c| Box::pin(audiences::unpublished(c, before))).await?;
        for audience in audiences {
            if !self
                .write("remove an incomplete audience", move |c| Box::pin(audiences::abandon(c, audience, before)))
                .await?
            {
                continue;
            }
            swept += 1;
            while !self
                .write("remove an incomplete audience", move |c| Box::pin(audiences::remove_piece(c, audience)))
                .await?
            {}
        }
        Ok(swept)
    }
}
