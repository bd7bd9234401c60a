//! Which numbers exist, and the only module that knows the phone number crate: libphonenumber's metadata and rules.

use std::ops::RangeInclusive;
use std::sync::{LazyLock, OnceLock};

use foldhash::fast::FixedState;
use hashbrown::HashMap;
pub(super) use rlibphonenumber::Region;
use rlibphonenumber::{NumberLengthType, PHONE_NUMBER_UTIL, ParseError, PhoneNumber, PhoneNumberType, ValidationError};

use super::dialling::Dialling;
use super::rules::{Found, Rules};
use super::{Beside, Number, Reason};
use crate::domain::{Country, Msisdn};

/// The numbering plans of all countries.
///
/// The crate's own reading of a number is made for anything that a person may type, and asks many patterns. What comes here
/// are digits, and of most of them it is clear without that reading which are the number's own; whether such a number
/// exists is asked of [`Rules`]. All else is read by the crate. A test holds the two together.
pub(super) struct Plans {
    /// By calling code. None where no country has it.
    codes: Vec<Option<Calling>>,
    regions: HashMap<Region, Home, FixedState>,
    /// The regions once more, by what everybody else calls them.
    countries: HashMap<Country, Region, FixedState>,
    takes_shortcuts: bool,
}

/// Whose a calling code is.
struct Calling {
    dialling: Dialling,
    rules: OnceLock<Option<Rules>>,
}

/// How people dial within a region.
struct Home {
    code: u16,
    country: Country,
    dialling: Dialling,
}

impl Plans {
    fn new(takes_shortcuts: bool) -> Self {
        let util = &PHONE_NUMBER_UTIL;
        // Calling codes have at most three digits.
        let mut codes: Vec<_> = (0..1_000).map(|_| None).collect();
        for code in util.get_supported_calling_codes() {
            let Some(main) = util.get_region_for_country_code(code) else { continue };
            if let Some(slot) = usize::try_from(code).ok().and_then(|code| codes.get_mut(code)) {
                *slot = Some(Calling { dialling: Dialling::of(main), rules: OnceLock::new() });
            }
        }
        let mut regions = HashMap::with_hasher(FixedState::default());
        for region in util.get_supported_regions() {
            let code = util.get_country_code_for_region(region).and_then(|code| u16::try_from(code).ok());
            if let Some(code) = code
                && let Some(Some(calling)) = codes.get(usize::from(code))
            {
                let dialling = Dialling::of(region).beside(calling.dialling);
                regions.insert(region, Home { code, country: country_of(region), dialling });
            }
        }
        let countries = regions.iter().map(|(region, home)| (home.country, *region)).collect();
        Self { codes, regions, countries, takes_shortcuts }
    }

    #[cfg(test)]
    pub(super) fn without_shortcuts() -> Self {
        Self::new(false)
    }

    pub(super) fn shared() -> &'static Self {
        static SHARED: LazyLock<Plans> = LazyLock::new(|| Plans::new(true));
        &SHARED
    }

    /// None for a country that has no phone numbers.
    pub(super) fn region(&self, country: Country) -> Option<Region> {
        self.countries.get(&country).copied()
    }

    /// Whose numbers begin with a calling code, written as `65`, `+65` or `0065`; the main one where several share it.
    pub(super) fn of_calling_code(&self, code: &str) -> Option<Region> {
        let digits = code.strip_prefix('+').or_else(|| code.strip_prefix("00")).unwrap_or(code);
        let code = digits.parse::<u16>().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
        self.codes.get(usize::from(code))?.as_ref()?;
        let region = PHONE_NUMBER_UTIL.get_region_for_country_code(code.into())?;
        self.regions.contains_key(&region).then_some(region)
    }

    pub(super) fn example(&self, country: Country) -> Option<Msisdn> {
        let region = self.region(country)?;
        let number = PHONE_NUMBER_UTIL.get_example_number_for_type_and_region(region, PhoneNumberType::Mobile).ok()?;
        e164(&number)?.try_into().ok()
    }

    /// Digits behind a `+`, that with them.
    pub(super) fn international(&self, number: &str) -> Result<Number, Reason> {
        if let Some(read) = self.plainly_international(&number[1..]) {
            return read;
        }
        let parsed = PHONE_NUMBER_UTIL.parse(number, None);
        parsed.map_err(|error| of_parse(&error)).and_then(|parsed| existing(&parsed))
    }

    /// Digits as one dials them in a region.
    pub(super) fn national(&self, digits: &str, region: Region) -> Result<Number, Reason> {
        if let Some(read) = self.plainly_national(digits, region) {
            return read;
        }
        let parsed = PHONE_NUMBER_UTIL.parse(digits, Some(region));
        parsed.map_err(|error| of_parse(&error)).and_then(|parsed| existing(&parsed))
    }

    /// A calling code, and behind it a number that begins with nothing that one dials before numbers. None where more must
    /// be known.
    fn plainly_international(&self, digits: &str) -> Option<Result<Number, Reason>> {
        if digits.starts_with('0') {
            return None;
        }
        // No code is the beginning of another.
        let (code, calling, own) = (1..=3).find_map(|places| {
            let (code, own) = digits.split_at_checked(places)?;
            let code = code.parse().ok()?;
            Some((code, self.calling(code)?, own))
        })?;
        calling.dialling.is_own(own).then(|| self.plain(code, own))?
    }

    /// The number as it is, without the digit that one dials before numbers within the country, or behind the calling code.
    /// None where more must be known.
    fn plainly_national(&self, digits: &str, region: Region) -> Option<Result<Number, Reason>> {
        let Home { code, country, dialling } = self.regions.get(&region)?;
        if let Some(own) = dialling.without_trunk(digits) {
            // What does not exist without the digit may exist with it, and what is the number of another region that
            // shares the code may be another number by the rules of this one.
            return self.plain(*code, own).filter(|read| read.is_ok_and(|number| number.country == *country));
        }
        if !dialling.is_own(digits) {
            return None;
        }
        let Some(own) = behind(*code, digits) else { return self.plain(*code, digits) };
        // It begins as if its calling code stood there without a plus.
        let rules = self.rules(*code)?;
        if !dialling.is_own(own) {
            return None;
        }
        let has_code = !rules.is_general(digits, *country) && rules.is_general(own, *country);
        let has_code = has_code || rules.is_too_long(digits, *country);
        self.plain(*code, if has_code { own } else { digits })
    }

    /// A number that is plainly so many digits behind a code. None where the code has no rules.
    fn plain(&self, code: u16, own: &str) -> Option<Result<Number, Reason>> {
        let rules = self.rules(code).filter(|_| PLAIN.contains(&own.len()))?;
        let number = own.parse::<u64>().ok()?;
        let Some(found) = rules.find(own) else {
            let parsed = PhoneNumber { country_code: code.into(), national_number: number, ..PhoneNumber::default() };
            return Some(Err(why_not(&parsed)));
        };
        let digits = u64::from(code) * 10_u64.pow(u32::try_from(own.len()).ok()?) + number;
        let Found { country, is_fixed } = found;
        Some(msisdn(digits).map(|msisdn| Number { msisdn, country, is_fixed, beside: Beside::default() }))
    }

    fn rules(&self, code: u16) -> Option<&Rules> {
        let calling = self.calling(code).filter(|_| self.takes_shortcuts)?;
        calling.rules.get_or_init(|| Rules::of(code)).as_ref()
    }

    fn calling(&self, code: u16) -> Option<&Calling> {
        self.codes.get(usize::from(code)).and_then(Option::as_ref)
    }
}

fn existing(parsed: &PhoneNumber) -> Result<Number, Reason> {
    let kind = parsed.get_type();
    let region = parsed.get_region_code().filter(|_| kind != PhoneNumberType::Unknown);
    let Some(region) = region else { return Err(why_not(parsed)) };
    let country = country_of(region);
    let msisdn = e164(parsed).ok_or(Reason::TooLong).and_then(msisdn)?;
    let is_fixed = matches!(
        kind,
        PhoneNumberType::FixedLine
            | PhoneNumberType::TollFree
            | PhoneNumberType::PremiumRate
            | PhoneNumberType::SharedCost
            | PhoneNumberType::Pager
            | PhoneNumberType::UAN
            | PhoneNumberType::VoiceMail
    );
    Ok(Number { msisdn, country, is_fixed, beside: Beside::default() })
}

/// Digits of a number that is looked at here; the crate says what is wrong with others.
const PLAIN: RangeInclusive<usize> = 4..=15;

fn country_of(region: Region) -> Country {
    match region {
        Region::World => Country::WORLD,
        region => region.as_region_str().parse().unwrap_or(Country::WORLD),
    }
}

fn msisdn(digits: u64) -> Result<Msisdn, Reason> {
    let too = if digits > Msisdn::LONGEST { Reason::TooLong } else { Reason::TooShort };
    Msisdn::try_from(digits).map_err(|_| too)
}

/// What stands behind a calling code.
fn behind(code: u16, digits: &str) -> Option<&str> {
    let places = match code {
        0..10 => 1,
        10..100 => 2,
        _ => 3,
    };
    let (before, behind) = digits.split_at_checked(places)?;
    (before.parse() == Ok(code)).then_some(behind)
}

fn why_not(parsed: &PhoneNumber) -> Reason {
    match parsed.is_possible_with_reason() {
        Err(ValidationError::TooShort) | Ok(NumberLengthType::IsPossibleLocalOnly) => Reason::TooShort,
        Err(ValidationError::TooLong) => Reason::TooLong,
        Err(ValidationError::InvalidCountryCode | ValidationError::InvalidLength)
        | Ok(NumberLengthType::IsPossible) => Reason::NotValid,
    }
}

/// The digits in order: country code, zeros that belong to the number (as in Italy), number.
fn e164(parsed: &PhoneNumber) -> Option<u64> {
    let zeros = if parsed.italian_leading_zero() { parsed.number_of_leading_zeros() } else { 0 };
    let places = parsed.national_number.checked_ilog10().unwrap_or(0) + 1 + u32::try_from(zeros).ok()?;
    let code = u64::try_from(parsed.country_code).ok()?;
    code.checked_mul(10_u64.checked_pow(places)?)?.checked_add(parsed.national_number)
}

fn of_parse(error: &ParseError) -> Reason {
    match error {
        ParseError::InvalidCountryCode => Reason::NotValid,
        // Only digits come here, so what does not look like a number to the crate has too few of them.
        ParseError::NotANumber(_) | ParseError::TooShortAfterIdd | ParseError::TooShortNsn => Reason::TooShort,
        ParseError::TooLongNsn => Reason::TooLong,
    }
}
