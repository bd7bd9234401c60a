//! Reads a table key by key, and collects all of its problems instead of stopping at the first.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value};

use super::bounds::{Most, NAME_MAX, PROBLEMS_MAX, text_problem};
use super::problem::Problem;
use super::step::STEP_KEYS;
use crate::base::domain::{Span, StepIndex, grouped, hint, nearest};

/// A table of the file. Each key that is read counts as known; [`Table::finish`] refuses the rest.
#[derive(Debug)]
pub struct Table<'a> {
    step: Option<StepIndex>,
    /// The prefix of the keys of an inner table: `template, `, or `template, header `.
    prefix: Cow<'a, str>,
    left: Map<String, Value>,
    known: Vec<&'static str>,
    /// Keys of which one is required and missing, and the index of that problem.
    missing: Vec<(&'static [&'static str], usize)>,
    problems: &'a mut Vec<Problem>,
}

/// A key that is not supported yet, and what to do instead.
pub type NotBuilt = (&'static str, &'static str);

impl<'a> Table<'a> {
    pub fn new(
        step: Option<StepIndex>,
        prefix: &'a str,
        left: Map<String, Value>,
        problems: &'a mut Vec<Problem>,
    ) -> Self {
        Self { step, prefix: prefix.into(), left, known: Vec::new(), missing: Vec::new(), problems }
    }

    /// Reports a problem, unless there are many already.
    pub fn wrong(&mut self, key: &str, sentence: impl fmt::Display) {
        if self.problems.len() >= PROBLEMS_MAX {
            return;
        }
        let key = format!("{}{key}", self.prefix);
        // The table as a whole has no key of its own.
        self.problems.push(Problem::new(self.step, key.trim_end_matches([',', ' ']), sentence));
    }

    /// Reports that none of these keys is there, under the first one. The report is dropped if an unknown key turns out
    /// to be one of them, misspelled: its own error is enough.
    pub fn missing(&mut self, keys: &'static [&'static str], sentence: impl fmt::Display) {
        let Some(first) = keys.first() else { return };
        keys.iter().for_each(|key| self.mark_known(key));
        let before = self.problems.len();
        self.wrong(first, sentence);
        if self.problems.len() > before {
            self.missing.push((keys, before));
        }
    }

    pub fn not_built(&mut self, key: &str, what: impl fmt::Display, instead: &str) {
        self.wrong(key, format_args!("{what} is not supported yet; {instead}"));
    }

    /// A table under a key of this one.
    pub fn below(&mut self, key: &str, left: Map<String, Value>) -> Table<'_> {
        let prefix = if self.prefix.is_empty() { format!("{key}, ") } else { format!("{}{key} ", self.prefix) };
        Table { prefix: prefix.into(), ..Table::new(self.step, "", left, self.problems) }
    }

    /// Reads a table under a key; `None` if there is none, or after a reported problem.
    pub fn read_below<T>(&mut self, key: &'static str, read: impl FnOnce(Table<'_>) -> Option<T>) -> Option<T> {
        let keys = self.table(key)?;
        read(self.below(key, keys))
    }

    /// Reads each table of the list under a key; `None` after a reported problem.
    pub fn read_each<T>(&mut self, key: &'static str, read: impl Fn(Table<'_>) -> Option<T>) -> Option<Vec<T>> {
        let tables = self.tables(key)?;
        // All of them are read, so that all problems are reported.
        let found: Vec<_> = tables.into_iter().map(|keys| read(self.below(key, keys))).collect();
        found.into_iter().collect()
    }

    /// The table of a step.
    pub fn step(&mut self, index: StepIndex, left: Map<String, Value>) -> Table<'_> {
        Table::new(Some(index), "", left, self.problems)
    }

    pub fn has(&mut self, key: &'static str) -> bool {
        self.mark_known(key);
        self.left.get(key).is_some_and(|value| !value.is_null())
    }

    /// Marks a key as known.
    fn mark_known(&mut self, key: &'static str) {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
    }

    pub fn is_table(&self, key: &str) -> bool {
        self.left.get(key).is_some_and(Value::is_object)
    }

    /// Whether all of its keys have been read.
    pub fn is_spent(&self) -> bool {
        self.left.is_empty()
    }

    pub fn take(&mut self, key: &'static str) -> Option<Value> {
        self.mark_known(key);
        self.left.remove(key).filter(|value| !value.is_null())
    }

    /// Reads a text. With `numbers`, a number is read as its text.
    fn text_of(&mut self, key: &str, value: Value, numbers: bool) -> Option<String> {
        match value {
            Value::String(text) => match text_problem(&text) {
                Some(problem) => {
                    self.wrong(key, problem);
                    None
                }
                None => Some(text),
            },
            Value::Number(number) if numbers => Some(number.to_string()),
            Value::Number(number) => {
                self.wrong(key, format_args!("write a text in quotes instead of {number}"));
                None
            }
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
                self.wrong(key, "must be a text in quotes");
                None
            }
        }
    }

    pub fn text(&mut self, key: &'static str) -> Option<String> {
        let value = self.take(key)?;
        self.text_of(key, value, false)
    }

    pub fn has_text(&self, key: &str) -> bool {
        matches!(self.left.get(key), Some(Value::String(_)))
    }

    pub fn text_or_number(&mut self, key: &'static str) -> Option<String> {
        let value = self.take(key)?;
        self.text_of(key, value, true)
    }

    /// Reads a text that is not empty.
    pub fn filled_text(&mut self, key: &'static str) -> Option<String> {
        let text = self.text(key)?;
        if text.trim().is_empty() {
            self.wrong(key, "is empty; write a value or remove it");
            return None;
        }
        Some(text.trim().to_owned())
    }

    /// Reads a duration of at least a second.
    pub fn positive(&mut self, key: &'static str) -> Option<Span> {
        if let Some(Value::Number(number)) = self.left.get(key) {
            let sentence =
                format!("{number} has no unit; write a length of time in quotes, such as \"20s\" or \"15m\"");
            self.take(key);
            self.wrong(key, sentence);
            return None;
        }
        let span: Span = self.parsed(key)?;
        if span < Span::from_secs(1) {
            self.wrong(key, format_args!("{span} is less than a second; write 1s or more, or remove it"));
            return None;
        }
        Some(span)
    }

    /// Reads and parses a text.
    pub fn parsed<T: FromStr<Err: fmt::Display>>(&mut self, key: &'static str) -> Option<T> {
        let text = self.filled_text(key)?;
        text.parse().map_err(|error| self.wrong(key, error)).ok()
    }

    /// Reads one text, or a list of them. More than `most` are a problem, and those beyond are not read.
    pub fn texts(&mut self, key: &'static str, most: Most) -> Vec<String> {
        match self.take(key) {
            None => Vec::new(),
            Some(Value::Array(mut values)) => {
                self.cut(key, &mut values, most);
                values.into_iter().filter_map(|value| self.text_of(key, value, false)).collect()
            }
            Some(value) => self.text_of(key, value, false).into_iter().collect(),
        }
    }

    /// Reports a list with more than `most` entries, and drops those beyond.
    fn cut<T>(&mut self, key: &str, entries: &mut Vec<T>, most: Most) {
        if let Some(problem) = most.problem(entries.len()) {
            self.wrong(key, problem);
            entries.truncate(most.entries);
        }
    }

    /// Reads and parses one text or a list of them, if the key is set.
    pub fn parsed_all<T: FromStr<Err: fmt::Display>>(&mut self, key: &'static str, most: Most) -> Option<Vec<T>> {
        if !self.has(key) {
            return None;
        }
        let texts = self.texts(key, most);
        Some(texts.iter().filter_map(|text| text.parse().map_err(|error| self.wrong(key, error)).ok()).collect())
    }

    pub fn truth(&mut self, key: &'static str) -> Option<bool> {
        match self.take(key)? {
            Value::Bool(truth) => Some(truth),
            Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                self.wrong(key, "write true or false, without quotes");
                None
            }
        }
    }

    pub fn table(&mut self, key: &'static str) -> Option<Map<String, Value>> {
        match self.take(key)? {
            Value::Object(table) => Some(table),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                self.wrong(key, "must be a table of keys and values");
                None
            }
        }
    }

    /// Reads texts under names that the operator chooses.
    pub fn named_texts(&mut self, key: &'static str, most: Most) -> Vec<(String, String)> {
        let mut entries: Vec<_> = self.table(key).unwrap_or_default().into_iter().collect();
        self.cut(key, &mut entries, most);
        let mut texts = Vec::with_capacity(entries.len());
        for (name, value) in entries {
            let problem = match value {
                Value::String(text) => match text_problem(&text) {
                    Some(problem) => problem,
                    None => {
                        texts.push((name, text));
                        continue;
                    }
                },
                _ => "must be a text in quotes".to_owned(),
            };
            self.wrong(key, format_args!("{name}: {problem}"));
        }
        texts
    }

    /// Reads a JSON object that is passed on as it is; `None` after a reported problem.
    pub fn object(&mut self, key: &'static str) -> Option<Map<String, Value>> {
        let object = self.table(key)?;
        let mut values = 0;
        if let Err(problem) = check_object(&object, &mut values) {
            self.wrong(key, problem);
            return None;
        }
        Some(object)
    }

    /// Reads a list of tables; `None` after a reported problem.
    pub fn tables(&mut self, key: &'static str) -> Option<Vec<Map<String, Value>>> {
        let tables: Option<Vec<_>> = match self.take(key) {
            None => Some(Vec::new()),
            Some(Value::Array(mut values)) => {
                self.cut(key, &mut values, Most::PARTS);
                let table = |value| match value {
                    Value::Object(table) => Some(table),
                    Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
                };
                values.into_iter().map(table).collect()
            }
            Some(_) => None,
        };
        if tables.is_none() {
            self.wrong(key, format_args!("write [[{key}]] with double brackets, one for each entry"));
        }
        tables
    }

    /// Refuses every key that was not read, so that none is ignored. Of many, the first stand for all: each is compared
    /// with every known key.
    pub fn finish(mut self, not_built: &[NotBuilt]) {
        let unknown: Vec<String> =
            std::mem::take(&mut self.left).into_iter().map(|(key, _)| key).take(PROBLEMS_MAX).collect();
        self.drop_consequences(&unknown);
        for key in unknown {
            match not_built.iter().find(|(name, _)| *name == key) {
                Some((name, instead)) => self.not_built(name, format_args!("`{name}`"), instead),
                None => {
                    let known = self.known.clone();
                    self.wrong(&key, format_args!("unknown key; {}", hint(&key, known)));
                }
            }
        }
    }

    /// Drops the reports of missing keys that are there, but misspelled.
    fn drop_consequences(&mut self, unknown: &[String]) {
        let meant: Vec<&str> = unknown.iter().filter_map(|key| nearest(key, self.known.iter().copied())).collect();
        // From the last one on, so that the indexes of the others stay right.
        for (keys, index) in self.missing.drain(..).rev() {
            if keys.iter().any(|key| meant.contains(key)) {
                self.problems.remove(index);
            }
        }
    }

    /// The same for a table that has steps, under this header: a key of a step is said to belong there.
    pub fn finish_beside_steps(mut self, header: &str, not_built: &[NotBuilt]) {
        for key in STEP_KEYS {
            if !self.known.contains(key) && self.left.remove(*key).is_some() {
                self.wrong(key, format_args!("belongs to a step; move it into a {header}"));
            }
        }
        self.finish(not_built);
    }
}

/// Checks the size of a JSON object; `values` counts what it holds.
fn check_object(object: &Map<String, Value>, values: &mut usize) -> Result<(), String> {
    for (name, value) in object {
        if name.chars().count() > NAME_MAX {
            return Err(format!("a name has more than {} characters; shorten it", grouped(NAME_MAX as u64)));
        }
        check_value(value, values)?;
    }
    Ok(())
}

fn check_value(value: &Value, values: &mut usize) -> Result<(), String> {
    *values += 1;
    if let Some(problem) = Most::JSON.problem(*values) {
        return Err(problem);
    }
    match value {
        Value::String(text) => text_problem(text).map_or(Ok(()), Err),
        Value::Array(list) => list.iter().try_for_each(|value| check_value(value, values)),
        Value::Object(object) => check_object(object, values),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::domain::steps_of;

    #[test]
    fn many_unknown_keys_cost_no_more_than_the_reported_ones() {
        let cost = |count: usize| {
            let left = (0..count).map(|n| (format!("audiense_{n:05}"), Value::Null)).collect();
            let mut problems = Vec::new();
            let ((), steps) = steps_of(|| {
                let mut table = Table::new(None, "", left, &mut problems);
                table.text("audience_00000");
                table.finish(&[]);
            });
            (problems.len(), steps)
        };
        let most = cost(PROBLEMS_MAX);
        assert!(most.0 == PROBLEMS_MAX && most.1 > 0, "{most:?}");
        assert_eq!(cost(80_000), most);
    }
}
