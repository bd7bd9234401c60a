//! Hashes passwords and verifies them: argon2id, at most two at a time.

use std::sync::Arc;

use argon2::password_hash::Error as HashError;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::base::clock::secret_bytes;
use crate::base::config::Secret;
use crate::store::PasswordHash;

/// Memory, passes and lanes of argon2id, as OWASP recommends.
const MEMORY_KIB: u32 = 19 << 10;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Each takes 19 MiB and a core for some 20 ms. The others wait, so that sign-ins cannot take the machine.
const AT_ONCE: usize = 2;
/// The hash of no password, which is verified for unknown names, so that the time does not tell them apart.
const NO_PASSWORD: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The shortest password, in characters.
const SHORTEST: usize = 12;
/// The longest, in bytes.
const LONGEST: usize = 1_024;

/// Why a password is refused. It does not repeat it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPassword {
    #[error("the password is too short; use at least {least} characters", least = SHORTEST)]
    TooShort,
    #[error("the password is too long; use at most {most} bytes", most = LONGEST)]
    TooLong,
    #[error("the password has a control character; use one line of text")]
    NotOneLine,
}

pub(super) fn check(password: &Secret) -> Result<(), InvalidPassword> {
    let text = password.expose();
    if text.len() > LONGEST {
        return Err(InvalidPassword::TooLong);
    }
    if text.chars().any(char::is_control) {
        return Err(InvalidPassword::NotOneLine);
    }
    if text.chars().count() < SHORTEST { Err(InvalidPassword::TooShort) } else { Ok(()) }
}

/// Why a password could not be hashed or verified.
#[derive(Debug, thiserror::Error)]
pub enum PasswordFault {
    #[error("the password could not be hashed: {0}")]
    Hash(HashError),
    #[error("the operating system gives no random numbers")]
    Random(#[from] std::io::Error),
    #[error("the hashing of a password was interrupted")]
    Interrupted,
}

#[derive(Debug)]
pub(super) struct Passwords {
    permits: Arc<Semaphore>,
}

impl Passwords {
    pub(super) fn new() -> Self {
        Self { permits: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    pub(super) async fn hash(&self, password: Secret) -> Result<PasswordHash, PasswordFault> {
        self.run(move || {
            let salt: [u8; 16] = secret_bytes()?;
            let hash = argon2()?.hash_password_with_salt(password.expose().as_bytes(), &salt);
            Ok(PasswordHash(hash.map_err(PasswordFault::Hash)?.to_string()))
        })
        .await
    }

    /// Whether the password has this hash. Without a hash it takes as long, and the answer is no.
    pub(super) async fn verify(&self, password: Secret, hash: Option<PasswordHash>) -> Result<bool, PasswordFault> {
        self.run(move || {
            let stored = hash.as_ref().map_or(NO_PASSWORD, |hash| &hash.0);
            // No operator has a longer one, and hashing it would take longer.
            let password = password.expose().as_bytes();
            let password = if password.len() > LONGEST { b"" } else { password };
            match argon2()?.verify_password(password, stored) {
                Ok(()) => Ok(hash.is_some()),
                Err(HashError::PasswordInvalid) => Ok(false),
                Err(error) => Err(PasswordFault::Hash(error)),
            }
        })
        .await
    }

    /// Runs beside the async tasks. The permit is held to the end, even if the caller stops waiting.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, PasswordFault> + Send + 'static,
    ) -> Result<T, PasswordFault> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| PasswordFault::Interrupted)?;
        let work = move || {
            let _permit = permit;
            work()
        };
        spawn_blocking(work).await.unwrap_or(Err(PasswordFault::Interrupted))
    }
}

fn argon2() -> Result<Argon2<'static>, PasswordFault> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|error| PasswordFault::Hash(error.into()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_stored_as_argon2id_and_verified() {
        let passwords = Passwords::new();
        let secret = || Secret::new("correct horse battery");
        let hash = passwords.hash(secret()).await.unwrap();
        assert!(hash.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.0);
        assert_ne!(passwords.hash(secret()).await.unwrap(), hash, "each has a salt of its own");
        assert!(passwords.verify(secret(), Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify(Secret::new("wrong"), Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify(Secret::new("x".repeat(1 << 20)), Some(hash)).await.unwrap());
    }

    #[tokio::test]
    async fn the_hash_of_no_password_is_verified_like_any_and_fits_none() {
        let parsed = argon2::PasswordHash::new(NO_PASSWORD).unwrap();
        assert_eq!(parsed.to_string(), NO_PASSWORD);
        // An error would come sooner than a no.
        assert!(matches!(Passwords::new().verify(Secret::new("any"), None).await, Ok(false)));
    }

    #[test]
    fn a_password_has_12_characters_to_1024_bytes_on_one_line() {
        let check = |text: &str| check(&Secret::new(text));
        assert_eq!(check("elevenchars"), Err(InvalidPassword::TooShort));
        assert_eq!(check("twelve chars"), Ok(()));
        assert_eq!(check("zwölf Zeichn"), Ok(()));
        assert_eq!(check(&"x".repeat(1_024)), Ok(()));
        assert_eq!(check(&"x".repeat(1_025)), Err(InvalidPassword::TooLong));
        assert_eq!(check("two lines of\ntext"), Err(InvalidPassword::NotOneLine));
    }
}
