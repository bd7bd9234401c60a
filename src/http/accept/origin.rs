//! Where a call comes from: the subaccount that it names, and the lanes that its key may use.

use super::may_use_lane;
use crate::base::config::{Config, DraftStep, Lane, Route, check_receiver};
use crate::base::domain::{Channel, Member, Pool};
use crate::http::access::Caller;
use crate::rules::wire::rules::{NamedStep, Subaccount};

#[derive(Debug, Clone, Copy)]
pub(super) struct Origin<'a> {
    pub(super) config: &'a Config,
    pub(super) sub_account: &'a str,
    pub(super) caller: &'a Caller,
}

/// The id of a lane's channel for callers: the provider's if the configuration has it, else the lane's name.
pub(super) fn id_of(lane: &Lane) -> &str {
    lane.channel_id.as_deref().unwrap_or(&lane.name)
}

impl<'a> Origin<'a> {
    /// Whether any lane sends for the subaccount.
    pub(super) fn is_known(&self) -> bool {
        self.config.lanes.iter().any(|lane| lane.provider.sub_account == self.sub_account)
    }

    /// The lanes of the subaccount on a channel; if it has none, the installation's only lane on it. A chat subaccount never
    /// sends SMS itself. A key that is limited to subaccounts uses no lane of another one.
    fn lanes(&self, channel: Channel) -> Vec<&'a Lane> {
        let may_use = |lane: &&Lane| may_use_lane(self.caller, lane);
        let of_channel: Vec<&Lane> =
            self.config.lanes.iter().filter(|lane| lane.channel == channel).filter(may_use).collect();
        let own: Vec<&Lane> =
            of_channel.iter().copied().filter(|lane| lane.provider.sub_account == self.sub_account).collect();
        match (own.is_empty(), &of_channel[..]) {
            (true, [only]) => vec![only],
            _ => own,
        }
    }

    fn named(&self, channel: Channel, channel_id: Option<&str>) -> impl Iterator<Item = &'a Lane> {
        let is_named = move |lane: &&Lane| channel_id.is_none_or(|id| id == id_of(lane));
        self.lanes(channel).into_iter().filter(is_named)
    }

    /// The lanes that send a step; `None` if there are none.
    pub(super) fn pool(&self, step: NamedStep<'_>) -> Option<Pool> {
        let member = |lane: &Lane| Member {
            lane: lane.name.clone(),
            countries: lane.countries.clone(),
            source: lane.source.clone(),
        };
        let members: Vec<Member> = self.named(step.channel, step.channel_id).map(member).take(Pool::MOST).collect();
        Pool::try_from(members).ok()
    }
}

impl Subaccount for Origin<'_> {
    fn has_channel(&self, channel: Channel) -> bool {
        !self.lanes(channel).is_empty()
    }

    fn has_sender(&self, channel: Channel, channel_id: &str) -> bool {
        self.named(channel, Some(channel_id)).next().is_some()
    }

    fn can_call(&self, url: &str) -> bool {
        check_receiver(url, &self.config.outgoing.allow).is_ok()
    }

    /// The channels, waits and statuses of its default route; the content is the request's own.
    fn route(&self) -> Vec<NamedStep<'_>> {
        let of_it = |route: &&Route| route.is_default && route.sub_account.as_deref() == Some(self.sub_account);
        let steps = self.config.routes.iter().find(of_it).map(|route| &route.steps[..]).unwrap_or_default();
        let named = |step: &DraftStep| NamedStep {
            fallback_after: step.fallback_after,
            success: step.success_status.unwrap_or(step.channel.default_success()),
            ..NamedStep::on(step.channel)
        };
        // A receipt names the channel and no step, so each channel is tried once.
        let is_first =
            |(index, step): &(usize, &DraftStep)| steps[..*index].iter().all(|other| other.channel != step.channel);
        steps.iter().enumerate().filter(is_first).map(|(_, step)| named(step)).collect()
    }
}
