//! Knows which numbers exist. The only module that uses the phone number crate with libphonenumber's metadata and rules.

use std::ops::RangeInclusive;
use std::sync::{LazyLock, OnceLock};

use foldhash::fast::FixedState;
use hashbrown::HashMap;
pub(super) use rlibphonenumber::Region;
use rlibphonenumber::{NumberLengthType, PHONE_NUMBER_UTIL, ParseError, PhoneNumber, PhoneNumberType, ValidationError};

use super::dialling::Dialling;
use super::rules::{Found, Rules};
use super::{CellExtras, Number, Reason};
use crate::base::domain::{Country, Msisdn};

/// The numbering plans of all countries.
///
/// The crate parses any text and matches many patterns for it. The input here is digits, and most need no parsing: this
/// type finds the number in them and asks [`Rules`] whether it exists. The crate reads the rest. A test compares both.
pub(super) struct Plans {
    /// By calling code; `None` for a code of no country.
    codes: Vec<Option<CallingCode>>,
    regions: HashMap<Region, RegionPlan, FixedState>,
    /// The regions by their country code.
    countries: HashMap<Country, Region, FixedState>,
    takes_shortcuts: bool,
}

/// What is dialed under a calling code.
struct CallingCode {
    dialling: Dialling,
    rules: OnceLock<Option<Rules>>,
}

/// How numbers are dialed within a region.
struct RegionPlan {
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
                *slot = Some(CallingCode { dialling: Dialling::of(main), rules: OnceLock::new() });
            }
        }
        let mut regions = HashMap::with_hasher(FixedState::default());
        for region in util.get_supported_regions() {
            let code = util.get_country_code_for_region(region).and_then(|code| u16::try_from(code).ok());
            if let Some(code) = code
                && let Some(Some(calling)) = codes.get(usize::from(code))
            {
                let dialling = Dialling::of(region).sharing_code_with(calling.dialling);
                regions.insert(region, RegionPlan { code, country: country_of(region), dialling });
            }
        }
        let countries = regions.iter().map(|(region, plan)| (plan.country, *region)).collect();
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

    /// `None` for a country without phone numbers.
    pub(super) fn region(&self, country: Country) -> Option<Region> {
        self.countries.get(&country).copied()
    }

    pub(super) fn country(&self, region: Region) -> Option<Country> {
        self.regions.get(&region).map(|plan| plan.country)
    }

    /// The region of a calling code, written as `65`, `+65` or `0065`; the main region if several share the code.
    pub(super) fn of_calling_code(&self, code: &str) -> Option<Region> {
        let digits = code.strip_prefix('+').or_else(|| code.strip_prefix("00")).unwrap_or(code);
        let code = digits.parse::<u16>().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
        self.codes.get(usize::from(code))?.as_ref()?;
        let region = PHONE_NUMBER_UTIL.get_region_for_country_code(code.into())?;
        self.regions.contains_key(&region).then_some(region)
    }

    /// The calling code with which digits begin.
    pub(super) fn code_before<'a>(&self, digits: &'a str) -> Option<&'a str> {
        let begins = |length: usize| digits.get(..length).filter(|code| code.parse().is_ok_and(|code| self.has(code)));
        // No calling code begins with another one.
        (1..=3).find_map(begins)
    }

    /// Whether a number has the calling code of a region.
    pub(super) fn has_code_of(&self, region: Region, number: Msisdn) -> bool {
        let code = self.regions.get(&region).map(|plan| plan.code);
        let digits = number.get().to_string();
        code.is_some() && self.code_before(&digits).and_then(|before| before.parse().ok()) == code
    }

    fn has(&self, code: u16) -> bool {
        self.calling(code).is_some()
    }

    pub(super) fn example(&self, country: Country) -> Option<Msisdn> {
        let region = self.region(country)?;
        let number = PHONE_NUMBER_UTIL.get_example_number_for_type_and_region(region, PhoneNumberType::Mobile).ok()?;
        e164(&number)?.try_into().ok()
    }

    /// Reads digits that begin with a `+`.
    pub(super) fn international(&self, number: &str) -> Result<Number, Reason> {
        if let Some(read) = self.plainly_international(&number[1..]) {
            return read;
        }
        let parsed = PHONE_NUMBER_UTIL.parse(number, None);
        parsed.map_err(|error| parse_reason(&error)).and_then(|parsed| existing(&parsed))
    }

    /// Reads digits as dialed in a region.
    pub(super) fn national(&self, digits: &str, region: Region) -> Result<Number, Reason> {
        if let Some(read) = self.plainly_national(digits, region) {
            return read;
        }
        let parsed = PHONE_NUMBER_UTIL.parse(digits, Some(region));
        parsed.map_err(|error| parse_reason(&error)).and_then(|parsed| existing(&parsed))
    }

    /// Reads a calling code and a number without a dialing prefix; `None` if the crate must read the digits.
    fn plainly_international(&self, digits: &str) -> Option<Result<Number, Reason>> {
        if digits.starts_with('0') {
            return None;
        }
        let (code, own) = digits.split_at_checked(self.code_before(digits)?.len())?;
        let code = code.parse().ok()?;
        let calling = self.calling(code)?;
        calling.dialling.has_no_prefix(own).then(|| self.plain(code, own))?
    }

    /// Reads a number alone, after the trunk digit, or after the calling code; `None` if the crate must read the digits.
    fn plainly_national(&self, digits: &str, region: Region) -> Option<Result<Number, Reason>> {
        let RegionPlan { code, country, dialling } = self.regions.get(&region)?;
        if let Some(own) = dialling.without_trunk(digits) {
            // A number that does not exist without the digit may exist with it. The number of another region with the same
            // code may be a different number by the rules of this region.
            return self.plain(*code, own).filter(|read| read.is_ok_and(|number| number.country == *country));
        }
        if !dialling.has_no_prefix(digits) {
            return None;
        }
        let Some(own) = after_code(*code, digits) else { return self.plain(*code, digits) };
        // The digits may begin with the calling code, without a plus.
        let rules = self.rules(*code)?;
        if !dialling.has_no_prefix(own) {
            return None;
        }
        let has_code = !rules.is_general(digits, *country) && rules.is_general(own, *country);
        let has_code = has_code || rules.is_too_long(digits, *country);
        self.plain(*code, if has_code { own } else { digits })
    }

    /// Reads the digits after a calling code; `None` if the code has no rules.
    fn plain(&self, code: u16, own: &str) -> Option<Result<Number, Reason>> {
        let rules = self.rules(code).filter(|_| PLAIN_LENGTHS.contains(&own.len()))?;
        let number = own.parse::<u64>().ok()?;
        let Some(found) = rules.find(own) else {
            let parsed = PhoneNumber { country_code: code.into(), national_number: number, ..PhoneNumber::default() };
            return Some(Err(invalid_reason(&parsed)));
        };
        let digits = u64::from(code) * 10_u64.pow(u32::try_from(own.len()).ok()?) + number;
        let Found { country, is_fixed } = found;
        Some(msisdn(digits).map(|msisdn| Number { msisdn, country, is_fixed, beside: CellExtras::default() }))
    }

    fn rules(&self, code: u16) -> Option<&Rules> {
        let calling = self.calling(code).filter(|_| self.takes_shortcuts)?;
        calling.rules.get_or_init(|| Rules::of(code)).as_ref()
    }

    fn calling(&self, code: u16) -> Option<&CallingCode> {
        self.codes.get(usize::from(code)).and_then(Option::as_ref)
    }
}

fn existing(parsed: &PhoneNumber) -> Result<Number, Reason> {
    let kind = parsed.get_type();
    let region = parsed.get_region_code().filter(|_| kind != PhoneNumberType::Unknown);
    let Some(region) = region else { return Err(invalid_reason(parsed)) };
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
    Ok(Number { msisdn, country, is_fixed, beside: CellExtras::default() })
}

/// Lengths of the numbers that are read here; for other lengths, the crate finds the reason.
const PLAIN_LENGTHS: RangeInclusive<usize> = 4..=15;

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

/// The digits after a calling code; `None` if they do not begin with it.
fn after_code(code: u16, digits: &str) -> Option<&str> {
    let length = match code {
        0..10 => 1,
        10..100 => 2,
        _ => 3,
    };
    let (before, after) = digits.split_at_checked(length)?;
    (before.parse() == Ok(code)).then_some(after)
}

fn invalid_reason(parsed: &PhoneNumber) -> Reason {
    match parsed.is_possible_with_reason() {
        Err(ValidationError::TooShort) | Ok(NumberLengthType::IsPossibleLocalOnly) => Reason::TooShort,
        Err(ValidationError::TooLong) => Reason::TooLong,
        Err(ValidationError::InvalidCountryCode | ValidationError::InvalidLength)
        | Ok(NumberLengthType::IsPossible) => Reason::NotValid,
    }
}

/// The digits in order: calling code, zeros that belong to the number (as in Italy), number.
fn e164(parsed: &PhoneNumber) -> Option<u64> {
    let zeros = if parsed.italian_leading_zero() { parsed.number_of_leading_zeros() } else { 0 };
    let length = parsed.national_number.checked_ilog10().unwrap_or(0) + 1 + u32::try_from(zeros).ok()?;
    let code = u64::try_from(parsed.country_code).ok()?;
    code.checked_mul(10_u64.checked_pow(length)?)?.checked_add(parsed.national_number)
}

fn parse_reason(error: &ParseError) -> Reason {
    match error {
        ParseError::InvalidCountryCode => Reason::NotValid,
        // The input is always digits, so the crate rejects it as a number only if there are too few.
        ParseError::NotANumber(_) | ParseError::TooShortAfterIdd | ParseError::TooShortNsn => Reason::TooShort,
        ParseError::TooLongNsn => Reason::TooLong,
    }
}
