//! Why a change of keys or operators is refused.

use std::io;

use super::{InvalidPassword, PasswordFault};
use crate::store;

/// Why the name of a key or an operator is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a name is one line of 1 to {most} characters, without spaces around it, and not \".\" or \"..\"",
    most = InvalidName::LONGEST
)]
pub struct InvalidName;

impl InvalidName {
    const LONGEST: usize = 100;
}

pub(super) fn check_name(name: &str) -> Result<(), InvalidName> {
    // A browser takes dots in an address for folders.
    let is_named = !matches!(name, "" | "." | "..") && name.trim() == name && !name.chars().any(char::is_control);
    if is_named && name.chars().count() <= InvalidName::LONGEST { Ok(()) } else { Err(InvalidName) }
}

/// Why a new key is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    #[error("a key or an operator without a scope may do nothing; give one or more of read, send, manage, admin")]
    NoScope,
    #[error("an empty list of {0} permits nothing; name some, or leave the list out to permit all")]
    EmptyList(&'static str),
    #[error("the key would have expired already; give a later time")]
    Expired,
    #[error("the first key must have the scope admin, because the setup token is used up by it")]
    NotAdmin,
}

#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    #[error(transparent)]
    Name(#[from] InvalidName),
    #[error(transparent)]
    Key(#[from] InvalidKey),
    #[error(transparent)]
    Password(#[from] InvalidPassword),
    #[error("the key \"{name}\" exists already; choose another name, or revoke it first")]
    KeyExists { name: String },
    #[error("unknown key \"{name}\"; see `volley key list`")]
    UnknownKey { name: String },
    #[error("the key \"{name}\" was revoked; create another with `volley key create`")]
    Revoked { name: String },
    #[error("the operator \"{name}\" exists already; choose another name")]
    OperatorExists { name: String },
    #[error("unknown operator \"{name}\"; see `volley operator list`")]
    UnknownOperator { name: String },
    #[error(
        "\"{name}\" is the last operator with the scope admin who can sign in; give another operator the scope admin first"
    )]
    LastAdmin { name: String },
    #[error(
        "the setup token is invalid, used up or expired; create a key beside the server: volley key create --name admin \
         --scope admin"
    )]
    SetupToken,
    #[error("the operating system gives no random numbers")]
    Random(#[source] io::Error),
    #[error(transparent)]
    Hash(#[from] PasswordFault),
    #[error(transparent)]
    Store(#[from] store::Error),
}
