//! Signatures by the Standard Webhooks scheme.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::base::clock::{NoRandomBytes, random_bytes};
use crate::base::domain::Timestamp;
use crate::store::SigningSecret;

pub(super) const ID: &str = "webhook-id";
pub(super) const TIMESTAMP: &str = "webhook-timestamp";
pub(super) const SIGNATURE: &str = "webhook-signature";

const PREFIX: &str = "whsec_";
/// Bytes of a secret: the scheme wants 24 to 64.
const SECRET_BYTES: usize = 32;

/// Makes a secret.
pub(super) fn new_secret() -> Result<String, NoRandomBytes> {
    Ok(format!("{PREFIX}{}", STANDARD.encode(random_bytes::<SECRET_BYTES>()?)))
}

/// The value of the header `webhook-signature`: one signature for each valid secret, with spaces between.
pub fn signature(secrets: &[SigningSecret], id: &str, at: Timestamp, body: &str) -> String {
    let signed = format!("{id}.{}.{body}", seconds(at));
    let active = secrets.iter().filter(|known| known.is_active(at));
    let signatures: Vec<String> = active.map(|known| sign(&known.secret, &signed)).collect();
    signatures.join(" ")
}

/// The time of a request in whole seconds, as the header `webhook-timestamp` has it.
pub(super) const fn seconds(at: Timestamp) -> i64 {
    at.millis().div_euclid(1_000)
}

fn sign(secret: &str, signed: &str) -> String {
    let key = STANDARD.decode(secret.strip_prefix(PREFIX).unwrap_or(secret)).unwrap_or_default();
    // HMAC accepts keys of any length, so the error cannot occur.
    let mac = Hmac::<Sha256>::new_from_slice(&key);
    let mut mac = mac.unwrap_or_else(|_| Hmac::<Sha256>::new(&Default::default()));
    mac.update(signed.as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use http::HeaderMap;
    use standardwebhooks::Webhook;

    use super::*;

    fn headers(id: &str, at: Timestamp, signature: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [(ID, id), (TIMESTAMP, &seconds(at).to_string()), (SIGNATURE, signature)] {
            headers.insert(name, value.parse().unwrap());
        }
        headers
    }

    fn secret(secret: &str, until: Option<Timestamp>) -> SigningSecret {
        SigningSecret { secret: secret.to_owned(), until: until.map(Timestamp::millis) }
    }

    /// The other side compares the timestamp with the real clock.
    #[expect(clippy::disallowed_methods, reason = "the library that checks the signature reads the real clock")]
    fn now() -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap())
    }

    #[test]
    fn the_example_of_the_scheme_has_its_signature() {
        // The example of the scheme's specification.
        let known = secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", None);
        let at = Timestamp::from_millis(1_614_265_330_000);
        let signed = signature(&[known], "msg_p5jXN8AQM9LWM0D4loKWxJek", at, "{\"test\": 2432232314}");
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_receiver_accepts_what_is_signed_and_nothing_else() {
        let (first, second) = (new_secret().unwrap(), new_secret().unwrap());
        let (at, body) = (now(), r#"{"type":"message.read","text":"é"}"#);
        let both = signature(
            &[secret(&second, None), secret(&first, Some(at + crate::base::domain::Span::from_secs(1)))],
            "evt_1",
            at,
            body,
        );
        // During the overlap a receiver may know either secret.
        for known in [&first, &second] {
            let webhook = Webhook::new(known).unwrap();
            webhook.verify(body.as_bytes(), &headers("evt_1", at, &both)).unwrap();
            assert!(webhook.verify(b"{}", &headers("evt_1", at, &both)).is_err());
            assert!(webhook.verify(body.as_bytes(), &headers("evt_2", at, &both)).is_err());
            let later = at + crate::base::domain::Span::from_secs(1);
            assert!(webhook.verify(body.as_bytes(), &headers("evt_1", later, &both)).is_err());
        }
        let other = Webhook::new(&new_secret().unwrap()).unwrap();
        assert!(other.verify(body.as_bytes(), &headers("evt_1", at, &both)).is_err());
        // After it the former secret signs no more.
        let after = signature(&[secret(&second, None), secret(&first, Some(at))], "evt_1", at, body);
        assert!(Webhook::new(&first).unwrap().verify(body.as_bytes(), &headers("evt_1", at, &after)).is_err());
    }
}
