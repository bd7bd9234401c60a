//! Which numbers exist, and the only module that knows the phone number crate: libphonenumber's metadata and rules.

use std::sync::LazyLock;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
pub(super) use rlibphonenumber::Region;
use rlibphonenumber::{
    NumberLengthType, PHONE_NUMBER_UTIL, ParseError, PhoneNumber, PhoneNumberType, PhoneNumberUtil, ValidationError,
};

use super::dialling::Dialling;
use super::{Beside, Number, Reason};
use crate::domain::{Country, Msisdn};

/// The numbering plans of all countries.
///
/// The crate's own reading of a number is made for anything that a person may type. What comes here are digits, and of
/// most of them it is clear without that reading which are the number's own. A number that exists so is taken as it is; all
/// others are read by the crate, so a shortcut can only ever be taken to the same end (a test holds the two together).
pub(in crate::audience) struct Plans {
    /// Who reads many numbers has patterns of its own: all users of one set of them wait for each other.
    own: Option<PhoneNumberUtil>,
    /// By calling code. None where no country has it.
    codes: Vec<Option<Calling>>,
    regions: HashMap<Region, (u16, Dialling), FixedState>,
    takes_shortcuts: bool,
}

/// Whose a calling code is.
#[derive(Clone, Copy)]
struct Calling {
    dialling: Dialling,
    /// The only region that has it.
    region: Option<Region>,
}

impl Plans {
    pub(in crate::audience) fn new() -> Self {
        Self::with(PhoneNumberUtil::new().ok())
    }

    fn with(own: Option<PhoneNumberUtil>) -> Self {
        let util = own.as_ref().unwrap_or(&PHONE_NUMBER_UTIL);
        let mut codes = vec![None; 1_000];
        for code in util.get_supported_calling_codes() {
            let mut regions = util.get_regions_for_country_calling_code(code).into_iter().flatten();
            let (Some(main), is_shared) = (regions.next(), regions.next().is_some()) else { continue };
            let calling = Calling { dialling: Dialling::of(main), region: (!is_shared).then_some(main) };
            if let Some(slot) = usize::try_from(code).ok().and_then(|code| codes.get_mut(code)) {
                *slot = Some(calling);
            }
        }
        let mut regions = HashMap::with_hasher(FixedState::default());
        for region in util.get_supported_regions() {
            let code = util.get_country_code_for_region(region).and_then(|code| u16::try_from(code).ok());
            if let Some(code) = code
                && let Some(Some(calling)) = codes.get(usize::from(code))
            {
                regions.insert(region, (code, Dialling::of(region).beside(calling.dialling)));
            }
        }
        Self { own, codes, regions, takes_shortcuts: true }
    }

    #[cfg(test)]
    pub(super) fn without_shortcuts() -> Self {
        Self { takes_shortcuts: false, ..Self::new() }
    }

    /// For who reads a number now and then.
    pub(in crate::audience) fn shared() -> &'static Self {
        static SHARED: LazyLock<Plans> = LazyLock::new(|| Plans::with(None));
        &SHARED
    }

    fn util(&self) -> &PhoneNumberUtil {
        self.own.as_ref().unwrap_or(&PHONE_NUMBER_UTIL)
    }

    /// None for a country that has no phone numbers.
    pub(super) fn region(&self, country: Country) -> Option<Region> {
        Region::from_code(country.as_str()).ok().filter(|region| self.regions.contains_key(region))
    }

    pub(super) fn example(&self, country: Country) -> Option<Msisdn> {
        let region = self.region(country)?;
        let number = self.util().get_example_number_for_type_and_region(region, PhoneNumberType::Mobile).ok()?;
        e164(&number)?.try_into().ok()
    }

    /// Digits behind a `+`, that with them.
    pub(super) fn international(&self, number: &str) -> Result<Number, Reason> {
        if let Some(number) = self.plainly_international(&number[1..]) {
            return Ok(number);
        }
        self.util().parse(number, None).map_err(|error| of_parse(&error)).and_then(|parsed| self.existing(&parsed))
    }

    /// Digits as one dials them in a region.
    pub(super) fn national(&self, digits: &str, region: Region) -> Result<Number, Reason> {
        if let Some(number) = self.plainly_national(digits, region) {
            return Ok(number);
        }
        let parsed = self.util().parse(digits, Some(region));
        parsed.map_err(|error| of_parse(&error)).and_then(|parsed| self.existing(&parsed))
    }

    /// A calling code, and behind it a number that begins with nothing that one dials before numbers.
    fn plainly_international(&self, digits: &str) -> Option<Number> {
        if !self.takes_shortcuts || digits.starts_with('0') {
            return None;
        }
        // No code is the beginning of another.
        let (len, calling) = (1..=3).find_map(|len| Some((len, self.calling(digits.get(..len)?.parse().ok()?)?)))?;
        let (code, own) = digits.split_at(len);
        let number = calling.dialling.is_own(own).then(|| own.parse().ok())??;
        self.plain(code.parse().ok()?, number)
    }

    /// The number as it is, without the digit that one dials before numbers within the country, or behind the calling code.
    /// What is the number of another region that shares the code may be another number by the rules of this one.
    fn plainly_national(&self, digits: &str, region: Region) -> Option<Number> {
        let (code, dialling) = self.regions.get(&region).filter(|_| self.takes_shortcuts)?;
        let plain = |own: &str| {
            let number = self.plain(*code, own.parse().ok()?)?;
            (number.country.as_str() == &*region.as_region_str()).then_some(number)
        };
        if dialling.is_own(digits)
            && let Some(number) = plain(digits)
        {
            return Some(number);
        }
        if let Some(number) = dialling.without_trunk(digits).and_then(plain) {
            return Some(number);
        }
        // With its calling code, but without the plus: for sure only where it is too long for a number without.
        let is_shared = self.calling(*code).is_none_or(|calling| calling.region.is_none());
        let own = digits.strip_prefix(code.to_string().as_str()).filter(|own| !is_shared && dialling.is_own(own))?;
        let whole = PhoneNumber {
            country_code: (*code).into(),
            national_number: digits.parse().ok()?,
            ..PhoneNumber::default()
        };
        let too_long = self.util().is_possible_number_with_reason(&whole) == Err(ValidationError::TooLong);
        if too_long { plain(own) } else { None }
    }

    fn plain(&self, code: u16, number: u64) -> Option<Number> {
        let parsed = PhoneNumber { country_code: code.into(), national_number: number, ..PhoneNumber::default() };
        self.existing(&parsed).ok()
    }

    fn calling(&self, code: u16) -> Option<Calling> {
        self.codes.get(usize::from(code)).copied().flatten()
    }

    fn existing(&self, parsed: &PhoneNumber) -> Result<Number, Reason> {
        let kind = self.util().get_number_type(parsed);
        let calling = u16::try_from(parsed.country_code).ok().and_then(|code| self.calling(code));
        let region =
            || calling.and_then(|calling| calling.region).or_else(|| self.util().get_region_for_number(parsed));
        let Some(region) = (kind != PhoneNumberType::Unknown).then(region).flatten() else {
            return Err(self.why_not(parsed));
        };
        let country = match region {
            Region::World => Country::WORLD,
            region => region.as_region_str().parse().unwrap_or(Country::WORLD),
        };
        let digits = e164(parsed).ok_or(Reason::TooLong)?;
        let too = if digits > Msisdn::LONGEST { Reason::TooLong } else { Reason::TooShort };
        let msisdn = Msisdn::try_from(digits).map_err(|_| too)?;
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

    fn why_not(&self, parsed: &PhoneNumber) -> Reason {
        match self.util().is_possible_number_with_reason(parsed) {
            Err(ValidationError::TooShort) | Ok(NumberLengthType::IsPossibleLocalOnly) => Reason::TooShort,
            Err(ValidationError::TooLong) => Reason::TooLong,
            Err(ValidationError::InvalidCountryCode | ValidationError::InvalidLength)
            | Ok(NumberLengthType::IsPossible) => Reason::NotValid,
        }
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
