//! Signing in, and the first operator.

use askama::Template;

use super::assets::Assets;
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
