//! What launches and imports that died have left: hidden, and removed piece by piece.

use super::{Sqlite, audiences, batches};
use crate::domain::Timestamp;
use crate::store::Result;

impl Sqlite {
    /// Removes what was begun before then and never published; returns how much that was.
    pub(super) async fn sweep(&self, before: Timestamp) -> Result<u32> {
        let batches = self.read("find incomplete batches", move |c| Box::pin(batches::unpublished(c, before))).await?;
        let mut swept = 0;
        for batch in batches {
            // Looked at again where nobody can touch it meanwhile.
            if !self.write("remove an incomplete batch", move |c| Box::pin(batches::abandon(c, batch, before))).await? {
                continue;
            }
            swept += 1;
            while !self.write("remove an incomplete batch", move |c| Box::pin(batches::remove_piece(c, batch))).await? {}
        }
        // After the batches, because people whom only a half batch used are nobody's then.
        let audiences =
            self.read("find incomplete audiences", move |c| Box::pin(audiences::unpublished(c, before))).await?;
        for audience in audiences {
            if !self.write("remove an incomplete audience", move |c| Box::pin(audiences::abandon(c, audience, before))).await? {
                continue;
            }
            swept += 1;
            while !self.write("remove an incomplete audience", move |c| Box::pin(audiences::remove_piece(c, audience))).await? {}
        }
        Ok(swept)
    }
}
