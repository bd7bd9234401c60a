//! The health of the server: what `volley doctor` checks.

use axum::extract::State;
use axum::response::{Redirect, Response};

use crate::base::config::Database;
use crate::base::domain::Scope;
use crate::campaigns::status::{Findings, Servers};
use crate::http::api::Shared;
use crate::http::api::native::{Answer, Call, launcher};
use crate::http::api::web::admit::Session;
use crate::http::api::web::form::Form;
use crate::http::api::web::frame::page;
use crate::http::pages::{DoctorPage, Place};

/// Shows what is checked without asking others, and the latest answers of the provider.
pub(super) async fn show(State(shared): State<Shared>, session: Session, call: Call) -> Answer<Response> {
    let store = shared.store.as_ref();
    let mut findings = Findings::default();
    findings.check_configuration(&shared.loaded, Some(store), call.at).await;
    let Database::Sqlite { path } = &shared.config.database;
    findings.add_database(path);
    let asked = shared.0.asked.checks.known();
    // The latest answers say more about the disk: whether it can be written.
    if let Some(bytes) = store.free_space().filter(|_| asked.is_none()) {
        findings.add_free_space(bytes);
    }
    findings.check_stored(&launcher(&shared, &shared.config, &call)).await;
    let servers = Servers::look(store, call.at).await?;
    let of_provider = asked.as_ref().map(|asked| asked.answer.all()).unwrap_or_default();
    let here = findings.all().iter().map(|finding| (finding, None));
    let there = of_provider.iter().map(|finding| (finding, asked.as_ref().map(|asked| asked.at)));
    page(&DoctorPage::new(
        session.frame(Place::Doctor),
        here.chain(there).collect(),
        asked.as_ref().map(|asked| (asked.at, asked.by.clone())),
        servers.running.iter().map(|node| (node.id, node.seen_at)).collect(),
    ))
}

/// Asks the provider about keys, accounts and channels, and writes a test file on the disk.
pub(super) async fn ask(State(shared): State<Shared>, call: Call, _form: Form) -> Answer<Redirect> {
    call.caller.check(Scope::Manage)?;
    let Database::Sqlite { path } = &shared.config.database;
    let question = async {
        let mut findings = Findings::default();
        findings.ask_providers(&shared.config).await;
        findings.check_disk(path.clone()).await;
        Ok(findings)
    };
    shared.0.asked.checks.ask(call.at, &call.caller.name, question).await?;
    Ok(Redirect::to("/doctor"))
}
