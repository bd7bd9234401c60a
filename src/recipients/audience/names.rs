//! Recognises the names of columns with phone numbers and with countries.

use super::block::Row;
use super::table::MAX_COLUMNS;
use super::vocabulary::{
    CONTACT_WORDS, FAX, MAYBE_NUMBER, MOBILE, MOBILE_STEMS, MOBILE_WORDS, NO_HOME_WORDS, OTHER_STEMS, OTHER_WORDS,
    OWNER_WORDS, PHONE, PHONE_STEMS, PHONE_WORDS, SECONDARY_WORDS, STAFF_WORDS,
};
use crate::base::domain::{Meaning, column_key};

/// How strongly a column name means phone numbers, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum PhoneName {
    /// The whole name is known; the value is its index in the list of known names.
    Mobile(usize),
    LikeMobile,
    SecondaryMobile,
    Phone(usize),
    LikePhone,
    SecondaryPhone,
    Staff,
}

/// Ranks a column name; `None` if it does not mean phone numbers.
pub(super) fn called(name: &str) -> Option<PhoneName> {
    let key = column_key(name);
    let known = |names: &[&str]| names.iter().position(|name| *name == key);
    if let Some(called) = known(MOBILE).map(PhoneName::Mobile).or_else(|| known(PHONE).map(PhoneName::Phone)) {
        return Some(called);
    }
    let words = words(name);
    let has_word = |known: &[&str]| words.iter().any(|word| known.contains(&word.as_str()));
    let has_stem = |known: &[&str]| known.iter().any(|stem| key.contains(stem));
    let is_mobile = has_word(MOBILE_WORDS) || has_stem(MOBILE_STEMS);
    if has_stem(FAX) || !(is_mobile || has_word(PHONE_WORDS) || has_stem(PHONE_STEMS)) {
        return None;
    }
    Some(match (is_mobile, has_word(SECONDARY_WORDS)) {
        _ if has_word(STAFF_WORDS) => PhoneName::Staff,
        (true, false) => PhoneName::LikeMobile,
        (true, true) => PhoneName::SecondaryMobile,
        (false, false) => PhoneName::LikePhone,
        (false, true) => PhoneName::SecondaryPhone,
    })
}

/// Whether the whole name is known, not only one of its words.
pub(super) fn is_whole_phone_name(name: &str) -> bool {
    matches!(called(name), Some(PhoneName::Mobile(_) | PhoneName::Phone(_)))
}

/// Whether a number column may have this name, but other columns too.
pub(super) fn may_be_number(name: &str) -> bool {
    MAYBE_NUMBER.contains(&column_key(name).as_str()) || has_word(name, CONTACT_WORDS)
}

/// Whether a name means that its column contains something other than phone numbers of recipients.
pub(super) fn is_other_data(name: &str) -> bool {
    let key = column_key(name);
    let is_about_owner = has_word(name, OWNER_WORDS) && !has_word(name, CONTACT_WORDS);
    let is_other = is_about_owner || has_word(name, OTHER_WORDS) || OTHER_STEMS.iter().any(|stem| key.contains(stem));
    FAX.iter().any(|stem| key.contains(stem)) || (called(name).is_none() && is_other)
}

/// Whether a word of a name means the country of residence of the recipients.
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

/// Names all columns: as written; empty and repeated names are completed, so that all differ.
///
/// A column without a name exists only if it has filled cells, because spreadsheets often end lines with empty cells. If there
/// is a header, most rows must fill it: one row in a hundred with an extra cell is a mistake in that row.
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

/// A name without surrounding blanks and byte order mark.
pub(super) fn bare(name: &str) -> &str {
    name.trim().trim_start_matches('\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::domain::column_key as key;

    #[test]
    fn a_name_is_known_in_any_spelling() {
        for name in
            ["Mobile", "PHONE-NUMBER", "Teléfono", " Mobile No. ", "Số điện thoại", "Telefon (mobil)", "เบอร์โทร"]
        {
            assert!(called(name).is_some(), "{name:?}");
        }
        assert!(may_be_number("No."));
    }

    #[test]
    fn one_word_is_enough_unless_another_word_excludes_it() {
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
            assert!(called(name).is_some() && !is_other_data(name), "{name:?}");
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
            ["Order ID", "Kundennummer", "Kunden-ID", "Faxnummer", "Landline"].iter().all(|name| is_other_data(name))
        );
        assert!(["Member ID", "P.IVA", "Employee No", "Contact ID"].iter().all(|name| is_other_data(name)));
        let suitable = ["Reach", "Rückruf", "Contact No", "Number", "Member Contact", "Customer Contact", "Recapito"];
        assert!(!suitable.iter().any(|name| is_other_data(name)));
        assert!(["Member Contact", "Contact Details", "Contatti"].iter().all(|name| may_be_number(name)));
    }

    #[test]
    fn every_known_name_is_its_own_key() {
        for name in MOBILE.iter().chain(PHONE).chain(MAYBE_NUMBER) {
            assert_eq!(&key(name), name);
        }
    }
}
