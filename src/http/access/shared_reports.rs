//! Links to reports: anyone with the secret of one may read one report until it expires.

use super::secret::{make_session, session_digest};
use super::{Access, AccessError, Caller, Denied, unavailable};
use crate::base::config::Secret;
use crate::base::domain::text::hex;
use crate::base::domain::{BatchId, Span, Timestamp};
use crate::store::SharedReport;

/// Links of a campaign that can work at a time.
pub const LINKS_MAX: u32 = 50;

/// The id of the link with this secret, which is no secret; `None` if no link has such a secret.
pub fn link_id(secret: &str) -> Option<String> {
    session_digest(secret).map(|digest| hex(digest.0))
}

impl Access {
    /// Makes a link to the report of a campaign. Returns it with its secret, which is not stored; `None` if the campaign has
    /// as many links as it can have, or the operator was disabled a moment ago.
    pub async fn share_report(
        &self,
        batch: BatchId,
        by: &Caller,
        lasts: Span,
        now: Timestamp,
    ) -> Result<Option<(SharedReport, Secret)>, AccessError> {
        let made = make_session().map_err(AccessError::Random)?;
        let shared = SharedReport {
            secret: made.digest,
            batch,
            made_by: by.name.clone(),
            made_at: now,
            expires_at: now + lasts,
        };
        let is_made = self.store.share_report(shared.clone(), LINKS_MAX).await?;
        Ok(is_made.then_some((shared, made.text)))
    }

    /// Finds the link with this secret. A wrong, an ended and an expired one are the same: none.
    pub async fn shared_report(&self, secret: &str, now: Timestamp) -> Result<Option<SharedReport>, Denied> {
        let Some(digest) = session_digest(secret) else { return Ok(None) };
        let found = self.store.shared_report(digest).await.map_err(|error| unavailable(&error))?;
        Ok(found.filter(|shared| now < shared.expires_at))
    }
}
