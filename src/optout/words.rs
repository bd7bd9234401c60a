//! The words by which people say that they want nothing more, or that they do again.
//!
//! Only the whole of what somebody wrote counts, never a part of it: "please stop the noise" is no wish of this kind. The
//! way back is narrower than the way out: what might be said of something else lets nobody back who wanted to be left
//! alone.

use std::collections::HashMap;

use crate::domain::{Channel, Keyword, Phrase};

/// The words of a language.
struct Language {
    /// Nobody says these of anything but messages.
    stop: &'static [&'static str],
    /// What a button may say of an appointment, an order or a page of a menu. On SMS nobody has buttons, and there carriers
    /// want some of these to be obeyed.
    stop_on_sms: &'static [&'static str],
    /// "Start", and what takes a "stop" back in so many words. Not what is as likely "continue", "register" or "save".
    start: &'static [&'static str],
}

const fn language(
    stop: &'static [&'static str],
    stop_on_sms: &'static [&'static str],
    start: &'static [&'static str],
) -> Language {
    Language { stop, stop_on_sms, start }
}

/// Left out on purpose is what is as likely an answer to something else on any channel: "yes", "no", "red", "t", "huy" (a
/// name), and "dung", which without its accents is both "stop" and "right" in Vietnamese.
#[rustfmt::skip]
const LANGUAGES: &[Language] = &[
    // en
    language(
        &["stop", "stopall", "stop all", "stop messages", "stop promotions", "unsubscribe", "unsub", "opt out", "optout", "remove me"],
        &["cancel", "end", "quit", "revoke"],
        &["start", "unstop", "opt in", "optin", "opt back in", "resubscribe", "subscribe again"]),
    // de
    language(
        &["stopp", "abmelden", "abmeldung", "abbestellen", "austragen", "keine nachrichten"],
        &["beenden", "ende"],
        &["starten", "wieder anmelden", "wieder abonnieren"]),
    // fr
    language(
        &["arrêt", "arrêter", "arret", "arreter", "arrêtez", "arretez", "désabonner", "desabonner", "me désabonner", "désinscrire", "desinscrire", "désinscription"],
        &["résilier", "annuler"],
        &["démarrer", "demarrer", "réabonner", "reabonner", "me réabonner"]),
    // es
    language(
        &["parar", "detener", "dar de baja", "darme de baja", "cancelar suscripción", "cancelar suscripcion"],
        &["alto", "baja", "cancelar"],
        &["iniciar", "empezar", "suscribirme de nuevo"]),
    // pt
    language(
        &["pare", "descadastrar", "cancelar inscrição"],
        &["sair", "remover", "não quero mais"],
        &["começar", "comecar", "inscrever novamente"]),
    // it
    language(
        &["ferma", "fermare", "disiscrivi", "disiscrivimi", "cancellami"],
        &["basta", "disdici", "annulla"],
        &["inizia", "avvia", "iscrivimi di nuovo"]),
    // nl
    language(
        &["stoppen", "afmelden", "uitschrijven", "geen berichten"],
        &["annuleren"],
        &["weer aanmelden", "opnieuw aanmelden"]),
    // sv da no
    language(
        &["avregistrera", "avmeld", "meld av", "afmeld", "frameld"],
        &["avsluta"],
        &["starta", "tilmeld igen", "påmeld igjen"]),
    // fi
    language(&["lopeta"], &["peruuta"], &["aloita"]),
    // pl
    language(
        &["zatrzymaj", "wypisz", "wypisz mnie"],
        &["rezygnuję", "rezygnuje", "anuluj", "koniec"],
        &["rozpocznij", "zapisz mnie ponownie"]),
    // cs sk
    language(&["odhlásit", "odhlasit"], &["zrušit", "zrusit", "zrušiť"], &["začít", "začať"]),
    // ro
    language(&["dezabonare", "dezabonează"], &["anulare"], &["începe", "incepe", "reabonare"]),
    // hu
    language(&["leiratkozás", "leiratkozom"], &[], &["újra feliratkozom"]),
    // tr
    language(
        &["dur", "durdur", "abonelikten çık"],
        &["iptal", "ret", "çık"],
        &["başla", "basla", "başlat", "yeniden abone ol"]),
    // el
    language(&["στοπ", "διακοπή"], &["τέλος"], &["έναρξη"]),
    // ru
    language(&["стоп", "отписаться", "отписка", "отпишите"], &["отмена", "хватит"], &["старт", "подписаться снова"]),
    // uk
    language(&["відписатися", "відписатись"], &["скасувати"], &["підписатися знову"]),
    // he
    language(&["עצור", "הסר", "הסרה", "הפסק"], &[], &["התחל"]),
    // ar
    language(
        &["توقف", "توقّف", "قف", "إيقاف", "ايقاف", "أوقف", "اوقف", "إلغاء الاشتراك", "الغاء الاشتراك"],
        &["إلغاء", "الغاء"],
        &["ابدأ", "ابدا", "بدء"]),
    // fa ur
    language(&["توقف کنید", "بند", "بند کرو", "روکیں", "لغو اشتراک"], &["لغو"], &["شروع", "شروع کریں"]),
    // hi
    language(
        &["रोकें", "रोको", "रुको", "बंद", "बंद करो", "बंद करें", "स्टॉप"],
        &[],
        &["शुरू", "शुरू करें", "स्टार्ट"]),
    // bn
    language(&["বন্ধ", "বন্ধ করুন"], &[], &["শুরু"]),
    // ta
    language(&["நிறுத்து", "நிறுத்துக"], &[], &["தொடங்கு"]),
    // id ms
    language(
        &["berhenti", "henti", "hentikan", "batal langganan", "berhenti langganan"],
        &["batal"],
        &["mulai", "mula"]),
    // fil
    language(&["itigil", "tigil", "hinto", "ihinto"], &[], &["simulan", "magsimula"]),
    // vi
    language(
        &["dừng", "dừng lại", "ngừng", "ngung", "hủy đăng ký", "huỷ đăng ký", "huy dang ky"],
        &["hủy", "huỷ", "từ chối", "tu choi"],
        &["bắt đầu", "bat dau"]),
    // th
    language(&["หยุด", "เลิกรับ"], &["ยกเลิก", "ไม่รับ"], &["เริ่ม", "เริ่มต้น"]),
    // zh
    language(
        &["停止", "停", "退订", "退訂", "取消订阅", "取消訂閱"],
        &["取消", "td"],
        &["开始", "開始", "重新订阅", "重新訂閱"]),
    // ja
    language(&["ストップ", "配信停止", "停止して", "退会"], &["中止", "解除"], &["スタート", "配信開始", "配信再開"]),
    // ko
    language(&["중지", "정지", "수신거부", "수신 거부", "스톱"], &["그만", "취소"], &["시작", "수신동의", "수신 동의"]),
];

/// What a word stands for, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Meaning {
    keyword: Keyword,
    on_sms_alone: bool,
}

impl Meaning {
    const fn everywhere(keyword: Keyword) -> Self {
        Self { keyword, on_sms_alone: false }
    }

    fn counts_on(self, channel: Option<Channel>) -> bool {
        !self.on_sms_alone || channel == Some(Channel::Sms)
    }
}

impl Language {
    fn words(&self) -> impl Iterator<Item = (&'static str, Meaning)> {
        let of = |words: &'static [&'static str], meaning| words.iter().map(move |word| (*word, meaning));
        let stop = Meaning::everywhere(Keyword::Stop);
        of(self.stop, stop)
            .chain(of(self.stop_on_sms, Meaning { on_sms_alone: true, ..stop }))
            .chain(of(self.start, Meaning::everywhere(Keyword::Start)))
    }
}

/// What people's words mean: those of every language, and those that an installation adds, less those that it does not
/// want to count.
#[derive(Debug, Clone)]
pub struct Words(HashMap<Phrase, Meaning>);

impl Default for Words {
    fn default() -> Self {
        Self::with(&[], &[], &[])
    }
}

impl Words {
    /// Words of one's own count on every channel, and outweigh those of the table.
    pub fn with(stop: &[Phrase], start: &[Phrase], ignore: &[Phrase]) -> Self {
        let of_table = LANGUAGES.iter().flat_map(Language::words);
        let mut words: HashMap<_, _> =
            of_table.filter_map(|(word, meaning)| Some((word.parse::<Phrase>().ok()?, meaning))).collect();
        words.retain(|word, _| !ignore.contains(word));
        for (own, keyword) in [(start, Keyword::Start), (stop, Keyword::Stop)] {
            words.extend(own.iter().map(|word| (word.clone(), Meaning::everywhere(keyword))));
        }
        Self(words)
    }

    /// What somebody means who says or taps all of this there. Where it could be both, it is the wish to be left alone.
    pub fn meaning<'a>(&self, said: impl Iterator<Item = &'a str>, channel: Option<Channel>) -> Option<Keyword> {
        let mut meaning = None;
        for phrase in said.filter_map(|text| text.parse::<Phrase>().ok()) {
            match self.0.get(&phrase).filter(|known| known.counts_on(channel)).map(|known| known.keyword) {
                Some(Keyword::Stop) => return Some(Keyword::Stop),
                Some(Keyword::Start) => meaning = Some(Keyword::Start),
                None => {}
            }
        }
        meaning
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn means_on(channel: Channel, text: &str) -> Option<Keyword> {
        Words::default().meaning([text].into_iter(), Some(channel))
    }

    fn means(text: &str) -> Option<Keyword> {
        means_on(Channel::WhatsApp, text)
    }

    fn phrases(texts: &[&str]) -> Vec<Phrase> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
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
            "DURDUR",
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
            "¡parar!",
            "DỪNG",
            "hủy đăng ký",
        ] {
            assert_eq!(means(stop), Some(Keyword::Stop), "{stop:?}");
        }
        for start in ["START", "unstop", "OPT_IN", "Wieder anmelden", "me réabonner", "配信再開", "Старт", "BAŞLA"]
        {
            assert_eq!(means(start), Some(Keyword::Start), "{start:?}");
        }
    }

    #[test]
    fn what_a_button_says_of_something_else_opts_nobody_out() {
        for word in [
            "Cancel",
            "End",
            "Quit",
            "Revoke",
            "Résilier",
            "Alto",
            "Baja",
            "Cancelar",
            "Sair",
            "Remover",
            "Basta",
            "Annulla",
            "Avsluta",
            "Peruuta",
            "Anuluj",
            "Koniec",
            "Zrušit",
            "İPTAL",
            "iptal",
            "RET",
            "ÇIK",
            "Отмена",
            "Скасувати",
            "إلغاء",
            "Batal",
            "hủy",
            "từ chối",
            "ยกเลิก",
            "取消",
            "解除",
            "中止",
            "취소",
        ] {
            assert_eq!(means_on(Channel::Sms, word), Some(Keyword::Stop), "{word}");
            for channel in Channel::ALL.iter().copied().filter(|channel| *channel != Channel::Sms) {
                assert_eq!(means_on(channel, word), None, "{word} on {channel}");
            }
            assert_eq!(Words::default().meaning([word].into_iter(), None), None, "{word} on who knows what");
        }
    }

    #[test]
    fn what_is_said_of_something_else_lets_nobody_back() {
        for word in [
            "Continue",
            "Resume",
            "Subscribe",
            "Anmelden",
            "Fortsetzen",
            "Reprendre",
            "Alta",
            "Voltar",
            "Aanmelden",
            "Zapisz",
            "Přihlásit",
            "Devam",
            "Возобновить",
            "اشتراك",
            "चालू",
            "đăng ký",
            "tiếp tục",
            "สมัคร",
            "恢复",
            "登録",
            "再開",
            "재개",
        ] {
            for channel in [Channel::WhatsApp, Channel::Sms] {
                assert_eq!(means_on(channel, word), None, "{word} on {channel}");
            }
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
            assert_eq!(means_on(Channel::Sms, other), None, "{other:?}");
        }
        assert_eq!(means(&"stop ".repeat(40)), None);
    }

    #[test]
    fn who_could_mean_both_is_left_alone() {
        let meaning = |said: [&str; 2]| Words::default().meaning(said.into_iter(), Some(Channel::Viber));
        assert_eq!(meaning(["Start", "STOP"]), Some(Keyword::Stop));
        assert_eq!(meaning(["", "start"]), Some(Keyword::Start));
    }

    #[test]
    fn words_of_ones_own_are_added_outweigh_the_table_and_take_from_it() {
        let own = Words::with(&phrases(&["Schluss!", "Quit"]), &phrases(&["Begin"]), &phrases(&["Stop all", "Start"]));
        let means = |text: &str| own.meaning([text].into_iter(), Some(Channel::WhatsApp));
        for stop in ["SCHLUSS", "quit", "stop"] {
            assert_eq!(means(stop), Some(Keyword::Stop), "{stop}");
        }
        assert_eq!(means("begin!"), Some(Keyword::Start));
        for nothing in ["STOP ALL", "start", "?", ""] {
            assert_eq!(means(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn no_word_of_the_table_means_two_things_and_each_is_found() {
        let mut meanings = HashMap::new();
        for language in LANGUAGES {
            assert!(!language.stop.is_empty() && !language.start.is_empty());
            for (word, meaning) in language.words() {
                let before = meanings.insert(word.parse::<Phrase>().unwrap(), meaning);
                assert!(before.is_none_or(|before| before == meaning), "{word} means two things");
                let capitals = word.to_uppercase();
                assert_eq!(means_on(Channel::Sms, &capitals), Some(meaning.keyword), "{word}, in capitals");
            }
        }
    }
}
