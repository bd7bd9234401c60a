//! Mutations: faults that a change might introduce. The share of them that storms find shows what the storms are worth.
//!
//! Mutations are data, in `mutations.toml`. `./check --mutations` runs the test below to write a copy of the sources
//! with all of them in it. Each is inactive until `VOLLEY_MUTATION` names it, so one build serves all.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mutation {
    name: String,
    /// The rule or guard that it breaks.
    breaks: String,
    file: String,
    /// An expression that occurs exactly once in the file.
    old: String,
    /// The expression that replaces it.
    new: Option<String>,
    /// The replacement if more than an expression changes. `{mutated}` in it is true while the mutation is active.
    whole: Option<String>,
    /// The test inside `src` that finds it, if storms find it rarely or never.
    #[serde(default)]
    test: String,
}

#[derive(Debug, Deserialize)]
struct Mutations {
    mutation: Vec<Mutation>,
}

/// Tells in a copy which mutation is active.
const IS_ACTIVE: &str = r#"
pub(crate) fn mutated(name: &str) -> bool {
    static NAMED: std::sync::LazyLock<Option<String>> = std::sync::LazyLock::new(|| std::env::var("VOLLEY_MUTATION").ok());
    NAMED.as_deref() == Some(name)
}
"#;

impl Mutation {
    fn text(&self) -> String {
        // Written in two pieces, because the function exists only in a copy.
        let is_active = format!("{}::mutated(\"{}\")", "crate", self.name);
        match (&self.new, &self.whole) {
            (Some(new), None) => format!("(if {is_active} {{ {new} }} else {{ {} }})", self.old),
            (None, Some(whole)) => whole.replace("{mutated}", &is_active),
            _ => panic!("{} has neither or both of `new` and `whole`", self.name),
        }
    }
}

#[test]
fn each_mutation_occurs_once_in_the_sources() {
    let Mutations { mutation: all } = toml::from_str(include_str!("mutations.toml")).unwrap();
    let names: BTreeSet<&str> = all.iter().map(|mutation| mutation.name.as_str()).collect();
    assert_eq!(names.len(), all.len(), "two mutations have the same name");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: BTreeMap<&str, String> = BTreeMap::new();
    for mutation in &all {
        let read = || std::fs::read_to_string(root.join(&mutation.file)).unwrap();
        let text = files.entry(&mutation.file).or_insert_with(read);
        let occurrences = text.matches(&mutation.old).count();
        assert_eq!(occurrences, 1, "{}: its old text occurs {occurrences} times in {}", mutation.name, mutation.file);
        *text = text.replace(&mutation.old, &mutation.text());
    }
    let Ok(copy) = std::env::var("VOLLEY_MUTATE") else { return };
    let copy = Path::new(&copy);
    for (file, text) in files {
        std::fs::write(copy.join(file), text).unwrap();
    }
    let lib = std::fs::read_to_string(root.join("src/lib.rs")).unwrap();
    std::fs::write(copy.join("src/lib.rs"), lib + IS_ACTIVE).unwrap();
    let line = |mutation: &Mutation| format!("{}|{}|{}\n", mutation.name, mutation.breaks, mutation.test);
    let list: Vec<String> = all.iter().map(line).collect();
    std::fs::write(copy.join("mutations.list"), list.concat()).unwrap();
}
