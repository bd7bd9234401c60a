//! The provider's ids.

/// The provider's id for an attempt: opaque text, nearly always a UUID, which then takes sixteen bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Umid(Box<str>);

/// The last bytes of the provider's UUIDs hold the day and the time of day.
const TIME_BYTES: usize = 6;

impl Umid {
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Sixteen bytes if the text is a UUID in its usual form; otherwise a zero byte and the text.
    ///
    /// The provider's UUIDs end in the day and the time of day of their creation, so the last six bytes are moved to
    /// the front. Ids of one hour are then adjacent in an index. Otherwise each message would dirty another page of it.
    pub fn to_bytes(&self) -> Vec<u8> {
        match uuid::Uuid::try_parse(&self.0) {
            Ok(uuid) if *uuid.hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()) == *self.0 => {
                let mut bytes = uuid.into_bytes();
                bytes.rotate_right(TIME_BYTES);
                bytes.to_vec()
            }
            _ => [b"\0", self.0.as_bytes()].concat(),
        }
    }

    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if let Ok(mut bytes) = <[u8; 16]>::try_from(bytes) {
            bytes.rotate_left(TIME_BYTES);
            let uuid = uuid::Uuid::from_bytes(bytes);
            return Some(Self(uuid.hyphenated().to_string().into()));
        }
        let (zero, text) = bytes.split_first()?;
        (*zero == 0).then(|| std::str::from_utf8(text).ok().map(Self::new))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_umid_survives_its_conversion_to_bytes() {
        for text in ["5f1d3c2e-8b7a-4c6d-9e0f-112233445566", "5F1D3C2E-8B7A-4C6D-9E0F-112233445566", "m-1", ""] {
            let umid = Umid::new(text);
            assert_eq!(Umid::from_bytes(&umid.to_bytes()), Some(umid));
        }
        // Two ids of the provider, created one after the other.
        let (first, second) = ("e7dc3fb1-d2e5-404c-927c-b46d0056fa6e", "46d27247-ecda-4bdd-8b17-b46d00575299");
        assert!(Umid::new(first).to_bytes() < Umid::new(second).to_bytes());
        assert_eq!(Umid::new("5f1d3c2e-8b7a-4c6d-9e0f-112233445566").to_bytes().len(), 16);
    }
}
