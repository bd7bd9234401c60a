//! What every page of an operator has around its content.

use super::assets::Assets;
use super::events::said;
use super::show::Plain;
use super::texts::{ENGLISH, Texts};
use crate::base::clock::{format_time, format_time_short};
use crate::base::domain::{Scope, Scopes, Timestamp, Zone};
use crate::base::events::Event;

/// Where a page belongs in the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Home,
    Campaigns,
    Calendar,
    Audiences,
    Replies,
    OptOuts,
    Lanes,
    Templates,
    Prices,
    Events,
    Doctor,
    Settings,
    Operators,
    Keys,
    Webhooks,
    AuditLog,
    /// A page below one of a part, with a trail of its own.
    Below(Part),
    /// In no part of it.
    Elsewhere,
}

/// A part of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Home,
    Campaigns,
    Audiences,
    Sending,
    Events,
    Server,
}

impl Part {
    const ALL: [Self; 6] = [Self::Home, Self::Campaigns, Self::Audiences, Self::Sending, Self::Events, Self::Server];

    /// Its pages. The link to the part opens the first.
    const fn places(self) -> &'static [Place] {
        match self {
            Self::Home => &[Place::Home],
            Self::Campaigns => &[Place::Campaigns, Place::Calendar],
            Self::Audiences => &[Place::Audiences, Place::Replies, Place::OptOuts],
            Self::Sending => &[Place::Lanes, Place::Templates, Place::Prices],
            Self::Events => &[Place::Events],
            Self::Server => {
                &[Place::Doctor, Place::Settings, Place::Operators, Place::Keys, Place::Webhooks, Place::AuditLog]
            }
        }
    }

    fn of(place: Place) -> Option<Self> {
        match place {
            Place::Below(part) => Some(part),
            _ => Self::ALL.into_iter().find(|part| part.places().contains(&place)),
        }
    }
}

impl Place {
    /// The address of its page.
    const fn path(self) -> &'static str {
        match self {
            Self::Campaigns => "/campaigns",
            Self::Calendar => "/calendar",
            Self::Audiences => "/audiences",
            Self::Replies => "/replies",
            Self::OptOuts => "/opt-outs",
            Self::Lanes => "/lanes",
            Self::Templates => "/templates",
            Self::Prices => "/prices",
            Self::Events => "/events",
            Self::Doctor => "/doctor",
            Self::Settings => "/settings",
            Self::Operators => "/operators",
            Self::Keys => "/keys",
            Self::Webhooks => "/webhooks",
            Self::AuditLog => "/audit-log",
            Self::Home | Self::Below(_) | Self::Elsewhere => "/",
        }
    }

    /// What an operator needs to see it.
    const fn scope(self) -> Scope {
        match self {
            Self::Operators | Self::Keys | Self::Webhooks | Self::AuditLog => Scope::Admin,
            _ => Scope::Read,
        }
    }
}

/// A link of the navigation.
#[derive(Debug)]
pub struct NavigationLink {
    pub path: &'static str,
    pub text: &'static str,
    /// The value of `aria-current`.
    pub current: &'static str,
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

    pub fn may_administer(&self) -> bool {
        self.scopes.contain(Scope::Admin)
    }

    /// A time with its offset: `2026-12-01 09:00 +08`.
    pub fn time(&self, at: impl Plain<Timestamp>) -> String {
        format_time_short(at.plain(), self.zone)
    }

    /// A time with the name of its zone.
    pub fn full_time(&self, at: impl Plain<Timestamp>) -> String {
        format_time(at.plain(), self.zone)
    }

    /// What an event says, with or without its subject, and with times in the zone of the page.
    pub fn event(&self, event: &Event, with_subject: impl Plain<bool>) -> String {
        said(event, with_subject.plain(), self.zone)
    }

    /// The links to the parts of the navigation.
    pub fn parts(&self) -> Vec<NavigationLink> {
        let link = |part: Part| NavigationLink {
            path: part.places()[0].path(),
            text: self.texts().part(part),
            current: match (part.places() == [self.place], Part::of(self.place) == Some(part)) {
                (true, _) => "page",
                (_, true) => "true",
                _ => "false",
            },
        };
        Part::ALL.into_iter().map(link).collect()
    }

    /// The links to the other pages of the part, for one that has several and a page that is one of them.
    pub fn siblings(&self) -> Vec<NavigationLink> {
        if matches!(self.place, Place::Below(_)) {
            return Vec::new();
        }
        let places = Part::of(self.place).map_or(&[][..], Part::places);
        let seen = places.iter().filter(|place| self.scopes.contain(place.scope()));
        let links: Vec<NavigationLink> = seen
            .map(|place| NavigationLink {
                path: place.path(),
                text: self.texts().place(*place),
                current: if *place == self.place { "page" } else { "false" },
            })
            .collect();
        if links.len() > 1 { links } else { Vec::new() }
    }
}
