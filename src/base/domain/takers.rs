//! The recipients to whom a step can be sent.

use std::collections::BTreeMap;

use super::{Address, AddressKey, Channel, Countries, Country, Marks, Plan, Recipient, Step};

/// The recipients of a step: by their country, and by how its channel knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Takers {
    countries: Countries,
    /// The only channel whose users it knows without a number; `None` if it finds the id of each recipient in their fields.
    channel: Option<Channel>,
}

/// A recipient, as far as it decides which steps they get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Taker {
    pub country: Country,
    /// The only channel that knows them, if they have no number.
    pub only_on: Option<Channel>,
}

impl From<Country> for Taker {
    /// Somebody with a number.
    fn from(country: Country) -> Self {
        Self { country, only_on: None }
    }
}

impl From<&Recipient> for Taker {
    fn from(recipient: &Recipient) -> Self {
        let user = recipient.address.as_ref().and_then(Address::user);
        Self { country: recipient.country, only_on: user.map(|user| user.channel) }
    }
}

impl Takers {
    /// Whether the step is for a recipient.
    pub fn include(&self, taker: impl Into<Taker>) -> bool {
        let Taker { country, only_on } = taker.into();
        self.countries.contain(Some(country)) && knows(self.channel, only_on)
    }
}

fn knows(channel: Option<Channel>, only_on: Option<Channel>) -> bool {
    channel.is_none_or(|channel| only_on.is_none_or(|only| only == channel))
}

impl Step {
    pub fn takers(&self) -> Takers {
        Takers { countries: self.countries.clone(), channel: self.channel_of_ids() }
    }

    /// Whether it reaches recipients whom only this channel knows.
    pub fn knows(&self, only_on: Option<Channel>) -> bool {
        knows(self.channel_of_ids(), only_on)
    }

    fn channel_of_ids(&self) -> Option<Channel> {
        Some(self.channel).filter(|_| self.user_id.is_none())
    }
}

impl Plan {
    /// The marks of a new message to this country, to a recipient whom `only_on` alone knows if there is no number: the
    /// steps that do not apply to it. A country of `None` is one that no step names.
    pub fn marks_at_first(&self, country: Option<Country>, only_on: Option<Channel>) -> Marks {
        let applies = |step: &Step| step.countries.contain(country) && step.knows(only_on);
        let not_for_it = self.indexed_steps().filter(|(_, step)| !applies(step));
        not_for_it.fold(Marks::default(), |marks, (index, _)| marks.with_passed_over(index))
    }

    /// The marks of a new message to such a recipient.
    pub fn marks_of(&self, Taker { country, only_on }: Taker) -> Marks {
        self.marks_at_first(Some(country), only_on)
    }

    /// The channel that alone knows the recipient of a message. Callers of the API name no channel that does not know theirs,
    /// and files have no ids of other channels.
    pub fn only_on(&self, address: AddressKey) -> Option<Channel> {
        (address.is_user() && self.api.is_none()).then_some(Channel::WhatsApp)
    }
}

/// How many recipients there are of each kind.
pub type Crowd = BTreeMap<Taker, u64>;

/// The recipients by country.
pub fn by_country<'a>(crowd: impl IntoIterator<Item = (&'a Taker, &'a u64)>) -> BTreeMap<Country, u64> {
    let mut countries = BTreeMap::new();
    for (taker, recipients) in crowd {
        *countries.entry(taker.country).or_default() += recipients;
    }
    countries
}

/// The recipients of these countries, of whom `users` have no number and are known to WhatsApp alone.
pub fn crowd_of(countries: &BTreeMap<Country, u64>, users: &BTreeMap<Country, u64>) -> Crowd {
    let users_of = |country: &Country| users.get(country).copied().unwrap_or_default();
    let taker = |country: &Country, only_on, recipients| (Taker { country: *country, only_on }, recipients);
    let with_number =
        countries.iter().map(|(country, all)| taker(country, None, all.saturating_sub(users_of(country))));
    let users = users.iter().map(|(country, users)| taker(country, Some(Channel::WhatsApp), *users));
    with_number.chain(users).filter(|(_, recipients)| *recipients > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::domain::Fields;

    #[test]
    fn a_step_is_for_those_of_its_countries_whom_its_channel_knows() {
        let recipient = |address: &str, country: &str| Recipient {
            address: Some(address.parse().unwrap()),
            country: country.parse().unwrap(),
            client_message_id: None,
            fields: Fields::pack([""; 0]),
        };
        let step = |channel| Step {
            countries: Countries::Only(["SG".parse().unwrap()].into()),
            ..Step::of_text(channel, "", "")
        };
        let [number, user, elsewhere] =
            [recipient("+6591234567", "SG"), recipient("SG.134912", "SG"), recipient("MY.134912", "MY")];
        let takes = |step: &Step| [&number, &user, &elsewhere].map(|recipient| step.takers().include(recipient));
        assert_eq!(takes(&step(Channel::WhatsApp)), [true, true, false]);
        assert_eq!(takes(&step(Channel::Sms)), [true, false, false]);
        let line = Step { user_id: Some("{{LineId}}".to_owned()), ..step(Channel::Line) };
        assert_eq!(takes(&line), [true, true, false]);
    }
}
