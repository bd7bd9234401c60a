//! What every page of an operator has around its content.

use super::assets::Assets;
use super::show::Plain;
use super::texts::{ENGLISH, Texts};
use crate::clock::{format_time, format_time_short};
use crate::domain::{Scope, Scopes, Timestamp, Zone};

/// Where a page belongs in the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Home,
    Campaigns,
    Lanes,
    Events,
    /// In no part of it.
    Elsewhere,
}

/// The frame of a page, for the operator who sees it.
#[derive(Debug)]
pub struct Frame {
    pub operator: String,
    pub scopes: Scopes,
    /// The zone of the times on the page; `None` is that of the server.
    pub zone: Option<Zone>,
    /// What every form of the page sends along.
    pub form_token: String,
    pub place: Place,
    /// A sentence about what the operator has just done.
    pub notice: Option<String>,
}

impl Frame {
    pub const fn texts(&self) -> &'static Texts {
        &ENGLISH
    }

    pub fn assets(&self) -> &'static Assets {
        Assets::all()
    }

    pub fn may_manage(&self) -> bool {
        self.scopes.contain(Scope::Manage)
    }

    /// A time with its offset: `2026-12-01 09:00 +08`.
    pub fn time(&self, at: impl Plain<Timestamp>) -> String {
        format_time_short(at.plain(), self.zone)
    }

    /// A time with the name of its zone.
    pub fn full_time(&self, at: impl Plain<Timestamp>) -> String {
        format_time(at.plain(), self.zone)
    }

    /// The attribute of the link to a part of the navigation.
    pub fn current(&self, place: Place) -> &'static str {
        if self.place == place { "page" } else { "false" }
    }
}
