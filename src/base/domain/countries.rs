//! Sets of countries, and the list of known countries.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Country;

/// The countries to which a rule applies.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Countries {
    #[default]
    Everywhere,
    Only(BTreeSet<Country>),
    AllBut(BTreeSet<Country>),
}

impl Countries {
    pub const fn is_everywhere(&self) -> bool {
        matches!(self, Self::Everywhere)
    }

    /// Whether the set contains a country. `None` stands for a country that the set does not name.
    pub fn contain(&self, country: Option<Country>) -> bool {
        let is_named = |named: &BTreeSet<Country>| country.is_some_and(|country| named.contains(&country));
        match self {
            Self::Everywhere => true,
            Self::Only(some) => is_named(some),
            Self::AllBut(others) => !is_named(others),
        }
    }

    /// The countries of `others` that are in this set.
    pub fn within(&self, others: &BTreeSet<Country>) -> Self {
        Self::Only(others.iter().copied().filter(|country| self.contain(Some(*country))).collect())
    }

    /// The set without a country; `None` if it does not contain it.
    pub fn without(&self, country: Country) -> Option<Self> {
        match self {
            _ if !self.contain(Some(country)) => None,
            Self::Everywhere => Some(Self::AllBut(BTreeSet::from([country]))),
            Self::Only(some) => Some(Self::Only(some.iter().copied().filter(|other| *other != country).collect())),
            Self::AllBut(others) => Some(Self::AllBut(others.iter().copied().chain([country]).collect())),
        }
    }

    /// The set with a country that it does not contain. Undoes [`Self::without`].
    #[must_use]
    pub fn with(&self, country: Country) -> Self {
        match self {
            Self::Everywhere => Self::Everywhere,
            Self::Only(some) => Self::Only(some.iter().copied().chain([country]).collect()),
            Self::AllBut(others) if others.len() == 1 && others.contains(&country) => Self::Everywhere,
            Self::AllBut(others) => Self::AllBut(others.iter().copied().filter(|other| *other != country).collect()),
        }
    }

    /// The countries that the set names, included or excluded.
    pub fn named(&self) -> impl Iterator<Item = Country> + '_ {
        match self {
            Self::Everywhere => None,
            Self::Only(named) | Self::AllBut(named) => Some(named),
        }
        .into_iter()
        .flatten()
        .copied()
    }
}

/// Whether each pair of letters is a known country; index 0 is `AA`.
const KNOWN: [bool; 26 * 26] = {
    let (codes, mut known, mut at) = (Country::KNOWN.as_bytes(), [false; 26 * 26], 0);
    while at < codes.len() {
        known[(codes[at] - b'A') as usize * 26 + (codes[at + 1] - b'A') as usize] = true;
        at += 3;
    }
    known
};

impl Country {
    /// Every country that a phone number can belong to, as ISO 3166 codes.
    ///
    /// The list holds the countries with numbers of their own, and the few regions outside ISO 3166 that have a country
    /// calling code. `ZZ` stands for numbers of no country.
    pub const KNOWN: &str = "\
        AC AD AE AF AG AI AL AM AO AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BW BY BZ \
        CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM \
        FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GT GU GW GY HK HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE \
        JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN \
        MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PR PS PT \
        PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TA TC TD TG TH TJ TK \
        TL TM TN TO TR TT TV TW TZ UA UG US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW ZZ";

    pub fn known() -> impl Iterator<Item = &'static str> + Clone {
        Self::KNOWN.split(' ')
    }

    /// Parses a country code of two letters; `None` if the country is unknown.
    pub fn by_code(code: &str) -> Option<Self> {
        code.parse().ok().filter(|country: &Self| country.is_known())
    }

    /// Whether the country is on the list. The import calls this for each row of a file.
    pub fn is_known(self) -> bool {
        KNOWN[usize::from(self.letter_index())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn country(code: &str) -> Country {
        code.parse().unwrap()
    }

    #[test]
    fn a_set_of_countries_is_all_some_or_all_but_some() {
        let some = BTreeSet::from([country("SG"), country("MY")]);
        for (countries, singapore, others) in [
            (Countries::Everywhere, true, true),
            (Countries::Only(some.clone()), true, false),
            (Countries::AllBut(some), false, true),
        ] {
            assert_eq!(countries.contain(Some(country("SG"))), singapore);
            assert_eq!((countries.contain(Some(country("CN"))), countries.contain(None)), (others, others));
            assert_eq!(countries.named().count(), if countries.is_everywhere() { 0 } else { 2 });
            let json = serde_json::to_string(&countries).unwrap();
            assert_eq!(serde_json::from_str::<Countries>(&json).unwrap(), countries);
        }
    }

    #[test]
    fn a_country_is_taken_out_of_a_set_and_put_back() {
        let set = |codes: &[&str]| codes.iter().map(|code| country(code)).collect::<BTreeSet<_>>();
        for (all, rest) in [
            (Countries::Everywhere, Countries::AllBut(set(&["US"]))),
            (Countries::Only(set(&["SG", "US"])), Countries::Only(set(&["SG"]))),
            (Countries::Only(set(&["US"])), Countries::Only(set(&[]))),
            (Countries::AllBut(set(&["SG"])), Countries::AllBut(set(&["SG", "US"]))),
        ] {
            assert_eq!(all.without(Country::UNITED_STATES), Some(rest.clone()));
            assert_eq!(rest.without(Country::UNITED_STATES), None);
            assert_eq!(rest.with(Country::UNITED_STATES), all);
        }
    }

    #[test]
    fn countries_are_known_by_two_capital_letters() {
        assert!(Country::known().all(|code| country(code).as_str() == code));
        assert!(country("sg").is_known() && Country::WORLD.is_known());
        assert!(!country("UK").is_known() && !country("XX").is_known());
    }
}
