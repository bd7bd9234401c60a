//! Proofs of webhooks: signatures and secrets.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The header that carries the signature of a webhook's raw body.
pub const SIGNATURE_HEADER: &str = "X-8x8-Signature";

const PREFIX: &str = "sha256=";
const HEX: &[u8; 16] = b"0123456789abcdef";

/// The header's value for a body: `sha256=` and the hexadecimal HMAC-SHA256.
pub fn sign(secret: &[u8], body: &[u8]) -> String {
    let mut value = String::with_capacity(PREFIX.len() + 64);
    value.push_str(PREFIX);
    for byte in hmac(secret, body) {
        value.push(char::from(HEX[usize::from(byte >> 4)]));
        value.push(char::from(HEX[usize::from(byte & 0xf)]));
    }
    value
}

/// Whether a header's value is the signature of the body. The prefix may be missing, and digits may be in any letter case.
/// The comparison takes constant time.
pub fn signature_holds(secret: &[u8], body: &[u8], header: &str) -> bool {
    let header = header.trim();
    let hex = match header.get(..PREFIX.len()) {
        Some(start) if start.eq_ignore_ascii_case(PREFIX) => &header[PREFIX.len()..],
        _ => header,
    };
    let Some(given) = unhex(hex.as_bytes()) else { return false };
    given.ct_eq(&hmac(secret, body)).into()
}

/// Whether two secrets are equal. The time reveals nothing about them, not even their lengths.
pub fn same_secret(given: &[u8], expected: &[u8]) -> bool {
    let given: [u8; 32] = Sha256::digest(given).into();
    let expected: [u8; 32] = Sha256::digest(expected).into();
    given.ct_eq(&expected).into()
}

fn hmac(secret: &[u8], body: &[u8]) -> [u8; 32] {
    // HMAC accepts keys of any length, so the error cannot occur; the fallback is an empty key.
    let mac = Hmac::<Sha256>::new_from_slice(secret);
    let mut mac = mac.unwrap_or_else(|_| Hmac::<Sha256>::new(&Default::default()));
    mac.update(body);
    mac.finalize().into_bytes().into()
}

fn unhex(text: &[u8]) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 {
        return None;
    }
    let digit = |c: u8| match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        b'A'..=b'F' => Some(c - b'A' + 10),
        _ => None,
    };
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = (digit(pair[0])? << 4) | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test case 2.
    const KNOWN: &str = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";

    #[test]
    fn the_signature_is_the_standard_one() {
        assert_eq!(sign(b"Jefe", b"what do ya want for nothing?"), format!("sha256={KNOWN}"));
    }

    #[test]
    fn only_the_right_signature_is_accepted() {
        let body = b"what do ya want for nothing?";
        assert!(signature_holds(b"Jefe", body, &sign(b"Jefe", body)));
        assert!(signature_holds(b"Jefe", body, &KNOWN.to_uppercase()));
        assert!(signature_holds(b"Jefe", body, &format!(" SHA256={KNOWN} ")));
        for wrong in ["", "sha256=", "sha256=zz", &KNOWN[1..], &format!("sha256={}0", &KNOWN[..63]), "ü"] {
            assert!(!signature_holds(b"Jefe", body, wrong), "{wrong:?}");
        }
        assert!(!signature_holds(b"Jeff", body, &sign(b"Jefe", body)));
        assert!(!signature_holds(b"Jefe", b"what do ya want?", &sign(b"Jefe", body)));
    }

    #[test]
    fn secrets_are_compared_whole() {
        assert!(same_secret(b"Bearer abc", b"Bearer abc"));
        assert!(!same_secret(b"Bearer ab", b"Bearer abc"));
        assert!(!same_secret(b"", b"Bearer abc"));
    }
}
