//! Random bytes that nobody can guess, for secrets.

/// The operating system gave no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gives no random bytes; check that /dev/urandom can be read")]
pub struct NoRandomBytes;

/// Draws random bytes from the operating system. [`super::Chance`] can be guessed, so it makes no secrets.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], NoRandomBytes> {
    let mut bytes = [0; N];
    let random = rustls::crypto::ring::default_provider().secure_random;
    random.fill(&mut bytes).map_err(|_| NoRandomBytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_secrets_differ() {
        assert_ne!(random_bytes::<32>(), random_bytes::<32>());
    }
}
