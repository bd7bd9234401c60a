//! Who asks for a change, and the entries of the audit log.

use super::{Access, Caller};
use crate::base::domain::{AuditAction, Timestamp};
use crate::store::{AuditActor, AuditEntry, AuditRequest, Result};

/// The longest text of a request that is recorded, in bytes. A path may be as long as a request.
const TEXT_MAX: usize = 500;

/// Who asks for a change, and by which request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By {
    pub actor: AuditActor,
    /// `None` for a command beside the server.
    pub request: Option<AuditRequest>,
}

impl By {
    /// A command beside the server, with the name of its operator.
    pub fn command(name: impl Into<String>) -> Self {
        Self { actor: AuditActor::Command { name: name.into() }, request: None }
    }

    pub fn caller(caller: &Caller, request: AuditRequest) -> Self {
        Self { actor: caller.actor(), request: Some(request) }
    }

    /// The name that is stored with what was created.
    pub(super) fn name(&self) -> String {
        match &self.actor {
            AuditActor::Command { name } | AuditActor::Caller { name, .. } => name.clone(),
            AuditActor::SetupToken => "the setup token".to_owned(),
            AuditActor::Unproven { .. } => "an unproven caller".to_owned(),
        }
    }

    pub(super) fn did(&self, action: AuditAction, object: &str, at: Timestamp) -> AuditEntry {
        let request = self.request.clone().map(bounded);
        AuditEntry {
            at,
            actor: self.actor.clone(),
            request,
            action,
            object: Some(object.to_owned()),
            http_status: None,
        }
    }
}

impl Access {
    /// Records a request that changed something, or tried to, with the status of its answer.
    pub async fn record_request(
        &self,
        caller: &Caller,
        request: AuditRequest,
        object: Option<String>,
        http_status: u16,
        at: Timestamp,
    ) -> Result<()> {
        let entry = AuditEntry {
            at,
            actor: caller.actor(),
            request: Some(bounded(request)),
            action: AuditAction::Request,
            object,
            http_status: Some(http_status),
        };
        self.store.record_audit(vec![entry]).await
    }
}

impl Access {
    /// Records a failed sign-in, with the name if an operator has it. Returns the name.
    ///
    /// - Another name is not recorded: an operator may have typed the password there.
    pub async fn record_failed_sign_in(
        &self,
        name: &str,
        request: AuditRequest,
        at: Timestamp,
    ) -> Result<Option<String>> {
        let operator = self.store.operator(name.to_owned()).await?.map(|operator| operator.name);
        let entry = AuditEntry {
            at,
            actor: AuditActor::Unproven { operator: operator.clone() },
            request: Some(bounded(request)),
            action: AuditAction::SignInFailed,
            object: None,
            http_status: None,
        };
        self.store.record_audit(vec![entry]).await?;
        Ok(operator)
    }
}

fn bounded(request: AuditRequest) -> AuditRequest {
    let cut = |mut text: String| {
        text.truncate(text.floor_char_boundary(TEXT_MAX));
        text
    };
    let AuditRequest { id, peer, method, path } = request;
    AuditRequest { id: cut(id), peer: peer.to_canonical(), method: cut(method), path: cut(path) }
}
