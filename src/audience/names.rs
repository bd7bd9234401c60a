//! What people call the columns of numbers, and of the countries they are of.

use super::block::Row;
use super::table::MAX_COLUMNS;
use super::vocabulary::{
    CONTACT_WORDS, FAX, LESSER_WORDS, MAYBE_NUMBER, MOBILE, MOBILE_STEMS, MOBILE_WORDS, NO_HOME_WORDS, OF_WHOM,
    OTHER_STEMS, OTHER_WORDS, PHONE, PHONE_STEMS, PHONE_WORDS, SOMEBODY_ELSES,
};
use crate::domain::{Meaning, column_key};

/// How telling a header name is for the number column, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Called {
    /// As a whole, which has this place among the names that are known.
    Mobile(usize),
    LikeMobile,
    LesserMobile,
    Phone(usize),
    LikePhone,
    LesserPhone,
    SomebodyElses,
}

/// What a name says of its column. None when that is nothing of a phone.
pub(super) fn called(name: &str) -> Option<Called> {
    let key = column_key(name);
    let known = |names: &[&str]| names.iter().position(|name| *name == key);
    if let Some(called) = known(MOBILE).map(Called::Mobile).or_else(|| known(PHONE).map(Called::Phone)) {
        return Some(called);
    }
    let words = words(name);
    let has_word = |known: &[&str]| words.iter().any(|word| known.contains(&word.as_str()));
    let has_stem = |known: &[&str]| known.iter().any(|stem| key.contains(stem));
    let is_mobile = has_word(MOBILE_WORDS) || has_stem(MOBILE_STEMS);
    if has_stem(FAX) || !(is_mobile || has_word(PHONE_WORDS) || has_stem(PHONE_STEMS)) {
        return None;
    }
    Some(match (is_mobile, has_word(LESSER_WORDS)) {
        _ if has_word(SOMEBODY_ELSES) => Called::SomebodyElses,
        (true, false) => Called::LikeMobile,
        (true, true) => Called::LesserMobile,
        (false, false) => Called::LikePhone,
        (false, true) => Called::LesserPhone,
    })
}

/// Whether a name is known in full, and not only by a word of it.
pub(super) fn is_known(name: &str) -> bool {
    matches!(called(name), Some(Called::Mobile(_) | Called::Phone(_)))
}

pub(super) fn may_be_number(name: &str) -> bool {
    MAYBE_NUMBER.contains(&column_key(name).as_str()) || has_word(name, CONTACT_WORDS)
}

/// Whether a name says that its column holds something else than the numbers to write to.
pub(super) fn speaks_against(name: &str) -> bool {
    let key = column_key(name);
    let is_of_somebody = has_word(name, OF_WHOM) && !has_word(name, CONTACT_WORDS);
    let is_other = is_of_somebody || has_word(name, OTHER_WORDS) || OTHER_STEMS.iter().any(|stem| key.contains(stem));
    FAX.iter().any(|stem| key.contains(stem)) || (called(name).is_none() && is_other)
}

/// Whether a name says with one of its words that its column holds countries, where people may be reached.
pub(super) fn may_be_country(name: &str) -> bool {
    let is_country = |word: &String| Meaning::of_key(word) == Some(Meaning::Country);
    words(name).iter().any(is_country) && !has_word(name, NO_HOME_WORDS)
}

fn has_word(name: &str, known: &[&str]) -> bool {
    words(name).iter().any(|word| known.contains(&word.as_str()))
}

fn words(name: &str) -> Vec<String> {
    name.split(|char: char| !char.is_alphanumeric()).map(column_key).filter(|word| !word.is_empty()).collect()
}

/// Every column's name: as written, and where that says nothing or says it twice, made to differ. Columns without a name
/// exist only if they hold something: spreadsheets like to end every line with empty cells, and one row in a hundred that
/// has a cell too many is a mistake in that row.
pub(super) fn name_all<'a, I: Iterator<Item = Row<'a>>>(
    left: usize,
    header: Option<Row<'a>>,
    data: &dyn Fn() -> I,
) -> Vec<String> {
    let named: Vec<&str> = header.map(|row| row.cells().skip(left).collect()).unwrap_or_default();
    let rows = data().count();
    let used = |index: usize| data().filter(|row| !row.cell(left + index).trim().is_empty()).count();
    let widest = data().map(|row| row.width().saturating_sub(left)).max().unwrap_or(0).min(MAX_COLUMNS);
    let is_there = |index: &usize| match named.get(*index) {
        Some(name) => !name.trim().is_empty() || used(*index) > 0,
        None if header.is_some() => used(*index) * 2 > rows,
        None => used(*index) > 0,
    };
    let width = (0..widest.max(named.len())).rev().find(is_there).map_or(0, |last| last + 1);
    let mut names: Vec<String> = Vec::new();
    let mut taken = std::collections::HashSet::new();
    for index in 0..width {
        let name = named.get(index).map_or("", |name| bare(name));
        let base = if name.is_empty() { format!("Column {}", index + 1) } else { name.to_owned() };
        let mut unique = base.clone();
        let mut times = 1;
        while !taken.insert(unique.clone()) {
            times += 1;
            unique = format!("{base} {times}");
        }
        names.push(unique);
    }
    names
}

pub(super) fn bare(name: &str) -> &str {
    name.trim().trim_start_matches('\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::column_key as key;

    #[test]
    fn names_are_known_however_they_are_written() {
        for name in
            ["Mobile", "PHONE-NUMBER", "Teléfono", " Mobile No. ", "Số điện thoại", "Telefon (mobil)", "เบอร์โทร"]
        {
            assert!(called(name).is_some(), "{name:?}");
        }
        assert!(may_be_number("No."));
    }

    #[test]
    fn a_word_is_enough_and_another_may_speak_against_it() {
        for name in [
            "Primary Phone",
            "Home Phone",
            "Phone 1 - Value",
            "Phone (mobile)",
            "Mobile / WhatsApp",
            "Billing Phone",
            "Telefon mobil",
            "Mobilfunk",
            "Mobilnr",
            "Mob. No",
            "N° de téléphone",
            "Téléphone mobile",
            "Tél. portable",
            "Número de celular",
            "Numero di telefono",
            "Numero cellulare",
            "Telefoonnummer",
            "Mobiel",
            "Tlf",
            "Numer telefonu",
            "Telefon komórkowy",
            "Puhelin",
            "Matkapuhelin",
            "Cep Telefonu",
            "Telefonszám",
            "Κινητό",
            "נייד",
            "Мобильный телефон",
            "携帯",
            "携帯番号",
            "联系电话",
            "行動電話",
            "핸드폰",
            "휴대전화",
            "연락처",
            "رقم الجوال",
            "No WA",
            "Landline Phone",
        ] {
            assert!(called(name).is_some(), "{name:?}");
        }
        for name in [
            "Fax",
            "Telefax",
            "Phone / Fax",
            "E-mail",
            "Hotel",
            "Cancelled",
            "Automobile",
            "Kunden-ID",
            "Order ID",
            "Name",
            "City",
        ] {
            assert_eq!(called(name), None, "{name:?}");
        }
        for name in ["Customer Phone", "customer_mobile", "Member Mobile", "Tel. Kunde", "Account Phone", "Order Phone"]
        {
            assert!(called(name).is_some() && !speaks_against(name), "{name:?}");
        }
        for names in [
            ["Mobile", "Mobile (private)", "Mobile (work)", "Phone", "Contact phone", "Home phone", "Agent Mobile"],
            [
                "Handy",
                "Mobilfunk",
                "Handy-Nr. geschäftlich (work)",
                "Telefon",
                "Tel. 1",
                "Telefon Festnetz",
                "Tel. Berater",
            ],
        ] {
            let ranks = names.map(called);
            assert!(ranks.iter().all(Option::is_some) && ranks.is_sorted(), "{ranks:?}");
        }
        for (phone, mobile) in [
            ("電話番号", "携帯電話番号"),
            ("Telefon", "Cep Telefonu"),
            ("Телефон", "Мобильный телефон"),
            ("Telefono", "Telefono cellulare"),
            ("Teléfono", "Tel. Celular"),
            ("전화번호", "휴대폰번호"),
            ("电话", "移动电话"),
            ("الهاتف", "رقم الجوال"),
            ("Điện thoại", "Di động"),
            ("Phone Number", "Mobile / WhatsApp"),
        ] {
            assert!(called(mobile).is_some() && called(mobile) < called(phone), "{mobile}");
        }
        assert!(
            ["Order ID", "Kundennummer", "Kunden-ID", "Faxnummer", "Landline"].iter().all(|name| speaks_against(name))
        );
        assert!(["Member ID", "P.IVA", "Employee No", "Contact ID"].iter().all(|name| speaks_against(name)));
        let apt = ["Reach", "Rückruf", "Contact No", "Number", "Member Contact", "Customer Contact", "Recapito"];
        assert!(!apt.iter().any(|name| speaks_against(name)));
        assert!(["Member Contact", "Contact Details", "Contatti"].iter().all(|name| may_be_number(name)));
    }

    #[test]
    fn every_known_name_is_its_own_key() {
        for name in MOBILE.iter().chain(PHONE).chain(MAYBE_NUMBER) {
            assert_eq!(&key(name), name);
        }
    }
}
