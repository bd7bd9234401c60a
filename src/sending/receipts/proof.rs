//! Whether a webhook comes from the provider.

use crate::base::config::{Credential, Provider};
use crate::rules::wire::{same_secret, signature_holds};

/// What was registered with the provider. Either one proves a webhook, and while it is rotated, the old and the new do.
#[derive(Debug)]
pub struct Proofs {
    authorization: Option<Credential>,
    secret: Option<Credential>,
}

/// What the headers of a webhook prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FromHeaders {
    /// It carries the registered `Authorization`.
    Proven,
    /// It carries a signature, which only its body can confirm.
    ByBody,
    /// No body can prove it.
    Unproven,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unproven {
    #[error("the signature does not match the body")]
    Signature,
    #[error("it has neither the registered Authorization nor a signature")]
    Nothing,
}

impl Proofs {
    pub fn new(provider: &Provider) -> Self {
        Self { authorization: provider.webhook_authorization.clone(), secret: provider.webhook_secret.clone() }
    }

    /// What the headers alone prove, before the body is read.
    pub fn check_headers(&self, authorization: Option<&[u8]>, signature: Option<&str>) -> FromHeaders {
        match self.is_authorized(authorization) {
            true => FromHeaders::Proven,
            false if self.secret.is_some() && signature.is_some() => FromHeaders::ByBody,
            false => FromHeaders::Unproven,
        }
    }

    /// Checks a body against its headers. A wrong signature fails even if the `Authorization` is right.
    pub fn check(&self, authorization: Option<&[u8]>, signature: Option<&str>, body: &[u8]) -> Result<(), Unproven> {
        if let (Some(secret), Some(signature)) = (&self.secret, signature) {
            let valid = secret.valid();
            let holds = valid.iter().any(|secret| signature_holds(secret.expose().as_bytes(), body, signature));
            return if holds { Ok(()) } else { Err(Unproven::Signature) };
        }
        if self.is_authorized(authorization) { Ok(()) } else { Err(Unproven::Nothing) }
    }

    fn is_authorized(&self, authorization: Option<&[u8]>) -> bool {
        match (&self.authorization, authorization) {
            (Some(expected), Some(given)) => {
                expected.valid().iter().any(|expected| same_secret(given, expected.expose().as_bytes()))
            }
            // `serve` refuses to start without a secret, unless it listens on loopback.
            (None, _) => self.secret.is_none(),
            (Some(_), None) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::config::Secret;
    use crate::rules::wire::sign;

    fn proofs(authorization: Option<&str>, secret: Option<&str>) -> Proofs {
        let fixed = |text: Option<&str>| text.map(|text| Credential::fixed(Secret::new(text)));
        Proofs { authorization: fixed(authorization), secret: fixed(secret) }
    }

    #[test]
    fn either_proof_suffices_but_a_wrong_signature_always_fails() {
        let both = proofs(Some("Bearer hook"), Some("key"));
        let body = b"{}";
        let right = sign(b"key", body);
        let wrong = sign(b"other", body);
        assert_eq!(both.check(Some(b"Bearer hook"), None, body), Ok(()));
        assert_eq!(both.check(None, Some(&right), body), Ok(()));
        assert_eq!(both.check(Some(b"Bearer hook"), Some(&wrong), body), Err(Unproven::Signature));
        assert_eq!(both.check(Some(b"Bearer nobody"), None, body), Err(Unproven::Nothing));
        assert_eq!(both.check(None, None, body), Err(Unproven::Nothing));
    }

    #[test]
    fn during_a_rotation_the_old_and_the_new_secret_prove_a_webhook() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("hook"), "Bearer old\nBearer new").unwrap();
        std::fs::write(folder.path().join("hmac"), "old\nnew").unwrap();
        let path = folder.path().join("volley.toml");
        std::fs::write(&path, "[provider]\nwebhook_authorization_file = \"hook\"\nwebhook_secret_file = \"hmac\"")
            .unwrap();
        let loaded = crate::base::config::Config::load(Some(&path), std::iter::empty()).unwrap();
        let proofs = Proofs::new(&loaded.config.provider);
        for secret in ["old", "new"] {
            let authorization = format!("Bearer {secret}");
            assert_eq!(proofs.check_headers(Some(authorization.as_bytes()), None), FromHeaders::Proven);
            assert_eq!(proofs.check(None, Some(&sign(secret.as_bytes(), b"{}")), b"{}"), Ok(()));
        }
        assert_eq!(proofs.check(None, Some(&sign(b"other", b"{}")), b"{}"), Err(Unproven::Signature));
    }

    #[test]
    fn headers_are_checked_before_the_body_is_read() {
        let both = proofs(Some("Bearer hook"), Some("key"));
        assert_eq!(both.check_headers(Some(b"Bearer hook"), None), FromHeaders::Proven);
        assert_eq!(both.check_headers(Some(b"Bearer hook"), Some("sha256=00")), FromHeaders::Proven);
        assert_eq!(both.check_headers(Some(b"Bearer nobody"), Some("sha256=00")), FromHeaders::ByBody);
        assert_eq!(both.check_headers(None, None), FromHeaders::Unproven);
        // Without a registered secret a signature proves nothing.
        let header = proofs(Some("Bearer hook"), None);
        assert_eq!(header.check_headers(Some(b"Bearer nobody"), Some("sha256=00")), FromHeaders::Unproven);
        let secret = proofs(None, Some("key"));
        assert_eq!(secret.check_headers(Some(b"Bearer hook"), None), FromHeaders::Unproven);
        assert_eq!(secret.check_headers(None, Some("sha256=00")), FromHeaders::ByBody);
        assert_eq!(proofs(None, None).check_headers(None, Some("sha256=00")), FromHeaders::Proven);
    }

    #[test]
    fn with_only_a_secret_a_signature_is_required() {
        let signed = proofs(None, Some("key"));
        assert_eq!(signed.check(Some(b"Bearer anything"), None, b"{}"), Err(Unproven::Nothing));
        assert_eq!(proofs(None, None).check(None, None, b"{}"), Ok(()));
    }
}
