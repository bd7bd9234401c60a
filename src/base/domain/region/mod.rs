//! The time zone in which the owner of a number most likely lives, as far as the number indicates it.
//!
//! This is only a guess. Subscribers keep their numbers when they move, and most mobile numbers indicate only a
//! country.

mod by_country;
mod by_digits;

use std::collections::HashSet;
use std::iter::successors;

use chrono_tz::Tz;

use super::{Country, Msisdn, Zone};
use by_country::COUNTRIES;

/// The countries whose numbers may indicate a region, with their calling codes. Numbers of other countries are not
/// examined: Christmas Island has the digits of Perth, but another time.
const COUNTRIES_WITH_REGIONS: [(&str, u64); 10] = [
    ("AU", 61),
    ("BR", 55),
    ("CA", 1),
    ("CL", 56),
    ("ES", 34),
    ("ID", 62),
    ("MX", 52),
    ("PT", 351),
    ("RU", 7),
    ("US", 1),
];

/// The zones of the shared area codes that are in Canada, not in the United States. Eastern time is in both, and no
/// area code indicates it.
const CANADIAN: [Tz; 6] = [
    Tz::America__Halifax,
    Tz::America__St_Johns,
    Tz::America__Winnipeg,
    Tz::America__Regina,
    Tz::America__Edmonton,
    Tz::America__Vancouver,
];

/// The prefixes with their zones, sorted for binary search.
const PREFIXES: &[(u64, Tz)] = &sorted::<{ count(by_digits::PREFIXES) }>(by_digits::PREFIXES);

/// The greatest prefix. A number is cut down to at most this before it is compared.
const GREATEST_PREFIX: u64 = PREFIXES[PREFIXES.len() - 1].0;

const fn count(by_zone: &[(Tz, &[u64])]) -> usize {
    let (mut count, mut at) = (0, 0);
    while at < by_zone.len() {
        count += by_zone[at].1.len();
        at += 1;
    }
    count
}

const fn sorted<const N: usize>(by_zone: &[(Tz, &[u64])]) -> [(u64, Tz); N] {
    let (mut sorted, mut filled, mut group) = ([(0, Tz::UTC); N], 0, 0);
    while group < by_zone.len() {
        let (zone, prefixes) = by_zone[group];
        let mut next = 0;
        while next < prefixes.len() {
            let mut at = filled;
            while at > 0 && sorted[at - 1].0 > prefixes[next] {
                sorted[at] = sorted[at - 1];
                at -= 1;
            }
            sorted[at] = (prefixes[next], zone);
            filled += 1;
            next += 1;
        }
        group += 1;
    }
    sorted
}

/// The zone in which a recipient most likely lives.
///
/// - If the number's digits indicate a region: the region's zone.
/// - Otherwise: the zone with the most inhabitants of the country.
/// - Numbers of no country: UTC.
pub fn zone_of(number: Option<Msisdn>, country: Country) -> Zone {
    let by_digits = number.filter(|_| calling_code(country).is_some()).and_then(zone_of_digits);
    by_digits.unwrap_or_else(|| usual_zone(country))
}

/// The zone with the most inhabitants of a country; UTC for numbers of no country.
pub fn usual_zone(country: Country) -> Zone {
    zone_of_country(country).unwrap_or(Zone(Tz::UTC))
}

/// The zone with the most inhabitants of a country; `None` for numbers of no country (`ZZ`).
fn zone_of_country(country: Country) -> Option<Zone> {
    let at = COUNTRIES.binary_search_by_key(&country.as_str(), |&(code, _)| code).ok()?;
    Some(Zone(COUNTRIES[at].1))
}

/// The countries whose numbers may indicate a region. In most of them only landline numbers do; in Brazil, Canada,
/// Mexico and the United States mobile numbers do too.
pub fn countries_with_regions() -> impl Iterator<Item = Country> {
    COUNTRIES_WITH_REGIONS.into_iter().filter_map(|(code, _)| code.parse().ok())
}

/// The calling code of a country whose numbers may indicate a region.
fn calling_code(country: Country) -> Option<u64> {
    COUNTRIES_WITH_REGIONS.into_iter().find(|(code, _)| *code == country.as_str()).map(|(_, calling_code)| calling_code)
}

/// Every zone that [`zone_of`] can return for a country.
pub fn zones_of(country: Country) -> HashSet<Zone> {
    let has_prefix = |prefix: u64, code: u64| {
        successors(Some(prefix), |rest| (*rest > 9).then_some(rest / 10)).any(|rest| rest == code)
    };
    let regional = calling_code(country).into_iter().flat_map(move |code| {
        let of_country = PREFIXES.iter().filter(move |(prefix, _)| has_prefix(*prefix, code));
        of_country
            .filter(move |(_, zone)| CANADIAN.contains(zone) == (country.as_str() == "CA") || code != 1)
            .map(|(_, zone)| Zone(*zone))
    });
    std::iter::once(usual_zone(country)).chain(regional).collect()
}

/// The zone of the longest matching prefix: drops digit after digit from the end of the number.
fn zone_of_digits(msisdn: Msisdn) -> Option<Zone> {
    successors(Some(msisdn.get()), |digits| (*digits > 9).then_some(digits / 10))
        .skip_while(|&digits| digits > GREATEST_PREFIX)
        .find_map(|digits| PREFIXES.binary_search_by_key(&digits, |&(prefix, _)| prefix).ok())
        .map(|at| Zone(PREFIXES[at].1))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn country(code: &str) -> Country {
        code.parse().unwrap()
    }

    fn zone(digits: u64, code: &str) -> String {
        zone_of(Msisdn::try_from(digits).ok(), country(code)).to_string()
    }

    #[test]
    fn zones_of_a_country_are_those_of_its_own_numbers() {
        let names = |code| zones_of(country(code)).into_iter().map(|zone| zone.to_string()).collect::<BTreeSet<_>>();
        let of = |names: &[&str]| names.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
        assert_eq!(names("SG"), of(&["Asia/Singapore"]));
        assert_eq!(names("US").len(), 7, "{:?}", names("US"));
        assert!(names("US").is_superset(&of(&["America/New_York", "America/Los_Angeles", "Pacific/Honolulu"])));
        assert_eq!(names("CA").len(), 7, "{:?}", names("CA"));
        assert!(names("CA").is_superset(&of(&["America/Toronto", "America/St_Johns", "America/Vancouver"])));
    }

    #[test]
    fn every_known_country_has_a_zone_and_zz_has_none() {
        for code in Country::known() {
            assert_eq!(zone_of_country(country(code)).is_some(), code != "ZZ", "{code}");
        }
        assert_eq!(COUNTRIES.len(), Country::known().count() - 1);
        assert_eq!(zone_of_country(country("XX")), None);
    }

    #[test]
    fn countries_and_prefixes_are_unique_and_sorted() {
        assert!(COUNTRIES.is_sorted_by(|one, next| one.0 < next.0));
        for pair in PREFIXES.windows(2) {
            assert!(pair[0].0 < pair[1].0, "{} {}", pair[0].0, pair[1].0);
        }
    }

    #[test]
    fn every_prefix_keeps_its_zone() {
        for (zone, prefixes) in by_digits::PREFIXES {
            for prefix in *prefixes {
                assert!(PREFIXES.contains(&(*prefix, *zone)), "{prefix}");
            }
        }
    }

    #[test]
    fn the_digits_of_a_number_indicate_its_region() {
        for (digits, code, expected) in [
            (12125550123, "US", "America/New_York"),
            (13125550123, "US", "America/Chicago"),
            (18505550123, "US", "America/Chicago"),
            (13035550123, "US", "America/Denver"),
            (19155550123, "US", "America/Denver"),
            (16025550123, "US", "America/Phoenix"),
            (12135550123, "US", "America/Los_Angeles"),
            (19075550123, "US", "America/Anchorage"),
            (18085550123, "US", "Pacific/Honolulu"),
            (14165550123, "CA", "America/Toronto"),
            (19025550123, "CA", "America/Halifax"),
            (17095550123, "CA", "America/St_Johns"),
            (12045550123, "CA", "America/Winnipeg"),
            (13065550123, "CA", "America/Regina"),
            (14035550123, "CA", "America/Edmonton"),
            (16045550123, "CA", "America/Vancouver"),
            (34922123456, "ES", "Atlantic/Canary"),
            (34912345678, "ES", "Europe/Madrid"),
            (351291123456, "PT", "Atlantic/Madeira"),
            (351296123456, "PT", "Atlantic/Azores"),
            (351211234567, "PT", "Europe/Lisbon"),
            (526641234567, "MX", "America/Tijuana"),
            (526621234567, "MX", "America/Hermosillo"),
            (526941234567, "MX", "America/Mazatlan"),
            (526561234567, "MX", "America/Ciudad_Juarez"),
            (528991234567, "MX", "America/Matamoros"),
            (529981234567, "MX", "America/Cancun"),
            (525512345678, "MX", "America/Mexico_City"),
            (5592991234567, "BR", "America/Manaus"),
            (5568991234567, "BR", "America/Rio_Branco"),
            (5511991234567, "BR", "America/Sao_Paulo"),
            (56612212345, "CL", "America/Punta_Arenas"),
            (56221234567, "CL", "America/Santiago"),
            (62361123456, "ID", "Asia/Makassar"),
            (62967123456, "ID", "Asia/Jayapura"),
            (6281234567890, "ID", "Asia/Jakarta"),
            (73831234567, "RU", "Asia/Novosibirsk"),
            (74012123456, "RU", "Europe/Kaliningrad"),
            (78461234567, "RU", "Europe/Samara"),
            (73431234567, "RU", "Asia/Yekaterinburg"),
            (74231234567, "RU", "Asia/Vladivostok"),
            (74951234567, "RU", "Europe/Moscow"),
        ] {
            assert_eq!(zone(digits, code), expected, "{digits}");
        }
    }

    #[test]
    fn the_longest_prefix_counts() {
        for (digits, expected) in [
            (61391234567, "Australia/Melbourne"),
            (61361234567, "Australia/Hobart"),
            (61731234567, "Australia/Brisbane"),
            (61861234567, "Australia/Perth"),
            (61892123456, "Australia/Perth"),
            (61871234567, "Australia/Adelaide"),
            (61882123456, "Australia/Adelaide"),
            (61889123456, "Australia/Darwin"),
            (61879123456, "Australia/Darwin"),
        ] {
            assert_eq!(zone(digits, "AU"), expected, "{digits}");
        }
    }

    #[test]
    fn numbers_without_a_region_use_the_usual_zone_of_the_country() {
        for (digits, code, expected) in [
            (61412345678, "AU", "Australia/Sydney"),
            (79161234567, "RU", "Europe/Moscow"),
            (18005550123, "US", "America/New_York"),
            (6591234567, "SG", "Asia/Singapore"),
            (77011234567, "KZ", "Asia/Almaty"),
            (17875550123, "PR", "America/Puerto_Rico"),
            (61891641234, "CX", "Indian/Christmas"),
            (881612345678, "ZZ", "UTC"),
        ] {
            assert_eq!(zone(digits, code), expected, "{digits}");
        }
    }

    #[test]
    fn countries_with_regions_lists_known_countries() {
        assert_eq!(countries_with_regions().count(), COUNTRIES_WITH_REGIONS.len());
        assert!(countries_with_regions().all(Country::is_known));
    }
}
