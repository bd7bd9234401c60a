//! The reference of the API: its operations by group, and its schemas.

use askama::Template;

/// The page of a kind of problem, to which the `type` of a problem leads.
#[derive(Debug, Template)]
#[template(path = "problem.html")]
pub struct ProblemPage {
    pub code: &'static str,
    pub title: &'static str,
    pub status: u16,
    /// What it means, and what to do.
    pub meaning: &'static str,
}

impl ProblemPage {
    /// The parts of its text: each second one is code.
    fn parts(&self) -> impl Iterator<Item = &'static str> {
        self.meaning.split('`')
    }
}

/// The page of the reference.
#[derive(Debug, Template)]
#[template(path = "reference.html")]
pub struct ReferencePage {
    pub title: String,
    pub version: String,
    pub facts: Vec<String>,
    pub groups: Vec<OperationGroup>,
    pub schemas: Vec<SchemaText>,
}

#[derive(Debug)]
pub struct OperationGroup {
    pub name: String,
    pub description: String,
    pub operations: Vec<Operation>,
}

#[derive(Debug)]
pub struct Operation {
    pub id: String,
    pub method: String,
    /// The whole path.
    pub path: String,
    /// What it does, in sentences.
    pub sentences: Vec<String>,
    pub scope: String,
    pub parameters: Vec<Parameter>,
    /// The name of the schema of the body.
    pub body: Option<String>,
    pub answers: Vec<PossibleAnswer>,
    /// The operation as a command.
    pub curl: String,
}

#[derive(Debug)]
pub struct Parameter {
    pub name: String,
    /// `path`, `query` or `header`.
    pub place: String,
    pub is_required: bool,
    /// Its schema as JSON.
    pub schema: String,
    pub description: String,
}

/// An answer that an operation may give.
#[derive(Debug)]
pub struct PossibleAnswer {
    pub status: String,
    pub description: String,
    /// The name of the schema of its body.
    pub schema: Option<String>,
}

#[derive(Debug)]
pub struct SchemaText {
    pub name: String,
    /// As JSON.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::pages::Page as _;

    #[test]
    fn every_text_of_the_reference_is_escaped() {
        let evil = || "<script>alert(1)</script>\"'&".to_owned();
        let operation = Operation {
            id: evil(),
            method: evil(),
            path: evil(),
            sentences: vec![evil()],
            scope: evil(),
            parameters: vec![Parameter {
                name: evil(),
                place: evil(),
                is_required: true,
                schema: evil(),
                description: evil(),
            }],
            body: Some(evil()),
            answers: vec![PossibleAnswer { status: evil(), description: evil(), schema: Some(evil()) }],
            curl: evil(),
        };
        let page = ReferencePage {
            title: evil(),
            version: evil(),
            facts: vec![evil()],
            groups: vec![OperationGroup { name: evil(), description: evil(), operations: vec![operation] }],
            schemas: vec![SchemaText { name: evil(), text: evil() }],
        };
        let html = page.html().unwrap();
        assert!(!html.contains("<script>"), "{html}");
        assert_eq!(html.matches("alert(1)").count(), 32, "{html}");
    }
}
