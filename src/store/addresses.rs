//! Finds the addresses of keys. Nearly all keys are numbers, which say themselves what they are.

use std::collections::HashMap;

use super::{Consent, Result};
use crate::base::domain::{Address, AddressKey, ChannelUser};

/// The ids of some keys.
#[derive(Debug, Default)]
pub struct Addresses(HashMap<AddressKey, ChannelUser>);

impl Addresses {
    pub(super) const fn new(users: HashMap<AddressKey, ChannelUser>) -> Self {
        Self(users)
    }

    /// Reads the ids of these keys.
    pub async fn read(store: &(impl Consent + ?Sized), keys: impl IntoIterator<Item = AddressKey>) -> Result<Self> {
        let keys: Vec<AddressKey> = keys.into_iter().filter(|key| key.is_user()).collect();
        if keys.is_empty() { Ok(Self::default()) } else { store.channel_users(keys).await }
    }

    /// The address of a key; `None` if the recipient was erased.
    pub fn of(&self, key: AddressKey) -> Option<Address> {
        key.number().map(Address::Number).or_else(|| self.user(key).cloned().map(Address::User))
    }

    pub fn user(&self, key: AddressKey) -> Option<&ChannelUser> {
        self.0.get(&key)
    }
}
