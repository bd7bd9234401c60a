//! Layers of values: default, file, environment, flag. Each value keeps its source, and later layers win.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::error::{At, Error};
use super::keys::{ACCOUNT, ALERT, LANE, ROUTE, SECTIONS, Section, Takes};
use super::route::{STEP_KEYS, Written};
use super::syntax::{NotToml, parse_toml};
use crate::base::domain::{hint, nearest};

/// Where a value came from. The later variants win over the earlier ones.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    Default,
    File(Arc<Path>),
    /// The variable's name.
    Environment(String),
    Flag,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(variable) => f.write_str(variable),
            Self::Flag => f.write_str("flag"),
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Value {
    pub(super) text: String,
    /// The texts of a table by name, which `text` shows on one line.
    pub(super) named: Option<Vec<(String, String)>>,
    pub(super) source: Source,
}

/// One section with its values; for a repeated section, one entry.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) section: &'static Section,
    pub(super) name: String,
    pub(super) values: BTreeMap<&'static str, Value>,
}

impl Entry {
    /// `provider`, or `lane promo-sg`.
    pub(super) fn title(&self) -> String {
        if self.section.named { format!("{} {}", self.section.name, self.name) } else { self.section.name.to_owned() }
    }

    fn put(&mut self, key: &str, text: String, source: Source) -> Result<(), Error> {
        let Some(known) = self.section.key(key) else { return Err(self.unknown(key, source)) };
        self.values.insert(known.name, Value { text, named: None, source });
        Ok(())
    }

    fn put_texts(&mut self, key: &str, texts: toml::Table, source: &Source) -> Result<(), Error> {
        let Some(known) = self.section.key(key) else { return Err(self.unknown(key, source.clone())) };
        let mut named = Vec::with_capacity(texts.len());
        for (name, value) in texts {
            let toml::Value::String(text) = value else {
                return Err(self.misshapen(key, source, known.takes.must_be()));
            };
            named.push((name, text));
        }
        let shown: Vec<String> = named.iter().map(|(name, text)| format!("{name}: {text}")).collect();
        let value = Value { text: shown.join(" · "), named: Some(named), source: source.clone() };
        self.values.insert(known.name, value);
        Ok(())
    }

    /// The error for a value of another kind than its key takes. An unknown key is the better error, whatever its value.
    fn misshapen(&self, key: &str, source: &Source, problem: &str) -> Error {
        match self.section.key(key) {
            Some(known) => {
                let at = At { source: source.clone(), section: self.title(), key: known.name };
                Error::Value { at, problem: problem.to_owned() }
            }
            None => self.unknown(key, source.clone()),
        }
    }

    fn unknown(&self, key: &str, place: Source) -> Error {
        let names: Vec<&str> = self.section.key_names().collect();
        Error::UnknownKey { place, section: self.title(), key: key.to_owned(), hint: hint(key, names) }
    }
}

#[derive(Debug, Default)]
pub(super) struct Layers {
    entries: Vec<Entry>,
    routes: Option<Written>,
}

impl Layers {
    /// The routes of the file. They are more than keys and values, so they are read separately.
    pub(super) const fn routes(&self) -> Option<&Written> {
        self.routes.as_ref()
    }

    pub(super) fn named(&self, section: &'static Section) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.section.name == section.name)
    }

    /// The only entry of a plain section, empty if it has no values.
    pub(super) fn plain(&mut self, section: &'static Section) -> &Entry {
        self.entry(section, "")
    }

    fn entry(&mut self, section: &'static Section, name: &str) -> &mut Entry {
        let found = self.entries.iter().position(|entry| entry.section.name == section.name && entry.name == name);
        let index = found.unwrap_or_else(|| {
            self.entries.push(Entry { section, name: name.to_owned(), values: BTreeMap::new() });
            self.entries.len() - 1
        });
        &mut self.entries[index]
    }

    pub(super) fn add_file(&mut self, path: &Path, text: &str) -> Result<(), Error> {
        let source = Source::File(path.into());
        let syntax = |NotToml { line, message }| Error::Syntax { path: path.to_owned(), line, message };
        let table = parse_toml(text).map_err(syntax)?;
        for (name, value) in table {
            if name == ROUTE {
                self.routes = Some(Written { source: source.clone(), tables: value });
                continue;
            }
            let Some(section) = Section::find(&name) else {
                let hint = if STEP_KEYS.contains(&name.as_str()) {
                    "it is a key of a step: move it into a [[route.step]], or into a [[step]] of a campaign file"
                        .to_owned()
                } else {
                    hint(&name, SECTIONS.iter().map(|section| section.name).chain([ROUTE]))
                };
                return Err(Error::UnknownSection { place: source, name, hint });
            };
            match (value, section.named) {
                (toml::Value::Table(keys), false) => self.add_table(section, "", keys, &source)?,
                (toml::Value::Array(tables), true) => {
                    for (index, table) in tables.into_iter().enumerate() {
                        let toml::Value::Table(keys) = table else {
                            return Err(Error::Shape { place: source, name, wanted: repeated(section) });
                        };
                        let name = name_in(&keys, section, index + 1, &source)?;
                        self.check_new(section, &name, &source)?;
                        self.add_table(section, &name, keys, &source)?;
                    }
                }
                (_, true) => return Err(Error::Shape { place: source, name, wanted: repeated(section) }),
                (_, false) => return Err(Error::Shape { place: source, name, wanted: "a section, [like this]" }),
            }
        }
        Ok(())
    }

    fn add_table(
        &mut self,
        section: &'static Section,
        name: &str,
        keys: toml::Table,
        source: &Source,
    ) -> Result<(), Error> {
        let entry = self.entry(section, name);
        for (key, value) in keys {
            let takes = section.key(&key).map_or(Takes::Text, |known| known.takes);
            let text = match value {
                toml::Value::Table(texts) if takes == Takes::Texts => {
                    entry.put_texts(&key, texts, source)?;
                    continue;
                }
                toml::Value::Array(items) if takes == Takes::List => match in_commas(&items) {
                    Some(text) => text,
                    None => return Err(entry.misshapen(&key, source, "must be a list of texts without commas")),
                },
                toml::Value::String(text) => text,
                toml::Value::Integer(number) => number.to_string(),
                toml::Value::Boolean(is_on) if takes == Takes::Switch => is_on.to_string(),
                toml::Value::Boolean(_)
                | toml::Value::Float(_)
                | toml::Value::Datetime(_)
                | toml::Value::Array(_)
                | toml::Value::Table(_) => return Err(entry.misshapen(&key, source, takes.must_be())),
            };
            entry.put(&key, text, source.clone())?;
        }
        Ok(())
    }

    /// Refuses a name that equals another one as part of a variable, because a variable must mean one entry.
    fn check_new(&self, section: &'static Section, name: &str, place: &Source) -> Result<(), Error> {
        match self.named(section).find(|entry| as_variable(&entry.name) == as_variable(name)) {
            Some(entry) => Err(Error::SameName {
                place: place.clone(),
                section: section.name,
                first: entry.name.clone(),
                second: name.to_owned(),
            }),
            None => Ok(()),
        }
    }

    /// Reads `VOLLEY_<SECTION>_<KEY>` and `VOLLEY_LANE_<NAME>_<KEY>`. Other variables that begin with `VOLLEY_` are
    /// refused like an unknown key of the file, unless other software is known to set them.
    pub(super) fn add_environment(&mut self, variables: impl Iterator<Item = (String, String)>) -> Result<(), Error> {
        // Sorted, so that new lanes have a stable order. Accounts come after the lanes, which name them.
        let mut named: BTreeMap<&'static str, BTreeMap<String, (String, String)>> = BTreeMap::new();
        for (variable, text) in variables {
            let name = variable.strip_prefix("VOLLEY_").unwrap_or_default();
            if is_foreign(name) {
                continue;
            }
            // The name of a section may contain an underscore too.
            let of = |section: &&Section| name.strip_prefix(&as_variable(section.name))?.strip_prefix('_');
            let known = SECTIONS.iter().find_map(|section| Some((section.name, of(section)?)));
            let (section, rest) = known.unwrap_or_else(|| name.split_once('_').unwrap_or((name, "")));
            let lower = section.to_lowercase();
            if lower == ROUTE {
                return Err(Error::RouteVariable { variable });
            }
            match Section::find(&lower) {
                Some(section) if section.named => {
                    let rest = rest.to_owned();
                    named.entry(section.name).or_default().insert(variable, (rest, text));
                }
                Some(section) => {
                    let key = rest.to_lowercase();
                    self.entry(section, "").put(&key, text, Source::Environment(variable))?;
                }
                None => {
                    let sections = || SECTIONS.iter().map(|section| section.name);
                    let hint = match nearest(&lower, sections()) {
                        Some(right) if rest.is_empty() => {
                            format!("did you mean VOLLEY_{}_<KEY>?", right.to_uppercase())
                        }
                        Some(right) => format!("did you mean VOLLEY_{}_{rest}?", right.to_uppercase()),
                        None => {
                            let known: Vec<String> =
                                sections().map(|name| format!("VOLLEY_{}_…", name.to_uppercase())).collect();
                            format!("use {} or {}, or unset it", known.join(", "), OUTSIDE.join(", "))
                        }
                    };
                    return Err(Error::UnknownVariable { variable, hint });
                }
            }
        }
        self.add_lane_variables(named.remove(LANE.name).unwrap_or_default())?;
        self.add_account_variables(named.remove(ACCOUNT.name).unwrap_or_default())?;
        self.add_alert_variables(named.remove(ALERT.name).unwrap_or_default())
    }

    fn add_alert_variables(&mut self, variables: BTreeMap<String, (String, String)>) -> Result<(), Error> {
        for (variable, (rest, text)) in variables {
            let names = self.named(&ALERT).map(|alert| alert.name.clone()).collect();
            let Some((name, key)) = split_name(&rest, &ALERT, names) else {
                let hint = "use VOLLEY_ALERT_<NAME>_<KEY> with the name of an [[alert]] of the file".to_owned();
                return Err(Error::UnknownName { variable, section: ALERT.name, hint });
            };
            self.entry(&ALERT, &name).put(key, text, Source::Environment(variable))?;
        }
        Ok(())
    }

    fn add_lane_variables(&mut self, variables: BTreeMap<String, (String, String)>) -> Result<(), Error> {
        // A lane that only the environment defines exists once it has a channel.
        for (rest, _) in variables.values() {
            if let Some(name) = rest.strip_suffix("_CHANNEL").filter(|name| is_plain(name))
                && !self.named(&LANE).any(|lane| as_variable(&lane.name) == name)
            {
                let name = name.to_lowercase().replace('_', "-");
                self.entry(&LANE, &name);
            }
        }
        for (variable, (rest, text)) in variables {
            let names = self.named(&LANE).map(|lane| lane.name.clone()).collect();
            let Some((name, key)) = split_name(&rest, &LANE, names) else {
                let known: Vec<&str> = self.named(&LANE).map(|lane| lane.name.as_str()).collect();
                let hint = format!(
                    "use VOLLEY_LANE_<NAME>_<KEY> with one of the lanes ({}) and one of the keys ({}), or also set \
                     VOLLEY_LANE_<NAME>_CHANNEL to define a new lane",
                    if known.is_empty() { "none yet".to_owned() } else { known.join(", ") },
                    LANE.key_names().filter(|key| *key != "name").collect::<Vec<_>>().join(", "),
                );
                return Err(Error::UnknownName { variable, section: LANE.name, hint });
            };
            self.entry(&LANE, &name).put(key, text, Source::Environment(variable))?;
        }
        Ok(())
    }

    fn add_account_variables(&mut self, variables: BTreeMap<String, (String, String)>) -> Result<(), Error> {
        for (variable, (rest, text)) in variables {
            let of_lanes =
                self.named(&LANE).map(|lane| lane.values.get("account").map_or(&lane.name, |value| &value.text));
            let names = self.named(&ACCOUNT).map(|account| &account.name).chain(of_lanes).cloned().collect();
            let Some((name, key)) = split_name(&rest, &ACCOUNT, names) else {
                let hint = "use VOLLEY_ACCOUNT_<NAME>_RATE with the `account` of a lane".to_owned();
                return Err(Error::UnknownName { variable, section: ACCOUNT.name, hint });
            };
            self.entry(&ACCOUNT, &name).put(key, text, Source::Environment(variable))?;
        }
        Ok(())
    }

    /// Adds a value from the command line: `("server.listen", value)`.
    pub(super) fn add_flag(&mut self, dotted: &str, text: String) -> Result<(), Error> {
        let (name, key) = dotted.split_once('.').unwrap_or((dotted, ""));
        match Section::find(name).filter(|section| !section.named) {
            Some(section) => self.entry(section, "").put(key, text, Source::Flag),
            None => {
                let hint = hint(name, SECTIONS.iter().filter(|section| !section.named).map(|section| section.name));
                Err(Error::UnknownSection { place: Source::Flag, name: name.to_owned(), hint })
            }
        }
    }
}

/// Variables that other code reads: the path of the file, and the log settings.
const OUTSIDE: [&str; 6] =
    ["VOLLEY_CONFIG", "VOLLEY_OPERATOR", "VOLLEY_LOG", "VOLLEY_LOG_FORMAT", "VOLLEY_SERVER", "VOLLEY_KEY"];

/// Whether `VOLLEY_<name>` does not belong to the configuration: Kubernetes sets some for a service named volley.
fn is_foreign(name: &str) -> bool {
    let of_kubernetes = ["SERVICE_HOST", "SERVICE_PORT", "PORT"];
    OUTSIDE.iter().any(|known| known.strip_prefix("VOLLEY_") == Some(name))
        || of_kubernetes
            .iter()
            .any(|known| name.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('_')))
}

/// Splits `PROMO_SG_RATE` into a name and a key. The longest name wins, so it is the rate of promo-sg even if there is a
/// lane promo.
fn split_name(rest: &str, section: &'static Section, names: Vec<String>) -> Option<(String, &'static str)> {
    names
        .into_iter()
        .filter_map(|name| {
            let key = rest.strip_prefix(as_variable(&name).as_str())?.strip_prefix('_')?.to_lowercase();
            let key = section.key(&key).filter(|key| key.name != "name")?;
            Some((name, key.name))
        })
        .max_by_key(|(name, _)| name.len())
}

/// A name as part of a variable.
fn as_variable(name: &str) -> String {
    name.to_uppercase().replace('-', "_")
}

fn repeated(section: &Section) -> &'static str {
    if section.name == LANE.name {
        "a repeated section with double brackets, [[lane]]; the `lane` of a step belongs in a [[route.step]]"
    } else {
        "a repeated section with double brackets, [[account]]"
    }
}

/// Whether a name is plain. Names are part of variables, URLs and metrics.
pub(super) fn is_plain(name: &str) -> bool {
    (1..=60).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn name_in(keys: &toml::Table, section: &'static Section, number: usize, source: &Source) -> Result<String, Error> {
    match keys.get("name").and_then(toml::Value::as_str).filter(|name| is_plain(name)) {
        Some(name) => Ok(name.to_owned()),
        None => Err(Error::Unnamed { place: source.clone(), section: section.name, number }),
    }
}

/// A list as text, separated by commas as in a variable.
fn in_commas(items: &[toml::Value]) -> Option<String> {
    let texts: Option<Vec<&str>> = items.iter().map(|item| item.as_str().filter(|text| !text.contains(','))).collect();
    Some(texts?.join(", "))
}
