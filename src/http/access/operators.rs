//! Creates operators, sets their passwords, disables and enables them.

use super::error::check_name;
use super::passwords;
use super::{Access, AccessError, By, InvalidKey};
use crate::base::config::Secret;
use crate::base::domain::{AuditAction, Scope, Scopes, Timestamp};
use crate::store::{Error, Keys, OperatorAccount, Result, ScopesSet, SecretDigest};

/// Operators that one store call reads.
const PAGE: u32 = 500;

/// An operator to create.
#[derive(Debug, Clone)]
pub struct NewOperator {
    pub name: String,
    pub scopes: Scopes,
    pub password: Secret,
}

/// Lists every operator, by name.
pub async fn all_operators(store: &dyn Keys) -> Result<Vec<OperatorAccount>> {
    let mut all: Vec<OperatorAccount> = Vec::new();
    loop {
        let page = store.operators(all.last().map(|operator| operator.name.clone()), PAGE).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

/// Adds what every operator may: pages show something before they change it.
fn of_operator(scopes: Scopes) -> std::result::Result<Scopes, InvalidKey> {
    match scopes {
        _ if scopes.is_empty() => Err(InvalidKey::NoScope),
        _ if scopes.contain(Scope::Read) => Ok(scopes),
        _ => Ok(scopes.with(Scope::Read)),
    }
}

impl Access {
    pub async fn create_operator(
        &self,
        new: NewOperator,
        by: &By,
        now: Timestamp,
    ) -> std::result::Result<OperatorAccount, AccessError> {
        self.add_operator(new, by, now, None).await
    }

    /// With `setup`, only if that setup token is still stored, which ends with it.
    pub(super) async fn add_operator(
        &self,
        new: NewOperator,
        by: &By,
        now: Timestamp,
        setup: Option<SecretDigest>,
    ) -> std::result::Result<OperatorAccount, AccessError> {
        check_name(&new.name)?;
        let scopes = of_operator(new.scopes)?;
        passwords::check(&new.password)?;
        let operator = OperatorAccount {
            password: self.passwords.hash(new.password).await?,
            password_set_at: now,
            name: new.name,
            scopes,
            created_at: now,
            created_by: by.name(),
            disabled_at: None,
        };
        let entry = by.did(AuditAction::OperatorCreated, &operator.name, now);
        match self.store.create_operator(operator.clone(), setup, entry).await {
            Ok(true) => Ok(operator),
            Ok(false) => Err(AccessError::SetupToken),
            Err(Error::NameTaken { name }) => Err(AccessError::OperatorExists { name }),
            Err(error) => Err(error.into()),
        }
    }

    /// Sets the password of an operator, who need not know the one so far.
    pub async fn set_password(
        &self,
        name: &str,
        password: Secret,
        by: &By,
        now: Timestamp,
    ) -> std::result::Result<OperatorAccount, AccessError> {
        passwords::check(&password)?;
        // Before the work of the hash.
        self.operator(name).await?;
        let hash = self.passwords.hash(password).await?;
        let entry = by.did(AuditAction::PasswordSet, name, now);
        self.store.set_password(name.to_owned(), hash, entry).await?;
        self.operator(name).await
    }

    /// Sets the scopes of an operator, which apply from the next request on. Returns the operator, and whether that changed
    /// anything.
    pub async fn set_scopes(
        &self,
        name: &str,
        scopes: Scopes,
        by: &By,
        now: Timestamp,
    ) -> std::result::Result<(OperatorAccount, bool), AccessError> {
        let scopes = of_operator(scopes)?;
        let entry = by.did(AuditAction::ScopesSet, name, now);
        let is_changed = match self.store.set_operator_scopes(name.to_owned(), scopes, entry).await? {
            ScopesSet::Set => true,
            ScopesSet::Unchanged => false,
            ScopesSet::NoAdminLeft => return Err(AccessError::LastAdmin { name: name.to_owned() }),
        };
        Ok((self.operator(name).await?, is_changed))
    }

    /// Disables or enables an operator. Returns the operator, and whether that changed anything.
    pub async fn set_disabled(
        &self,
        name: &str,
        is_disabled: bool,
        by: &By,
        now: Timestamp,
    ) -> std::result::Result<(OperatorAccount, bool), AccessError> {
        let action = if is_disabled { AuditAction::OperatorDisabled } else { AuditAction::OperatorEnabled };
        let since = is_disabled.then_some(now);
        let is_changed = self.store.set_operator_disabled(name.to_owned(), since, by.did(action, name, now)).await?;
        Ok((self.operator(name).await?, is_changed))
    }

    pub async fn operator(&self, name: &str) -> std::result::Result<OperatorAccount, AccessError> {
        let found = self.store.operator(name.to_owned()).await?;
        found.ok_or_else(|| AccessError::UnknownOperator { name: name.to_owned() })
    }
}
