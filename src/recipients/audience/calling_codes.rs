//! Whether the numbers of a column begin with their calling code, without a `+`.
//!
//! A national number that lost a digit often is a valid number of another country. So a number without `+` is accepted as
//! foreign only if the other numbers of the column show that they are written with calling codes.

use super::number::{self, Notation, Number};
use crate::base::domain::Country;

/// Counts of how the first numbers of a column are written.
#[derive(Debug, Default)]
pub(super) struct CallingCodes {
    /// Numbers that begin with their calling code. Foreign ones count only if mobile: a mistyped number rarely is one.
    with: usize,
    /// All other numbers: national ones, and possibly mistyped ones.
    without: usize,
    /// Whether one begins with the calling code of its expected country.
    own: bool,
    /// Numbers of their expected country, with a `+`.
    own_with_plus: usize,
    /// The first foreign country, and whether there are several.
    other: Option<(Country, bool)>,
}

/// One number alone says nothing about the others.
const MIN_COUNT: usize = 2;
/// The same if all numbers are foreign.
const MIN_FOREIGN_COUNT: usize = 3;

impl CallingCodes {
    /// Counts a cell and its number, if a number exists with its calling code or in its country.
    pub(super) fn add(&mut self, cell: &str, number: Option<Number>) {
        let Some(Number { msisdn, country, is_fixed, beside }) = number else {
            self.without += usize::from(number::is_bare(cell));
            return;
        };
        let is_other = beside.foreign || beside.untold;
        match number::written(cell, msisdn) {
            Some(Notation::Coded) if is_other && is_fixed => self.without += 1,
            Some(Notation::International) if !is_other => self.own_with_plus += 1,
            Some(Notation::Coded) => {
                self.with += 1;
                self.own |= !is_other;
                if is_other {
                    let (first, several) = self.other.unwrap_or((country, false));
                    self.other = Some((first, several || first != country));
                }
            }
            Some(Notation::National) => self.without += 1,
            Some(Notation::International) | None => {}
        }
    }

    /// Whether the numbers are written with their calling codes, without a `+`.
    ///
    /// True if three of four begin with a calling code, and it is that of the expected country or of several other countries.
    /// - One other country is not enough: numbers of one country that all lost a digit seem to be of one other country.
    /// - If numbers of the expected country have a `+`, those without one count as national.
    /// - A few foreign numbers are not enough: two may be mistyped.
    pub(super) fn are_written(&self) -> bool {
        let most_of = |without: usize| self.with * 4 >= (self.with + without) * 3;
        if self.own {
            return self.with >= MIN_COUNT && most_of(self.without);
        }
        let are_several = self.other.is_some_and(|(_, several)| several);
        are_several && self.with >= MIN_FOREIGN_COUNT && most_of(self.without + self.own_with_plus)
    }
}

#[cfg(test)]
mod tests {
    use super::super::number::Home;
    use super::*;

    fn are_written(cells: &[&str], country: &str) -> bool {
        let home = country.parse().ok().and_then(Home::of).unwrap_or(Home::Missing);
        let mut codes = CallingCodes::default();
        cells.iter().for_each(|cell| codes.add(cell, number::read(cell, home.coded()).ok()));
        codes.are_written()
    }

    const GERMAN: [&str; 3] = ["4915123456789", "4915123456780", "491701234567"];

    #[test]
    fn codes_of_the_expected_country_are_recognised() {
        assert!(are_written(&["6591234567", "4915123456789"], "SG"));
        assert!(are_written(&["6591234567", "6591234568", "6581234567", "81234567"], "SG"));
        assert!(!are_written(&["6591234567", "6591234568", "81234569", "81234567"], "SG"));
    }

    #[test]
    fn codes_of_several_foreign_countries_are_recognised_but_not_of_one() {
        assert!(!are_written(&GERMAN, "SG"));
        assert!(are_written(&[&GERMAN[..], &["8801712345678"]].concat(), "SG"));
        assert!(are_written(&["4915123456789", "447400123456", "8801712345678", "13012345678"], "NP"));
        assert!(!are_written(&["336-555-01234", "614-478-01234"], "US"), "two numbers with a digit too many");
        let with_plus = ["+12125550123", "+12125550124", "+12125550125"];
        assert!(!are_written(&[&GERMAN[..], &["8801712345678"], &with_plus[..]].concat(), "US"));
    }

    #[test]
    fn national_mistyped_and_plus_numbers_are_not_calling_codes() {
        assert!(!are_written(&["9841230690", "9841230691", "984123069"], "NP"));
        // These look like landlines of Iran, Germany and others.
        assert!(!are_written(&["984-123069", "(49) 231-4982", "984-123068"], "NP"));
        assert!(!are_written(&["+6591234567", "0065 91234568", "+4915123456789", "4915123456780"], "SG"));
        assert!(!are_written(&["4915123456789"], "SG"), "a single number");
        assert!(!are_written(&[], "SG"));
    }
}
