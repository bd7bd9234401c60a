//! `/docs`: the reference page, made of the document once, when the first caller asks; and a page for each kind of problem.

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::Value;
use utoipa::openapi::OpenApi;

use super::PREFIX;
use super::extract::Path;
use super::problem::{Answer, Kind, Problem};
use crate::http::pages::{
    Operation, OperationGroup, Page as _, Parameter, PossibleAnswer, ProblemPage, ReferencePage, SchemaText,
};

/// The style of the page.
pub(super) const STYLE: &str = include_str!("../../pages/html/reference.css");
/// The page loads its own style and nothing else, and no other page may frame it.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page as an answer.
pub(super) fn answer(page: Bytes) -> Response {
    let headers: [(HeaderName, HeaderValue); 3] = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (headers, page).into_response()
}

/// The page of a kind of problem.
pub(super) async fn problem(Path(code): Path<String>) -> Answer<Response> {
    let kind = Kind::ALL.iter().find(|kind| kind.code() == code);
    let unknown =
        || Problem::new(Kind::NotFound, format_args!("unknown kind of problem \"{code}\"; see `code` of a problem"));
    let kind = kind.ok_or_else(unknown)?;
    let (title, status, meaning) = (kind.title(), kind.status().as_u16(), kind.meaning());
    let page = ProblemPage { code: kind.code(), title, status, meaning }.html();
    page.map(|html| answer(html.into())).map_err(|error| Problem::failed(&error))
}

/// The page of a document.
pub(super) fn page(document: &OpenApi) -> String {
    // A document of our own types always has a JSON form, and the template only writes text.
    let document = serde_json::to_value(document).unwrap_or_default();
    reference(&document).html().unwrap_or_default()
}

/// The text at a pointer; empty if there is none.
fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn reference(document: &Value) -> ReferencePage {
    let groups = list(&document["tags"]).map(|tag| {
        let name = text(tag, "/name");
        OperationGroup { operations: operations(document, &name), description: text(tag, "/description"), name }
    });
    let schemas = members(&document["components"]["schemas"]).map(|(name, schema)| SchemaText {
        name: name.clone(),
        text: serde_json::to_string_pretty(schema).unwrap_or_default(),
    });
    ReferencePage {
        title: text(document, "/info/title"),
        version: text(document, "/info/version"),
        facts: text(document, "/info/description").split("\n\n").map(str::to_owned).collect(),
        groups: groups.filter(|group| !group.operations.is_empty()).collect(),
        schemas: schemas.collect(),
    }
}

fn operations(document: &Value, tag: &str) -> Vec<Operation> {
    let all = members(&document["paths"]).flat_map(|(path, item)| {
        members(item).map(move |(method, operation)| (format!("{PREFIX}{path}"), method, operation))
    });
    let of_tag = all.filter(|(_, _, operation)| list(&operation["tags"]).any(|of| of == tag));
    of_tag.map(|(path, method, operation)| of_group(path, &method.to_uppercase(), operation)).collect()
}

fn of_group(path: String, method: &str, operation: &Value) -> Operation {
    let parameters = list(&operation["parameters"]).map(|parameter| Parameter {
        name: text(parameter, "/name"),
        place: text(parameter, "/in"),
        is_required: parameter["required"] == true,
        schema: parameter["schema"].to_string(),
        description: text(parameter, "/description"),
    });
    let answers = members(&operation["responses"]).map(|(status, answer)| PossibleAnswer {
        status: status.clone(),
        description: text(answer, "/description"),
        schema: schema_of(&answer["content"]),
    });
    let body = schema_of(&operation["requestBody"]["content"]);
    let example = members(&operation["requestBody"]["content"]).find_map(|(_, body)| body.get("example"));
    let scope = list(&operation["security"]).flat_map(members).find_map(|(_, scopes)| scopes[0].as_str());
    let curl = curl(method, &path, scope.is_some(), example);
    let sentences = [text(operation, "/summary"), text(operation, "/description")];
    Operation {
        id: text(operation, "/operationId"),
        method: method.to_owned(),
        sentences: sentences.into_iter().filter(|sentence| !sentence.is_empty()).collect(),
        scope: scope.unwrap_or("none").to_owned(),
        parameters: parameters.collect(),
        body,
        answers: answers.collect(),
        curl,
        path,
    }
}

/// The name of the schema of a body.
fn schema_of(content: &Value) -> Option<String> {
    let (_, content) = members(content).next()?;
    let schema = &content["schema"];
    let of = schema["$ref"].as_str()?;
    of.rsplit('/').next().map(str::to_owned)
}

fn curl(method: &str, path: &str, has_key: bool, example: Option<&Value>) -> String {
    let mut command = format!("curl -X {method} \"$VOLLEY_URL{path}\"");
    if has_key {
        command += " \\\n  -H \"Authorization: Bearer $VOLLEY_KEY\"";
    }
    if has_key && method == "POST" {
        command += " \\\n  -H \"Idempotency-Key: $(uuidgen)\"";
    }
    if let Some(example) = example {
        command += &format!(" \\\n  -H 'Content-Type: application/json' \\\n  -d '{example}'");
    }
    command
}
