//! What people call the column of the numbers.

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

/// How telling a header name is for the number column: 0 is best. None when it says nothing.
pub(super) fn number_rank(key: &str) -> Option<usize> {
    NUMBER.iter().position(|name| *name == key)
}

pub(super) fn may_be_number(key: &str) -> bool {
    MAYBE_NUMBER.contains(&key)
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
            let key = key(name);
            assert_eq!(number_rank(&key).is_some(), name != "Telefon (mobil)", "{name:?} is {key:?}");
        }
        assert!(may_be_number(&key("No.")));
    }

    #[test]
    fn every_known_name_is_its_own_key() {
        for name in NUMBER.iter().chain(MAYBE_NUMBER) {
            assert_eq!(&key(name), name);
        }
    }
}
