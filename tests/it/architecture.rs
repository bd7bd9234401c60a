//! One crate has no walls of its own; these tests are its walls. They compare the code with the tables of
//! `ARCHITECTURE.md` and of `docs/decisions/invariants.md`, so the pages and the code cannot differ.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The most lines of a source file. Files of tests, tables and data may be longer.
const LINES_MAX: usize = 500;
/// What code without clock and I/O must not use.
const OUTSIDE_WORLD: [&str; 6] = ["tokio", "sqlx", "reqwest", "axum", "std::fs", "std::net"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// One Rust file of a room. A room that stands alone is a district of its own.
struct Source {
    room: String,
    /// Below `src`, as messages show it.
    name: String,
    /// How many modules deep it is: 1 for a room's `mod.rs`.
    depth: usize,
    text: String,
    /// The text without comments.
    code: String,
}

impl Source {
    fn is_test(&self) -> bool {
        let stem = Path::new(&self.name).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        stem.ends_with("tests") || matches!(stem, "properties" | "contract" | "samples" | "story")
    }

    /// What its paths begin with where they begin at the crate: the rooms that it uses, its own included.
    fn rooms_used(&self, districts: &BTreeSet<String>) -> BTreeSet<String> {
        let mut used = BTreeSet::new();
        for (at, _) in self.code.match_indices("crate::") {
            if self.code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_' || before == '$') {
                continue;
            }
            let path = &self.code[at + "crate::".len()..];
            for name in first_names(path) {
                match path.strip_prefix(&format!("{name}::")) {
                    Some(below) if districts.contains(&name) => used.extend(first_names(below)),
                    _ => drop(used.insert(name)),
                }
            }
        }
        used
    }

    /// Whether a `super::` path leaves the room, where `crate::` would name the target.
    fn climbs_out(&self) -> bool {
        let up = |times: usize| "super::".repeat(times);
        let at_top = format!("use {}", up(self.depth));
        self.code.lines().any(|line| line.starts_with(&at_top) || line.starts_with(&format!("pub {at_top}")))
            || self.code.contains(&up(self.depth + 1)) && !self.code.contains("mod tests {")
    }
}

/// The first names of a path or of a group of paths: `a::b` and `{a::b, c}`.
fn first_names(path: &str) -> Vec<String> {
    let name = |text: &str| {
        let end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(text.len());
        text[..end].to_owned()
    };
    let Some(group) = path.strip_prefix('{') else { return vec![name(path)] };
    let (mut names, mut depth, mut begins) = (Vec::new(), 0, true);
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => begins = true,
            letter if begins && !letter.is_whitespace() => {
                names.push(name(&group[at..]));
                begins = false;
            }
            _ => {}
        }
    }
    names
}

fn without_comments(text: &str) -> String {
    text.lines().map(|line| if line.trim_start().starts_with("//") { "" } else { line }).collect::<Vec<_>>().join("\n")
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The folders in a folder.
fn folders(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let folders = entries.filter(|entry| entry.file_type().unwrap().is_dir());
    folders.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

/// The folders of `src` that hold rooms, by the table of `ARCHITECTURE.md`.
fn districts() -> BTreeSet<String> {
    table(ARCHITECTURE, "district").into_iter().filter(|row| row[0] != row[1]).map(|row| row[0].clone()).collect()
}

/// Each room with its district.
fn rooms() -> BTreeSet<(String, String)> {
    let src = root().join("src");
    let (mut rooms, districts) = (BTreeSet::new(), districts());
    for folder in folders(&src) {
        if districts.contains(&folder) {
            rooms.extend(folders(&src.join(&folder)).into_iter().map(|room| (folder.clone(), room)));
        } else {
            rooms.insert((folder.clone(), folder));
        }
    }
    rooms
}

fn sources() -> Vec<Source> {
    let mut all = Vec::new();
    for (district, room) in rooms() {
        let mut files = Vec::new();
        let above = root().join("src").join(if district == room { "" } else { &district });
        rust_files(&above.join(&room), &mut files);
        for path in files {
            let below = path.strip_prefix(root().join("src")).unwrap();
            let is_mod = path.file_name().is_some_and(|name| name == "mod.rs");
            let text = fs::read_to_string(&path).unwrap();
            all.push(Source {
                name: below.display().to_string(),
                depth: path.strip_prefix(&above).unwrap().components().count() - usize::from(is_mod),
                room: room.clone(),
                code: without_comments(&text),
                text,
            });
        }
    }
    assert!(all.len() > 50, "the sources were not found");
    all
}

const ARCHITECTURE: &str = "ARCHITECTURE.md";
const INVARIANTS: &str = "docs/decisions/invariants.md";
const CONTENTS: &str = "docs/content.md";

/// The rows of the first table of `page` whose header begins with `title`, without backticks.
fn table(page: &str, title: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(root().join(page)).unwrap();
    let rows: Vec<Vec<String>> = text
        .lines()
        .skip_while(|line| !line.starts_with(&format!("| {title} |")))
        .take_while(|line| line.starts_with('|'))
        .skip(2)
        .map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect())
        .collect();
    assert!(!rows.is_empty(), "{page} has no table that begins with \"{title}\"");
    rows
}

fn names(cell: &str) -> BTreeSet<String> {
    cell.split(',').map(str::trim).filter(|name| !name.is_empty() && *name != "nothing").map(str::to_owned).collect()
}

/// The cell of a room at the edge of the product, which may use whatever is public.
const EVERY_ROOM: &str = "every room";

/// Which rooms each room may use.
fn may_use() -> BTreeMap<String, BTreeSet<String>> {
    let rows = table(ARCHITECTURE, "district");
    let inner = rows.iter().filter(|row| row[3] != EVERY_ROOM).map(|row| row[1].clone());
    let inner: BTreeSet<String> = inner.collect();
    let of = |row: &Vec<String>| match row[3].as_str() {
        // `cli` may also use `bench`.
        EVERY_ROOM if row[1] == "cli" => inner.iter().cloned().chain(["bench".to_owned()]).collect(),
        EVERY_ROOM => inner.clone(),
        rooms => names(rooms),
    };
    rows.iter().map(|row| (row[1].clone(), of(row))).collect()
}

/// Whether the table lists the rooms that this one uses, instead of every room.
fn is_inner(room: &str) -> bool {
    table(ARCHITECTURE, "district").iter().any(|row| row[1] == room && row[3] != EVERY_ROOM)
}

/// Rooms that use one of a district below theirs. They are to be mended, and no other may join them.
const WRONG: [(&str, &str); 2] = [("catalogue", "receipts"), ("status", "node")];

/// The districts in the order of the table, from those that know nothing of the others to those that know all.
#[test]
fn rooms_use_only_districts_above_their_own() {
    let rows = table(ARCHITECTURE, "district");
    let district: BTreeMap<&str, &str> = rows.iter().map(|row| (&*row[1], &*row[0])).collect();
    let mut order: Vec<&str> = rows.iter().map(|row| &*row[0]).collect();
    order.dedup();
    assert_eq!(order.iter().collect::<BTreeSet<_>>().len(), order.len(), "a district stands twice in the table");
    let place = |room: &str| order.iter().position(|name| *name == district[room]).unwrap();
    let mut wrong = Vec::new();
    for (room, allowed) in may_use().iter().filter(|(room, _)| is_inner(room)) {
        let below = allowed.iter().filter(|other| place(other) > place(room));
        wrong.extend(below.map(|other| (room.clone(), other.clone())));
    }
    let wrong: Vec<(&str, &str)> = wrong.iter().map(|(room, other)| (&**room, &**other)).collect();
    assert_eq!(wrong, WRONG, "these use a district below theirs");
    for room in district.iter().filter(|(_, district)| **district == "practice").map(|(room, _)| room) {
        for other in &may_use()[*room] {
            assert!(matches!(district[&**other], "base" | "rules"), "{room} uses {other}");
        }
    }
}

#[test]
fn rooms_use_only_the_rooms_that_the_table_allows() {
    let (may_use, districts) = (may_use(), districts());
    let mut wrong = Vec::new();
    for source in sources() {
        let Some(allowed) = may_use.get(&source.room) else { continue };
        for used in source.rooms_used(&districts) {
            if used != source.room && !allowed.contains(&used) {
                wrong.push(format!("{} uses {used}", source.name));
            }
        }
        if source.climbs_out() {
            wrong.push(format!("{} leaves its room by super::, where crate:: would say where to", source.name));
        }
    }
    assert!(wrong.is_empty(), "not in the table of ARCHITECTURE.md:\n{}", wrong.join("\n"));
}

#[test]
fn every_room_that_the_table_allows_is_used() {
    let districts = districts();
    let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources() {
        used.entry(source.room.clone()).or_default().extend(source.rooms_used(&districts));
    }
    let mut idle = Vec::new();
    for (room, allowed) in may_use().into_iter().filter(|(room, _)| is_inner(room)) {
        let used = used.remove(&room).unwrap_or_default();
        idle.extend(allowed.difference(&used).map(|other| format!("{room} may use {other}, and does not")));
    }
    assert!(idle.is_empty(), "take out of the table of ARCHITECTURE.md:\n{}", idle.join("\n"));
}

#[test]
fn no_two_rooms_use_each_other_directly_or_indirectly() {
    let may_use = may_use();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    // A room is done once every room that it may use is done; the rest form a circle.
    while let Some(room) = may_use
        .keys()
        .map(String::as_str)
        .find(|room| !done.contains(room) && may_use[*room].iter().all(|other| done.contains(other.as_str())))
    {
        done.insert(room);
    }
    let circle: Vec<_> = may_use.keys().filter(|room| !done.contains(room.as_str())).collect();
    assert!(circle.is_empty(), "these use each other: {circle:?}");
}

#[test]
fn the_map_and_the_reading_order_name_every_room() {
    let (mut listed, districts) = (Vec::new(), districts());
    for folder in listed_modules("lib.rs") {
        if districts.contains(&folder) {
            let rooms = listed_modules(&format!("{folder}/mod.rs"));
            listed.extend(rooms.into_iter().map(|room| (folder.clone(), room)));
        } else {
            listed.push((folder.clone(), folder));
        }
    }
    assert_eq!(listed.iter().cloned().collect::<BTreeSet<_>>(), rooms(), "the lists and the folders of src differ");
    let rows = table(ARCHITECTURE, "district").into_iter();
    let mapped: Vec<(String, String)> = rows.map(|row| (row[0].clone(), row[1].clone())).collect();
    assert_eq!(mapped, listed, "ARCHITECTURE.md and the lists of src name other rooms, or in another order");
}

/// The modules that a file of `src` lists, each below a comment that says what it is for.
fn listed_modules(file: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join("src").join(file)).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let mut listed = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let declared = line.strip_prefix("pub mod ").or_else(|| line.strip_prefix("mod "));
        let Some(room) = declared.and_then(|rest| rest.strip_suffix(';')) else { continue };
        let mut before = lines[..at].iter().rev().skip_while(|line| **line == "#[cfg(test)]");
        let purpose = before.next().is_some_and(|line| line.starts_with("// "));
        assert!(purpose, "{file} says nothing about {room}");
        listed.push(room.to_owned());
    }
    listed
}

#[test]
fn every_room_states_input_output_promises_and_prohibitions() {
    for source in sources().iter().filter(|source| source.depth == 1) {
        let heading: String = source.text.lines().take_while(|line| line.starts_with("//!")).collect();
        for part in ["In:", "Out:", "Promises:", "May not:"] {
            assert!(heading.contains(part), "{} does not say {part}", source.name);
        }
    }
}

#[test]
fn domain_engine_and_planner_use_no_io_and_no_async() {
    for source in sources().iter().filter(|source| matches!(source.room.as_str(), "domain" | "engine" | "planner")) {
        for foreign in OUTSIDE_WORLD {
            assert!(!source.code.contains(&format!("{foreign}::")), "{} uses {foreign}", source.name);
        }
        assert!(!source.code.contains("async fn"), "{} is async", source.name);
    }
}

#[test]
fn crates_are_used_only_in_the_rooms_of_their_table() {
    for row in table(ARCHITECTURE, "crate") {
        let at_home = names(&row[1]);
        for name in names(&row[0]) {
            for source in sources().iter().filter(|source| !at_home.contains(&source.room)) {
                let used = source.code.contains(&format!("{name}::")) && !source.is_test();
                assert!(!used, "{} uses {name}, which belongs to {at_home:?}", source.name);
            }
        }
    }
}

#[test]
fn no_source_file_is_longer_than_500_lines() {
    let too_long: Vec<String> = sources()
        .iter()
        .filter(|source| !source.is_test() && source.text.lines().count() > LINES_MAX)
        .map(|source| format!("{}: {} lines", source.name, source.text.lines().count()))
        .collect();
    assert!(too_long.is_empty(), "longer than {LINES_MAX} lines:\n{}", too_long.join("\n"));
}

#[test]
fn every_test_named_by_the_invariants_or_by_a_place_to_change_exists() {
    let mut files = Vec::new();
    rust_files(&root().join("src"), &mut files);
    rust_files(&root().join("tests"), &mut files);
    let everything: String = files.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let tests_of = |page, title, column: usize| {
        table(page, title).into_iter().map(move |row| (row[0].clone(), names(&row[column])))
    };
    for (row, tests) in tests_of(INVARIANTS, "invariant", 1).chain(tests_of(ARCHITECTURE, "change", 2)).chain(tests_of(
        CONTENTS,
        "channel | key",
        3,
    )) {
        assert!(!tests.is_empty(), "nothing holds \"{row}\"");
        // A suite is named by its file; that files exist is checked with all other paths.
        for test in tests.iter().filter(|test| !test.contains('/')) {
            assert!(everything.contains(&format!("fn {test}(")), "\"{row}\" names {test}, which is no test");
        }
    }
}

#[test]
fn names_are_found_in_every_kind_of_path() {
    assert_eq!(first_names("store::Store;"), ["store"]);
    assert_eq!(first_names("{clock::{Chance, Clock}, store::{self, Book}, wire};"), ["clock", "store", "wire"]);
    assert_eq!(first_names("{\n    clock::Clock,\n    store,\n};"), ["clock", "store"]);
}
