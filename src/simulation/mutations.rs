//! Faults that somebody might put into the program: whether storms find each of them shows what the storms are worth.
//!
//! They are data, in `mutations.toml`. `./check --mutations` lets this write a copy of the sources with all of them in
//! it, each asleep until `VOLLEY_MUTATION` names it, so that one build serves for all.

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
    /// What stands there now, once: an expression.
    old: String,
    /// What takes its place.
    new: Option<String>,
    /// Instead, where more than an expression changes: the whole of it, with `{mutated}` for whether it is awake.
    whole: Option<String>,
    /// The test inside `src` that finds it, where storms do so too seldom or not at all.
    #[serde(default)]
    test: String,
}

#[derive(Debug, Deserialize)]
struct Mutations {
    mutation: Vec<Mutation>,
}

/// Says in a copy which mutation is awake.
const AWAKE: &str = r#"
pub(crate) fn mutated(name: &str) -> bool {
    static NAMED: std::sync::LazyLock<Option<String>> = std::sync::LazyLock::new(|| std::env::var("VOLLEY_MUTATION").ok());
    NAMED.as_deref() == Some(name)
}
"#;

impl Mutation {
    fn text(&self) -> String {
        // Written in two pieces, because there is no such thing but in a copy.
        let awake = format!("{}::mutated(\"{}\")", "crate", self.name);
        match (&self.new, &self.whole) {
            (Some(new), None) => format!("(if {awake} {{ {new} }} else {{ {} }})", self.old),
            (None, Some(whole)) => whole.replace("{mutated}", &awake),
            _ => panic!("{} says neither or both of `new` and `whole`", self.name),
        }
    }
}

#[test]
fn every_mutation_has_its_place_in_the_sources() {
    let Mutations { mutation: all } = toml::from_str(include_str!("mutations.toml")).unwrap();
    let names: BTreeSet<&str> = all.iter().map(|mutation| mutation.name.as_str()).collect();
    assert_eq!(names.len(), all.len(), "two mutations have the same name");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: BTreeMap<&str, String> = BTreeMap::new();
    for mutation in &all {
        let read = || std::fs::read_to_string(root.join(&mutation.file)).unwrap();
        let text = files.entry(&mutation.file).or_insert_with(read);
        let places = text.matches(&mutation.old).count();
        assert_eq!(places, 1, "{}: its old text stands {places} times in {}", mutation.name, mutation.file);
        *text = text.replace(&mutation.old, &mutation.text());
    }
    let Ok(copy) = std::env::var("VOLLEY_MUTATE") else { return };
    let copy = Path::new(&copy);
    for (file, text) in files {
        std::fs::write(copy.join(file), text).unwrap();
    }
    let lib = std::fs::read_to_string(root.join("src/lib.rs")).unwrap();
    std::fs::write(copy.join("src/lib.rs"), lib + AWAKE).unwrap();
    let line = |mutation: &Mutation| format!("{}|{}|{}\n", mutation.name, mutation.breaks, mutation.test);
    let list: Vec<String> = all.iter().map(line).collect();
    std::fs::write(copy.join("mutations.list"), list.concat()).unwrap();
}
