//! Recognises the country in a cell of a country column, by code or name.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::base::domain::{Country, column_key as key};

/// The names of each country in about forty languages, from the data of the Unicode consortium.
const TRANSLATED: &str = include_str!("country_names.txt");

/// Further names: short ones, old ones, and local ones of the country and its neighbours.
const COMMON: &str = "\
AE UAE, Emirates, الإمارات, Vereinigte Arabische Emirate
AR Argentinien, Argentine
AT Österreich, Autriche, Oesterreich, A
AU Australien, Australie
BA Bosnia, Bosnien
BD বাংলাদেশ, Bangladesch
BE België, Belgique, Belgien, Bélgica
BG България, Bulgarien
BN Brunei
BO Bolivia, Bolivien
BR Brasil, Brasilien, Brésil
CA Kanada, Canadá
CD DR Congo, DRC, Congo Kinshasa, Congo DR
CG Congo Brazzaville, Republic of the Congo
CH Schweiz, Suisse, Svizzera, Suiza
CI Ivory Coast, Elfenbeinküste
CL Chili
CN 中国, 中國, PRC, PR China, Mainland China, Chine
CO Kolumbien, Colombie
CV Cape Verde
CZ Czech Republic, Česko, Česká republika, Tschechien
DE Deutschland, D, Allemagne, Alemania, Germania, BRD, 德国, ドイツ
DK Danmark, Dänemark
DZ الجزائر, Algerien, Algérie
EE Eesti, Estland
EG مصر, Ägypten, Égypte, Egipto
ES España, E, Spanien, Espagne, Spagna
FI Suomi, Finnland
FK Falklands
FM Micronesia
FR Frankreich, F, Francia, França, 法国, フランス
GB UK, United Kingdom, The UK, The United Kingdom, Grossbritannien, Inglaterra, Angleterre, Inghilterra, Great Britain, Britain, England, Scotland, Wales, Northern Ireland, Großbritannien, Reino Unido, Royaume-Uni, 英国
GR Ελλάδα, Griechenland, Hellas, Grèce
HK 香港, Hongkong, Hong Kong SAR
HR Hrvatska, Kroatien
HU Magyarország, Ungarn
ID Indonesien
IE Éire, Irland, Republic of Ireland
IL ישראל
IN भारत, Bharat, Indien, Inde
IR Iran, ایران
IS Ísland, Island
IT Italia, I, Italien, Italie
JP 日本, Japon, Japan
KE Kenia
KG Kyrgyz Republic
KH កម្ពុជា, Kambodscha
KP North Korea, Korea North
KR South Korea, Korea, Korea South, 한국, 대한민국, 韩国, Südkorea, Republic of Korea
LA Laos
LT Lietuva, Litauen
LU Luxemburg
LV Latvija, Lettland
MA المغرب, Marokko, Maroc
MD Moldova
MK Macedonia, Mazedonien
MM Burma, မြန်မာ
MO 澳門, 澳门, Macau
MX México, Mexiko, Mexique
MY 马来西亚
NL Holland, Nederland, The Netherlands, Niederlande, Pays-Bas, Países Bajos
NO Norge, Norwegen
NZ Neuseeland
PE Perú
PH Pilipinas, Philippinen, Philippines
PK پاکستان
PL Polska, Polen, Pologne
PS Palestine
RE Reunion
RO România, Rumänien
RS Srbija, Serbien
RU Russia, Россия, РФ, Russian Federation, Russland, Russie
SA KSA, Saudi, السعودية, Saudi-Arabien
SE Sverige, Schweden
SG 新加坡, Singapur, Singapour
SI Slovenija, Slowenien
SK Slovensko, Slowakei
ST Sao Tome
SY Syria
SZ Swaziland
TH ไทย, ประเทศไทย
TL East Timor
TR Türkiye, Turkey, Türkei, Turquie
TW 台灣, 台湾, 臺灣, Taiwan
TZ Tanzania, Tansania
UA Україна, Украина
US USA, America, United States, The United States, The USA, U.S.A., U.S., Vereinigte Staaten, Estados Unidos, États-Unis, EEUU, США, 美国, アメリカ
VA Vatican
VE Venezuela
VG British Virgin Islands
VI US Virgin Islands
VN Việt Nam, Vietnam
XK Kosovo
ZA Südafrika, Sudáfrica";

static NAMES: LazyLock<HashMap<String, Country>> = LazyLock::new(|| {
    let mut names = HashMap::new();
    for country in rust_iso3166::ALL {
        let Ok(code) = country.alpha2.parse::<Country>() else { continue };
        // The standard puts unused parts in brackets: "Gambia (the)".
        let short = country.name.split(['(', ',']).next().unwrap_or_default();
        for name in [country.alpha3, country.name, short] {
            // If two countries share a short name, the first keeps it; the names below override it.
            names.entry(key(name)).or_insert(code);
        }
    }
    for (code, name) in listed(TRANSLATED) {
        names.entry(key(name)).or_insert(code);
    }
    names.extend(listed(COMMON).map(|(code, name)| (key(name), code)));
    names.remove("");
    names
});

/// Splits a list into names, each with its country.
fn listed(list: &'static str) -> impl Iterator<Item = (Country, &'static str)> {
    list.lines().flat_map(|line| {
        let (code, all) = line.split_once(' ').unwrap_or_default();
        let code = code.parse::<Country>().ok();
        all.split(',').filter_map(move |name| Some((code?, name)))
    })
}

/// The country that a cell names, by its code of two or three letters or its name.
pub(super) fn named(cell: &str) -> Option<Country> {
    exactly(cell.trim()).or_else(|| by_agreeing_parts(cell))
}

fn exactly(name: &str) -> Option<Country> {
    // The names also hold codes that ISO 3166 does not have, such as "UK".
    Country::by_code(name).or_else(|| NAMES.get(&key(name)).copied())
}

/// Reads several names of the same country: `SG - Singapore`, `Singapore (SG)`.
fn by_agreeing_parts(cell: &str) -> Option<Country> {
    let parts = cell.split(['-', '–', '(', ')', '/', ',', ':', '|']).map(str::trim).filter(|part| !part.is_empty());
    let mut named = parts.map(exactly);
    let first = named.next()??;
    let mut others = named.peekable();
    (others.peek().is_some() && others.all(|other| other == Some(first))).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_are_recognised_by_code_and_name() {
        for (cell, code) in [
            ("sg", "SG"),
            ("UK", "GB"),
            ("DEU", "DE"),
            (" Germany ", "DE"),
            ("deutschland", "DE"),
            ("Indien", "IN"),
            ("United Kingdom", "GB"),
            ("u.s.a.", "US"),
            ("Korea", "KR"),
            ("North Korea", "KP"),
            ("Viet Nam", "VN"),
            ("日本", "JP"),
            ("ประเทศไทย", "TH"),
            ("Côte d'Ivoire", "CI"),
            ("Congo", "CG"),
            ("Gambia", "GM"),
            ("Iran", "IR"),
            ("Netherlands", "NL"),
            ("Polonia", "PL"),
            ("Alemanha", "DE"),
            ("Regno Unito", "GB"),
            ("Frankrijk", "FR"),
            ("Niemcy", "DE"),
            ("Германия", "DE"),
            ("США", "US"),
            ("イギリス", "GB"),
            ("미국", "US"),
            ("越南", "VN"),
            ("Korea, South", "KR"),
            ("Republic of Ireland", "IE"),
            ("Vereinigtes Königreich", "GB"),
            ("SG - Singapore", "SG"),
            ("Singapore (SG)", "SG"),
        ] {
            assert_eq!(named(cell).map(|country| country.to_string()).as_deref(), Some(code), "{cell:?}");
        }
        assert_eq!(["", "Atlantis", "65", "Berlin"].map(named), [None; 4]);
    }

    #[test]
    fn every_name_belongs_to_a_country_with_phone_numbers() {
        let known: Vec<&str> = Country::known().collect();
        for line in COMMON.lines() {
            assert!(known.contains(&&line[..2]), "{line}");
        }
        // Every country has a name, but for Ascension and Tristan da Cunha, which ISO 3166 does not list.
        let nameless: Vec<&&str> = known
            .iter()
            .filter(|code| **code != "ZZ" && !NAMES.values().any(|country| country.as_str() == **code))
            .collect();
        assert!(nameless.iter().all(|code| ["AC", "TA"].contains(code)), "{nameless:?}");
    }
}
