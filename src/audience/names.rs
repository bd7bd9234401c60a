//! What people call their columns.

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

const COUNTRY: &[&str] = &[
    "country",
    "countrycode",
    "countryiso",
    "countryisocode",
    "isocountry",
    "iso2",
    "land",
    "landercode",
    "pais",
    "codigopais",
    "pays",
    "codepays",
    "paese",
    "negara",
    "国家",
    "国",
    "страна",
];

const CLIENT_MESSAGE_ID: &[&str] = &["clientmessageid"];

/// How telling a header name is for the number column: 0 is best. None when it says nothing.
pub(super) fn number_rank(key: &str) -> Option<usize> {
    NUMBER.iter().position(|name| *name == key)
}

pub(super) fn may_be_number(key: &str) -> bool {
    MAYBE_NUMBER.contains(&key)
}

pub(super) fn is_country(key: &str) -> bool {
    COUNTRY.contains(&key)
}

pub(super) fn is_client_message_id(key: &str) -> bool {
    CLIENT_MESSAGE_ID.contains(&key)
}

/// A header name as it is compared: `Teléfono móvil` is `telefonomovil`.
pub(super) fn key(name: &str) -> String {
    name.chars()
        .flat_map(char::to_lowercase)
        .map(plain)
        .filter(|char| char.is_alphanumeric() || is_mark(*char))
        .collect()
}

/// Vowel signs of scripts that write words with them; they are no letters to Unicode, but no punctuation either.
const fn is_mark(char: char) -> bool {
    matches!(char, '\u{900}'..='\u{97f}' | '\u{e00}'..='\u{e7f}')
}

/// A letter without its accent, for the accents of western and Vietnamese headers.
const fn plain(char: char) -> char {
    match char {
        'à'..='å' | 'ā' | 'ă' | 'ą' | 'ạ'..='ặ' => 'a',
        'ç' | 'ć' | 'č' => 'c',
        'đ' | 'ď' => 'd',
        'è'..='ë' | 'ē' | 'ė' | 'ę' | 'ě' | 'ẹ'..='ệ' => 'e',
        'ì'..='ï' | 'ī' | 'ỉ' | 'ị' => 'i',
        'ñ' | 'ń' | 'ň' => 'n',
        'ò'..='ö' | 'ø' | 'ō' | 'ő' | 'ơ' | 'ọ'..='ợ' => 'o',
        'ù'..='ü' | 'ū' | 'ů' | 'ű' | 'ư' | 'ụ'..='ự' => 'u',
        'ý' | 'ÿ' => 'y',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_however_they_are_written() {
        for name in
            ["Mobile", "PHONE-NUMBER", "Teléfono", " Mobile No. ", "Số điện thoại", "Telefon (mobil)", "เบอร์โทร"]
        {
            let key = key(name);
            assert_eq!(number_rank(&key).is_some(), name != "Telefon (mobil)", "{name:?} is {key:?}");
        }
        assert!(may_be_number(&key("No.")));
        assert!(is_client_message_id(&key("client_message_id")));
    }

    #[test]
    fn every_known_name_is_its_own_key() {
        for name in NUMBER.iter().chain(MAYBE_NUMBER).chain(COUNTRY) {
            assert_eq!(&key(name), name);
        }
    }
}
