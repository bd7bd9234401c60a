//! Phrases that text for users no longer uses, each with what to write instead. Single words are not listed,
//! because most have a good use somewhere.

use std::fs;
use std::path::{Path, PathBuf};

/// A refused phrase, and what to write.
const REFUSED: [(&str, &str); 31] = [
    ("what waits", "queued messages, or the messages that wait"),
    ("who waits", "queued messages"),
    ("whoever is", "the recipient, the operator or the message"),
    ("whoever has", "the recipient, the operator or the message"),
    ("nobody new", "no new recipients"),
    ("nobody is sent", "no message is sent"),
    ("everybody's", "every recipient's"),
    ("should everybody", "worst case"),
    ("gives way", "falls back"),
    ("give way to", "fall back to"),
    ("its turn comes", "it is due"),
    ("stands in for", "replaces"),
    ("may not leave", "is not sent"),
    ("leaves never", "is not sent"),
    ("has left by", "is sent by"),
    ("is let out", "is submitted"),
    ("goes once more", "is sent again"),
    ("start anew", "restart"),
    ("starts anew", "restarts"),
    ("begins anew", "restarts"),
    ("written anew", "rewritten"),
    ("held no more", "released"),
    ("comes free", "frees up"),
    ("a place in the tier", "a slot of the tier"),
    ("in life", "in production"),
    ("what decides is", "limited by"),
    ("there is no such", "unknown"),
    ("is none that", "is not, or unknown"),
    ("wants nothing more", "opted out"),
    ("for whoever wonders", "shown in events"),
    ("to know:", "notes"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path, end: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, end, found);
        } else if path.extension().is_some_and(|extension| extension == end) {
            found.push(path);
        }
    }
}

/// The string literals and doc comments of a source file before its tests: what commands, errors and logs are made of.
fn texts(source: &str) -> String {
    let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let (mut texts, mut rest) = (String::new(), source);
    while let Some(at) = rest.find(['"', '/']) {
        rest = &rest[at..];
        if let Some(comment) = rest.strip_prefix("//") {
            let end = comment.find('\n').unwrap_or(comment.len());
            if comment.starts_with(['/', '!']) {
                texts += &comment[..end];
                texts.push('\n');
            }
            rest = &comment[end..];
        } else if let Some(literal) = rest.strip_prefix('"') {
            let mut escaped = false;
            let end = literal.find(|letter| {
                let is_end = letter == '"' && !escaped;
                escaped = letter == '\\' && !escaped;
                is_end
            });
            let end = end.unwrap_or(literal.len());
            // A literal that continues in the next line is read without the break.
            texts += &literal[..end].split("\\\n").map(str::trim_start).collect::<Vec<_>>().concat();
            texts.push('\n');
            rest = literal.get(end + 1..).unwrap_or_default();
        } else {
            rest = &rest[1..];
        }
    }
    texts
}

#[test]
fn text_for_users_contains_no_refused_phrase() {
    let mut sources = Vec::new();
    files(&root().join("src"), "rs", &mut sources);
    sources
        .retain(|path| !path.ends_with("tests.rs") && !path.components().any(|part| part.as_os_str() == "simulation"));
    let mut pages = Vec::new();
    files(&root().join("docs"), "md", &mut pages);
    files(&root().join("samples"), "toml", &mut pages);
    pages.extend(["README.md", "CHANGELOG.md", "benches/README.md"].map(|page| root().join(page)));
    let read = |path: &PathBuf| fs::read_to_string(path).unwrap();
    let all = sources.iter().map(|path| (path, texts(&read(path)))).chain(pages.iter().map(|path| (path, read(path))));
    let mut found = Vec::new();
    for (path, text) in all {
        // A phrase may be broken over two lines.
        let text = text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
        for (phrase, instead) in REFUSED.iter().filter(|(phrase, _)| text.contains(phrase)) {
            found.push(format!("{}: \"{phrase}\"; write: {instead}", path.strip_prefix(root()).unwrap().display()));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn literals_and_doc_comments_are_text_and_code_is_not() {
    let source = "/// ProviderAnswer `a`.\nfn what_waits() { let b = \"one \\\n    two \\\" three\"; } // not this\n";
    let text = texts(source);
    assert!(text.contains("ProviderAnswer `a`.") && text.contains("one two \\\" three"), "{text}");
    assert!(!text.contains("what_waits") && !text.contains("not this"), "{text}");
}
