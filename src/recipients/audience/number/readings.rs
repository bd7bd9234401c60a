//! The ways in which the digits of a spelling can be read, and whether two of them are different numbers.
//!
//! An international prefix, a calling code that is written twice and a zero in brackets each have a second reading in some
//! country. A message to the wrong one of two numbers goes to a stranger, so a spelling that is two numbers is none.

use super::plans::{Plans, Region};
use super::spelling::Digits;
use super::{CellExtras, Number, Reason};

/// Reads a number after `00`, the international prefix of most countries.
///
/// - Without a country also after `011`, that of North America. With one, `011` may be an area code: that of Buenos Aires.
pub(super) fn after_international_prefix(digits: &Digits, region: Option<Region>) -> Option<Number> {
    let prefixes: &[&str] = if region.is_some() { &["+00"] } else { &["+00", "+011"] };
    let rests = prefixes.iter().filter_map(|prefix| digits.as_str().strip_prefix(prefix));
    rests.map(Digits::from_ascii).find_map(|rest| Plans::shared().international(rest.as_str()).ok())
}

/// Whether digits after `00` are no number, so that the prefixes of the default country are not tried either.
///
/// - What they leave of a number that lacks a digit may be a stranger's: of `0044 7911 12345`, Singapore's `004` leaves a
///   Norwegian number.
/// - `001` and `0011` are what people dial in Australia, Hong Kong, Singapore and elsewhere, so these are tried.
pub(super) fn is_wrong_after_prefix(digits: &Digits) -> bool {
    !digits.plus && digits.as_str().starts_with("+00") && !digits.as_str().starts_with("+001")
}

/// Reads a number as dialed in its own country, or with its calling code.
pub(super) fn at_home(digits: &Digits, region: Region) -> Result<Number, Reason> {
    let plans = Plans::shared();
    let number = plans.national(&digits.as_str()[1..], region)?;
    if !number.is_fixed {
        return Ok(with_neighbor(digits, number, region));
    }
    // The same digits can be a landline in national form and a mobile number with its calling code: the latter is meant.
    let international = plans.international(digits.as_str()).ok();
    let is_mobile = |other: &Number| !other.is_fixed && other.country == number.country;
    Ok(with_neighbor(digits, international.filter(is_mobile).unwrap_or(number), region))
}

/// Marks a number of another country that shares the calling code of the region, unless an international prefix precedes it.
fn with_neighbor(digits: &Digits, number: Number, region: Region) -> Number {
    if Plans::shared().country(region) == Some(number.country) {
        return number;
    }
    let whole = number.msisdn.get().to_string();
    let prefix = digits.as_str()[1..].strip_suffix(whole.as_str());
    let neighbor = prefix.is_none_or(str::is_empty) && Plans::shared().has_code_of(region, number.msisdn);
    Number { beside: CellExtras { neighbor, ..number.beside }, ..number }
}

/// Another number that the digits of `number` can be read as.
///
/// - After `00`: what the international prefix of the region leaves, such as `004` in Singapore. A number of the region's
///   own calling code has no such other reading: in a file of Singapore, `0065` means Singapore.
/// - Otherwise only a mobile number counts, because nearly every landline has such a reading: the digits after `011`, without
///   a repeated calling code, or without a zero in brackets.
pub(super) fn other(digits: &Digits, region: Option<Region>, number: &Number) -> Option<Number> {
    let is_other = |other: &Number| other.msisdn != number.msisdn;
    let is_mobile = |other: &Number| !other.is_fixed;
    let abroad = digits.abroad();
    let after_prefix = || abroad.as_ref().and_then(international).filter(is_mobile).filter(is_other);
    let repeated = || without_repeated_code(abroad.as_ref().unwrap_or(digits)).filter(is_mobile).filter(is_other);
    let without_zero = || {
        let rest = digits.without_zero_in_brackets()?;
        let read = match (rest.abroad(), region) {
            (Some(abroad), _) => international(&abroad),
            (None, Some(region)) => at_home(&rest, region).ok(),
            (None, None) => international(&rest),
        };
        read.filter(is_mobile).filter(is_other)
    };
    let after_own_prefix = || {
        let region = region.filter(|_| !digits.plus && digits.as_str().starts_with("+00"))?;
        let is_of_home = Plans::shared().has_code_of(region, number.msisdn);
        if is_of_home { None } else { at_home(digits, region).ok().filter(is_other) }
    };
    after_prefix().or_else(repeated).or_else(without_zero).or_else(after_own_prefix)
}

fn international(digits: &Digits) -> Option<Number> {
    Plans::shared().international(digits.as_str()).ok()
}

/// Reads digits that begin with a calling code twice, such as `+49 49 151…` and `+49 0049 151…`, without the first one.
fn without_repeated_code(digits: &Digits) -> Option<Number> {
    let typed = digits.as_str().get(1..)?;
    let code = Plans::shared().code_before(typed)?;
    let rest = typed.strip_prefix(code)?;
    let rest = rest.strip_prefix("00").unwrap_or(rest);
    if rest.starts_with(code) { international(&Digits::from_ascii(rest)) } else { None }
}
