//! The channels that a message is tried on: those of the request, else the subaccount's own route, else its channel.

use super::addressee::check_reach;
use super::content;
use super::kind::Kind;
use super::{Refusal, Subaccount};
use crate::base::domain::{Channel, Span, Status};
use crate::rules::wire::{ChannelStep, Content, SendRequest, User};

const FALLBACK_AFTER: std::ops::RangeInclusive<i64> = 10..=86_400;

/// The channels of a subaccount without a route, in the order in which they are tried for a request that names none. A
/// real subaccount mostly has one of them; the content and the address show which one.
const UNNAMED: [Channel; 4] = [Channel::WhatsApp, Channel::Viber, Channel::Rcs, Channel::Line];

/// A channel that a message is tried on, and when the next one follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamedStep<'r> {
    pub channel: Channel,
    /// The id of the sender, if the request names one.
    pub channel_id: Option<&'r str>,
    pub fallback_after: Option<Span>,
    pub success: Status,
}

impl NamedStep<'_> {
    /// The step of a channel about which nothing else is said.
    pub fn on(channel: Channel) -> Self {
        Self { channel, channel_id: None, fallback_after: None, success: channel.default_success() }
    }
}

/// The content of a message, and whom it is for.
#[derive(Clone, Copy)]
pub(super) struct Draft<'r> {
    pub(super) kind: Kind,
    pub(super) content: &'r Content<'r>,
    pub(super) user: &'r User<'r>,
}

impl Draft<'_> {
    /// Whether the channel can deliver it. The error is the provider's code.
    fn fits(&self, channel: Channel) -> Result<(), i64> {
        check_reach(self.user, channel)?;
        content::check(channel, self.kind, self.content)
    }
}

/// Returns the steps of a message, each of which can deliver it.
pub(super) fn steps<'r>(
    request: &'r SendRequest<'r>,
    draft: Draft<'r>,
    subaccount: &'r dyn Subaccount,
) -> Result<Vec<NamedStep<'r>>, Refusal> {
    if !request.channels.is_empty() {
        let named = request.channels.iter().map(|named| {
            let step = named_step(named, subaccount)?;
            draft.fits(step.channel)?;
            Ok(step)
        });
        return named.collect();
    }
    let own = subaccount.route();
    if own.is_empty() {
        return Ok(vec![own_channel(draft, subaccount)?]);
    }
    // A step that the content cannot be written for is skipped: a template without a fallback text has no SMS.
    let own: Vec<_> = own.into_iter().map(|step| (step, draft.fits(step.channel))).collect();
    let fitting = own.iter().filter(|(_, fits)| fits.is_ok());
    let steps = fitting.map(|(step, _)| existing(*step, subaccount)).collect::<Result<Vec<_>, _>>()?;
    match own.into_iter().find_map(|(_, fits)| fits.err()).filter(|_| steps.is_empty()) {
        Some(code) => Err(code.into()),
        None => Ok(steps),
    }
}

/// The step, if the subaccount has its channel.
fn existing<'r>(step: NamedStep<'r>, subaccount: &dyn Subaccount) -> Result<NamedStep<'r>, i64> {
    if !subaccount.has_channel(step.channel) {
        return Err(3_027);
    }
    match step.channel_id {
        Some(id) if !subaccount.has_sender(step.channel, id) => Err(3_051),
        _ => Ok(step),
    }
}

fn named_step<'r>(named: &'r ChannelStep<'_>, subaccount: &dyn Subaccount) -> Result<NamedStep<'r>, i64> {
    let channel = named.known().ok_or(3_022)?;
    if named.fallback_after.is_some_and(|seconds| !FALLBACK_AFTER.contains(&seconds)) {
        return Err(3_023);
    }
    let success = match named.success_status.as_deref().map(str::parse::<Status>) {
        Some(Err(_)) => return Err(3_024),
        Some(Ok(status)) if status > channel.best_status() => {
            return Err(if status == Status::Read { 3_026 } else { 3_025 });
        }
        Some(Ok(status)) => status,
        None => channel.default_success(),
    };
    let fallback_after = named.fallback_after.map(Span::from_secs);
    existing(NamedStep { channel, channel_id: named.channel_id.as_deref(), fallback_after, success }, subaccount)
}

/// WhatsApp, unless only another channel carries the type or knows the address. If the subaccount has no such channel, the
/// refusal is about the channel that it lacks.
fn own_channel(draft: Draft<'_>, subaccount: &dyn Subaccount) -> Result<NamedStep<'static>, i64> {
    let carries =
        |channel: &Channel| content::carries(*channel, draft.kind) && check_reach(draft.user, *channel).is_ok();
    let able = || UNNAMED.iter().copied().filter(carries);
    let own = able().find(|channel| subaccount.has_channel(*channel)).or_else(|| able().next());
    let own = own.unwrap_or(Channel::WhatsApp);
    draft.fits(own)?;
    existing(NamedStep::on(own), subaccount)
}
