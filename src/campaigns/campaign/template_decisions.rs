//! Carries out decisions of an operator about a WhatsApp template: to hold it, and to resume it.

use std::collections::BTreeSet;

use super::noted::{Noted, noted};
use super::templates::{TemplateError, check_template};
use crate::base::clock::Clock;
use crate::base::config::Config;
use crate::base::domain::Channel;
use crate::base::events::Origin;
use crate::store::{HeldBy, Hold, Store};

/// A decision of an operator about a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TemplateDecision<'a> {
    /// Holds it on these lanes; see [`lanes_to_hold`].
    Hold { lanes: &'a [String] },
    /// Releases its holds, on one lane only if one is given.
    Resume { on: Option<&'a str> },
}

/// A decision about a template that was carried out.
#[derive(Debug, Clone)]
pub struct TemplateCarriedOut {
    /// The lanes on which it was held or released.
    pub lanes: Vec<String>,
    /// The number of holds that a resume released.
    pub released: Option<u32>,
    pub noted: Noted,
    /// The holds of an operator that were there before; their reasons stay.
    pub already: Vec<Hold>,
}

/// The lanes on which a template can be held: the given one, else every WhatsApp lane.
pub fn lanes_to_hold(config: &Config, on: Option<&str>) -> Result<Vec<String>, TemplateError> {
    let lanes: Vec<String> = match on {
        Some(name) => match config.named_lane(name)? {
            lane if lane.channel == Channel::WhatsApp => vec![lane.name.clone()],
            lane => return Err(TemplateError::NotOnWhatsApp(Box::new(lane.clone()))),
        },
        None => config.lanes_on(Channel::WhatsApp).map(|lane| lane.name.clone()).collect(),
    };
    if lanes.is_empty() { Err(TemplateError::NoLane) } else { Ok(lanes) }
}

/// Carries out a decision about a template. A repeated decision succeeds; a hold of an unknown template does not.
pub async fn carry_out_on_template(
    store: &dyn Store,
    clock: &dyn Clock,
    config: &Config,
    template: &str,
    decision: TemplateDecision<'_>,
    by: &Origin,
) -> Result<TemplateCarriedOut, TemplateError> {
    match decision {
        TemplateDecision::Hold { lanes } => {
            check_template(store, config, template).await?;
            let mut already = store.holds().await?;
            let is_by_operator = |hold: &Hold| hold.by == HeldBy::Operator && hold.template == template;
            already.retain(|hold| is_by_operator(hold) && lanes.contains(&hold.lane));
            let mut seq = 0;
            for lane in lanes {
                let since = clock.now();
                seq = store.hold(Hold::by_operator(lane, template, by.clone(), since), since).await?;
            }
            let noted = noted(store, clock, seq).await?;
            Ok(TemplateCarriedOut { lanes: lanes.to_vec(), released: None, noted, already })
        }
        TemplateDecision::Resume { on } => {
            let lanes = held_on(&store.holds().await?, template, on);
            let mut released = 0;
            for lane in &lanes {
                released += store.release(lane.clone(), template.to_owned(), clock.now(), by.clone()).await?;
            }
            let noted = noted(store, clock, store.seq().await?).await?;
            Ok(TemplateCarriedOut { lanes, released: Some(released), noted, already: Vec::new() })
        }
    }
}

/// The lanes on which a template is held, in the order of the holds.
fn held_on(holds: &[Hold], template: &str, on: Option<&str>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let of_it = holds.iter().filter(|hold| hold.template == template && on.is_none_or(|lane| hold.lane == lane));
    of_it.filter(|hold| seen.insert(&hold.lane)).map(|hold| hold.lane.clone()).collect()
}
