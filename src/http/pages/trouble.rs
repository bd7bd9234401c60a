//! A page that says what went wrong.

use askama::Template;

use super::assets::Assets;
use super::texts::{ENGLISH, Texts};

/// A page instead of the one that was asked for.
#[derive(Debug, Template)]
#[template(path = "trouble.html")]
pub struct TroublePage<'a> {
    pub status: u16,
    /// The same sentence that a command would print.
    pub sentence: &'a str,
    /// The id of the request, by which the log of the server has more.
    pub request_id: &'a str,
}

impl TroublePage<'_> {
    /// Whether the server has failed, and not the one who asked.
    fn is_ours(&self) -> bool {
        self.status >= 500
    }

    fn texts(&self) -> &'static Texts {
        &ENGLISH
    }

    fn assets(&self) -> &'static Assets {
        Assets::all()
    }
}
