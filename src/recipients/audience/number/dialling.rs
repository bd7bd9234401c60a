//! Recognizes numbers that have no dialing prefix.
//!
//! libphonenumber removes prefixes by patterns of each region: international prefixes (`00`), trunk digits (`0`), carrier
//! codes, and area codes that may be omitted. This module knows only the two digits with which any of them may begin. A
//! number with another beginning keeps all its digits.
//!
//! The tables follow the metadata 9.0.42. A missing entry would give a wrong number, so a test reads numbers of every region
//! with and without them.

use rlibphonenumber::Region;

/// The beginnings of prefixes by region, besides the digit of [`TRUNKS`]; `00` for a region without an entry.
const BEGINNINGS: [(&str, &str); 33] = [
    ("AR", "0 1 2 3"),
    ("AU", "00 14 18"),
    ("AX FI KP", "00 99"),
    ("BO CO CV JP KR WS", "0"),
    ("BR", "0 90"),
    ("BY LT", "00 8"),
    ("CA DO JM MH PR US", "01"),
    ("CL", "00 11 12 15 16 17 18"),
    ("CN", "00 11 12 17"),
    ("CR PE", "00 19"),
    ("CU", "00 11"),
    ("FJ", "00 05"),
    ("FO", "00 10"),
    ("GB", "00 18"),
    ("HU", "00 06"),
    ("IL NZ TW UY MV SB", "00 01"),
    ("IS", "00 10 11"),
    ("KZ RU TM", "00 81"),
    ("LI", "0 10"),
    ("LU", "00 15"),
    ("MU", "00 02 03 04 05 06 07"),
    ("MX", "00 09"),
    ("PG", "00 14"),
    ("PW", "00 01"),
    ("SC", "00 01 02"),
    ("SG", "00 01 02 03"),
    ("SI", "00 10"),
    ("TD", "00 16"),
    ("TJ", "00 81"),
    // The area code may be omitted, so a number may begin with any digit.
    ("AG AI AS BB BM BS CC CX DM", ANY),
    ("GA GD GG GU IM JE KN KY LC", ANY),
    ("MG MP MS NF SM SX TC TT VC", ANY),
    ("VG VI", ANY),
];

const ANY: &str = "0 1 2 3 4 5 6 7 8 9";

/// The trunk digit of a region that has a fixed one.
const TRUNKS: [(&str, u8); 6] = [
    ("AE AF AL AM AT AU AX AZ BA BD BE BG BL BY CD CH CN DE DZ EC EG EH ER ET FI FR GB GE GF GH GP HR", b'0'),
    ("ID IE IL IN IQ IR JO KE KG KH KI KP LA LB LK LR LT LY MA MC MD ME MF MK MM MN MQ MW MY NA NG NL NP", b'0'),
    ("NZ PE PH PK PM PS PY RE RO RS RW SA SD SE SI SK SL SO SS SY TH TR TW TZ UA UG UY VE VN XK YE YT", b'0'),
    ("CU ZA ZM ZW", b'0'),
    ("KZ RU TM", b'8'),
    ("CA DO JM MH PR US", b'1'),
];

/// The dialing prefixes of a region.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialling {
    /// One bit for each pair of digits.
    beginnings: u128,
    trunk: Option<u8>,
}

impl Dialling {
    pub(super) fn of(region: Region) -> Self {
        let name = region.as_region_str().to_string();
        let has = |names: &str| names.split(' ').any(|one| one == name);
        let beginnings = BEGINNINGS.iter().find(|(names, _)| has(names)).map_or("00", |(_, beginnings)| beginnings);
        let beginnings = beginnings.split(' ').fold(0, |all, beginning| all | bits(beginning));
        Self { beginnings, trunk: TRUNKS.iter().find(|(names, _)| has(names)).map(|(_, digit)| *digit) }
    }

    /// Adds the prefixes of the main region of a shared calling code, whose rules apply to the numbers as well.
    pub(super) fn sharing_code_with(self, main: Self) -> Self {
        let trunk = main.trunk.map_or(0, |digit| bits(&char::from(digit).to_string()));
        let others = if self.trunk == main.trunk { 0 } else { trunk };
        Self { beginnings: self.beginnings | main.beginnings | others, trunk: self.trunk }
    }

    /// Whether digits are certainly a number without a prefix. Never true for a leading zero, which may belong to a number.
    pub(super) fn has_no_prefix(self, digits: &str) -> bool {
        self.has_plain_beginning(digits) && !digits.starts_with('0') && digits.bytes().next() != self.trunk
    }

    /// The digits after the trunk digit; `None` if there is none, or if another prefix may follow.
    pub(super) fn without_trunk(self, digits: &str) -> Option<&str> {
        let rest = digits.strip_prefix(char::from(self.trunk?))?;
        (self.has_plain_beginning(digits) && self.has_no_prefix(rest)).then_some(rest)
    }

    fn has_plain_beginning(self, digits: &str) -> bool {
        match digits.as_bytes() {
            [first @ b'0'..=b'9', second @ b'0'..=b'9', ..] => {
                self.beginnings >> (10 * (first - b'0') + (second - b'0')) & 1 == 0
            }
            _ => false,
        }
    }
}

/// The pairs of digits that begin with `beginning`, which is one digit or two.
fn bits(beginning: &str) -> u128 {
    (0..100_u8).filter(|two| format!("{two:02}").starts_with(beginning)).fold(0, |bits, two| bits | 1 << two)
}
