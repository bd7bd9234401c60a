//! Looks at the message of each recipient once, while the recipients are read. Keeps counts, and the few recipients that
//! are shown.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use super::super::route_templates::PlanTemplates;
use super::{BrokenLimit, Choice, MessagePreview, PreviewRequest, Previews, StepPreview};
use crate::base::domain::{Address, Msisdn, Plan, Recipient, Step, Takers, stable_hash};
use crate::rules::template;
use crate::rules::template::preview::{BoundMessage, Broken};

/// Recipients that are named for each limit.
const NAMED: usize = 3;

/// Called with the number of recipients looked at so far.
pub(in crate::campaigns::campaign) type OnLooked = Box<dyn FnMut(u64) + Send>;

/// One look at all recipients of a campaign, whatever their sources are.
pub(in crate::campaigns::campaign) struct PreviewPass {
    request: PreviewRequest,
    steps: Vec<StepPass>,
    looked_at: u64,
    on_looked: OnLooked,
}

impl fmt::Debug for PreviewPass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PreviewPass")
    }
}

/// What is known about the messages of a step.
struct StepPass {
    step: Step,
    takers: Takers,
    bound: BoundMessage,
    recipients: u64,
    breaking: u64,
    broken: BTreeMap<Broken, (u64, Vec<Msisdn>)>,
    shown: Shown,
}

/// The recipients to show.
#[derive(Default)]
struct Shown {
    requested: Vec<Recipient>,
    first: Option<Recipient>,
    shortest: Option<((usize, usize), Recipient)>,
    longest: Option<((usize, usize), Recipient)>,
    /// The recipient with the least hash.
    random: Option<(u64, Recipient)>,
}

impl PreviewPass {
    /// Fails if a step names what the plan does not have.
    pub(in crate::campaigns::campaign) fn new(
        plan: &Plan,
        templates: &PlanTemplates,
        request: PreviewRequest,
        on_looked: OnLooked,
    ) -> Result<Self, template::Error> {
        let steps = plan.indexed_steps().map(|(index, step)| {
            let bound = BoundMessage::new(step, plan.names(), templates.approved(index).as_ref())?;
            Ok(StepPass::new(step.clone(), bound))
        });
        Ok(Self { steps: steps.collect::<Result<_, template::Error>>()?, request, looked_at: 0, on_looked })
    }

    /// Looks at recipients that get a message.
    pub(in crate::campaigns::campaign) fn look<'a>(&mut self, recipients: impl Iterator<Item = &'a Recipient>) {
        let Self { request, steps, looked_at, on_looked } = self;
        for recipient in recipients {
            *looked_at += 1;
            let fields = recipient.fields.unpack().unwrap_or_default();
            steps.iter_mut().for_each(|step| step.look(recipient, &fields, request));
        }
        on_looked(*looked_at);
    }

    /// What was found so far.
    pub(in crate::campaigns::campaign) fn found(&self) -> Previews {
        let Self { request, steps, looked_at, on_looked: _ } = self;
        let is_known = |msisdn: &&Msisdn| {
            steps.iter().any(|step| step.shown.requested.iter().any(|it| it.number() == Some(**msisdn)))
        };
        let unknown = request.to.iter().filter(|msisdn| !is_known(msisdn)).copied().collect();
        let steps = (1..).zip(steps).map(|(number, step)| step.found(number, request)).collect();
        Previews { seed: request.seed, recipients: *looked_at, steps, unknown }
    }
}

impl StepPass {
    fn new(step: Step, bound: BoundMessage) -> Self {
        let (broken, shown) = (BTreeMap::new(), Shown::default());
        Self { takers: step.takers(), step, bound, recipients: 0, breaking: 0, broken, shown }
    }

    fn look(&mut self, recipient: &Recipient, fields: &[Cow<'_, str>], request: &PreviewRequest) {
        if !self.takers.include(recipient) {
            return;
        }
        let bubble = self.bound.fill(fields);
        self.recipients += 1;
        let broken = bubble.broken(request.sms_parts_max);
        self.breaking += u64::from(!broken.is_empty());
        for broken in broken {
            let (count, named) = self.broken.entry(broken).or_default();
            *count += 1;
            if named.len() < NAMED {
                named.extend(recipient.number());
            }
        }
        if request.to.is_empty() {
            self.shown.look((bubble.measures().characters, bubble.characters()), recipient, request.seed);
        } else if recipient.number().is_some_and(|number| request.to.contains(&number)) {
            self.shown.requested.push(recipient.clone());
        }
    }

    fn found(&self, step: u8, request: &PreviewRequest) -> StepPreview {
        let limit = |(broken, (recipients, named)): (&Broken, &(u64, Vec<Msisdn>))| BrokenLimit {
            broken: broken.clone(),
            recipients: *recipients,
            first_msisdns: named.clone(),
        };
        let mut broken: Vec<BrokenLimit> = self.broken.iter().map(limit).collect();
        broken.sort_by_key(|limit| std::cmp::Reverse(limit.recipients));
        let message = |(recipient, choices): (&Recipient, Vec<Choice>)| {
            MessagePreview::of_recipient(&self.step, &self.bound, recipient, choices, request)
        };
        let shown = self.shown.each().into_iter().map(message).collect();
        StepPreview { step, recipients: self.recipients, breaking: self.breaking, broken, shown }
    }
}

impl Shown {
    /// Keeps a recipient if it is the first, or has the shortest, the longest or the drawn message so far.
    fn look(&mut self, length: (usize, usize), recipient: &Recipient, seed: u64) {
        if self.first.is_none() {
            self.first = Some(recipient.clone());
        }
        if self.shortest.as_ref().is_none_or(|(least, _)| length < *least) {
            self.shortest = Some((length, recipient.clone()));
        }
        if self.longest.as_ref().is_none_or(|(most, _)| length > *most) {
            self.longest = Some((length, recipient.clone()));
        }
        let own = match &recipient.address {
            Some(Address::Number(number)) => number.get(),
            Some(Address::User(user)) => stable_hash(user.id.bytes()),
            None => 0,
        };
        let hash = mixed(seed ^ mixed(own));
        if self.random.as_ref().is_none_or(|(least, _)| hash < *least) {
            self.random = Some((hash, recipient.clone()));
        }
    }

    /// The recipients to show, each once, with the reasons for it.
    fn each(&self) -> Vec<(&Recipient, Vec<Choice>)> {
        let requested = self.requested.iter().map(|recipient| (recipient, Choice::Requested));
        let chosen = [
            (self.first.as_ref(), Choice::First),
            (self.shortest.as_ref().map(|(_, recipient)| recipient), Choice::Shortest),
            (self.longest.as_ref().map(|(_, recipient)| recipient), Choice::Longest),
            (self.random.as_ref().map(|(_, recipient)| recipient), Choice::Random),
        ];
        let chosen = chosen.into_iter().filter_map(|(recipient, choice)| Some((recipient?, choice)));
        let mut each: Vec<(&Recipient, Vec<Choice>)> = Vec::new();
        for (recipient, choice) in requested.chain(chosen) {
            match each.iter_mut().find(|(known, _)| known.address == recipient.address) {
                Some((_, choices)) => choices.push(choice),
                None => each.push((recipient, vec![choice])),
            }
        }
        each
    }
}

/// SplitMix64: spreads numbers that are alike over all 64 bits.
const fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
