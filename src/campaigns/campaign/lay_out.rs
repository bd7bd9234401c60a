//! Lays out a campaign: writes its messages in pieces under a hidden state, and publishes them at once.

use std::collections::BTreeSet;

use super::beginnings::Beginnings;
use super::channel_users::ChannelUsers;
use super::lacking::Needs;
use super::launch::{LaunchError, Launched, Launcher, Prepared};
use super::recipients::{Part, Recipients};
use crate::base::domain::{
    Address, BatchId, BatchState, CampaignId, Channel, Country, OnMissingValue, Plan, Recipient, Tag, Taker, Timestamp,
};
use crate::recipients::audience;
use crate::rules::engine;
use crate::store::{NewBatch, Over, PieceOfMessages, Start, StoredLane};

/// Messages written in one transaction: about 20 ms of writing.
const PIECE: u32 = 5_000;

impl Launcher<'_> {
    pub(super) async fn lay_out(&self, prepared: &mut Prepared) -> Result<Launched, LaunchError> {
        let now = self.clock.now();
        let Prepared { recipients, plan, schedule, beginnings, .. } = prepared;
        let starts_at = Some(beginnings.first).filter(|at| *at > now);
        let name = match prepared.name.take() {
            Some(name) => name,
            // Several campaigns may be launched in one second.
            None => self.unused_name(&generated_name(&recipients.label, now)).await?,
        };
        plan.unselected = recipients.unselected;
        let lanes = self.store.lanes(plan.lanes()).await?;
        let tag = Tag::from_random(self.chance.bits());
        let new = NewBatch {
            tag,
            plan: plan.clone(),
            name: Some(name.clone()),
            audience: recipients.label.clone(),
            audience_ids: recipients.audiences.iter().map(|part| part.id).collect(),
            starts_at: starts_at.or(schedule.at),
            open_until: None,
            now,
        };
        let batch = self.store.begin_batch(new).await?;
        if let Some(origin) = prepared.repeats {
            self.store.note_repetition(batch, origin).await?;
        }
        let begins = |taker| beginnings.of_taker(taker).max(now);
        let (messages, excluded) =
            self.write_all_messages(batch, plan, recipients, &lanes, (beginnings, &begins)).await?;
        // Its start time may have come meanwhile.
        let published = self.clock.now();
        let starts_at = starts_at.filter(|at| *at > published);
        let state = match starts_at {
            _ if prepared.is_draft => BatchState::Draft,
            Some(_) => BatchState::Scheduled,
            // It begins once the housekeeper sees that its templates are approved.
            None if plan.when.is_some() => BatchState::Scheduled,
            None => BatchState::Running,
        };
        self.store.publish_batch(batch, state, self.by.clone(), published).await?;
        Ok(Launched {
            id: CampaignId { batch, tag },
            batch,
            name,
            state,
            messages,
            rejected: recipients.rejected(),
            excluded,
            opted_out: recipients.opted_out,
            reached_before: recipients.reached_before,
            not_selected: recipients.not_selected,
            across: recipients.across,
            starts_at,
            zone: plan.time_zone,
        })
    }

    /// Writes the messages. Returns their number, and how many of them the campaign excludes.
    async fn write_all_messages(
        &self,
        batch: BatchId,
        plan: &Plan,
        recipients: &Recipients,
        lanes: &[StoredLane],
        (beginnings, at): (&Beginnings, &(dyn Fn(Option<Taker>) -> Timestamp + Sync)),
    ) -> Result<(u32, u64), LaunchError> {
        let (start, elsewhere) = starts(plan, lanes, None, beginnings.countries(), at)?;
        let mut users = Vec::new();
        if !recipients.without_number.is_empty() {
            let (start, elsewhere) = starts(plan, lanes, Some(Channel::WhatsApp), beginnings.countries(), at)?;
            users.push((None, start));
            users.extend(elsewhere.into_iter().map(|(country, start)| (Some(country), start)));
        }
        let all = recipients.audiences.iter().map(|part| part.recipients).sum();
        let over = plan.over.map(|span| Over { span, messages: all });
        let skips = plan.on_missing_value == Some(OnMissingValue::Skip);
        let needs = skips.then(|| Needs::of(plan));
        let channel_users = ChannelUsers::of(plan).and_column(plan, recipients.user_column.as_deref());
        let (mut base, mut messages, mut all_excluded) = (0, 0, 0);
        for part in &recipients.audiences {
            let mut from = 0;
            while from < part.recipients {
                let until = from.saturating_add(PIECE).min(part.recipients);
                // Most campaigns need only the numbers.
                let read = match channel_users.are_none() && needs.is_none() {
                    true => Vec::new(),
                    false => self.store.recipients(part.id, from, until - from).await?,
                };
                channel_users.learn(self.store, &read).await?;
                let excluded = self.excluded(recipients, part, from).await?;
                let lacking = needs.as_ref().map(|needs| lacking(needs, from, &read)).unwrap_or_default();
                let left_out = part.left_out_between(from, until).to_vec();
                // A position that is left out gets no message at all.
                all_excluded += excluded.iter().filter(|n| left_out.binary_search(n).is_err()).count() as u64;
                let piece = PieceOfMessages {
                    batch,
                    audience: part.id,
                    from,
                    until,
                    base,
                    over,
                    start: start.clone(),
                    elsewhere: elsewhere.clone(),
                    users: users.clone(),
                    excluded,
                    lacking,
                    left_out,
                    heeds: plan.heeds(),
                    now: self.clock.now(),
                };
                messages += self.store.write_messages(piece).await?;
                from = until;
            }
            base += part.recipients;
        }
        Ok((messages, all_excluded))
    }

    /// The excluded recipients of one piece, by their positions. Each transaction gets only those of its own piece,
    /// however long the exclusion list is.
    async fn excluded(&self, recipients: &Recipients, part: &Part, from: u32) -> Result<Vec<u32>, LaunchError> {
        if recipients.excluded.recipients.is_empty() {
            return Ok(Vec::new());
        }
        let addresses = audience::addresses(self.store, part.id, from, PIECE).await?;
        let is_excluded =
            |it: &Option<Address>| it.as_ref().is_some_and(|it| recipients.excluded.recipients.contains(it));
        let excluded = (from..).zip(&addresses).filter(|(_, address)| is_excluded(address));
        Ok(excluded.map(|(n, _)| n).collect())
    }
}

/// The recipients of one piece who lack a value, by their positions.
fn lacking(needs: &Needs, from: u32, recipients: &[Recipient]) -> Vec<u32> {
    let lacks = |recipient: &Recipient| {
        // A message with unreadable fields is reported when it is to be sent.
        recipient.fields.unpack().is_ok_and(|fields| needs.lacked_by(recipient, &fields).is_some())
    };
    (from..).zip(recipients).filter(|(_, recipient)| lacks(recipient)).map(|(n, _)| n).collect()
}

/// How the messages of a plan begin, to recipients whom `only_on` alone knows if they have no number: the default, and the
/// countries that begin differently.
pub(super) fn starts(
    plan: &Plan,
    lanes: &[StoredLane],
    only_on: Option<Channel>,
    countries: impl Iterator<Item = Country>,
    at: &(dyn Fn(Option<Taker>) -> Timestamp + Sync),
) -> Result<(Start, Vec<(Country, Start)>), LaunchError> {
    let taker = |country: Option<Country>| country.map(|country| Taker { country, only_on });
    let begins = |country| {
        let present = engine::begin(plan, plan.marks_at_first(country, only_on), at(taker(country)), None);
        let pool = &plan.step(present.step).ok_or(LaunchError::NoLane)?.lanes;
        let id = |position: usize| {
            let name = pool.members().get(position).map(|member| &member.lane);
            lanes.iter().find(|lane| Some(&lane.name) == name).map(|lane| lane.id).ok_or(LaunchError::NoLane)
        };
        let lanes = pool.lane_indexes(country).into_iter().map(id).collect::<Result<_, LaunchError>>()?;
        Ok::<_, LaunchError>(Start::of(&present, lanes))
    };
    let start = begins(None)?;
    let mut elsewhere = Vec::new();
    let countries: BTreeSet<Country> = plan.named_countries().into_iter().chain(countries).collect();
    for country in countries {
        elsewhere.extend(Some((country, begins(Some(country))?)).filter(|(_, other)| *other != start));
    }
    Ok((start, elsewhere))
}

fn generated_name(audience: &str, now: Timestamp) -> String {
    let text = now.rfc3339();
    let (date, time) = text.split_once('T').unwrap_or((&text, ""));
    format!("{audience} {date} {}", time.get(..8).unwrap_or(time))
}
