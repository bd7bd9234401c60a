//! The words by which recipients opt out, and opt in again.
//!
//! - Only a whole reply counts, never a part of it: "please stop the noise" is no opt-out, but an operator is asked. A
//!   configuration can name texts that count in any part of a reply.
//! - Fewer words opt in than opt out: an ambiguous word never opts in a recipient who opted out.

use std::collections::HashMap;

use crate::base::domain::{Channel, Keyword, Language, Phrase};

/// The words of a language.
struct WordList {
    languages: &'static [Language],
    /// Unambiguous words, which count on every channel.
    stop: &'static [&'static str],
    /// Words that a button may use for an appointment, an order or a menu.
    ///
    /// They count on SMS alone, which has no buttons, and where carriers require some of them.
    stop_on_sms: &'static [&'static str],
    /// "Start", and words that expressly revoke a "stop". Not words that may as well mean "continue", "register" or "save".
    start: &'static [&'static str],
}

const fn language(
    languages: &'static [Language],
    stop: &'static [&'static str],
    stop_on_sms: &'static [&'static str],
    start: &'static [&'static str],
) -> WordList {
    WordList { languages, stop, stop_on_sms, start }
}

/// The words of each language.
///
/// The table omits words that may as well answer something else on any channel: "yes", "no", "red", "t", "huy" (a name), and
/// "dung", which is both "stop" and "right" in Vietnamese without accents.
#[rustfmt::skip]
const LANGUAGES: &[WordList] = &[
    language(
        &[Language::English],
        &["stop", "stopall", "stop all", "stop messages", "stop promotions", "unsubscribe", "unsub", "opt out", "optout", "remove me"],
        &["cancel", "end", "quit", "revoke"],
        &["start", "unstop", "opt in", "optin", "opt back in", "resubscribe", "subscribe again"]),
    language(
        &[Language::German],
        &["stopp", "abmelden", "abmeldung", "abbestellen", "austragen", "keine nachrichten"],
        &["beenden", "ende"],
        &["starten", "wieder anmelden", "wieder abonnieren"]),
    language(
        &[Language::French],
        &["arrêt", "arrêter", "arret", "arreter", "arrêtez", "arretez", "désabonner", "desabonner", "me désabonner", "désinscrire", "desinscrire", "désinscription"],
        &["résilier", "annuler"],
        &["démarrer", "demarrer", "réabonner", "reabonner", "me réabonner"]),
    language(
        &[Language::Spanish],
        &["parar", "detener", "dar de baja", "darme de baja", "cancelar suscripción", "cancelar suscripcion"],
        &["alto", "baja", "cancelar"],
        &["iniciar", "empezar", "suscribirme de nuevo"]),
    language(
        &[Language::Portuguese],
        &["pare", "descadastrar", "cancelar inscrição"],
        &["sair", "remover", "não quero mais"],
        &["começar", "comecar", "inscrever novamente"]),
    language(
        &[Language::Italian],
        &["ferma", "fermare", "disiscrivi", "disiscrivimi", "cancellami"],
        &["basta", "disdici", "annulla"],
        &["inizia", "avvia", "iscrivimi di nuovo"]),
    language(
        &[Language::Dutch],
        &["stoppen", "afmelden", "uitschrijven", "geen berichten"],
        &["annuleren"],
        &["weer aanmelden", "opnieuw aanmelden"]),
    language(
        &[Language::Swedish, Language::Danish, Language::Norwegian],
        &["avregistrera", "avmeld", "meld av", "afmeld", "frameld"],
        &["avsluta"],
        &["starta", "tilmeld igen", "påmeld igjen"]),
    language(&[Language::Finnish], &["lopeta"], &["peruuta"], &["aloita"]),
    language(
        &[Language::Polish],
        &["zatrzymaj", "wypisz", "wypisz mnie"],
        &["rezygnuję", "rezygnuje", "anuluj", "koniec"],
        &["rozpocznij", "zapisz mnie ponownie"]),
    language(&[Language::Czech, Language::Slovak], &["odhlásit", "odhlasit"], &["zrušit", "zrusit", "zrušiť"], &["začít", "začať"]),
    language(&[Language::Romanian], &["dezabonare", "dezabonează"], &["anulare"], &["începe", "incepe", "reabonare"]),
    language(&[Language::Hungarian], &["leiratkozás", "leiratkozom"], &[], &["újra feliratkozom"]),
    language(
        &[Language::Turkish],
        &["dur", "durdur", "abonelikten çık"],
        &["iptal", "ret", "çık"],
        &["başla", "basla", "başlat", "yeniden abone ol"]),
    language(&[Language::Greek], &["στοπ", "διακοπή"], &["τέλος"], &["έναρξη"]),
    language(&[Language::Russian], &["стоп", "отписаться", "отписка", "отпишите"], &["отмена", "хватит"], &["старт", "подписаться снова"]),
    language(&[Language::Ukrainian], &["відписатися", "відписатись"], &["скасувати"], &["підписатися знову"]),
    language(&[Language::Hebrew], &["עצור", "הסר", "הסרה", "הפסק"], &[], &["התחל"]),
    language(
        &[Language::Arabic],
        &["توقف", "توقّف", "قف", "إيقاف", "ايقاف", "أوقف", "اوقف", "إلغاء الاشتراك", "الغاء الاشتراك"],
        &["إلغاء", "الغاء"],
        &["ابدأ", "ابدا", "بدء"]),
    language(&[Language::Persian, Language::Urdu], &["توقف کنید", "بند", "بند کرو", "روکیں", "لغو اشتراک"], &["لغو"], &["شروع", "شروع کریں"]),
    language(
        &[Language::Hindi],
        &["रोकें", "रोको", "रुको", "बंद", "बंद करो", "बंद करें", "स्टॉप"],
        &[],
        &["शुरू", "शुरू करें", "स्टार्ट"]),
    language(&[Language::Bengali], &["বন্ধ", "বন্ধ করুন"], &[], &["শুরু"]),
    language(&[Language::Tamil], &["நிறுத்து", "நிறுத்துக"], &[], &["தொடங்கு"]),
    language(
        &[Language::Indonesian, Language::Malay],
        &["berhenti", "henti", "hentikan", "batal langganan", "berhenti langganan"],
        &["batal"],
        &["mulai", "mula"]),
    language(&[Language::Filipino], &["itigil", "tigil", "hinto", "ihinto"], &[], &["simulan", "magsimula"]),
    language(
        &[Language::Vietnamese],
        &["dừng", "dừng lại", "ngừng", "ngung", "hủy đăng ký", "huỷ đăng ký", "huy dang ky"],
        &["hủy", "huỷ", "từ chối", "tu choi"],
        &["bắt đầu", "bat dau"]),
    language(&[Language::Thai], &["หยุด", "เลิกรับ"], &["ยกเลิก", "ไม่รับ"], &["เริ่ม", "เริ่มต้น"]),
    language(
        &[Language::Chinese],
        &["停止", "停", "退订", "退訂", "取消订阅", "取消訂閱"],
        &["取消", "td"],
        &["开始", "開始", "重新订阅", "重新訂閱"]),
    language(&[Language::Japanese], &["ストップ", "配信停止", "停止して", "退会"], &["中止", "解除"], &["スタート", "配信開始", "配信再開"]),
    language(&[Language::Korean], &["중지", "정지", "수신거부", "수신 거부", "스톱"], &["그만", "취소"], &["시작", "수신동의", "수신 동의"]),
];

/// What a word means, and on which channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct WordMeaning {
    keyword: Keyword,
    is_sms_only: bool,
    /// The language that it belongs to, if that is one alone. English words count everywhere, so they tell none.
    language: Option<Language>,
}

impl WordMeaning {
    const fn everywhere(keyword: Keyword) -> Self {
        Self { keyword, is_sms_only: false, language: None }
    }

    fn counts_on(self, channel: Option<Channel>) -> bool {
        !self.is_sms_only || channel == Some(Channel::Sms)
    }
}

impl WordList {
    fn words(&self) -> impl Iterator<Item = (&'static str, WordMeaning)> {
        let of = |words: &'static [&'static str], meaning| words.iter().map(move |word| (*word, meaning));
        let language = match self.languages {
            [only] if *only != Language::English => Some(*only),
            _ => None,
        };
        let stop = WordMeaning { language, ..WordMeaning::everywhere(Keyword::Stop) };
        of(self.stop, stop)
            .chain(of(self.stop_on_sms, WordMeaning { is_sms_only: true, ..stop }))
            .chain(of(self.start, WordMeaning { keyword: Keyword::Start, ..stop }))
    }
}

/// The words of every language, with those that the configuration adds and without those that it ignores.
#[derive(Debug, Clone)]
pub struct Words {
    whole: HashMap<Phrase, WordMeaning>,
    /// Texts that opt out wherever a reply has them, with upper and lower case as they are.
    contained: Vec<String>,
}

impl Default for Words {
    fn default() -> Self {
        Self::with(&[], &[], &[], &[])
    }
}

impl Words {
    /// Adds configured words, which count on every channel and override those of the table. A word in `ignore` is removed
    /// from the table only: if `stop` or `start` has it too, it counts.
    ///
    /// Each of `contained` opts out wherever a reply has it, with upper and lower case as they are.
    pub fn with(stop: &[Phrase], start: &[Phrase], ignore: &[Phrase], contained: &[String]) -> Self {
        let of_table = LANGUAGES.iter().flat_map(WordList::words);
        let mut words: HashMap<_, _> =
            of_table.filter_map(|(word, meaning)| Some((word.parse::<Phrase>().ok()?, meaning))).collect();
        words.retain(|word, _| !ignore.contains(word));
        for (own, keyword) in [(start, Keyword::Start), (stop, Keyword::Stop)] {
            words.extend(own.iter().map(|word| (word.clone(), WordMeaning::everywhere(keyword))));
        }
        Self { whole: words, contained: contained.to_vec() }
    }

    /// Warns about configured words that reverse a built-in word, and about ignored words that are not built in.
    pub fn warnings(stop: &[Phrase], start: &[Phrase], ignore: &[Phrase]) -> Vec<String> {
        let built_in = Self::default();
        let meaning = |word: &Phrase| built_in.whole.get(word).map(|known| known.keyword);
        let mut warnings = Vec::new();
        for (key, words, other) in [("stop", stop, Keyword::Start), ("start", start, Keyword::Stop)] {
            warnings.extend(words.iter().filter(|word| meaning(word) == Some(other)).map(|word| {
                format!(
                    "opt_out, {key}: \"{word}\" is a built-in {other} word, which now means {key}; if it is to mean \
                     nothing, move it to ignore"
                )
            }));
        }
        let idle = ignore.iter().filter(|word| meaning(word).is_none());
        warnings.extend(idle.map(|word| format!("opt_out, ignore: \"{word}\" is not a built-in word")));
        warnings
    }

    /// The meaning of the texts of a reply, written or tapped, on a channel. Stop overrides start.
    pub fn meaning<'a>(&self, texts: impl Iterator<Item = &'a str>, channel: Option<Channel>) -> Option<Keyword> {
        self.known(texts, channel).map(|known| known.keyword)
    }

    /// Whether a text names a word, anywhere in it, by which its reader can opt out on a channel.
    pub fn name_stop(&self, text: &str, channel: Channel) -> bool {
        self.name_stop_on(text, Some(channel))
    }

    /// Whether a reply that is no keyword may be an opt-out: it has a word, anywhere in it, that opts out on every channel.
    pub fn may_stop<'a>(&self, mut texts: impl Iterator<Item = &'a str>) -> bool {
        texts.any(|text| {
            let beginning = text.char_indices().nth(LOOKED_AT).and_then(|(at, _)| text.get(..at)).unwrap_or(text);
            self.name_stop_on(beginning, None)
        })
    }

    fn name_stop_on(&self, text: &str, channel: Option<Channel>) -> bool {
        let text = text.to_lowercase().replace('-', " ");
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let opts_out = |known: &WordMeaning| known.keyword == Keyword::Stop && known.counts_on(channel);
        self.whole.iter().any(|(word, known)| opts_out(known) && contains_word(&text, word.as_str()))
    }

    /// The language of the word that decides the meaning of these texts, if it belongs to one alone.
    pub fn language<'a>(&self, texts: impl Iterator<Item = &'a str>, channel: Option<Channel>) -> Option<Language> {
        self.known(texts, channel)?.language
    }

    fn known<'a>(&self, texts: impl Iterator<Item = &'a str>, channel: Option<Channel>) -> Option<WordMeaning> {
        let mut start = None;
        for text in texts {
            if self.contained.iter().any(|word| contains_word(text, word)) {
                return Some(WordMeaning::everywhere(Keyword::Stop));
            }
            let Ok(phrase) = text.parse::<Phrase>() else { continue };
            match self.whole.get(&phrase).copied().filter(|known| known.counts_on(channel)) {
                Some(stop) if stop.keyword == Keyword::Stop => return Some(stop),
                Some(other) => start = Some(other),
                None => {}
            }
        }
        start
    }
}

/// Characters of a reply in which a word is looked for.
const LOOKED_AT: usize = 1_000;

/// Whether a text contains a word that stands alone. Some scripts have no spaces, so only letters of ASCII are compared so.
fn contains_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let (before, after) = (text.get(..at), text.get(at + word.len()..));
        let beside = [before.and_then(|text| text.chars().next_back()), after.and_then(|text| text.chars().next())];
        !word.is_ascii() || !beside.into_iter().flatten().any(char::is_alphanumeric)
    })
}

#[cfg(test)]
mod tests;
