//! Tests that the shortcuts read numbers as libphonenumber does.

use rlibphonenumber::{PhoneNumberType, PhoneNumberUtil, get_national_significant_number_owned};

use super::Home;
use super::plans::{Plans, Region};
use crate::base::domain::Country;

/// `VOLLEY_NUMBERS`, if it is set: the number of mutations for each region. Then
/// `shortcuts_read_numbers_with_any_beginning_alike` tries all 10,000 beginnings.
fn mutations() -> Option<u64> {
    let parse = |text: String| text.parse().unwrap_or_else(|_| panic!("VOLLEY_NUMBERS: invalid number {text:?}"));
    std::env::var("VOLLEY_NUMBERS").ok().map(parse)
}

/// Reads numbers with and without shortcuts.
struct Both {
    short: &'static Plans,
    long: Plans,
    read: u64,
    existing: u64,
}

impl Both {
    fn new() -> Self {
        Self { short: Plans::shared(), long: Plans::without_shortcuts(), read: 0, existing: 0 }
    }

    fn compare(&mut self, digits: &str, region: Region) {
        let national = self.long.national(digits, region);
        assert_eq!(self.short.national(digits, region), national, "{digits} in {region:?}");
        let digits = format!("+{digits}");
        let international = self.long.international(&digits);
        assert_eq!(self.short.international(&digits), international, "{digits}");
        self.read += 2;
        self.existing += u64::from(national.is_ok()) + u64::from(international.is_ok());
    }
}

/// The regions with their calling codes and their example numbers of every type.
fn regions() -> Vec<(Region, String, Vec<String>)> {
    const TYPES: [PhoneNumberType; 10] = [
        PhoneNumberType::FixedLine,
        PhoneNumberType::Mobile,
        PhoneNumberType::TollFree,
        PhoneNumberType::PremiumRate,
        PhoneNumberType::SharedCost,
        PhoneNumberType::VoIP,
        PhoneNumberType::PersonalNumber,
        PhoneNumberType::Pager,
        PhoneNumberType::UAN,
        PhoneNumberType::VoiceMail,
    ];
    let util = PhoneNumberUtil::new().unwrap();
    let mut regions: Vec<_> = util.get_supported_regions().collect();
    regions.sort_unstable_by_key(|region| region.as_region_str().to_string());
    let own = |region: Region| {
        let examples =
            TYPES.into_iter().filter_map(|kind| util.get_example_number_for_type_and_region(region, kind).ok());
        examples.map(|number| get_national_significant_number_owned(&number)).collect()
    };
    let code = |region| util.get_country_code_for_region(region).unwrap().to_string();
    regions.into_iter().map(|region| (region, code(region), own(region))).collect()
}

/// A number with and without its calling code and with dialing prefixes.
fn spellings(own: &str, code: &str) -> [String; 8] {
    [
        own.to_owned(),
        format!("{code}{own}"),
        format!("0{own}"),
        format!("1{own}"),
        format!("8{own}"),
        format!("{code}0{own}"),
        format!("00{code}{own}"),
        format!("06{own}"),
    ]
}

fn mutated(own: &str, random: &mut fastrand::Rng) -> String {
    let mut digits = own.as_bytes().to_vec();
    for _ in 0..random.u8(1..4) {
        let index = random.usize(0..digits.len());
        let digit = random.u8(b'0'..=b'9');
        match random.u8(0..5) {
            0 if digits.len() > 2 => _ = digits.remove(index),
            1 => digits.insert(index, digit),
            // Where a prefix is.
            2 => digits[index.min(3)] = digit,
            _ => digits[index] = digit,
        }
    }
    String::from_utf8(digits).unwrap()
}

#[test]
fn shortcuts_read_mutated_examples_of_every_region_alike() {
    let (mut both, mut random) = (Both::new(), fastrand::Rng::with_seed(1));
    let mutations = mutations().unwrap_or(2_000);
    for (region, code, examples) in regions() {
        for own in &examples {
            for spelling in spellings(own, &code) {
                both.compare(&spelling, region);
            }
        }
        for _ in 0..mutations {
            let example = &examples[random.usize(0..examples.len())];
            let spelling = &spellings(&mutated(example, &mut random), &code)[random.usize(0..8)];
            both.compare(spelling, region);
        }
    }
    assert!(both.existing * 10 > both.read, "{} of {} exist", both.existing, both.read);
}

#[test]
fn shortcuts_read_numbers_with_any_beginning_alike() {
    let (mut both, mut random) = (Both::new(), fastrand::Rng::with_seed(2));
    for (region, code, examples) in regions() {
        // Four digits are enough: the longer prefixes are recognised by their first two.
        let steps = mutations().map_or(31, |_| 1);
        for beginning in (0..10_000_usize).step_by(steps) {
            let example = &examples[random.usize(0..examples.len())];
            let rest: String = example.chars().skip(if random.bool() { 4 } else { 3 }).collect();
            both.compare(&format!("{beginning:04}{rest}"), region);
            both.compare(&format!("{code}{beginning:04}{rest}"), region);
        }
    }
}

#[test]
fn every_region_of_libphonenumber_is_a_known_country() {
    let mut known: Vec<String> = regions().into_iter().map(|(region, ..)| region.as_region_str().to_string()).collect();
    known.push(Country::WORLD.to_string());
    known.sort_unstable();
    assert_eq!(known, Country::known().collect::<Vec<_>>());
}

/// The file holds examples and mutations from every region, read by libphonenumber's port to Python, metadata 9.0.42.
#[test]
fn numbers_of_every_region_are_read_as_by_libphonenumber() {
    let mut rows = csv::Reader::from_reader(include_bytes!("libphonenumber.csv").as_slice());
    let (mut read, mut differing) = (0, Vec::new());
    for row in rows.records() {
        let row = row.unwrap();
        let (number, country, expected) = (&row[0], &row[1], &row[2]);
        // Company numbers may have sixteen digits in Germany and six in Iran. No message can be sent to them.
        let digits = expected.bytes().filter(u8::is_ascii_digit).count();
        let expected = if (7..=15).contains(&digits) { expected } else { "" };
        let home = country.parse().ok().and_then(Home::of).unwrap_or(Home::Missing);
        let is = super::read(number, home);
        let is = is.map(|number| format!("{} {}", number.msisdn, number.country)).unwrap_or_default();
        if is != expected {
            differing.push(format!("{number} in {country:?} is {is:?}, not {expected:?}"));
        }
        read += 1;
    }
    assert!(differing.is_empty(), "{differing:#?}");
    assert!(read > 3_000);
}
