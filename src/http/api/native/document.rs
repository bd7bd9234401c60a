//! The OpenAPI document: what every operation has in common is added here, once.

use std::sync::LazyLock;

use axum::http::{Method, StatusCode};
use serde_json::json;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    Components, ContentBuilder, HeaderBuilder, InfoBuilder, OpenApi, Ref, RefOr, Required, Response, ResponseBuilder,
    ServerBuilder,
};
use utoipa::{PartialSchema, ToSchema};

use super::PREFIX;
use super::problem::{FieldProblem, Kind, MEDIA_TYPE, ProblemBody};
use super::rules::{SCHEME, operations_mut};
use crate::http::api::once::KEY_MAX;

const DESCRIPTION: &str = "\
Volley sends bulk messaging campaigns. Every operation needs an API key with the scope that the operation names: send \
`Authorization: Bearer KEY`.

Each answer has the header `X-Request-Id`. An error is a problem (RFC 9457) with a stable `code`, and with the sentence that \
the command of the same name would print. A POST with an `Idempotency-Key` is carried out once: for 24 hours, the same request \
gets the same answer. Lists have pages: `next` is the `cursor` of the next page. Instants are UTC in RFC 3339; numbers name \
their unit.";

/// The groups of operations, in the order of the reference page.
const TAGS: [(&str, &str); 15] = [
    ("campaigns", "Campaigns: plan, launch, watch, change, stop and report them."),
    ("audiences", "Audiences: recipient files, uploaded in parts and imported."),
    ("batches", "Batches: messages that were launched together, by a campaign or by calls of the API."),
    ("messages", "Messages: find them, and see what happened to each."),
    ("contacts", "Contacts: the history of a recipient."),
    ("lanes", "Lanes: senders with their rates and holds."),
    ("templates", "Templates of the provider: what is known of them, and holds on them."),
    ("opt-outs", "Recipients who have opted out."),
    ("replies", "Messages from recipients."),
    ("events", "What servers, operators and the provider did."),
    ("keys", "Keys of the API."),
    ("operators", "Operators, who sign in with a password."),
    ("webhooks", "Webhooks that Volley sends: their receivers, and what became of each."),
    ("audit-log", "Who did what over the API, and who changed keys and operators."),
    ("commands", "Command lines of `volley --server`."),
];

/// Completes the document that the operations have made.
pub(super) fn complete(mut document: OpenApi) -> OpenApi {
    let info = InfoBuilder::new().title("Volley").version(env!("CARGO_PKG_VERSION")).description(Some(DESCRIPTION));
    document.info = info.build();
    document.servers = Some(vec![ServerBuilder::new().url(PREFIX).build()]);
    let tag = |(name, description): (&str, &str)| TagBuilder::new().name(name).description(Some(description)).build();
    document.tags = Some(TAGS.map(tag).into());
    let components = document.components.get_or_insert_with(Components::new);
    let key = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("vk_ID_SECRET").description(Some(
        "A key of `volley key create`. Its scopes are read, send, manage and admin; admin includes the others.",
    ));
    components.add_security_scheme(SCHEME, SecurityScheme::Http(key.build()));
    components.schemas.insert(ProblemBody::name().into_owned(), ProblemBody::schema());
    components.schemas.insert(FieldProblem::name().into_owned(), FieldProblem::schema());
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations_mut(item) {
            let has_parameters = operation.parameters.as_ref().is_some_and(|all| !all.is_empty());
            add_common(operation, &method, has_parameters || path.contains('{'));
        }
    }
    document
}

/// Adds the parameters, the headers and the problems that an operation has in common with others.
fn add_common(operation: &mut Operation, method: &Method, has_parameters: bool) {
    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(response) = response {
            let schema = ObjectBuilder::new().schema_type(Type::String);
            let id = HeaderBuilder::new().schema(Some(schema)).description(Some("Id of the request.")).build();
            response.headers.insert("X-Request-Id".to_owned(), RefOr::T(id));
        }
    }
    if has_parameters {
        add_problem(operation, StatusCode::BAD_REQUEST);
    }
    let has_caller = operation.security.as_ref().is_none_or(|security| !security.is_empty());
    if has_caller {
        add_problem(operation, StatusCode::UNAUTHORIZED);
        add_problem(operation, StatusCode::FORBIDDEN);
    }
    // Idempotency keys belong to a caller.
    if has_caller && *method == Method::POST {
        let schema = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(KEY_MAX));
        let parameter = ParameterBuilder::new()
            .name("Idempotency-Key")
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(
                "A name for this request, such as a UUID. The same request with the same key gets the first answer.",
            ))
            .schema(Some(schema.pattern(Some("^[!-~]+$"))))
            .build();
        operation.parameters.get_or_insert_default().push(parameter.into());
        // An invalid key, a request in progress, and a key of another request.
        add_problem(operation, StatusCode::BAD_REQUEST);
        add_problem(operation, StatusCode::CONFLICT);
        add_problem(operation, StatusCode::UNPROCESSABLE_ENTITY);
    }
    if *method != Method::GET {
        add_problem(operation, StatusCode::BAD_REQUEST);
        add_problem(operation, StatusCode::PAYLOAD_TOO_LARGE);
    }
    if operation.request_body.is_some() {
        add_problem(operation, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        add_problem(operation, StatusCode::UNPROCESSABLE_ENTITY);
    }
    // Problems that the operation has declared by their status alone.
    let declared: Vec<StatusCode> =
        operation.responses.responses.keys().filter_map(|status| status.parse().ok()).collect();
    for status in declared.into_iter().filter(|status| status.is_client_error()) {
        add_problem(operation, status);
    }
    add_problem(operation, StatusCode::TOO_MANY_REQUESTS);
    add_problem(operation, StatusCode::INTERNAL_SERVER_ERROR);
    add_problem(operation, StatusCode::SERVICE_UNAVAILABLE);
}

/// The problems that each status can have, in one sentence.
static DESCRIPTIONS: LazyLock<Vec<(StatusCode, String)>> = LazyLock::new(|| {
    let mut all: Vec<(StatusCode, String)> = Vec::new();
    for kind in Kind::ALL {
        let sentence = format!("{} (`{}`).", kind.title(), kind.code());
        match all.iter_mut().find(|(status, _)| *status == kind.status()) {
            Some((_, sentences)) => *sentences = format!("{sentences} {sentence}"),
            None => all.push((kind.status(), sentence)),
        }
    }
    all
});

/// Declares that an operation may answer with a problem of this status. One that it has declared itself stays.
fn add_problem(operation: &mut Operation, status: StatusCode) {
    let description = DESCRIPTIONS.iter().find(|(of, _)| *of == status).map_or("", |(_, sentences)| sentences);
    let problem = problem(status, description);
    match operation.responses.responses.get_mut(status.as_str()) {
        Some(RefOr::T(declared)) if declared.content.is_empty() => {
            declared.content = problem.content;
            if declared.description.is_empty() {
                declared.description = problem.description;
            }
        }
        Some(_) => {}
        None => {
            operation.responses.responses.insert(status.as_str().to_owned(), problem.into());
        }
    }
}

fn problem(status: StatusCode, description: &str) -> Response {
    let of = Kind::ALL.iter().find(|kind| kind.status() == status);
    let content =
        ContentBuilder::new().schema(Some(Ref::from_schema_name(ProblemBody::name()))).example(of.map(|kind| {
            json!({
                "type": kind.address(),
                "title": kind.title(),
                "status": status.as_u16(),
                "code": kind.code(),
                "detail": "…",
                "instance": "req_01890a5d5c7d7a10b7c4d3a1f0e2b3c4"
            })
        }));
    ResponseBuilder::new().description(description).content(MEDIA_TYPE, content.build()).build()
}
