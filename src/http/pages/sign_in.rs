//! Signing in, and the first operator.

use askama::Template;

use super::assets::Assets;
use super::frame::Frame;
use super::show;
use super::texts::{ENGLISH, Texts};

/// The page on which operators sign in.
#[derive(Debug, Template)]
#[template(path = "sign_in.html")]
pub struct SignInPage {
    /// What the operator has entered before.
    pub name: String,
    /// Where the operator wanted to go.
    pub next: String,
    pub problem: Option<String>,
    /// Whether there is no admin yet.
    pub awaits_setup: bool,
    /// What was sent after the session had ended.
    pub kept: Option<KeptForm>,
}

/// A form that was sent without a session.
#[derive(Debug, Clone)]
pub struct KeptForm {
    /// The page that it was sent to.
    pub action: String,
    pub fields: Vec<(String, String)>,
}

/// The page after the sign-in, with a form that was sent before it.
#[derive(Debug, Template)]
#[template(path = "kept.html")]
pub struct KeptPage {
    pub frame: Frame,
    pub form: KeptForm,
}

impl KeptPage {
    const fn frame(&self) -> &Frame {
        &self.frame
    }

    /// Fields that are not typed, such as the id of what a form changes.
    const HIDDEN: [&str; 8] = ["edition", "version", "step", "from", "sketch", "upload", "cursor", "answered"];

    /// What was typed, each value with the name of its field in words.
    fn typed(&self) -> Vec<(String, &str)> {
        let words = |name: &str| show::capital(name.replace(['_', '-'], " ")).to_string();
        let typed = self.form.fields.iter().filter(|(name, _)| !Self::HIDDEN.contains(&name.as_str()));
        let filled = typed.filter(|(_, value)| !value.trim().is_empty());
        filled.map(|(name, value)| (words(name), value.as_str())).collect()
    }
}

/// The page on which the first operator is created.
#[derive(Debug, Template)]
#[template(path = "setup.html")]
pub struct SetupPage {
    pub name: String,
    pub problem: Option<String>,
}

impl SignInPage {
    fn texts(&self) -> &'static Texts {
        &ENGLISH
    }

    fn assets(&self) -> &'static Assets {
        Assets::all()
    }
}

impl SetupPage {
    fn texts(&self) -> &'static Texts {
        &ENGLISH
    }

    fn assets(&self) -> &'static Assets {
        Assets::all()
    }
}
