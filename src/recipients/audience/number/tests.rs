//! Tests how spellings of numbers are read.

use super::*;
use proptest::prelude::*;

fn home(country: &str) -> Home {
    country.parse().ok().and_then(Home::of).unwrap_or(Home::Missing)
}

fn text(cell: &str, country: &str) -> Result<String, Reason> {
    read(cell, home(country)).map(|number| format!("{} {}", number.msisdn, number.country))
}

#[test]
fn every_spelling_of_a_number_is_read_as_that_number() {
    for spelling in [
        "+6581234567",
        "6581234567",
        "006581234567",
        "81234567",
        " +65 8123-4567 ",
        "(+65) 8123.4567",
        "'+6581234567",
        "=\"+6581234567\"",
        "tel:+65-8123-4567",
        "011 65 8123 4567",
        "6581234567.0",
        "6.581234567E+09",
        "6.581234567e9",
        "6,581234567E+9",
        "８１２３４５６７",
        "+٦٥٨١٢٣٤٥٦٧",
        "\u{202a}+65\u{a0}8123\u{2011}4567\u{202c}",
    ] {
        assert_eq!(text(spelling, "SG"), Ok("+6581234567 SG".to_owned()), "{spelling:?}");
    }
}

#[test]
fn a_country_cell_may_hold_a_calling_code_beside_the_country() {
    for cell in ["Singapore (+65)", "+65 (Singapore)", "SG +65", "(+65)", "65", "+65", "0065", "65.0", "Singapur +65"] {
        assert_eq!(Home::of_cell(cell, Home::Missing), home("SG"), "{cell}");
    }
    assert_eq!(Home::of_cell("Canada (+1)", Home::Missing), home("CA"));
    for cell in ["+999", "65.5", "Atlantis"] {
        assert_eq!(Home::of_cell(cell, Home::Missing), Home::Unreadable, "{cell}");
    }
}

#[test]
fn a_list_number_is_not_part_of_the_number() {
    for (cell, country, number) in [
        ("2. 0172 2345678", "DE", "+491722345678 DE"),
        ("12) 81234567", "SG", "+6581234567 SG"),
        ("1. 5512345678", "MX", "+525512345678 MX"),
        ("3. +6581234567", "", "+6581234567 SG"),
    ] {
        assert_eq!(text(cell, country), Ok(number.to_owned()), "{cell}");
        assert!(read(cell, home(country)).unwrap().beside.words);
    }
    assert_eq!(text("1. 81234567", ""), Err(Reason::CountryMissing));
    assert_eq!(text("1. 650 253 0000", "SG"), Err(Reason::PlusMissing));
    assert_eq!(text("1.650.253.0000", ""), Ok("+16502530000 US".to_owned()));
}

#[test]
fn the_country_of_a_number_wins_over_the_default() {
    assert_eq!(text("+49 1512 3456789", "SG"), Ok("+4915123456789 DE".to_owned()));
    assert_eq!(text("01512/3456789", "DE"), Ok("+4915123456789 DE".to_owned()));
    assert_eq!(text("+44 (0)7400 123456", ""), Ok("+447400123456 GB".to_owned()));
    assert_eq!(text("07400123456", "UK"), Ok("+447400123456 GB".to_owned()));
    assert_eq!(text("(204) 234-5678", "US"), Ok("+12042345678 CA".to_owned()));
}

#[test]
fn zeros_that_belong_to_the_number_are_kept() {
    assert_eq!(text("+39 02 1234 5678", ""), Ok("+390212345678 IT".to_owned()));
}

#[test]
fn an_international_service_number_has_the_country_zz() {
    assert_eq!(text("+800 1234 5678", ""), Ok("+80012345678 ZZ".to_owned()));
}

#[test]
fn of_several_numbers_the_first_existing_one_is_read() {
    for cell in [
        "81234567 / 91234567",
        "+6581234567 +6591234567",
        "+65 8123 4567, +65 9123 4567",
        "81234567;91234567;",
        "81234567 or 91234567",
        "81234567\n91234567",
        "8123 4567 ext. 12 / 9123 4567",
        "81234567 91234567",
        "81234567 - 91234567",
        "81234567, 81234568 and 91234567",
    ] {
        let number = read(cell, home("SG")).unwrap();
        assert_eq!((number.msisdn.get(), number.beside.others), (6_581_234_567, true), "{cell:?}");
    }
    for cell in [
        "123 / 81234567",
        "n/a, 81234567",
        "+65 8123 4567 (Ann)",
        "8123 4567 (HP)",
        "HP: 8123 4567",
        "p:81234567",
        "https://wa.me/6581234567",
        "Ann,81234567",
        "81234567;1",
        "81234567|x",
    ] {
        let number = read(cell, home("SG")).unwrap();
        let CellExtras { others, words, .. } = number.beside;
        assert_eq!((number.msisdn.get(), others, words), (6_581_234_567, false, true), "{cell:?}");
    }
    for cell in ["81234567;", "<81234567>", "`81234567", "81234567*", "6,581,234,567", "6581234567,0"] {
        let number = read(cell, home("SG")).unwrap();
        let is_alone = !number.beside.others && (!number.beside.words || cell.ends_with(",0"));
        assert!(number.msisdn.get() == 6_581_234_567 && is_alone, "{cell:?}");
    }
    for (cell, country, number) in [
        ("01512, 3456571", "DE", "+4915123456571"),
        ("0664 1234567 24h", "AT", "+436641234567"),
        ("0664 1234567 2. Nummer", "AT", "+436641234567"),
        ("0171 2345678 3x klingeln", "DE", "+491712345678"),
        ("347 1234567 9am-5pm", "IT", "+393471234567"),
        ("Tel91234567", "SG", "+6591234567"),
    ] {
        assert_eq!(read(cell, home(country)).map(|number| number.msisdn.to_string()).as_deref(), Ok(number), "{cell}");
    }
    for (cell, country) in [
        ("0l5123456571", "DE"),
        ("984123526O", "NP"),
        ("5123 523O", "EE"),
        ("+43 664 12785O", "AT"),
        ("0171 2345678 0151 23456789", "DE"),
        ("060 1233949 060 1234567", "RS"),
        ("8 029 491-64-48 8 029 491-22-94", "BY"),
    ] {
        assert!(read(cell, home(country)).is_err(), "{cell}: {:?}", read(cell, home(country)));
    }
    // A separate calling code belongs to the digits after it.
    assert_eq!(text("+49, 17612345678", "").unwrap(), "+4917612345678 DE");
    // One number may contain such marks.
    for (cell, country) in [("0171/1234567", "DE"), ("+49 (0) 171 / 123 45 67", ""), ("81234567,", "SG")] {
        assert!(!read(cell, home(country)).unwrap().beside.others, "{cell:?}");
    }
}

#[test]
fn a_country_guessed_from_the_digits_is_flagged_or_refused() {
    let number = read("13012345678", Home::Missing).unwrap();
    assert_eq!((number.country.as_str(), number.beside.untold), ("US", true));
    assert_eq!(read("13012345678", Home::National), Err(Reason::CountryMissing));
    assert!(!read("+13012345678", Home::National).unwrap().beside.untold);
    assert!(!read("0013012345678", Home::National).unwrap().beside.untold);
    assert!(!read("4915123456010", home("SG").coded()).unwrap().beside.untold, "a country is given");
}

#[test]
fn a_national_number_that_lacks_a_digit_is_not_read_as_foreign() {
    for (cell, country) in [("984-123069", "NP"), ("(49) 231-4982", "TC"), ("491512 3456789", "SG")] {
        assert_eq!(text(cell, country), Err(Reason::PlusMissing), "{cell}");
        let number = read(cell, home(country).any()).unwrap();
        assert!(number.beside.foreign && number.country.as_str() != country, "{cell}");
        // In a column of numbers with calling codes, a mobile number may be of another country.
        let in_column = read(cell, home(country).coded());
        assert_eq!(in_column.is_ok(), !number.is_fixed, "{cell}");
    }
    assert_eq!(text("49 1512", "SG"), Err(Reason::TooShort));
    assert_eq!(read("4915123456789", Home::Unreadable), Err(Reason::CountryUnknown));
    assert_eq!(read("4915123456789", Home::Unreadable.coded()).unwrap().country.as_str(), "DE");
    assert!(!read("6581234567", home("SG").coded()).unwrap().beside.foreign);
}

#[test]
fn international_prefixes_are_read() {
    for prefix in ["8~10 ", "8~10-", "8 ~ 10 ", "8\u{223c}10", "8～10 "] {
        for country in ["BY", "RU", "TJ", "SG", ""] {
            let cell = format!("{prefix}375 29 491-19-11");
            assert_eq!(text(&cell, country), Ok("+375294911911 BY".to_owned()), "{cell} in {country:?}");
        }
    }
    assert_eq!(text("8 10 375 29 491-19-11", "RU"), Ok("+375294911911 BY".to_owned()));
    assert_eq!(text("011 4312-3456", "AR"), Ok("+541143123456 AR".to_owned()));
    assert_eq!(text("0011 44 121 234 1078", "AU"), Ok("+441212341078 GB".to_owned()));
    assert!(text("011 15-22345-0729", "AR").is_err(), "a digit is wrong, and 011 is an area code");
    // `006` and `008` are prefixes of these countries, but `00` and their own calling code mean them.
    for (cell, country, expected) in [
        ("0065 9757 4415", "SG", "+6597574415 SG"),
        ("006595804967", "SG", "+6595804967 SG"),
        ("00852 9123 4567", "HK", "+85291234567 HK"),
        ("0060 12-345 6789", "SG", "+60123456789 MY"),
    ] {
        assert_eq!(text(cell, country), Ok(expected.to_owned()), "{cell}");
    }
    for country in ["US", "SG", ""] {
        assert_eq!(text("011 49 151 23456789", country), Ok("+4915123456789 DE".to_owned()), "{country}");
    }
}

#[test]
fn a_wrong_number_after_00_is_not_what_the_prefixes_of_another_country_leave() {
    // Each lacks a digit. In Singapore and Thailand, `004` is a prefix before a number of Norway.
    for (cell, country) in [("0044 7911 12345", "SG"), ("0044 7911 12345", "TH"), ("004 4791 112345", "SG")] {
        assert_eq!(text(cell, country), Err(Reason::NotValid), "{cell} in {country}");
    }
    assert_eq!(text("001 44 7400 123456", "SG"), Ok("+447400123456 GB".to_owned()));
}

#[test]
fn a_spelling_with_two_valid_readings_is_refused_with_both() {
    for (cell, country, readings) in [
        ("0049 151 04796669", "SG", ["+4915104796669", "+915104796669"]),
        ("1. 0049 151 04796669", "SG", ["+4915104796669", "+915104796669"]),
        ("0049 151 04796669 ext. 5", "SG", ["+4915104796669", "+915104796669"]),
        ("0011 423 220 56 78", "AU", ["+14232205678", "+4232205678"]),
        // Falklands and Buenos Aires.
        ("011 500 51234", "AR", ["+541150051234", "+50051234"]),
    ] {
        for home in [home(country), home(country).coded(), home(country).any()] {
            assert_eq!(read(cell, home), Err(Reason::TwoReadings), "{cell} in {country}");
            let readings = readings.map(|number| number.parse().unwrap());
            assert_eq!(both_readings(cell, home), Some(readings), "{cell} in {country}");
        }
        assert_eq!(all(cell, home(country)), [], "{cell}");
    }
    for (cell, country) in [("0049 151 04796669", "DE"), ("+49 151 04796669", "SG"), ("011 4312-3456", "AR")] {
        assert!(read(cell, home(country)).is_ok() && both_readings(cell, home(country)).is_none(), "{cell}");
    }
}

#[test]
fn a_number_with_an_international_prefix_is_no_neighbor() {
    let is_neighbor = |cell: &str, country: &str| read(cell, home(country)).unwrap().beside.neighbor;
    for (cell, country) in [
        ("0049 151 23456789", "DE"),
        ("0044 7781 123456", "GB"),
        ("011 1 204 234 5678", "US"),
        ("011 44 7400 123456", "US"),
    ] {
        assert!(!is_neighbor(cell, country), "{cell} in {country}");
    }
    assert!(is_neighbor("07781 123456", "GB") && is_neighbor("(204) 234-5678", "US"));
}

#[test]
fn the_notation_of_a_number_is_recognized() {
    for (cell, expected) in [
        ("+65 8123 4567", Notation::International),
        ("0065 8123 4567", Notation::International),
        ("8~10 65 8123 4567", Notation::International),
        ("6581234567", Notation::Coded),
        ("'65 8123-4567", Notation::Coded),
        ("8123 4567", Notation::National),
    ] {
        assert_eq!(written(cell, "+6581234567".parse().unwrap()), Some(expected), "{cell}");
    }
    assert_eq!(written("81234567 / 91234567", "+6581234567".parse().unwrap()), Some(Notation::National));
    assert!(is_bare("8123 4567") && !is_bare("+65 8123") && !is_bare("n/a"));
}

#[test]
fn a_country_cell_may_hold_a_calling_code_or_a_placeholder() {
    for (cell, country) in [("65", "SG"), ("+49", "DE"), ("0044", "GB"), ("1", "US"), ("SG - Singapore", "SG")] {
        assert_eq!(Home::of_cell(cell, Home::Missing), home(country), "{cell}");
    }
    assert_eq!(["-", "n/a", "", "Unknown"].map(|cell| Home::of_cell(cell, home("SG"))), [home("SG"); 4]);
    assert_eq!(["999", "north", "6 5"].map(|cell| Home::of_cell(cell, home("SG"))), [Home::Unreadable; 3]);
}

#[test]
fn an_extension_is_dropped_and_flagged() {
    for cell in [
        "+1 650-253-0000 ext. 12",
        "(650) 253-0000 x12",
        "6502530000;ext=12",
        "650 253 0000 #3",
        "6502530000, Extension 1234",
    ] {
        let number = read(cell, home("US")).unwrap();
        assert_eq!((number.msisdn.get(), number.beside.extension), (16_502_530_000, true), "{cell:?}");
    }
    assert!(!read("+16502530000", Home::Missing).unwrap().beside.extension);
}

#[test]
fn a_mobile_number_without_its_plus_is_not_read_as_a_fixed_line() {
    assert_eq!(text("4915123456010", "DE"), Ok("+4915123456010 DE".to_owned()));
    assert_eq!(text("030901820", "DE"), Ok("+4930901820 DE".to_owned()));
}

#[test]
fn fixed_lines_are_flagged_if_their_country_distinguishes_them() {
    let is_fixed = |cell: &str| read(cell, Home::Missing).unwrap().is_fixed;
    assert_eq!(["+6561234567", "+6581234567", "+4930123456", "+16502530000"].map(is_fixed), [true, false, true, false]);
    assert!(is_fixed("+18002530000"), "toll-free");
}

#[test]
fn a_rejected_cell_has_a_reason() {
    for (cell, country, reason) in [
        ("", "SG", Reason::Empty),
        (" - ", "SG", Reason::Empty),
        ("n/a", "SG", Reason::NotANumber),
        ("1-800-FLOWERS", "US", Reason::NotANumber),
        ("8123x567", "SG", Reason::NotANumber),
        ("6.58E+09", "SG", Reason::DigitsLost),
        ("6,58E+09", "SG", Reason::DigitsLost),
        ("8123 / 8124 / 91234567890123", "SG", Reason::SeveralNumbers),
        ("+652123 +652124", "SG", Reason::SeveralNumbers),
        ("8123", "SG", Reason::TooShort),
        ("+65812345678901", "SG", Reason::TooLong),
        ("1234567890123456789012345678", "SG", Reason::TooLong),
        ("81234567", "", Reason::CountryMissing),
        ("+6521234567", "SG", Reason::NotValid),
        ("+999123456789", "SG", Reason::NotValid),
    ] {
        assert_eq!(text(cell, country), Err(reason), "{cell:?}");
    }
    assert_eq!(read("81234567", Home::Unreadable), Err(Reason::CountryUnknown));
    for day in
        ["2024-11-20", "20.11.2024", "11/20/2024", "2024-11-20T09:00:00", "20/11/2024 09:00", "5/11/2024", "11/5/2024"]
    {
        assert_eq!(text(day, "SG"), Err(Reason::NotANumber), "{day}");
    }
    assert!(text("06.12.34.56.78", "FR").is_ok() && text("22-33-4455", "SG") == Err(Reason::NotValid));
}

proptest! {
    #[test]
    fn reading_a_cell_never_panics(cell in any::<String>(), digits in "[+0-9 ./eE()-]{0,30}") {
        for home in [home("DE"), Home::Missing] {
            let _ = read(&cell, home);
            let _ = read(&digits, home);
        }
    }

    #[test]
    fn a_number_that_was_read_reads_the_same_again(digits in "[1-9][0-9]{6,14}") {
        if let Ok(number) = read(&format!("+{digits}"), Home::Missing) {
            prop_assert_eq!(read(&number.msisdn.to_string(), Home::Missing), Ok(number));
        }
    }
}

#[test]
fn the_number_of_a_program_needs_no_known_numbering_plan() {
    let read = |text, country: &str| {
        of_program(text, country.parse().ok()).map(|(msisdn, country)| format!("{msisdn} {country}"))
    };
    assert_eq!(read("+6581234567", "").as_deref(), Some("+6581234567 SG"));
    assert_eq!(read("6581234567", "").as_deref(), Some("+6581234567 SG"));
    assert_eq!(read("81234567", "sg").as_deref(), Some("+6581234567 SG"));
    // The documents' own samples.
    assert_eq!(read("+6500000000", "").as_deref(), Some("+6500000000 SG"));
    assert_eq!(read("+60000000", "").as_deref(), Some("+60000000 MY"));
    assert_eq!(read("+99912345678", "").as_deref(), Some("+99912345678 ZZ"));
    for wrong in ["", "+65 8123 4567", "abc", "+0123456789"] {
        assert_eq!(read(wrong, ""), None, "{wrong}");
    }
}
