//! The words by which people say that they want nothing more, or that they do again.
//!
//! Only the whole of what somebody wrote counts, never a part of it: "please stop the noise" is no wish of this kind.

use std::collections::HashMap;

use icu_normalizer::ComposingNormalizerBorrowed;

use crate::domain::Keyword;

/// The words of a language: those for stop, those for start.
type Language = (&'static str, &'static [&'static str], &'static [&'static str]);

/// Left out on purpose is what is as likely an answer to something else: "yes", "no", "red", "t", "huy" (a name), and
/// "dung", which without its accents is both "stop" and "right" in Vietnamese.
#[rustfmt::skip]
const LANGUAGES: &[Language] = &[
    ("en", &["stop", "stopall", "stop all", "stop messages", "stop promotions", "unsubscribe", "unsub", "cancel", "end", "quit", "opt out", "optout", "revoke", "remove me"],
           &["start", "unstop", "subscribe", "resubscribe", "opt in", "optin", "resume"]),
    ("de", &["stopp", "abmelden", "abmeldung", "abbestellen", "austragen", "keine nachrichten"],
           &["anmelden", "wieder anmelden", "fortsetzen"]),
    ("fr", &["arrêt", "arrêter", "arret", "arreter", "arrêtez", "arretez", "désabonner", "desabonner", "me désabonner", "désinscrire", "desinscrire", "désinscription", "résilier"],
           &["s'abonner", "m'abonner", "abonner", "réabonner", "reprendre", "démarrer"]),
    ("es", &["alto", "parar", "baja", "dar de baja", "darme de baja", "cancelar", "detener", "cancelar suscripción", "cancelar suscripcion"],
           &["alta", "dar de alta", "iniciar", "reanudar", "suscribir", "suscribirme", "empezar"]),
    ("pt", &["pare", "sair", "descadastrar", "cancelar inscrição", "remover", "não quero mais"],
           &["voltar", "começar", "comecar", "inscrever", "cadastrar"]),
    ("it", &["ferma", "fermare", "basta", "disiscrivi", "disiscrivimi", "disdici", "annulla", "cancellami"],
           &["inizia", "riprendi", "avvia", "iscrivimi"]),
    ("nl", &["stoppen", "afmelden", "uitschrijven", "geen berichten"],
           &["aanmelden", "inschrijven", "hervatten"]),
    ("sv da no", &["avsluta", "avregistrera", "avmeld", "meld av", "afmeld", "frameld"],
           &["starta", "tilmeld", "påmeld"]),
    ("fi", &["lopeta", "peruuta"], &["aloita"]),
    ("pl", &["zatrzymaj", "wypisz", "wypisz mnie", "rezygnuję", "rezygnuje", "anuluj", "koniec"],
           &["zapisz", "wznów", "wznow"]),
    ("cs sk", &["odhlásit", "odhlasit", "zrušit", "zrusit", "zrušiť"], &["přihlásit", "prihlasit", "prihlásiť"]),
    ("ro", &["dezabonare", "dezabonează", "anulare"], &["abonare", "abonează"]),
    ("hu", &["leiratkozás", "leiratkozom"], &["feliratkozás", "feliratkozom"]),
    ("tr", &["dur", "durdur", "iptal", "ret", "çık", "abonelikten çık"],
           &["başla", "basla", "başlat", "devam", "abone ol"]),
    ("el", &["στοπ", "διακοπή", "τέλος"], &["έναρξη"]),
    ("ru", &["стоп", "отписаться", "отписка", "отпишите", "отмена", "хватит"],
           &["старт", "подписаться", "возобновить"]),
    ("uk", &["відписатися", "відписатись", "скасувати"], &["підписатися", "підписатись"]),
    ("he", &["עצור", "הסר", "הסרה", "הפסק"], &["התחל", "הרשמה"]),
    ("ar", &["توقف", "توقّف", "قف", "إيقاف", "ايقاف", "أوقف", "اوقف", "إلغاء", "الغاء", "إلغاء الاشتراك", "الغاء الاشتراك"],
           &["ابدأ", "ابدا", "بدء", "استئناف", "اشتراك", "اشترك"]),
    ("fa ur", &["لغو", "توقف کنید", "بند", "بند کرو", "روکیں"], &["شروع", "شروع کریں"]),
    ("hi", &["रोकें", "रोको", "रुको", "बंद", "बंद करो", "बंद करें", "स्टॉप"],
           &["शुरू", "शुरू करें", "चालू", "चालू करें", "स्टार्ट"]),
    ("bn", &["বন্ধ", "বন্ধ করুন"], &["শুরু", "চালু"]),
    ("ta", &["நிறுத்து", "நிறுத்துக"], &["தொடங்கு"]),
    ("id ms", &["berhenti", "henti", "hentikan", "batal", "batal langganan", "berhenti langganan"],
           &["mulai", "mula", "langganan"]),
    ("fil", &["itigil", "tigil", "hinto", "ihinto"], &["simulan", "magsimula"]),
    ("vi", &["dừng", "dừng lại", "ngừng", "ngung", "hủy", "huỷ", "hủy đăng ký", "huỷ đăng ký", "huy dang ky", "từ chối", "tu choi"],
           &["bắt đầu", "bat dau", "đăng ký", "dang ky", "tiếp tục"]),
    ("th", &["หยุด", "ยกเลิก", "เลิกรับ", "ไม่รับ"], &["เริ่ม", "เริ่มต้น", "สมัคร", "รับต่อ"]),
    ("zh", &["停止", "停", "退订", "退訂", "取消", "取消订阅", "取消訂閱", "td"],
           &["开始", "開始", "订阅", "訂閱", "恢复", "恢復"]),
    ("ja", &["ストップ", "中止", "解除", "配信停止", "停止して", "退会"],
           &["スタート", "再開", "配信開始", "登録"]),
    ("ko", &["중지", "그만", "정지", "수신거부", "수신 거부", "취소", "스톱"],
           &["시작", "재개", "수신동의", "수신 동의"]),
];

/// Longer than every word of the table, in bytes: what is longer cannot be one of them.
const LONGEST: usize = 96;

/// What people's words mean: those of every language, and those that an installation adds.
#[derive(Debug, Clone)]
pub struct Words(HashMap<String, Keyword>);

impl Default for Words {
    fn default() -> Self {
        Self::with(&[], &[])
    }
}

impl Words {
    /// Words of one's own outweigh those of the table.
    pub fn with(stop: &[String], start: &[String]) -> Self {
        let of_table = LANGUAGES.iter().flat_map(|(_, stop, start)| {
            let start = start.iter().map(|word| (*word, Keyword::Start));
            stop.iter().map(|word| (*word, Keyword::Stop)).chain(start)
        });
        let start = start.iter().map(|word| (word.as_str(), Keyword::Start));
        let own = start.chain(stop.iter().map(|word| (word.as_str(), Keyword::Stop)));
        Self(of_table.chain(own).map(|(word, keyword)| (plain(word), keyword)).collect())
    }

    /// What somebody means who says or taps all of this. Where it could be both, it is the wish to be left alone.
    pub fn meaning<'a>(&self, said: impl Iterator<Item = &'a str>) -> Option<Keyword> {
        let mut meaning = None;
        for text in said.filter(|text| text.trim().len() <= LONGEST) {
            match self.0.get(&plain(text)) {
                Some(Keyword::Stop) => return Some(Keyword::Stop),
                Some(Keyword::Start) => meaning = Some(Keyword::Start),
                None => {}
            }
        }
        meaning
    }
}

/// A text as it is compared: in small letters, composed, of one width, one space between words, and without what people
/// put around a word.
fn plain(text: &str) -> String {
    let composed = ComposingNormalizerBorrowed::new_nfkc().normalize(text);
    let lower = composed.to_lowercase();
    let mut plain = String::with_capacity(lower.len());
    for letter in lower.chars() {
        match letter {
            // Marks that are not seen: of direction, of joining, of how an emoji is drawn; and the dot that a Turkish capital
            // leaves behind.
            '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{307}'
            | '\u{ad}'
            | '\u{640}' => {}
            'ı' => plain.push('i'),
            '’' | '‘' | 'ʼ' | '`' | '´' => plain.push('\''),
            // As identifiers of buttons are written: OPT_OUT, stop-promotions.
            '-' | '_' | '‐' | '‑' | '–' => plain.push(' '),
            letter if letter.is_whitespace() || letter.is_control() => plain.push(' '),
            letter => plain.push(letter),
        }
    }
    let bare = plain.trim_matches(|letter: char| letter == ' ' || is_punctuation(letter));
    bare.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn is_punctuation(letter: char) -> bool {
    letter.is_ascii_punctuation() || "…。、，；：？！「」『』“”„«»‹›¡¿؟،؛।॥·—・׃".contains(letter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn means(text: &str) -> Option<Keyword> {
        Words::default().meaning([text].into_iter())
    }

    #[test]
    fn a_word_counts_in_any_case_width_and_dress() {
        for stop in [
            "STOP",
            "stop",
            " Stop ",
            "stop.",
            "STOP!!!",
            "\"Stop\"",
            "ＳＴＯＰ",
            "s\u{200b}top",
            "stop\n",
            "Stop…",
            "OPT_OUT",
            "opt-out",
            "Opt  Out",
            "İPTAL",
            "iptal",
            "ÇIK",
            "ARRÊT",
            "arre\u{302}t",
            "СТОП",
            "停止。",
            "退訂",
            "ｽﾄｯﾌﾟ",
            "수신거부",
            "หยุด",
            "बंद",
            "توقف",
            "«стоп»",
            "¡alto!",
            "DỪNG",
            "hủy",
        ] {
            assert_eq!(means(stop), Some(Keyword::Stop), "{stop:?}");
        }
        for start in ["START", "unstop", "Wieder anmelden", "s’abonner", "再開", "Старт", "BAŞLA"] {
            assert_eq!(means(start), Some(Keyword::Start), "{start:?}");
        }
    }

    #[test]
    fn a_word_among_others_counts_for_nothing() {
        for other in [
            "",
            " ",
            ".",
            "please stop",
            "stop it now",
            "don't stop",
            "nonstop",
            "stopwatch",
            "yes",
            "no",
            "red",
            "1",
            "ok",
            "don't cancel my order",
            "t",
            "dung",
            "huy",
        ] {
            assert_eq!(means(other), None, "{other:?}");
        }
        assert_eq!(means(&"stop ".repeat(40)), None);
    }

    #[test]
    fn who_could_mean_both_is_left_alone() {
        assert_eq!(Words::default().meaning(["Start", "STOP"].into_iter()), Some(Keyword::Stop));
        assert_eq!(Words::default().meaning(["", "start"].into_iter()), Some(Keyword::Start));
    }

    #[test]
    fn words_of_ones_own_are_added_and_outweigh_the_table() {
        let words = Words::with(&["Schluss!".to_owned()], &["Cancel".to_owned()]);
        assert_eq!(words.meaning(["SCHLUSS"].into_iter()), Some(Keyword::Stop));
        assert_eq!(words.meaning(["cancel"].into_iter()), Some(Keyword::Start));
        assert_eq!(words.meaning(["stop"].into_iter()), Some(Keyword::Stop));
    }

    #[test]
    fn no_word_of_the_table_means_both_and_each_is_found() {
        let mut meanings = HashMap::new();
        for (language, stop, start) in LANGUAGES {
            assert!(!stop.is_empty() && !start.is_empty(), "{language}");
            for (words, keyword) in [(stop, Keyword::Stop), (start, Keyword::Start)] {
                for word in *words {
                    assert!(!plain(word).is_empty() && word.len() < LONGEST, "{word}");
                    let before = meanings.insert(plain(word), keyword);
                    assert!(before.is_none_or(|before| before == keyword), "{word} of {language} means both");
                    assert_eq!(means(&word.to_uppercase()), Some(keyword), "{word} of {language}, in capitals");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_plain_stays_as_it_is(text in "\\PC{0,30}") {
            let once = plain(&text);
            prop_assert_eq!(plain(&once), once);
        }
    }
}
