//! The home page: what runs, what needs attention, what is next.

use askama::Template;

use super::campaigns::Row;
use super::frame::Frame;
use crate::campaigns::status::Obstacle;

/// The home page.
#[derive(Debug, Template)]
#[template(path = "home.html")]
pub struct HomePage<'a> {
    pub frame: Frame,
    pub running: Vec<Row<'a>>,
    pub attention: Vec<Attention>,
    pub next: Vec<Row<'a>>,
    pub finished: Vec<Row<'a>>,
}

/// Something that keeps messages from being sent, and what ends that.
#[derive(Debug)]
pub struct Attention {
    /// The campaigns that wait: name and address of each.
    pub campaigns: Vec<(String, String)>,
    pub what: String,
    pub what_to_do: String,
}

impl HomePage<'_> {
    const fn frame(&self) -> &Frame {
        &self.frame
    }

    /// Whether no campaign was ever launched.
    pub fn is_new(&self) -> bool {
        self.running.is_empty() && self.next.is_empty() && self.finished.is_empty()
    }
}

impl Attention {
    /// Lists each obstacle of these campaigns once, with all campaigns that it concerns.
    pub fn of(rows: &[Row<'_>]) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for row in rows {
            for obstacle in &row.look.obstacles {
                let campaign = (row.look.show.name.clone(), row.path());
                let what = obstacle.what_since(row.look.at);
                let same = |known: &&mut Self| {
                    known.what == what && !matches!(obstacle, Obstacle::UsedUp(_) | Obstacle::Reserved(_))
                };
                match all.iter_mut().find(same) {
                    Some(known) => known.campaigns.push(campaign),
                    None => all.push(Self {
                        campaigns: vec![campaign],
                        what,
                        what_to_do: obstacle.what_to_do(&row.look.show.name, row.look.at),
                    }),
                }
            }
        }
        all
    }
}
