//! The secrets of keys, of sessions and of the setup token: how they are made, written and read.

use std::io;

use sha2::{Digest, Sha256};

use super::Denied;
use crate::base::clock::secret_bytes;
use crate::base::config::Secret;
use crate::base::domain::KeyId;
use crate::base::domain::text::hex;
use crate::store::SecretDigest;

/// The length of a secret's text: 256 bits as hexadecimal digits.
const SECRET_LENGTH: usize = 64;
const SETUP_PREFIX: &str = "vs_";
const SCHEME: &[u8] = b"Bearer ";
/// No secret has it: finding one is as hard as guessing a secret.
pub(super) const NO_SECRET: SecretDigest = SecretDigest([0; 32]);

/// A secret that was just made.
#[derive(Debug)]
pub(super) struct Made {
    /// What its owner keeps.
    pub(super) text: Secret,
    /// What is stored.
    pub(super) digest: SecretDigest,
}

/// Makes a secret for a key: `vk_<id>_<secret>`.
pub(super) fn make_key(id: KeyId) -> io::Result<Made> {
    make(&format!("{id}_"))
}

/// Makes a setup token.
pub(super) fn make_setup_token() -> io::Result<Made> {
    make(SETUP_PREFIX)
}

/// Makes the secret of a session.
pub(super) fn make_session() -> io::Result<Made> {
    make("")
}

pub(super) fn make_key_id() -> io::Result<KeyId> {
    Ok(KeyId::new(u64::from_be_bytes(secret_bytes()?)))
}

fn make(prefix: &str) -> io::Result<Made> {
    let bytes: [u8; SECRET_LENGTH / 2] = secret_bytes()?;
    let secret = hex(bytes);
    let digest = digest(&secret);
    Ok(Made { text: Secret::new(format!("{prefix}{secret}")), digest })
}

fn digest(secret: &str) -> SecretDigest {
    SecretDigest(Sha256::digest(secret.as_bytes()).into())
}

/// The digest of a setup token; `None` for a text of another form.
pub(super) fn setup_digest(token: &Secret) -> Option<SecretDigest> {
    let secret = token.expose().trim().strip_prefix(SETUP_PREFIX)?;
    (secret.len() == SECRET_LENGTH).then(|| digest(secret))
}

/// The digest of a session's secret; `None` for a text of another form.
pub(super) fn session_digest(secret: &str) -> Option<SecretDigest> {
    let is_one = secret.len() == SECRET_LENGTH && secret.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_one.then(|| digest(secret))
}

/// The key that a request presents.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Presented {
    pub(super) id: KeyId,
    pub(super) secret: SecretDigest,
}

impl Presented {
    /// Reads the value of `Authorization`. Looks at no more than the length of a key.
    pub(super) fn read(authorization: Option<&[u8]>) -> Result<Self, Denied> {
        let (scheme, key) =
            authorization.and_then(|value| value.split_at_checked(SCHEME.len())).ok_or(Denied::NoKey)?;
        if !scheme.eq_ignore_ascii_case(SCHEME) {
            return Err(Denied::NoKey);
        }
        Self::of_key(key).ok_or(Denied::Unknown)
    }

    fn of_key(key: &[u8]) -> Option<Self> {
        if key.len() != KeyId::LENGTH + 1 + SECRET_LENGTH {
            return None;
        }
        let (id, secret) = str::from_utf8(key).ok()?.split_at_checked(KeyId::LENGTH)?;
        let secret = secret.strip_prefix('_').filter(|secret| secret.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        Some(Self { id: id.parse().ok()?, secret: digest(secret) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_its_id_and_256_bits_that_never_repeat() {
        let id = KeyId::new(0x0123_4567_89ab_cdef);
        let made = make_key(id).unwrap();
        let text = made.text.expose();
        let secret = text.strip_prefix("vk_0123456789abcdef_").unwrap();
        assert!(secret.len() == 64 && secret.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_ne!(make_key(id).unwrap().text, made.text);
        assert_ne!(make_key_id().unwrap(), make_key_id().unwrap());
        for scheme in ["Bearer", "bearer", "BEARER"] {
            let value = format!("{scheme} {text}");
            let read = Presented::read(Some(value.as_bytes())).unwrap();
            assert!(read.id == id && read.secret.matches(&made.digest));
        }
    }

    #[test]
    fn only_a_bearer_value_of_the_exact_form_is_a_key() {
        let key = format!("vk_0123456789abcdef_{}", "0".repeat(64));
        let bearer = |key: &str| format!("Bearer {key}").into_bytes();
        for (value, denied) in [
            (None, Denied::NoKey),
            (Some(Vec::new()), Denied::NoKey),
            (Some(b"Bearer".to_vec()), Denied::NoKey),
            (Some(b"Basic dXNlcjpwYXNz".to_vec()), Denied::NoKey),
            (Some(key.clone().into_bytes()), Denied::NoKey),
            (Some(b"Bearer ".to_vec()), Denied::Unknown),
            (Some(bearer(&key[..key.len() - 1])), Denied::Unknown),
            (Some(bearer(&format!("{key}0"))), Denied::Unknown),
            (Some(bearer(&format!(" {key}"))), Denied::Unknown),
            (Some(bearer(&key.replace("f_", "f-"))), Denied::Unknown),
            (Some(bearer(&key.replace("vk_", "VK_"))), Denied::Unknown),
            (Some(bearer(&"x".repeat(10 << 20))), Denied::Unknown),
            (Some(bearer(&format!("{}é", &key[..key.len() - 2]))), Denied::Unknown),
            // A character across the end of the id.
            (Some(bearer(&format!("vk_0123456789abcdeé{}", "0".repeat(64)))), Denied::Unknown),
            (Some([b"Bearer ".as_slice(), &[0xff; 84]].concat()), Denied::Unknown),
        ] {
            assert_eq!(Presented::read(value.as_deref()), Err(denied));
        }
        assert!(Presented::read(Some(&bearer(&key))).is_ok());
    }
}
