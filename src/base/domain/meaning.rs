//! The usual names of columns in recipient files, in many languages.

use serde::{Deserialize, Serialize};

/// The content of a column, recognized by its name alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Meaning {
    FirstName,
    LastName,
    /// The country of the number.
    Country,
    ClientMessageId,
    /// The id by which WhatsApp knows a user who shows no number.
    WhatsAppUserId,
}

const FIRST_NAME: &[&str] = &[
    "firstname",
    "first",
    "fname",
    "forename",
    "givenname",
    "given",
    "vorname",
    "rufname",
    "prenom",
    "nombre",
    "nombres",
    "nombredepila",
    "primernombre",
    "nome",
    "primeironome",
    "voornaam",
    "fornavn",
    "fornamn",
    "etunimi",
    "imie",
    "ime",
    "jmeno",
    "krestnijmeno",
    "meno",
    "keresztnev",
    "utonev",
    "prenume",
    "isim",
    "ad",
    "adi",
    "ten",
    "namadepan",
    "имя",
    "імя",
    "име",
    "ονομα",
    "שםפרטי",
    "الاسمالأول",
    "الاسمالاول",
    "نام",
    "नाम",
    "पहलानाम",
    "ชื่อ",
    "名",
    "名字",
    "이름",
];

const LAST_NAME: &[&str] = &[
    "lastname",
    "last",
    "lname",
    "surname",
    "familyname",
    "nachname",
    "familienname",
    "zuname",
    "nom",
    "nomdefamille",
    "apellido",
    "apellidos",
    "cognome",
    "sobrenome",
    "apelido",
    "achternaam",
    "efternavn",
    "etternavn",
    "efternamn",
    "sukunimi",
    "nazwisko",
    "prijmeni",
    "priezvisko",
    "prezime",
    "vezeteknev",
    "csaladnev",
    "nume",
    "soyad",
    "soyadi",
    "soyisim",
    "ho",
    "namabelakang",
    "фамилия",
    "прізвище",
    "фамилно",
    "επωνυμο",
    "שםמשפחה",
    "اسمالعائلة",
    "نامخانوادگی",
    "उपनाम",
    "นามสกุล",
    "姓",
    "姓氏",
    "苗字",
    "성",
];

const COUNTRY: &[&str] = &[
    "country",
    "countrycode",
    "countryname",
    "countryiso",
    "countryisocode",
    "isocountry",
    "iso2",
    "dialcode",
    "dialingcode",
    "diallingcode",
    "callingcode",
    "isdcode",
    "land",
    "landkurzel",
    "landerkurzel",
    "landesvorwahl",
    "landervorwahl",
    "landercode",
    "pais",
    "codigopais",
    "pays",
    "codepays",
    "paese",
    "kraj",
    "zeme",
    "orszag",
    "tara",
    "ulke",
    "negara",
    "quocgia",
    "国家",
    "國家",
    "国",
    "국가",
    "страна",
    "країна",
    "χωρα",
    "البلد",
    "الدولة",
    "ประเทศ",
    "देश",
];

const CLIENT_MESSAGE_ID: &[&str] =
    &["clientmessageid", "clientmsgid", "clientmessageref", "clientreference", "externalid", "messageid", "msgid"];

const WHATSAPP_USER_ID: &[&str] =
    &["whatsappuserid", "whatsappbsuid", "bsuid", "businessscopeduserid", "channeluserid"];

impl Meaning {
    const ALL: [(Self, &'static [&'static str]); 5] = [
        (Self::FirstName, FIRST_NAME),
        (Self::LastName, LAST_NAME),
        (Self::Country, COUNTRY),
        (Self::ClientMessageId, CLIENT_MESSAGE_ID),
        (Self::WhatsAppUserId, WHATSAPP_USER_ID),
    ];

    pub fn of(column: &str) -> Option<Self> {
        Self::of_key(&column_key(column))
    }

    /// As [`Meaning::of`], for a name that is already a key.
    pub fn of_key(key: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, names)| names.contains(&key)).map(|(meaning, _)| *meaning)
    }

    /// The spelling in templates and in the 8x8-compatible API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FirstName => "FirstName",
            Self::LastName => "LastName",
            Self::Country => "Country",
            Self::ClientMessageId => "ClientMessageId",
            Self::WhatsAppUserId => "WhatsAppUserId",
        }
    }
}

/// Normalizes the name of a column for comparison: `Teléfono móvil` becomes `telefonomovil`.
pub fn column_key(name: &str) -> String {
    name.chars()
        .flat_map(char::to_lowercase)
        .map(plain)
        .filter(|char| char.is_alphanumeric() || is_mark(*char))
        .collect()
}

/// Whether a character is a vowel sign of Devanagari or Thai. Unicode does not class all of these as letters, but words
/// need them.
pub const fn is_mark(char: char) -> bool {
    matches!(char, '\u{900}'..='\u{97f}' | '\u{e00}'..='\u{e7f}')
}

/// A letter without its accent, for European and Vietnamese headers.
const fn plain(char: char) -> char {
    match char {
        'à'..='å' | 'ā' | 'ă' | 'ą' | 'ạ'..='ặ' => 'a',
        'ç' | 'ć' | 'č' => 'c',
        'đ' | 'ď' => 'd',
        'è'..='ë' | 'ē' | 'ė' | 'ę' | 'ě' | 'ẹ'..='ệ' => 'e',
        'ì'..='ï' | 'ī' | 'ỉ' | 'ị' | 'ı' => 'i',
        'ł' => 'l',
        'ñ' | 'ń' | 'ň' => 'n',
        'ò'..='ö' | 'ø' | 'ō' | 'ő' | 'ơ' | 'ọ'..='ợ' => 'o',
        'ř' => 'r',
        'ş' | 'ș' | 'š' | 'ś' => 's',
        'ţ' | 'ț' | 'ť' => 't',
        'ù'..='ü' | 'ū' | 'ů' | 'ű' | 'ư' | 'ụ'..='ự' => 'u',
        'ý' | 'ÿ' => 'y',
        'ž' | 'ż' | 'ź' => 'z',
        'ά' => 'α',
        'έ' => 'ε',
        'ή' => 'η',
        'ί' => 'ι',
        'ό' => 'ο',
        'ύ' => 'υ',
        'ώ' => 'ω',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn column_names_are_recognized_in_many_languages() {
        for (name, meaning) in [
            ("First Name", Meaning::FirstName),
            ("Vorname", Meaning::FirstName),
            ("Prénom", Meaning::FirstName),
            ("IMIĘ", Meaning::FirstName),
            ("Имя", Meaning::FirstName),
            ("Apellido(s)", Meaning::LastName),
            ("Příjmení", Meaning::LastName),
            ("Επώνυμο", Meaning::LastName),
            ("Ország", Meaning::Country),
            ("client_message_id", Meaning::ClientMessageId),
            ("WhatsApp user ID", Meaning::WhatsAppUserId),
        ] {
            assert_eq!(Meaning::of(name), Some(meaning), "{name} is {}", column_key(name));
        }
        for name in ["Name", "Code", "Customer no.", ""] {
            assert_eq!(Meaning::of(name), None, "{name}");
        }
    }

    #[test]
    fn every_known_name_is_its_own_key_and_means_one_thing() {
        let names: Vec<&str> = Meaning::ALL.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        for name in &names {
            assert_eq!(&column_key(name), name);
            assert_eq!(names.iter().filter(|other| other == &name).count(), 1, "{name}");
        }
        for (meaning, _) in Meaning::ALL {
            assert_eq!(Meaning::of(meaning.name()), Some(meaning));
        }
    }
}
