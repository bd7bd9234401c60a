//! Keeps what was typed into a form whose session had ended, until its operator has signed in again.

use axum::extract::Request;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use super::admit::Session;
use super::form::{Form, read};
use super::frame::page;
use super::own_origin::is_own;
use super::session;
use crate::http::access::SignedIn;
use crate::http::api::Shared;
use crate::http::api::door::Client;
use crate::http::api::native::Answer;
use crate::http::pages::{KeptForm, KeptPage, Place, SignInPage};

/// The field of the sign-in with the address that the form was sent to. Its fields have this name before theirs.
const KEPT: &str = "kept";
const PREFIX: &str = "kept.";

/// Asks for the sign-in, with the form that was sent without a session; `None` if there is nothing to keep.
pub(super) async fn ask(shared: &Shared, request: Request) -> Option<Response> {
    let client = Client::of(request.extensions());
    let (parts, body) = request.into_parts();
    if !is_own(&parts.headers, session::is_secure(shared, client)) {
        return None;
    }
    let form = read(&shared.0.unproven, &parts.headers, body).await.ok()?;
    let kept = of_lost(&parts.uri, &form)?;
    let (name, next) = (String::new(), "/".to_owned());
    let shown = page(&SignInPage { name, next, problem: None, awaits_setup: false, kept: Some(kept) });
    Some((StatusCode::UNAUTHORIZED, shown).into_response())
}

/// The fields of all pages that hide what is typed.
const SECRETS: [&str; 4] = ["authorization", "password", "present", "repeated"];

/// What was typed into a form. A form with a secret is not kept: its page would show it.
fn of_lost(uri: &Uri, form: &Form) -> Option<KeptForm> {
    let fields: Vec<(String, String)> = form
        .fields()
        .filter(|(name, _)| *name != "form_token")
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let is_typed = fields.iter().any(|(_, value)| !value.trim().is_empty());
    let is_secret = fields.iter().any(|(name, _)| SECRETS.contains(&name.as_str()));
    let action = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    (is_typed && !is_secret).then_some(KeptForm { action, fields })
}

/// The form that came along with a sign-in.
pub(super) fn of_sign_in(form: &Form) -> Option<KeptForm> {
    let action = super::sign_in::local(form.get(KEPT)).to_owned();
    let fields = form.under(PREFIX).map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    form.get(KEPT).map(|_| KeptForm { action, fields })
}

/// Shows it again.
pub(super) fn show(session: SignedIn, form: KeptForm) -> Answer<Response> {
    page(&KeptPage { frame: Session(session).frame(Place::Home), form })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::SECRETS;

    #[test]
    fn every_field_that_hides_what_is_typed_is_a_secret() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/pages/html");
        let mut hidden = BTreeSet::new();
        for file in std::fs::read_dir(folder).unwrap() {
            let html = std::fs::read_to_string(file.unwrap().path()).unwrap();
            let until_quote = |text: &str| text.split('"').next().unwrap().to_owned();
            let fields = html.split("<input ").skip(1).filter_map(|field| field.split('>').next());
            let fields = fields.filter(|field| field.contains("type=\"password\""));
            hidden.extend(fields.filter_map(|field| Some(until_quote(field.split_once("name=\"")?.1))));
            hidden.extend(html.split("access::password(\"").skip(1).map(until_quote));
        }
        // The macro of these fields has its own name for the name.
        hidden.remove("{{ name }}");
        assert_eq!(hidden.iter().map(String::as_str).collect::<Vec<_>>(), SECRETS);
    }
}
