//! The imports of corrected rows that were begun lately, so that a second click begins no other one.

use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use super::upload::import_made;
use crate::http::api::Shared;
use crate::http::api::native::{Answer, Call, Problem};
use crate::recipients::audience::{CorrectedRows, FileSettings};
use crate::recipients::uploads::{ImportState, UploadId};
use crate::store::Audience;

/// Imports that are known at most; the oldest makes room.
const KNOWN_MAX: usize = 100;

/// What is imported: the audience, the settings and the rows, as a digest.
type Imported = [u8; 32];

/// The imports of corrected rows, each with its upload.
#[derive(Debug, Default)]
pub(in crate::http::api) struct Corrections(Mutex<Vec<(Imported, UploadId)>>);

impl Corrections {
    /// Begins an import of corrected rows, or finds the one that has begun with the same rows.
    pub(super) async fn import(
        &self,
        (shared, call): (&Shared, &Call),
        audience: &Audience,
        (content, rows): (Vec<u8>, CorrectedRows),
        settings: FileSettings,
    ) -> Answer<UploadId> {
        let imported = digest(audience, &content, &settings)?;
        // Held while an import begins, so of two clicks the second finds the import of the first.
        let mut known = self.0.lock().await;
        let same = known.iter().position(|(of, _)| *of == imported).map(|at| known.remove(at));
        let upload = match same {
            Some((_, upload)) if is_of_use(shared, upload).await? => upload,
            _ => import_made((shared, call), content, settings, (&audience.name, rows)).await?,
        };
        if known.len() >= KNOWN_MAX {
            known.remove(0);
        }
        known.push((imported, upload));
        Ok(upload)
    }
}

fn digest(audience: &Audience, rows: &[u8], settings: &FileSettings) -> Answer<Imported> {
    let about = serde_json::to_vec(&(audience.id().0, settings)).map_err(|error| Problem::failed(&error))?;
    let length = u64::try_from(about.len()).unwrap_or(u64::MAX).to_be_bytes();
    Ok(Sha256::new().chain_update(length).chain_update(about).chain_update(rows).finalize().into())
}

/// Whether an import goes on, or has made an audience that is still there.
async fn is_of_use(shared: &Shared, upload: UploadId) -> Answer<bool> {
    let import = shared.0.native.uploads().get(upload).ok().and_then(|upload| upload.import);
    Ok(match import {
        None => false,
        Some(import) => match import.state {
            ImportState::Waiting | ImportState::Running => true,
            ImportState::Done => shared.store.audience_named(&import.audience).await?.is_some(),
            ImportState::Failed | ImportState::Asks => false,
        },
    })
}
