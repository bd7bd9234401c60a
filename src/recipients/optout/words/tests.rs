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
fn a_word_counts_in_any_case_width_and_punctuation() {
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
fn an_ambiguous_button_word_opts_out_on_sms_alone() {
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
        assert_eq!(Words::default().meaning([word].into_iter(), None), None, "{word} on an unknown channel");
    }
}

#[test]
fn a_word_of_one_language_names_it_and_stop_names_none() {
    let language = |text: &str| Words::default().language([text].into_iter(), None);
    assert_eq!((language("Abmelden!"), language("стоп")), (Some(Language::German), Some(Language::Russian)));
    assert_eq!((language("STOP"), language("avmeld"), language("Hello")), (None, None, None));
    for language in Language::ALL {
        assert!(LANGUAGES.iter().any(|list| list.languages.contains(language)), "{language} has no words");
    }
}

#[test]
fn an_ambiguous_word_does_not_opt_in() {
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
fn a_word_within_a_longer_text_does_not_count() {
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
fn a_reply_with_stop_and_start_means_stop() {
    let meaning = |texts: [&str; 2]| Words::default().meaning(texts.into_iter(), Some(Channel::Viber));
    assert_eq!(meaning(["Start", "STOP"]), Some(Keyword::Stop));
    assert_eq!(meaning(["", "start"]), Some(Keyword::Start));
}

#[test]
fn configured_words_extend_override_and_shorten_the_table() {
    let own = Words::with(&phrases(&["Schluss!", "Quit"]), &phrases(&["Begin"]), &phrases(&["Stop all", "Start"]), &[]);
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
fn reversed_built_in_words_and_idle_ignored_words_are_doubtful() {
    let doubts =
        Words::warnings(&phrases(&["start", "Schluss"]), &phrases(&["begin"]), &phrases(&["stop all", "flurb"]));
    assert_eq!(doubts.len(), 2, "{doubts:?}");
    assert!(doubts[0].starts_with("opt_out, stop: \"start\" is a built-in start word"), "{doubts:?}");
    assert_eq!(doubts[1], "opt_out, ignore: \"flurb\" is not a built-in word");
}

#[test]
fn each_word_of_the_table_has_one_meaning_and_is_found() {
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

#[test]
fn a_stop_word_in_a_sentence_may_be_an_opt_out_and_a_configured_text_is_one() {
    let may_stop = |words: &Words, text: &str| words.may_stop([text].into_iter());
    let words = Words::default();
    for text in
        ["please STOP sending these", "Bitte stoppen. Stop!", "un-subscribe: unsubscribe me now", "可以停止发送吗"]
    {
        assert!(may_stop(&words, text), "{text}");
    }
    // Ambiguous words are not looked for.
    for text in ["when does it end?", "I cancel the table", "nonstop", "Thank you", ""] {
        assert!(!may_stop(&words, text), "{text}");
    }
    assert!(!may_stop(&words, &format!("{} stop", "x ".repeat(2_000))), "only the beginning is looked at");
    let own = Words::with(&[], &[], &[], &["STOP".to_owned()]);
    let means = |text: &str| own.meaning([text].into_iter(), Some(Channel::WhatsApp));
    assert_eq!([means("please STOP sending"), means("STOP!")], [Some(Keyword::Stop); 2]);
    assert_eq!([means("the bus stop"), means("NONSTOP"), means("START")], [None, None, Some(Keyword::Start)]);
}

#[test]
fn a_word_to_opt_out_is_found_anywhere_in_a_text() {
    let words = Words::default();
    let names = |text: &str| words.name_stop(text, Channel::WhatsApp);
    for text in
        ["Reply STOP to opt-out.", "News. To opt-out tap below", "Unsubscribe", "回复停止以退订", "Antworten Sie STOPP"]
    {
        assert!(names(text), "{text}");
    }
    for text in ["Unstoppable prices", "Come to our new stopover", "Quit waiting", ""] {
        assert!(!names(text), "{text}");
    }
    let own = Words::with(&["genug jetzt".parse().unwrap()], &[], &[], &[]);
    assert!(own.name_stop("Schreib GENUG  JETZT", Channel::WhatsApp));
}
