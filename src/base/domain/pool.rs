//! The lanes of a step: one lane, or several that share its recipients.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{AddressKey, Country, mixed, stable_hash};

/// A lane that sends a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub lane: String,
    /// The countries whose recipients the lane serves. Without any, it serves all countries that no other lane of the
    /// pool names.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub countries: BTreeSet<Country>,
    /// The sender of its SMS, if the step names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

impl Member {
    pub fn new(lane: &str) -> Self {
        Self { lane: lane.to_owned(), countries: BTreeSet::new(), source: None }
    }
}

/// The lanes of a step: at least one, each at most once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Member>", into = "Vec<Member>")]
pub struct Pool(Vec<Member>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPool {
    #[error("no lane given; name at least one")]
    Empty,
    #[error("more than {} lanes given; name fewer", Pool::MOST)]
    TooMany,
}

impl TryFrom<Vec<Member>> for Pool {
    type Error = InvalidPool;

    fn try_from(members: Vec<Member>) -> Result<Self, InvalidPool> {
        match members.len() {
            0 => Err(InvalidPool::Empty),
            1..=Self::MOST => Ok(Self(members)),
            _ => Err(InvalidPool::TooMany),
        }
    }
}

impl From<Pool> for Vec<Member> {
    fn from(pool: Pool) -> Self {
        pool.0
    }
}

impl Pool {
    pub const MOST: usize = 64;
    /// Numbers with the same remainder modulo this share a lane. A prime, so that no pattern in how numbers are
    /// assigned favours a lane.
    const SLOTS: u16 = 1_021;

    pub fn of_one(lane: &str) -> Self {
        Self(vec![Member::new(lane)])
    }

    pub fn members(&self) -> &[Member] {
        &self.0
    }

    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        self.0.iter().map(|member| member.lane.as_str())
    }

    pub fn member(&self, lane: &str) -> Option<&Member> {
        self.0.iter().find(|member| member.lane == lane)
    }

    pub fn contains(&self, lane: &str) -> bool {
        self.member(lane).is_some()
    }

    pub const fn is_shared(&self) -> bool {
        self.0.len() > 1
    }

    /// The countries that the pool serves; `None` if it serves all.
    pub fn countries(&self) -> Option<BTreeSet<Country>> {
        let names_some = self.0.iter().all(|member| !member.countries.is_empty());
        names_some.then(|| self.named_countries().collect())
    }

    /// The countries that any of its lanes names.
    pub fn named_countries(&self) -> impl Iterator<Item = Country> + '_ {
        self.0.iter().flat_map(|member| member.countries.iter().copied())
    }

    /// Whether `member` may send for `other` while `other` may not send: it has to serve every country that `other`
    /// serves.
    pub fn may_replace(&self, member: &Member, other: &Member) -> bool {
        member.lane != other.lane
            && member.countries.is_empty() == other.countries.is_empty()
            && member.countries.is_superset(&other.countries)
    }

    /// The index of the lane at which a recipient's messages are queued.
    ///
    /// - The same recipient always gets the same lane.
    /// - The recipients of a country are shared evenly among the lanes that serve it.
    /// - Adding or removing a lane moves no more recipients than necessary.
    pub fn lane_index(&self, recipient: AddressKey, country: Country) -> usize {
        let choices = self.choices(Some(country));
        let slot = u16::try_from(recipient.get().unsigned_abs() % u64::from(Self::SLOTS)).unwrap_or_default();
        self.of_slot(&choices, slot)
    }

    /// [`Pool::lane_index`] for all numbers at once: the entry of a number is at the number modulo the length. `None` stands
    /// for a country that no lane names.
    pub fn lane_indexes(&self, country: Option<Country>) -> Vec<usize> {
        let choices = self.choices(country);
        match choices[..] {
            [only] => vec![only],
            _ => (0..Self::SLOTS).map(|slot| self.of_slot(&choices, slot)).collect(),
        }
    }

    /// The share of a country's recipients that each lane serves; lanes without any are left out.
    pub fn shares(&self, country: Country) -> impl Iterator<Item = (&Member, f64)> {
        let indexes = self.lane_indexes(Some(country));
        let all = count(indexes.len());
        let share = move |index: usize| count(indexes.iter().filter(|other| **other == index).count()) / all;
        self.0.iter().enumerate().map(move |(index, member)| (member, share(index))).filter(|(_, share)| *share > 0.0)
    }

    fn choices(&self, country: Option<Country>) -> Vec<usize> {
        let of = |fits: &dyn Fn(&Member) -> bool| {
            self.0.iter().enumerate().filter(|(_, member)| fits(member)).map(|(index, _)| index).collect::<Vec<_>>()
        };
        let named = of(&|member| country.is_some_and(|country| member.countries.contains(&country)));
        if named.is_empty() { of(&|member| member.countries.is_empty()) } else { named }
    }

    /// The choice with the best score for a slot. A lane's score does not depend on the other lanes.
    fn of_slot(&self, choices: &[usize], slot: u16) -> usize {
        let score = |index: &usize| self.0.get(*index).map_or(0, |member| score(&member.lane, slot));
        choices.iter().copied().max_by_key(score).unwrap_or_default()
    }
}

#[expect(clippy::cast_precision_loss, reason = "there are no more than slots")]
const fn count(slots: usize) -> f64 {
    slots as f64
}

/// A hash of the name and the slot. Never change it: recipients would change lanes.
fn score(lane: &str, slot: u16) -> u64 {
    mixed(stable_hash(lane.bytes().chain(slot.to_be_bytes())))
}

/// `promo-sg, promo-my`.
impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.names().enumerate() {
            write!(f, "{}{name}", if index > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}

/// The senders of an SMS: one for all countries, and others for some countries.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sources {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub others: Option<String>,
    #[serde(flatten)]
    pub by_country: BTreeMap<Country, String>,
}

impl Sources {
    pub fn of_all(source: &str) -> Self {
        Self { others: Some(source.to_owned()), by_country: BTreeMap::new() }
    }

    pub fn is_empty(&self) -> bool {
        self.others.is_none() && self.by_country.is_empty()
    }

    pub fn of(&self, country: Country) -> Option<&str> {
        self.by_country.get(&country).or(self.others.as_ref()).map(String::as_str)
    }

    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.others.iter().chain(self.by_country.values()).map(String::as_str)
    }
}

/// `ACME`, or `SG ACME, others 68886`.
impl fmt::Display for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some(others), true) = (&self.others, self.by_country.is_empty()) {
            return f.write_str(others);
        }
        let of_others = self.others.iter().map(|source| format!("others {source}"));
        let named = self.by_country.iter().map(|(country, source)| format!("{country} {source}"));
        f.write_str(&named.chain(of_others).collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn country(code: &str) -> Country {
        code.parse().unwrap()
    }

    fn pool(lanes: &[(&str, &[&str])]) -> Pool {
        let member = |(lane, countries): &(&str, &[&str])| Member {
            countries: countries.iter().map(|code| country(code)).collect(),
            ..Member::new(lane)
        };
        Pool(lanes.iter().map(member).collect())
    }

    fn recipients() -> impl Iterator<Item = AddressKey> {
        (0..10_000).map(|n| AddressKey::try_from(6_580_000_000_i64 + n * 7).unwrap())
    }

    fn counts(pool: &Pool, code: &str) -> Vec<usize> {
        let mut counts = vec![0; pool.members().len()];
        recipients().for_each(|recipient| counts[pool.lane_index(recipient, country(code))] += 1);
        counts
    }

    #[test]
    fn recipients_are_shared_evenly_and_keep_their_lanes() {
        let three = pool(&[("a", &[]), ("b", &[]), ("c", &[])]);
        for count in counts(&three, "SG") {
            assert!((2_900..3_800).contains(&count), "{count} of 10,000 on one of three lanes");
        }
        // A lane's recipients depend on its name, not on its position in the pool.
        let reordered = pool(&[("c", &[]), ("a", &[]), ("b", &[])]);
        let lane = |pool: &Pool, recipient| pool.members()[pool.lane_index(recipient, country("SG"))].lane.clone();
        assert!(recipients().all(|recipient| lane(&three, recipient) == lane(&reordered, recipient)));
    }

    #[test]
    fn removing_a_lane_moves_only_its_own_recipients() {
        let three = pool(&[("a", &[]), ("b", &[]), ("c", &[])]);
        let two = pool(&[("a", &[]), ("b", &[])]);
        for recipient in recipients() {
            let before = three.lane_index(recipient, country("SG"));
            assert!(before == 2 || before == two.lane_index(recipient, country("SG")));
        }
    }

    #[test]
    fn a_named_country_goes_to_lanes_that_name_it_others_to_the_rest() {
        let mixed = pool(&[("sg", &["SG"]), ("asia", &["SG", "MY"]), ("rest", &[])]);
        let counts = |code| counts(&mixed, code);
        assert!(counts("SG")[0] > 4_000 && counts("SG")[1] > 4_000 && counts("SG")[2] == 0);
        assert_eq!(counts("MY"), [0, 10_000, 0]);
        assert_eq!(counts("DE"), [0, 0, 10_000]);
        assert_eq!((mixed.countries(), mixed.named_countries().count()), (None, 3));
        let shares: Vec<_> = mixed.shares(country("SG")).map(|(member, _)| member.lane.as_str()).collect();
        assert_eq!(shares, ["sg", "asia"]);
        assert!((mixed.shares(country("SG")).map(|(_, share)| share).sum::<f64>() - 1.0).abs() < 1e-9);
        let named = pool(&[("sg", &["SG"]), ("my", &["MY"])]);
        assert_eq!(named.countries(), Some(BTreeSet::from([country("SG"), country("MY")])));
    }

    #[test]
    fn lane_indexes_lists_the_lane_of_each_number() {
        let mixed = pool(&[("sg", &["SG"]), ("asia", &["SG", "MY"]), ("rest", &[])]);
        for code in ["SG", "MY", "DE"] {
            let indexes = mixed.lane_indexes(Some(country(code)));
            for recipient in recipients() {
                let at = usize::try_from(recipient.get()).unwrap() % indexes.len();
                assert_eq!(indexes[at], mixed.lane_index(recipient, country(code)));
            }
        }
    }

    #[test]
    fn a_lane_that_serves_all_countries_of_another_may_replace_it() {
        let mixed = pool(&[("sg", &["SG"]), ("asia", &["SG", "MY"]), ("rest", &[]), ("more", &[])]);
        let [sg, asia, rest, more] = mixed.members() else { unreachable!() };
        for (member, other, may) in
            [(asia, sg, true), (sg, asia, false), (rest, more, true), (rest, sg, false), (asia, rest, false)]
        {
            assert_eq!(mixed.may_replace(member, other), may, "{} for {}", member.lane, other.lane);
        }
        assert!(!mixed.may_replace(sg, sg));
    }

    #[test]
    fn pools_and_sources_serialize_and_print() {
        let mixed = pool(&[("sg", &["SG"]), ("rest", &[])]);
        let json = serde_json::to_string(&mixed).unwrap();
        assert_eq!(json, r#"[{"lane":"sg","countries":["SG"]},{"lane":"rest"}]"#);
        assert_eq!(serde_json::from_str::<Pool>(&json).unwrap(), mixed);
        assert!(serde_json::from_str::<Pool>("[]").is_err());
        assert_eq!(mixed.to_string(), "sg, rest");
        let mut sources = Sources::of_all("68886");
        assert_eq!(sources.to_string(), "68886");
        sources.by_country.insert(country("SG"), "ACME".to_owned());
        assert_eq!((sources.of(country("SG")), sources.of(country("MY"))), (Some("ACME"), Some("68886")));
        assert_eq!(sources.to_string(), "SG ACME, others 68886");
        let json = serde_json::to_string(&sources).unwrap();
        assert_eq!(json, r#"{"others":"68886","SG":"ACME"}"#);
        assert_eq!(serde_json::from_str::<Sources>(&json).unwrap(), sources);
    }
}
