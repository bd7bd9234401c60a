//! What a key of the API permits.

use super::word::words;

words! {
    /// What a key permits. A higher scope does not include a lower one, except that `admin` includes all.
    Scope, "scope" {
        /// Read everything.
        Read = 0, "read";
        /// Send single messages and batches.
        Send = 1, "send";
        /// Launch and change campaigns, audiences, templates, lanes and opt-outs.
        Manage = 2, "manage";
        /// Keys, operators and webhooks.
        Admin = 3, "admin";
    }
}

/// A set of scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scopes(u8);

impl Scopes {
    #[must_use]
    pub const fn with(self, scope: Scope) -> Self {
        Self(self.0 | 1 << scope as u8)
    }

    /// Whether the set permits what needs `scope`.
    pub const fn contain(self, scope: Scope) -> bool {
        self.0 & (1 << scope as u8 | 1 << Scope::Admin as u8) != 0
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The scopes that were given, without those that `admin` includes.
    pub fn given(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.iter().copied().filter(move |scope| self.0 & (1 << *scope as u8) != 0)
    }

    /// The number that represents the set in a database row.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Reads the number of a row. Refuses bits without a scope.
    pub const fn from_bits(bits: u8) -> Option<Self> {
        if bits >> Scope::ALL.len() == 0 { Some(Self(bits)) } else { None }
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<T: IntoIterator<Item = Scope>>(scopes: T) -> Self {
        scopes.into_iter().fold(Self::default(), Self::with)
    }
}

impl serde::Serialize for Scopes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.given())
    }
}

impl<'de> serde::Deserialize<'de> for Scopes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<Scope>::deserialize(deserializer).map(Self::from_iter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn admin_includes_every_scope_and_no_other_scope_includes_another() {
        for given in Scope::ALL {
            let scopes = Scopes::default().with(*given);
            for needed in Scope::ALL {
                assert_eq!(scopes.contain(*needed), given == needed || *given == Scope::Admin, "{given} {needed}");
            }
            assert_eq!(scopes.given().collect::<Vec<_>>(), [*given]);
            assert_eq!(Scopes::from_bits(scopes.bits()), Some(scopes));
        }
        assert!(Scope::ALL.iter().all(|scope| !Scopes::default().contain(*scope)));
        assert_eq!(Scopes::from_bits(16), None);
    }
}
