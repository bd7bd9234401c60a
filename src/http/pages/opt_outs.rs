//! The lists of opt-outs, and the page that adds some.

use askama::Template;
use serde::{Deserialize, Serialize};

use super::file_fields::country_field;
use super::frame::Frame;
use super::recipient::{WishLine, recipient_path};
use super::texts::ENGLISH;
use super::writing::{Field, FieldKind};
use crate::base::domain::{Address, OptOutOf};

/// The numbers that have opted out, and the ids of channels.
#[derive(Debug, Template)]
#[template(path = "opt_outs.html")]
pub struct OptOutsPage {
    pub frame: Frame,
    pub rows: Vec<OptOutRow>,
    /// What was searched for.
    pub number: String,
    /// The number or id that this is; `None` if it is neither.
    pub searched: Option<Address>,
    /// Whether it is not the first page.
    pub is_later: bool,
    pub next: Option<String>,
}

/// A recipient who has opted out.
#[derive(Debug)]
pub struct OptOutRow {
    pub address: Address,
    pub wish: WishLine,
}

impl OptOutRow {
    fn remove_path(&self) -> String {
        format!("{}/opt-in", recipient_path(&self.address))
    }
}

impl OptOutsPage {
    const fn frame(&self) -> &Frame {
        &self.frame
    }

    fn is_searched(&self) -> bool {
        !self.number.is_empty()
    }
}

/// How many were opted out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Opted {
    pub changed: u64,
    pub unchanged: u64,
    pub duplicates: u64,
    pub invalid: u64,
}

/// The field for what somebody opts out of.
pub fn purpose_field(name: &str, chosen: OptOutOf) -> Field {
    let own = &ENGLISH.on_recipients;
    let choices = [(OptOutOf::Everything, own.of_everything), (OptOutOf::Marketing, own.of_marketing)];
    let choices = choices.map(|(of, label)| (of.to_string(), label.to_owned()));
    let field = Field::text(name, (own.opt_out_of, own.opt_out_of_hint), chosen.to_string());
    Field { kind: FieldKind::Choice(choices.to_vec()), ..field }
}

/// Adds opt-outs: by hand, or with a file.
#[derive(Debug, Template)]
#[template(path = "add_opt_outs.html")]
pub struct AddOptOutsPage {
    pub frame: Frame,
    /// What was entered and not taken.
    pub numbers: String,
    /// The fields for the country, of each form.
    pub country: Field,
    pub file_country: Field,
    /// What they opt out of, of each form.
    pub purpose: Field,
    pub file_purpose: Field,
    pub reason: String,
    /// What is wrong with the numbers, and with the file.
    pub numbers_problem: Option<String>,
    pub file_problem: Option<String>,
}

impl AddOptOutsPage {
    pub fn new(frame: Frame) -> Self {
        Self {
            frame,
            numbers: String::new(),
            country: country_field("country", ""),
            file_country: country_field("file-country", ""),
            purpose: purpose_field("purpose", OptOutOf::Everything),
            file_purpose: purpose_field("file-purpose", OptOutOf::Everything),
            reason: String::new(),
            numbers_problem: None,
            file_problem: None,
        }
    }

    const fn frame(&self) -> &Frame {
        &self.frame
    }
}
