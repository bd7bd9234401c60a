//! The channels that a message is tried on: those of the request, else the subaccount's own route, else its channel.

use super::Model;
use super::content::{self, Kind};
use super::intake::Refusal;
use super::record::ChainStep;
use crate::domain::{Channel, Span, Status};
use crate::wire::{ChannelStep, Content, SendRequest, User};

const FALLBACK_AFTER: std::ops::RangeInclusive<i64> = 10..=86_400;

/// The channels of a subaccount without a route, in the order in which they are tried for a request that names none. A
/// real subaccount mostly has one of them; the content and the address show which one.
const UNNAMED: [Channel; 4] = [Channel::WhatsApp, Channel::Viber, Channel::Rcs, Channel::Line];

/// What a message says, and to whom.
#[derive(Clone, Copy)]
pub(super) struct Said<'r> {
    pub(super) kind: Kind,
    pub(super) content: &'r Content<'r>,
    pub(super) user: &'r User<'r>,
}

impl Said<'_> {
    /// Whether the channel can deliver it. The error is the provider's code.
    fn fits(&self, channel: Channel) -> Result<(), i64> {
        let has_number = self.user.number().is_some();
        match channel {
            Channel::Line if line_user_id(self.user).is_none() => return Err(3_015),
            Channel::Line => {}
            Channel::WhatsApp if !has_number && whatsapp_user_id(self.user).is_none() => return Err(3_002),
            Channel::WhatsApp => {}
            _ if !has_number => return Err(3_002),
            _ => {}
        }
        content::check(channel, self.kind, self.content)
    }
}

/// The id of a LINE user. The document's own sample is not hexadecimal, so any id is taken; newer pages of the provider
/// have it in `channelUserId`.
pub(super) fn line_user_id<'u>(user: &'u User<'_>) -> Option<&'u str> {
    let newer = || user.channel_user_id.as_deref().filter(|id| id.starts_with('U'));
    user.line_user_id.as_deref().filter(|id| !id.is_empty()).or_else(newer)
}

/// The id by which WhatsApp knows a user whose number it does not show: a country and a user in it.
pub(super) fn whatsapp_user_id<'u>(user: &'u User<'_>) -> Option<&'u str> {
    user.channel_user_id.as_deref().filter(|id| id.contains('.'))
}

impl Model {
    /// Returns the steps of a message, each of which can deliver it.
    pub(super) fn steps(&self, request: &SendRequest<'_>, said: Said<'_>) -> Result<Vec<ChainStep>, Refusal> {
        if !request.channels.is_empty() {
            let named = request.channels.iter().map(|named| {
                let step = self.named_step(named)?;
                said.fits(step.channel)?;
                Ok(step)
            });
            return named.collect();
        }
        if self.profile.route.is_empty() {
            return Ok(vec![self.own_channel(said)?]);
        }
        // A step that the content cannot be written for is skipped: a template without a fallback text has no SMS.
        let own = self.profile.route.iter();
        let own: Vec<_> = own.map(|own| (own, said.fits(own.channel))).collect();
        let fitting = own.iter().filter(|(_, fits)| fits.is_ok());
        let steps = fitting.map(|(own, _)| self.step(own.channel, own.fallback_after, own.success_status));
        let steps = steps.collect::<Result<Vec<_>, _>>()?;
        match own.into_iter().find_map(|(_, fits)| fits.err()).filter(|_| steps.is_empty()) {
            Some(code) => Err(code.into()),
            None => Ok(steps),
        }
    }

    fn step(
        &self,
        channel: Channel,
        fallback_after: Option<Span>,
        success: Option<Status>,
    ) -> Result<ChainStep, Refusal> {
        if !self.profile.channels.contains_key(&channel) {
            return Err(Refusal::from(3_027));
        }
        Ok(ChainStep { channel, fallback_after, success: success.unwrap_or(channel.default_success()) })
    }

    fn named_step(&self, named: &ChannelStep<'_>) -> Result<ChainStep, Refusal> {
        let channel = named.known().ok_or(3_022)?;
        if named.fallback_after.is_some_and(|seconds| !FALLBACK_AFTER.contains(&seconds)) {
            return Err(3_023.into());
        }
        let success = match named.success_status.as_deref().map(str::parse::<Status>) {
            Some(Err(_)) => return Err(3_024.into()),
            Some(Ok(status)) if status > channel.best_status() => {
                return Err(if status == Status::Read { 3_026 } else { 3_025 }.into());
            }
            Some(Ok(status)) => Some(status),
            None => None,
        };
        self.step(channel, named.fallback_after.map(Span::from_secs), success)
    }

    /// WhatsApp, unless only another channel carries the type or knows the address.
    fn own_channel(&self, said: Said<'_>) -> Result<ChainStep, Refusal> {
        let has_number = said.user.number().is_some();
        let is_addressed = |channel: Channel| match channel {
            Channel::Line => line_user_id(said.user).is_some(),
            Channel::WhatsApp => has_number || whatsapp_user_id(said.user).is_some(),
            _ => has_number,
        };
        let carries = |channel: &&Channel| {
            self.profile.channels.contains_key(*channel)
                && content::carries(**channel, said.kind)
                && is_addressed(**channel)
        };
        let own = UNNAMED.iter().find(carries).copied().unwrap_or(Channel::WhatsApp);
        said.fits(own)?;
        self.step(own, None, None)
    }
}
