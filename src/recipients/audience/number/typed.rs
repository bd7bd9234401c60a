//! Tests that no spelling which people type is read as another number, whatever the default country.
//!
//! The oracle is the promise itself: a valid mobile number in such a spelling is read as this number, or refused. The numbers
//! come from libphonenumber's examples, and the crate alone decides which of them are valid.

use std::collections::BTreeMap;

use rlibphonenumber::{PhoneNumber, PhoneNumberFormat, PhoneNumberType, PhoneNumberUtil, Region};

use super::*;

/// A valid mobile number of a country.
struct Mobile {
    code: String,
    /// The number without its calling code.
    own: String,
    /// The number as it is dialed within its country, with the trunk digit where there is one.
    dialed: String,
}

impl Mobile {
    fn of(parsed: &PhoneNumber) -> Self {
        let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
        let code = parsed.country_code.to_string();
        let own = digits(&parsed.format_as(PhoneNumberFormat::E164))[code.len()..].to_owned();
        Self { code, own, dialed: digits(&parsed.format_as(PhoneNumberFormat::National)) }
    }

    fn whole(&self) -> String {
        format!("+{}{}", self.code, self.own)
    }
}

/// `count` random valid mobile numbers of a region; none of a region without mobile numbers.
fn mobiles(util: &PhoneNumberUtil, region: Region, count: usize, random: &mut fastrand::Rng) -> Vec<Mobile> {
    let Ok(example) = util.get_example_number_for_type_and_region(region, PhoneNumberType::Mobile) else {
        return Vec::new();
    };
    let example = Mobile::of(&example);
    let mut found = Vec::new();
    // Some countries have so few numbers that some tries fail.
    for _ in 0..100 * count {
        let mut own = example.own.clone().into_bytes();
        let kept = random.usize(0..3).min(own.len());
        own[kept..].fill_with(|| random.u8(b'0'..=b'9'));
        let own = String::from_utf8(own).unwrap();
        let Ok(parsed) = util.parse(format!("+{}{own}", example.code), None) else { continue };
        let is_mobile = matches!(parsed.get_type(), PhoneNumberType::Mobile | PhoneNumberType::FixedLineOrMobile);
        if is_mobile && parsed.get_region_code() == Some(region) {
            let mobile = Mobile::of(&parsed);
            // A digit that the crate strips makes another number of the same kind.
            if mobile.own == own {
                found.push(mobile);
            }
        }
        if found.len() == count {
            break;
        }
    }
    found
}

fn all_regions(util: &PhoneNumberUtil) -> Vec<Region> {
    let mut regions: Vec<_> = util.get_supported_regions().collect();
    regions.sort_unstable_by_key(|region| region.as_region_str().to_string());
    regions
}

/// The spellings that say which country a number is of, each with its name.
fn spellings(mobile: &Mobile) -> [(&'static str, String); 16] {
    let Mobile { code, own, dialed } = mobile;
    [
        ("+", format!("+{code} {own}")),
        ("00", format!("00{code} {own}")),
        ("00 together", format!("00{code}{own}")),
        ("011", format!("011 {code} {own}")),
        ("+ (0)", format!("+{code} (0){own}")),
        ("+ (0) apart", format!("+{code} (0) {own}")),
        ("00 (0)", format!("00{code} (0){own}")),
        ("011 (0)", format!("011 {code} (0){own}")),
        ("+ trunk", format!("+{code} {dialed}")),
        ("00 trunk", format!("00{code} {dialed}")),
        ("011 trunk", format!("011 {code} {dialed}")),
        ("+ doubled", format!("+{code} {code} {own}")),
        ("+ 00 doubled", format!("+{code} 00{code} {own}")),
        ("+ + doubled", format!("+{code} +{code} {own}")),
        ("00 doubled", format!("00{code} {code} {own}")),
        ("00 00 doubled", format!("00{code} 00{code} {own}")),
    ]
}

/// The spellings that are complete only in the number's own country.
fn own_spellings(mobile: &Mobile) -> [(&'static str, String); 5] {
    let Mobile { code, own, dialed } = mobile;
    [
        ("dialed", dialed.clone()),
        ("(0)", format!("(0){own}")),
        ("code (0)", format!("{code} (0){own}")),
        ("doubled", format!("{code} {code} {own}")),
        ("00 before its trunk", format!("00{code} (0) {own}")),
    ]
}

/// Counts what was read, by spelling.
#[derive(Default)]
struct Tally {
    right: BTreeMap<&'static str, (u64, u64)>,
    wrong: Vec<String>,
    read: usize,
}

impl Tally {
    fn read(&mut self, name: &'static str, cell: &str, mobile: &Mobile, country: Country) {
        let home = Home::of(country).unwrap();
        self.read += 1;
        let home = [home, home.coded(), home.any()][self.read % 3];
        let (right, all) = self.right.entry(name).or_default();
        *all += 1;
        match read(cell, home) {
            Ok(number) if number.msisdn.to_string() != mobile.whole() => {
                self.wrong.push(format!("{cell} in {country} is {}, not {}", number.msisdn, mobile.whole()));
            }
            Ok(number) => {
                assert!(!number.beside.neighbor || !name.starts_with("00"), "{cell} in {country}");
                *right += 1;
            }
            Err(_) => {}
        }
    }

    fn right(&self, name: &str) -> f64 {
        let (right, all) = self.right[name];
        right as f64 / all as f64
    }
}

/// Every pair of countries has some of the spellings, and each spelling many pairs; with `VOLLEY_NUMBERS`, every pair has all.
#[test]
fn a_typed_mobile_number_is_read_as_itself_or_refused_in_every_country() {
    let (util, mut random) = (PhoneNumberUtil::new().unwrap(), fastrand::Rng::with_seed(7));
    let homes: Vec<Country> = all_regions(&util).into_iter().map(|it| it.as_region_str().parse().unwrap()).collect();
    let mut tally = Tally::default();
    let every = if std::env::var_os("VOLLEY_NUMBERS").is_some() { 1 } else { 5 };
    for region in all_regions(&util) {
        let pool = mobiles(&util, region, 40, &mut random);
        if pool.is_empty() {
            continue;
        }
        let own: Country = region.as_region_str().parse().unwrap();
        for mobile in &pool {
            for (name, cell) in own_spellings(mobile) {
                tally.read(name, &cell, mobile, own);
            }
        }
        for home in &homes {
            let mobile = &pool[random.usize(0..pool.len())];
            for (name, cell) in spellings(mobile).into_iter().skip(random.usize(0..every)).step_by(every) {
                tally.read(name, &cell, mobile, *home);
            }
        }
    }
    assert!(tally.wrong.is_empty(), "{}: {:#?}", tally.wrong.len(), &tally.wrong[..tally.wrong.len().min(60)]);
    for (name, share) in [("+", 1.0), ("00", 0.98), ("+ trunk", 0.95), ("00 trunk", 0.95), ("dialed", 0.95)] {
        assert!(tally.right(name) >= share, "{name}: {:?}", tally.right);
    }
}

/// The mobile numbers of 19 countries, 60 of each, in lists of some countries of which eight have international prefixes that
/// begin with `00` and have more digits.
#[test]
fn numbers_with_00_are_never_those_of_another_country() {
    const OF: &str = "AE AU BR CN DE ES FR GB ID IN IT JP KR MY NL PH SG TH US";
    const HOMES: &str = "SG TH HK KR ID TW JP CO AU BR DE FI IL KE MY PH RU US";
    let (util, mut random) = (PhoneNumberUtil::new().unwrap(), fastrand::Rng::with_seed(2));
    let is_one = |region: &Region| OF.split(' ').any(|code| code == region.as_region_str().to_string());
    let regions = all_regions(&util).into_iter().filter(is_one);
    let pool: Vec<Mobile> = regions.flat_map(|region| mobiles(&util, region, 60, &mut random)).collect();
    assert_eq!(pool.len(), 1_140);
    let mut refused = BTreeMap::new();
    for country in HOMES.split(' ') {
        let mut tally = Tally::default();
        let country: Country = country.parse().unwrap();
        for mobile in &pool {
            tally.read("00", &format!("00{}{}", mobile.code, mobile.own), mobile, country);
        }
        assert_eq!(tally.wrong, Vec::<String>::new());
        let (right, all) = tally.right["00"];
        refused.insert(country.to_string(), all - right);
    }
    // Only where such prefixes exist: a fifth of the numbers in Singapore, and fewer than one in twenty of all.
    let few = BTreeMap::from(
        [("SG", 244), ("TH", 243), ("HK", 109), ("KR", 110), ("ID", 81), ("TW", 60), ("JP", 60), ("CO", 36), ("BR", 1)]
            .map(|(country, refused)| (country.to_owned(), refused)),
    );
    refused.retain(|_, refused| *refused > 0);
    assert_eq!(refused, few);
}
