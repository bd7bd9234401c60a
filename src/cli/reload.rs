//! SIGHUP: a running server reads its files again, and says what it read, what it could not use, and what needs a restart.

use std::path::Path;

use super::CommandContext;
use crate::base::config::{self, Credential, Loaded};
use crate::base::events::EventKind;
use crate::campaigns::campaign::PriceList;
use crate::http::api::Certificate;

/// What the files hold now.
#[derive(Debug, Default)]
struct Reread {
    /// What is new, one event each.
    replaced: Vec<EventKind>,
    files: Vec<String>,
    not_used: Vec<String>,
}

/// Reads the files of keys, secrets, certificate and prices, and uses at once what they hold: the operator says that they
/// are complete. Returns the events that tell it; the last one is about the whole.
///
/// Nothing waits for it: it reads a few small files, and changes what the next request or connection uses.
pub(super) fn reload(
    context: &CommandContext,
    certificate: Option<&Certificate>,
    load: impl FnOnce() -> Result<Loaded, config::Error>,
) -> Vec<EventKind> {
    let mut reread = Reread::default();
    for credential in context.config.credentials_in_files() {
        reread.credential(&credential);
    }
    let has_bad_key = !reread.not_used.is_empty();
    if let Some(certificate) = certificate {
        reread.certificate(certificate);
    }
    if let Some(prices) = &context.config.prices {
        reread.prices(prices);
    }
    let Reread { replaced, files, mut not_used } = reread;
    let needs_restart = match load() {
        Ok(loaded) => loaded.changes_since(&context.loaded),
        // The file of this key is named already.
        Err(config::Error::Credential { .. }) if has_bad_key => Vec::new(),
        Err(error) => {
            not_used.push(error.to_string());
            Vec::new()
        }
    };
    replaced.into_iter().chain([EventKind::FilesRead { files, not_used, needs_restart }]).collect()
}

impl Reread {
    fn credential(&mut self, credential: &Credential) {
        let Some(file) = credential.file() else { return };
        let (key, path) = (file.key, file.path().display().to_string());
        match credential.reread() {
            Ok(new) => {
                self.files.push(format!("{key} ({path})"));
                let event = |secrets| EventKind::CredentialReplaced { key: key.to_owned(), file: path, secrets };
                self.replaced.extend(new.map(event));
            }
            Err(invalid) => self.not_used.push(format!("{key}: {invalid}")),
        }
    }

    fn certificate(&mut self, certificate: &Certificate) {
        let file = certificate.file().display().to_string();
        match certificate.reread() {
            Ok(is_new) => {
                self.files.push(format!("tls_certificate ({file})"));
                self.replaced.extend(is_new.then_some(EventKind::CertificateReplaced { file }));
            }
            Err(invalid) => self.not_used.push(format!("tls_certificate: {invalid}")),
        }
    }

    /// Plans and launches read the list each time. Here an operator learns whether they can.
    fn prices(&mut self, file: &Path) {
        match PriceList::load(file) {
            Ok(_) => self.files.push(format!("the price list ({})", file.display())),
            Err(error) => self.not_used.push(error.to_string()),
        }
    }
}
