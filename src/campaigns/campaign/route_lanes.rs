//! Chooses the lanes of a route's steps.

use super::route::Building;
use crate::base::config::{DraftStep, Lane};
use crate::base::domain::{Channel, Countries, Member, Pool, StepIndex, hint};

impl<'a> Building<'a> {
    /// The countries that the step applies to: its own, limited by those of the campaign and of its lanes.
    pub(super) fn countries(&self, step: &DraftStep, lanes: &Pool) -> Countries {
        let allowed = self.allowed.map_or(step.countries.clone(), |allowed| step.countries.within(allowed));
        lanes.countries().map_or(allowed.clone(), |served| allowed.within(&served))
    }

    /// The lanes that the step names, else the only lane of its channel. A route uses the lanes of its subaccount.
    pub(super) fn pool(&mut self, index: StepIndex, step: &DraftStep) -> Option<Pool> {
        let key = if step.lanes.len() > 1 { "lanes" } else { "lane" };
        let named: Vec<Option<&str>> = match &step.lanes[..] {
            [] => vec![None],
            names => names.iter().map(|name| Some(name.as_str())).collect(),
        };
        let found: Vec<_> = named.into_iter().map(|name| self.lane(step.channel, name)).collect();
        let (lanes, wrong): (Vec<_>, Vec<_>) = found.into_iter().partition(Result::is_ok);
        for sentence in wrong.into_iter().filter_map(Result::err) {
            self.add_problem(index, key, sentence);
        }
        let lanes: Vec<&Lane> = lanes.into_iter().flatten().collect();
        if lanes.len() < step.lanes.len() {
            return None;
        }
        if lanes.len() > 1 && step.channel == Channel::WhatsApp && step.content.template().is_none() {
            let sentence = "WhatsApp accepts free text only from the number that the recipient has written to; name \
                            one lane";
            self.add_problem(index, key, sentence);
        }
        let member = |lane: &Lane| Member {
            lane: lane.name.clone(),
            countries: lane.countries.clone(),
            source: lane.source.clone(),
        };
        // The parser has refused more lanes than a pool may have.
        Pool::try_from(lanes.into_iter().map(member).collect::<Vec<_>>()).ok()
    }

    pub(super) fn lane(&self, channel: Channel, name: Option<&str>) -> Result<&'a Lane, String> {
        let whose = self.chosen.sub_account;
        let is_ours = |lane: &&Lane| whose.is_none_or(|whose| lane.provider.sub_account == whose);
        let lanes: Vec<&Lane> = self.config.lanes_on(channel).filter(is_ours).collect();
        let names: Vec<&str> = lanes.iter().map(|lane| lane.name.as_str()).collect();
        let others = || if names.is_empty() { "add one to volley.toml".to_owned() } else { list(&names) };
        Err(match (name, &lanes[..]) {
            (Some(name), _) => match self.config.lane(name) {
                Some(lane) if lane.channel == channel && is_ours(&lane) => return Ok(lane),
                Some(lane) if lane.channel == channel => {
                    let (theirs, whose) = (&lane.provider.sub_account, whose.unwrap_or_default());
                    format!("lane {name} sends for {theirs}, but the route is for {whose}; {}", others())
                }
                Some(lane) => format!("lane {name} is on {}, not on {channel}; {}", lane.channel, others()),
                None if names.is_empty() => no_lane(channel, whose),
                None => format!("unknown lane \"{name}\"; {}", hint(name, names)),
            },
            (None, [lane]) => return Ok(lane),
            (None, []) => no_lane(channel, whose),
            (None, [first, ..]) => {
                let all = names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
                format!("{channel} has several lanes; name one: lane = \"{}\", or several: lanes = [{all}]", first.name)
            }
        })
    }

    /// The lanes of a step, as far as they are known.
    pub(super) fn lanes_of(&self, step: &DraftStep) -> Vec<&'a Lane> {
        let lane = |name: Option<&str>| self.lane(step.channel, name).ok();
        match &step.lanes[..] {
            [] => lane(None).into_iter().collect(),
            names => names.iter().filter_map(|name| lane(Some(name))).collect(),
        }
    }
}

fn no_lane(channel: Channel, whose: Option<&str>) -> String {
    let whose = whose.map(|whose| format!(" of {whose}")).unwrap_or_default();
    format!("there is no lane{whose} on {channel}; add a [[lane]] with channel = \"{channel}\" to volley.toml")
}

fn list(names: &[&str]) -> String {
    format!("use one of {}", names.join(", "))
}
