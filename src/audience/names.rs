//! What people call the column of the numbers.

use crate::domain::column_key;

/// Header names of the number column, most telling first. Compared without case, accents, blanks and punctuation.
const NUMBER: &[&str] = &[
    "msisdn",
    "mobile",
    "mobilenumber",
    "mobileno",
    "mobilenum",
    "mobilephone",
    "mobilephonenumber",
    "mobil",
    "mobiltelefon",
    "mobilnummer",
    "handy",
    "handynummer",
    "handynr",
    "handphone",
    "handphonenumber",
    "cell",
    "cellphone",
    "cellphonenumber",
    "cellnumber",
    "celular",
    "telefonocelular",
    "telefonomovil",
    "movil",
    "telemovel",
    "portable",
    "telephoneportable",
    "cellulare",
    "gsm",
    "whatsapp",
    "whatsappnumber",
    "whatsappno",
    "viber",
    "nohp",
    "hp",
    "nomorhp",
    "nomorhandphone",
    "phone",
    "phonenumber",
    "phoneno",
    "phonenum",
    "phonenr",
    "tel",
    "telno",
    "telnr",
    "telephone",
    "telephonenumber",
    "telephoneno",
    "telefon",
    "telefonnummer",
    "telefono",
    "telefone",
    "numerotelefono",
    "numerodetelefono",
    "numerodetelephone",
    "fon",
    "rufnummer",
    "telp",
    "notelp",
    "nomortelepon",
    "sodienthoai",
    "sdt",
    "dienthoai",
    "телефон",
    "мобильный",
    "номертелефона",
    "手机",
    "手机号",
    "手机号码",
    "手機",
    "電話",
    "電話番号",
    "携帯電話",
    "电话",
    "电话号码",
    "휴대폰",
    "전화번호",
    "เบอร์โทร",
    "เบอร์โทรศัพท์",
    "เบอร์มือถือ",
    "موبايل",
    "الهاتف",
    "رقمالهاتف",
    "फोन",
    "मोबाइल",
];

/// Names that number columns have, but other columns too: they count only where the content agrees.
const MAYBE_NUMBER: &[&str] = &[
    "number",
    "numbers",
    "no",
    "nr",
    "nummer",
    "numero",
    "num",
    "contact",
    "contacto",
    "contato",
    "contatto",
    "kontakt",
    "kontaktnummer",
    "contactnumber",
    "contactno",
    "recipient",
    "recipients",
    "to",
    "destination",
    "user",
    "userid",
    "номер",
    "号码",
    "番号",
];

/// Words of which one makes a header that of a number column, the more telling kind first. Those of scripts and languages
/// that write words together count within longer ones.
const MOBILE_WORDS: &[&str] =
    &["mobile", "mob", "mobil", "cell", "cel", "handy", "gsm", "hp", "wa", "cep", "movil", "msisdn"];
const MOBILE_STEMS: &[&str] = &[
    "mobiltel",
    "mobilfunk",
    "mobilnr",
    "mobilnum",
    "mobilrufnummer",
    "mobiel",
    "handynr",
    "handynummer",
    "cellulare",
    "celular",
    "telemovel",
    "portable",
    "whatsapp",
    "matkapuhelin",
    "komorkow",
    "κινητο",
    "נייד",
    "мобильн",
    "мобільн",
    "мобилен",
    "携帯",
    "手机",
    "手機",
    "行動電話",
    "핸드폰",
    "휴대",
    "มือถือ",
    "جوال",
    "موبايل",
    "मोबाइल",
];
const PHONE_WORDS: &[&str] = &["tel", "telf", "tlf", "tfno", "fon", "ph"];
const PHONE_STEMS: &[&str] = &[
    "phone",
    "telefon",
    "telefoon",
    "telepon",
    "telp",
    "puhelin",
    "rufnummer",
    "dienthoai",
    "τηλεφων",
    "טלפון",
    "телефон",
    "電話",
    "电话",
    "전화",
    "연락처",
    "โทร",
    "هاتف",
    "फोन",
];
/// Words beside these that say of whose phone it is: another column is asked first.
const LESSER_WORDS: &[&str] = &[
    "home",
    "landline",
    "festnetz",
    "fijo",
    "fixe",
    "fisso",
    "fixo",
    "office",
    "work",
    "business",
    "company",
    "hotline",
    "emergency",
    "notfall",
    "other",
    "secondary",
    "alt",
    "alternative",
    "2",
];
/// Words that speak of something else, where none of a phone stands beside them.
const OTHER_WORDS: &[&str] = &[
    "type",
    "typ",
    "tipo",
    "status",
    "code",
    "vorwahl",
    "prefix",
    "prefijo",
    "landcode",
    "model",
    "date",
    "datum",
    "fecha",
    "joined",
    "time",
    "timestamp",
    "id",
    "ids",
    "mail",
    "email",
    "plan",
    "count",
    "price",
    "cost",
    "calls",
    "landline",
    "festnetz",
    "customer",
    "kunde",
    "kunden",
    "member",
    "account",
    "order",
    "orders",
    "invoice",
    "iban",
    "ref",
    "reference",
    "sku",
    "zip",
    "plz",
    "postal",
    "tax",
    "vat",
    "amount",
    "points",
    "cpf",
    "cnpj",
    "nit",
    "rut",
    "dni",
    "nif",
    "siren",
    "siret",
    "acn",
    "abn",
    "nip",
    "regon",
    "expediente",
];
const FAX: &[&str] = &["fax", "faks", "ファックス", "传真"];
const OTHER_STEMS: &[&str] = &["kundenn", "kundenid", "bestell", "rechnung", "auftrag", "konto", "datum"];

/// How telling a header name is for the number column: 0 is best. None when it says nothing.
pub(super) fn number_rank(name: &str) -> Option<usize> {
    let key = column_key(name);
    if let Some(known) = NUMBER.iter().position(|name| *name == key) {
        return Some(known);
    }
    let words = words(name);
    let has_word = |known: &[&str]| words.iter().any(|word| known.contains(&word.as_str()));
    let has_stem = |known: &[&str]| known.iter().any(|stem| key.contains(stem));
    let kind = match () {
        () if has_word(MOBILE_WORDS) || has_stem(MOBILE_STEMS) => NUMBER.len(),
        () if has_word(PHONE_WORDS) || has_stem(PHONE_STEMS) => NUMBER.len() + 2,
        () => return None,
    };
    if has_stem(FAX) {
        return None;
    }
    Some(kind + usize::from(has_word(LESSER_WORDS)))
}

/// Whether a name is known in full, and not only by a word of it.
pub(super) fn is_known(name: &str) -> bool {
    NUMBER.contains(&column_key(name).as_str())
}

pub(super) fn may_be_number(name: &str) -> bool {
    MAYBE_NUMBER.contains(&column_key(name).as_str())
}

/// Whether a name says that its column holds something else than the numbers to write to.
pub(super) fn speaks_against(name: &str) -> bool {
    let key = column_key(name);
    let has = |known: &[&str]| words(name).iter().any(|word| known.contains(&word.as_str()));
    let is_other = has(OTHER_WORDS) || OTHER_STEMS.iter().any(|stem| key.contains(stem));
    FAX.iter().any(|stem| key.contains(stem)) || (number_rank(name).is_none() && is_other)
}

fn words(name: &str) -> Vec<String> {
    name.split(|char: char| !char.is_alphanumeric()).map(column_key).filter(|word| !word.is_empty()).collect()
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
            assert!(number_rank(name).is_some(), "{name:?}");
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
            assert!(number_rank(name).is_some(), "{name:?}");
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
            assert_eq!(number_rank(name), None, "{name:?}");
        }
        for name in ["Customer Phone", "customer_mobile", "Member Mobile", "Tel. Kunde", "Account Phone", "Order Phone"]
        {
            assert!(number_rank(name).is_some() && !speaks_against(name), "{name:?}");
        }
        let ranks = ["Mobile", "Mobile (private)", "Mobile (work)", "Contact phone", "Home phone"].map(number_rank);
        assert!(ranks.is_sorted(), "{ranks:?}");
        assert!(
            ["Order ID", "Kundennummer", "Kunden-ID", "Faxnummer", "Landline"].iter().all(|name| speaks_against(name))
        );
        assert!(!["Reach", "Rückruf", "Contact No", "Number"].iter().any(|name| speaks_against(name)));
    }

    #[test]
    fn every_known_name_is_its_own_key() {
        for name in NUMBER.iter().chain(MAYBE_NUMBER) {
            assert_eq!(&key(name), name);
        }
    }
}
