//! Converts texts to values: each one is checked, and recorded for `config show`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::Secret;
use super::credential::{Credential, Form, Invalid, SecretFile};
use super::error::{At, Error};
use super::keys::Takes;
use super::layers::{Entry, Source, Value};

/// One line of `config show`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// `provider`, or `lane promo-sg`.
    pub section: String,
    pub key: &'static str,
    /// As text, a secret as `***`; `None` without value and default.
    pub value: Option<String>,
    /// The value, if it is secret.
    pub(super) secret: Option<Secret>,
    pub is_secret: bool,
    pub source: Source,
    /// The line of the file, if it is written there.
    pub line: Option<u32>,
}

/// A text, or texts by name.
#[derive(Debug)]
pub(super) enum TextValue {
    One(String),
    Named(Vec<(String, String)>),
}

/// Reads one section.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    entry: &'a Entry,
    settings: &'a mut Vec<Setting>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(entry: &'a Entry, settings: &'a mut Vec<Setting>) -> Self {
        Self { entry, settings }
    }

    pub(super) fn name(&self) -> &'a str {
        &self.entry.name
    }

    pub(super) fn title(&self) -> String {
        self.entry.title()
    }

    pub(super) fn at(&self, key: &'static str) -> At {
        let source = self.entry.values.get(key).map_or(Source::Default, |value| value.source.clone());
        At { source, section: self.entry.title(), key }
    }

    pub(super) fn wrong(&self, key: &'static str, problem: impl fmt::Display) -> Error {
        Error::Value { at: self.at(key), problem: problem.to_string() }
    }

    fn record(&mut self, key: &'static str, value: Option<String>, source: Source) {
        let is_secret = self.entry.section.key(key).is_some_and(|key| key.secret);
        let secret = value.clone().filter(|_| is_secret).map(Secret::new);
        let value = if is_secret { value.map(|_| "***".to_owned()) } else { value };
        self.settings.push(Setting { section: self.entry.title(), key, value, secret, is_secret, source, line: None });
    }

    fn take(&mut self, key: &'static str) -> Option<&'a Value> {
        let value = self.entry.values.get(key);
        if let Some(value) = value {
            self.record(key, Some(value.text.clone()), value.source.clone());
        }
        value
    }

    pub(super) fn has(&self, key: &'static str) -> bool {
        self.entry.values.contains_key(key)
    }

    /// The value, if there is one.
    pub(super) fn text(&mut self, key: &'static str) -> Result<Option<String>, Error> {
        let Some(value) = self.take(key) else {
            self.record(key, None, Source::Default);
            return Ok(None);
        };
        match value.text.trim() {
            "" => Err(self.wrong(key, "is empty; write a value or remove it")),
            text => Ok(Some(text.to_owned())),
        }
    }

    /// The text, or the texts of a table, if there are any.
    pub(super) fn texts(&mut self, key: &'static str) -> Result<Option<TextValue>, Error> {
        let named = self.entry.values.get(key).and_then(|value| value.named.clone());
        let text = self.text(key)?;
        Ok(named.map(TextValue::Named).or_else(|| text.map(TextValue::One)))
    }

    /// The parsed values of a list, without empty ones.
    pub(super) fn parsed_list<T: FromStr<Err: fmt::Display>>(&mut self, key: &'static str) -> Result<Vec<T>, Error> {
        let text = self.text(key)?.unwrap_or_default();
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        let parse =
            |item: &str| item.parse().map_err(|error| self.wrong(key, format_args!("invalid \"{item}\": {error}")));
        items.map(parse).collect()
    }

    /// The parsed value, if there is one.
    pub(super) fn parsed<T: FromStr<Err: fmt::Display>>(&mut self, key: &'static str) -> Result<Option<T>, Error> {
        let text = self.text(key)?;
        text.map(|text| text.parse().map_err(|error| self.wrong(key, error))).transpose()
    }

    /// The parsed value, or the default.
    pub(super) fn parsed_or<T>(&mut self, key: &'static str, default: T) -> Result<T, Error>
    where
        T: FromStr<Err: fmt::Display> + fmt::Display,
    {
        if self.has(key) {
            return Ok(self.parsed(key)?.unwrap_or(default));
        }
        self.assume(key, &default);
        Ok(default)
    }

    /// Whether a switch is on.
    pub(super) fn switch(&mut self, key: &'static str, default: bool) -> Result<bool, Error> {
        if !self.has(key) {
            self.assume(key, &default);
            return Ok(default);
        }
        let text = self.text(key)?.unwrap_or_default();
        text.parse().map_err(|_| self.wrong(key, Takes::Switch.must_be()))
    }

    /// Records a default.
    pub(super) fn assume(&mut self, key: &'static str, default: &impl fmt::Display) {
        self.record(key, Some(default.to_string()), Source::Default);
    }

    /// A whole number within bounds.
    pub(super) fn whole(
        &mut self,
        key: &'static str,
        bounds: std::ops::RangeInclusive<u32>,
        default: u32,
    ) -> Result<u32, Error> {
        if !self.has(key) {
            self.assume(key, &default);
            return Ok(default);
        }
        let text = self.text(key)?.unwrap_or_default();
        text.parse().ok().filter(|number| bounds.contains(number)).ok_or_else(|| {
            let (least, most) = bounds.into_inner();
            self.wrong(key, format_args!("invalid number \"{text}\"; use a whole number from {least} to {most}"))
        })
    }

    /// A credential from its own key or from a file. The later layer wins; one layer may not have both.
    pub(super) fn credential(
        &mut self,
        direct: &'static str,
        in_file: &'static str,
        form: Form,
    ) -> Result<Option<Credential>, Error> {
        let (text, file) = (self.entry.values.get(direct), self.entry.values.get(in_file));
        match (text, file) {
            (Some(text), Some(file)) if layer(&text.source) == layer(&file.source) => {
                Err(Error::Both { section: self.title(), first: direct, second: in_file })
            }
            // The overridden key is not shown by `config show`, because it has no effect.
            (Some(text), Some(file)) if text.source < file.source => self.in_file(in_file, form),
            (Some(_), _) => self.direct(direct, form),
            (None, Some(_)) => self.in_file(in_file, form),
            (None, None) => {
                self.record(direct, None, Source::Default);
                self.record(in_file, None, Source::Default);
                Ok(None)
            }
        }
    }

    fn direct(&mut self, key: &'static str, form: Form) -> Result<Option<Credential>, Error> {
        let Some(secret) = self.text(key)?.map(Secret::new) else { return Ok(None) };
        match form {
            Form::Header if !secret.is_header_value() => Err(self.wrong(key, Invalid::Characters)),
            Form::Header | Form::Proof => Ok(Some(Credential::fixed(secret))),
        }
    }

    pub(super) fn in_file(&mut self, key: &'static str, form: Form) -> Result<Option<Credential>, Error> {
        let Some(value) = self.take(key) else {
            self.record(key, None, Source::Default);
            return Ok(None);
        };
        let file = SecretFile::new(key, resolve(&value.text, &value.source), form);
        Credential::in_file(file).map(Some).map_err(|invalid| Error::Credential { at: self.at(key), invalid })
    }

    /// Resolves a path relative to its layer.
    pub(super) fn resolve(&self, key: &'static str, path: &str) -> PathBuf {
        resolve(path, &self.at(key).source)
    }
}

/// Resolves a path: from the file, relative to the file; otherwise, relative to the current folder.
fn resolve(path: &str, source: &Source) -> PathBuf {
    match source {
        Source::File(file) => file.parent().unwrap_or(Path::new("")).join(path),
        Source::Default | Source::Environment(_) | Source::Flag => PathBuf::from(path),
    }
}

fn layer(source: &Source) -> u8 {
    match source {
        Source::Default => 0,
        Source::File(_) => 1,
        Source::Environment(_) => 2,
        Source::Flag => 3,
    }
}
