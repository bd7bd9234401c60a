//! What an operation requires: its scope, and its limits. Declared where the operation is added to the routes.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::http::Method;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{OpenApi, PathItem};
use utoipa_axum::router::UtoipaMethodRouter;

use crate::base::domain::{Scope, Span};
use crate::http::api::Shared;

/// The name of the security scheme in the document.
pub(super) const SCHEME: &str = "key";
/// The largest usual body.
pub(super) const BODY_MAX: usize = 1 << 20;
/// Less than the door gives a request, so that the answer is a problem.
const TIME_MAX: Span = Span::from_secs(25);
/// The time in which recipients are read and messages are written.
const LONG: Span = Span::from_secs(600);

/// What an operation requires of its caller and of its request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    /// The scope of the caller's key; `None` if it needs no key.
    pub(super) scope: Option<Scope>,
    /// Whether it checks the lanes of what it is about, so that a key with limits may call it.
    pub(super) is_by_lane: bool,
    /// Whether it computes for long, and is therefore carried out on a thread of its own.
    pub(super) computes: bool,
    /// Whether its body has a secret that could be guessed.
    pub(super) has_secret: bool,
    /// Whether each request is recorded in the audit log, whatever the scope: its body decides what it does.
    pub(super) is_recorded: bool,
    pub(super) body_max: usize,
    /// How long the operation may take, if it is not as long as its transfer.
    pub(super) time_max: Option<Span>,
    pub(super) transfer: Transfer,
}

/// How the body and the answer of an operation are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transfer {
    /// The body is read before the operation begins, and the answer ends.
    Whole,
    /// The answer is a stream of events, which ends with its caller or with the server.
    Events,
    /// The operation reads the body as it arrives, for as long as it does.
    Upload,
}

impl Rule {
    pub(super) const fn of(scope: Scope) -> Self {
        Self {
            scope: Some(scope),
            is_by_lane: false,
            computes: false,
            has_secret: false,
            is_recorded: false,
            body_max: BODY_MAX,
            time_max: Some(TIME_MAX),
            transfer: Transfer::Whole,
        }
    }

    /// For an operation that needs no key, because its body has a proof.
    pub(super) const fn open() -> Self {
        Self { scope: None, ..Self::of(Scope::Admin) }
    }

    /// For an operation that checks, by [`Call`](super::extract::Call), each lane and each batch that it is about. Every
    /// other operation refuses keys that are limited to lanes or subaccounts.
    pub(super) const fn by_lane(self) -> Self {
        Self { is_by_lane: true, ..self }
    }

    /// For a body with a password, or with another secret that could be guessed from its digest.
    pub(super) const fn with_secret(self) -> Self {
        Self { has_secret: true, ..self }
    }

    /// For an operation that reads many recipients or tries out many times, so that other tasks would wait for it.
    pub(super) const fn computes(self) -> Self {
        Self { computes: true, time_max: Some(LONG), ..self }
    }

    /// For an operation that reads or writes many messages.
    pub(super) const fn long(self) -> Self {
        Self { time_max: Some(LONG), ..self }
    }

    /// Whether requests are recorded in the audit log: those that may change something.
    pub(super) fn is_audited(&self, method: &Method) -> bool {
        ![Method::GET, Method::HEAD].contains(method)
            && (self.is_recorded || self.scope.is_some_and(|scope| scope != Scope::Read))
    }

    /// For a body that decides what the operation does.
    pub(super) const fn recorded(self) -> Self {
        Self { is_recorded: true, ..self }
    }

    /// For a stream of events.
    pub(super) const fn stream(self) -> Self {
        Self { time_max: None, transfer: Transfer::Events, ..self }
    }

    /// For a body of any length.
    pub(super) const fn upload(self) -> Self {
        Self { time_max: None, transfer: Transfer::Upload, ..self }
    }

    /// Whether the operation may take longer than the door gives a request.
    pub(super) fn is_long(self) -> bool {
        self.time_max.is_some_and(|most| most > TIME_MAX)
    }
}

/// The rules of all operations, by the path as it is written in the document, such as `/campaigns/{campaign}`.
#[derive(Debug, Default)]
pub(super) struct Rules(HashMap<String, Vec<(Method, Rule)>>);

impl Rules {
    pub(super) fn of(&self, path: &str, method: &Method) -> Option<Rule> {
        // A path that answers GET answers HEAD too.
        let method = if method == Method::HEAD { &Method::GET } else { method };
        self.0.get(path)?.iter().find(|(own, _)| own == method).map(|(_, rule)| *rule)
    }
}

/// The operations with their rules and their routes, and with their document if it is wanted: it takes twenty megabytes to
/// make.
pub(super) struct Operations {
    router: Router<Shared>,
    rules: Rules,
    document: Option<OpenApi>,
    /// Names of schemas that two different types have.
    #[cfg(test)]
    pub(super) overwritten: Vec<String>,
}

impl Operations {
    pub(super) fn new(document: Option<OpenApi>) -> Self {
        Self {
            router: Router::new(),
            rules: Rules::default(),
            document,
            #[cfg(test)]
            overwritten: Vec::new(),
        }
    }

    /// Adds operations of one path that have the same rule.
    pub(super) fn add(mut self, rule: Rule, (schemas, mut paths, routes): UtoipaMethodRouter<Shared>) -> Self {
        for (path, item) in &mut paths.paths {
            self.router = self.router.route(path, routes.clone());
            let of_path = self.rules.0.entry(path.clone()).or_default();
            for (method, operation) in operations_mut(item) {
                let needed = |scope: Scope| SecurityRequirement::new(SCHEME, [scope.as_str()]);
                operation.security = Some(rule.scope.map(needed).into_iter().collect());
                of_path.push((method, rule));
            }
        }
        let Some(document) = &mut self.document else { return self };
        let known = &mut document.components.get_or_insert_default().schemas;
        for (name, schema) in schemas {
            #[cfg(test)]
            if known.get(&name).is_some_and(|other| *other != schema) {
                self.overwritten.push(name.clone());
            }
            known.insert(name, schema);
        }
        for (path, item) in paths.paths {
            match document.paths.paths.get_mut(&path) {
                Some(known) => known.merge_operations(item),
                None => drop(document.paths.paths.insert(path, item)),
            }
        }
        self
    }

    pub(super) fn into_routes(self) -> (Router<Shared>, Arc<Rules>) {
        (self.router, Arc::new(self.rules))
    }

    pub(super) fn into_document(self) -> OpenApi {
        self.document.unwrap_or_default()
    }
}

/// The operations of a path, each with its method.
pub(super) fn operations_mut(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    [
        (Method::GET, item.get.as_mut()),
        (Method::PUT, item.put.as_mut()),
        (Method::POST, item.post.as_mut()),
        (Method::DELETE, item.delete.as_mut()),
        (Method::PATCH, item.patch.as_mut()),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation?)))
}
