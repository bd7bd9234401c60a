//! Whether the numbers of a column begin with their calling code, without a `+`.
//!
//! A national number that lost a digit often is a number of another country. So a number without `+` is taken for one of
//! another country than the one that is told only where the column's other numbers show that they are written so.

use super::number::{self, Number, Written};
use crate::domain::Country;

/// What the first numbers of a column say of how all of them are written.
#[derive(Debug, Default)]
pub(super) struct Codes {
    /// They begin with their calling code. Of other countries only mobile numbers: what somebody mistyped rarely is one.
    with: usize,
    /// All others: national ones, and those that may be mistyped.
    without: usize,
    /// One begins with the calling code of the country that is told for it.
    own: bool,
    /// Those of the country that is told for them, with a `+`.
    own_with_plus: usize,
    /// Another country of which one is, and whether there are several such countries.
    other: Option<(Country, bool)>,
}

/// One number shows nothing of others.
const FEWEST: usize = 2;
/// The same of numbers of other countries alone.
const FEWEST_OTHERS: usize = 3;

impl Codes {
    /// Looks at a cell and the number in it, where that exists with its calling code or in its country.
    pub(super) fn look_at(&mut self, cell: &str, number: Option<Number>) {
        let Some(Number { msisdn, country, is_fixed, beside }) = number else {
            self.without += usize::from(number::is_bare(cell));
            return;
        };
        let is_other = beside.foreign || beside.untold;
        match number::written(cell, msisdn) {
            Some(Written::Coded) if is_other && is_fixed => self.without += 1,
            Some(Written::International) if !is_other => self.own_with_plus += 1,
            Some(Written::Coded) => {
                self.with += 1;
                self.own |= !is_other;
                if is_other {
                    let (first, several) = self.other.unwrap_or((country, false));
                    self.other = Some((first, several || first != country));
                }
            }
            Some(Written::National) => self.without += 1,
            Some(Written::International) | None => {}
        }
    }

    /// At least three of four begin with a calling code, and it is their own country's or that of several others: numbers
    /// of one country that all lost a digit would seem to be of one other. Beside numbers of the told country that have a
    /// `+` those without one are national, and few strangers are two that were mistyped.
    pub(super) fn are_written(&self) -> bool {
        let most_of = |without: usize| self.with * 4 >= (self.with + without) * 3;
        if self.own {
            return self.with >= FEWEST && most_of(self.without);
        }
        let are_several = self.other.is_some_and(|(_, several)| several);
        are_several && self.with >= FEWEST_OTHERS && most_of(self.without + self.own_with_plus)
    }
}

#[cfg(test)]
mod tests {
    use super::super::number::Home;
    use super::*;

    fn are_written(cells: &[&str], country: &str) -> bool {
        let home = country.parse().ok().and_then(Home::of).unwrap_or(Home::Missing);
        let mut codes = Codes::default();
        cells.iter().for_each(|cell| codes.look_at(cell, number::read(cell, home.coded()).ok()));
        codes.are_written()
    }

    const GERMAN: [&str; 3] = ["4915123456789", "4915123456780", "491701234567"];

    #[test]
    fn numbers_with_the_code_of_their_country_show_it() {
        assert!(are_written(&["6591234567", "4915123456789"], "SG"));
        assert!(are_written(&["6591234567", "6591234568", "6581234567", "81234567"], "SG"));
        assert!(!are_written(&["6591234567", "6591234568", "81234569", "81234567"], "SG"));
    }

    #[test]
    fn numbers_of_several_other_countries_show_it_and_those_of_one_do_not() {
        assert!(!are_written(&GERMAN, "SG"));
        assert!(are_written(&[&GERMAN[..], &["8801712345678"]].concat(), "SG"));
        assert!(are_written(&["4915123456789", "447400123456", "8801712345678", "13012345678"], "NP"));
        assert!(!are_written(&["336-555-01234", "614-478-01234"], "US"), "two that have a digit too many");
        let with_plus = ["+12125550123", "+12125550124", "+12125550125"];
        assert!(!are_written(&[&GERMAN[..], &["8801712345678"], &with_plus[..]].concat(), "US"));
    }

    #[test]
    fn national_and_mistyped_numbers_and_those_with_a_plus_do_not_show_it() {
        assert!(!are_written(&["9841230690", "9841230691", "984123069"], "NP"));
        // Fixed lines of Iran, Germany and others, to look at them.
        assert!(!are_written(&["984-123069", "(49) 231-4982", "984-123068"], "NP"));
        assert!(!are_written(&["+6591234567", "0065 91234568", "+4915123456789", "4915123456780"], "SG"));
        assert!(!are_written(&["4915123456789"], "SG"), "a number alone");
        assert!(!are_written(&[], "SG"));
    }
}
