use super::*;
use crate::base::domain::{Content, Names, Step};
use crate::http::pages::Page as _;
use crate::rules::template::preview::{
    BoundMessage, BubbleButton, BubbleCard, BubbleFile, BubbleHeader, BubbleNotice, BubbleOption, BubblePlace,
    BubbleSection, BubbleValue, ShownText, Wording,
};

/// A text of a message, with the one field `x` in it.
fn bubble(channel: Channel, text: &str, field: &str) -> Bubble {
    filled(&Step::of_text(channel, "lane", text), field)
}

fn filled(step: &Step, field: &str) -> Bubble {
    BoundMessage::new(step, Names::of_columns(&["x".to_owned()]), None).unwrap().fill(&[field])
}

fn shown(text: &str) -> ShownText {
    bubble(Channel::Rcs, "{{x}}", text).body.text.unwrap()
}

fn page_of(bubble: &Bubble, broken: &[&str]) -> String {
    let message = PreviewMessage {
        title: "To +6591234567 (first)".to_owned(),
        bubble,
        length: bubble.measures().to_string(),
        broken: broken.iter().map(|sentence| (*sentence).to_owned()).collect(),
    };
    let step = PreviewStep {
        title: "Step 1: SMS".to_owned(),
        facts: vec!["Broken limits in 1 of 2 messages.".to_owned()],
        broken: vec!["1 × text: more than 10 parts (+6591234567)".to_owned()],
        messages: vec![message],
    };
    let page = PreviewPage {
        title: "Sale <b>now</b>",
        facts: vec!["50 recipients".to_owned()],
        made_at: "2026-11-26 15:27:26 +08:00 (Asia/Singapore)".to_owned(),
        steps: vec![step],
    };
    page.html().unwrap()
}

/// The names of the elements of a page, in order, as a browser would see them.
fn elements(html: &str) -> Vec<String> {
    let opened = html.split('<').skip(1).filter(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic()));
    opened.map(|rest| rest.chars().take_while(char::is_ascii_alphanumeric).collect()).collect()
}

#[test]
fn a_hostile_cell_stays_text() {
    let plain = elements(&page_of(&bubble(Channel::Sms, "Hi {{x}}", "Ann"), &[]));
    for cell in [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "' onmouseover='alert(1)",
        "</style></p></article><h1>",
        "<!-- ",
        "]]>&lt;b&gt;&#60;i&#62;",
        "{{ title }}{% include \"x\" %}",
        "\u{202e}gnp.exe",
        "\u{0}\u{1b}[2J",
    ] {
        let html = page_of(&bubble(Channel::Sms, "Hi {{x}}", cell), &[cell]);
        let mut with_list = plain.clone();
        // The sentence about the broken rule adds a list with one item.
        let at = with_list.len();
        with_list.splice(at..at, ["ul".to_owned(), "li".to_owned()]);
        assert_eq!(elements(&html), with_list, "{cell}");
        assert!(!html.contains("onerror=alert(1)>") && !html.contains('\u{1b}') && !html.contains('\u{0}'), "{cell}");
    }
    let html = page_of(&bubble(Channel::Sms, "Hi {{x}}", "<script>\"'&"), &[]);
    assert!(html.contains("Hi &#60;script&#62;&#34;&#39;&#38;"), "{html}");
    assert!(html.contains("Sale &#60;b&#62;now&#60;/b&#62;"), "{html}");
}

#[test]
fn a_cell_of_10_000_characters_is_shown_whole() {
    let html = page_of(&bubble(Channel::Viber, "{{x}}", &"é<".repeat(5_000)), &[]);
    assert_eq!(html.matches("é&#60;").count(), 5_000);
    assert!(html.contains("10,000 of 1,000 characters"));
}

#[test]
fn a_page_loads_nothing_and_says_so_to_the_browser() {
    let html = page_of(&bubble(Channel::WhatsApp, "{{x}}", "https://evil.example/a.png"), &[]);
    assert!(html.contains("content=\"default-src 'none'; style-src 'unsafe-inline'\""));
    for part in ["src=", "href=", "url(", "@import", "<script", "<link", "<img", "<iframe", "<form", " style="] {
        assert!(!html.contains(part), "{part}");
    }
    assert!(html.starts_with("<!DOCTYPE html>\n<html lang=\"en\">"), "{html:.60}");
    assert!(html.contains("<time>2026-11-26 15:27:26 +08:00 (Asia/Singapore)</time>"));
}

#[test]
fn each_channel_has_its_own_look() {
    let class = |channel| {
        let html = page_of(&bubble(channel, "{{x}}", "Hi"), &[]);
        let (_, rest) = html.split_once("<div class=\"bubble ").unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    };
    let css = include_str!("html/handset.css");
    for channel in Channel::ALL {
        let own = class(*channel);
        // In the light and in the dark.
        assert_eq!(css.matches(&format!(".phone:has(.{own})")).count(), 2, "{channel}");
    }
    let looks: std::collections::BTreeSet<String> = Channel::ALL.iter().map(|channel| class(*channel)).collect();
    // Both kinds of LINE look alike.
    assert_eq!(looks.len(), Channel::ALL.len() - 1);
}

#[test]
fn every_part_of_a_message_is_on_the_page() {
    let button = |kind, title: &str| BubbleButton {
        kind,
        title: Some(shown(title)),
        target: Some(shown("target-1")),
        data: vec![shown("data-1")],
    };
    let media = || BubbleFile {
        kind: FileKind::Video,
        address: shown("https://media.example/v.mp4"),
        details: vec![shown("12 seconds")],
    };
    let place = BubblePlace {
        latitude: shown("1.3"),
        longitude: shown("103.8"),
        name: shown("Office"),
        address: shown("1 Raffles Place"),
    };
    let mut all = bubble(Channel::WhatsApp, "Body text", "");
    all.sender = Some("ACME & Co".to_owned());
    all.header = Some(BubbleHeader::Location(place));
    all.footer = Some(shown("Footer text"));
    all.buttons = vec![button(ButtonKind::Call, "Call us")];
    all.suggestions = vec![button(ButtonKind::QuickReply, "Yes please")];
    let option = BubbleOption {
        title: shown("Row title"),
        description: Some(shown("Row description")),
        id: Some(shown("row-1")),
    };
    all.sections = vec![BubbleSection { title: Some(shown("Section title")), options: vec![option] }];
    all.values = vec![BubbleValue { label: shown("Room"), content: shown("4 people"), is_emphasized: true }];
    all.cards = vec![BubbleCard {
        media: Some(media()),
        title: Some(shown("Card title")),
        body: Wording::of(shown("Card description"), None),
        buttons: vec![button(ButtonKind::Url, "Card button")],
    }];
    let html = page_of(&all, &["Text: more than 10 parts"]);
    for text in [
        "ACME &#38; Co",
        "Office",
        "1 Raffles Place",
        "(1.3, 103.8)",
        "Body text",
        "Footer text",
        "Call us",
        "target-1",
        "data-1",
        "Yes please",
        "Section title",
        "Row title",
        "Row description",
        "row-1",
        "12 seconds",
        "Room",
        "4 people",
        "Card title",
        "Card description",
        "Card button",
        "Video",
        "https://media.example/v.mp4",
        "Text: more than 10 parts",
    ] {
        assert!(html.contains(text), "{text}");
    }
    all.header = Some(BubbleHeader::Text(Wording::of(shown("Header text"), None)));
    assert!(page_of(&all, &[]).contains("Header text"));
    let notice =
        BubbleNotice { title: shown("Notice"), company: Some(shown("Company")), icon: Some(shown("calendarCheck")) };
    all.header = Some(BubbleHeader::Notice(notice));
    let html = page_of(&all, &[]);
    assert!(["Notice", "Company", "calendarCheck"].iter().all(|text| html.contains(text)), "{html}");
    all.header = Some(BubbleHeader::Media(media()));
    assert_eq!(page_of(&all, &[]).matches("https://media.example/v.mp4").count(), 2);
}

#[test]
fn a_missing_value_is_marked() {
    let html = page_of(&bubble(Channel::Sms, "Hi {{x}}!", ""), &[]);
    assert!(html.contains("Hi <strong class=\"missing\">x is missing</strong>!"), "{html}");
}

#[test]
fn a_template_has_its_language_and_lists_its_parameters() {
    let template: Content = serde_json::from_str(
        r#"{"template": {"name": "promo", "language": "pt_BR", "category": "MARKETING", "body": ["{{x}}"]}}"#,
    )
    .unwrap();
    let bubble = filled(&Step { content: template, ..Step::of_text(Channel::WhatsApp, "wa", "") }, "Ann");
    let html = page_of(&bubble, &[]);
    assert!(html.contains("lang=\"pt-BR\""), "{html}");
    assert!(html.contains("<dt>body 1</dt><dd class=\"text\" dir=\"auto\">Ann</dd>"), "{html}");
    assert!(html.contains("promo (pt_BR, MARKETING)"), "{html}");
}

/// The contrast of two colours by the formula of WCAG 2.
fn contrast(one: &str, other: &str) -> f64 {
    let light = |hex: &str| {
        let channel = |at: usize| {
            let value = f64::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    };
    let (one, other) = (light(one), light(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// The colours that a rule of a style sheet sets; of a pair, the one for the light or for the dark.
fn colours(css: &str, rule: &str, is_dark: bool) -> Vec<(String, String)> {
    let (_, rest) = css.split_once(rule).unwrap();
    let (_, body) = rest.split_once('{').unwrap();
    let set = body.split_once('}').unwrap().0.split(';').filter_map(|pair| pair.trim().split_once(": "));
    let chosen = |value: &str| match value.strip_prefix("light-dark(").and_then(|pair| pair.strip_suffix(')')) {
        Some(pair) => pair.split(", ").nth(usize::from(is_dark)).unwrap().to_owned(),
        None => value.to_owned(),
    };
    let set = set.filter(|(name, _)| name.starts_with("--")).map(|(name, value)| (name.to_owned(), chosen(value)));
    set.filter(|(_, value)| value.starts_with('#')).collect()
}

/// The same over those of another rule.
fn over(mut own: Vec<(String, String)>, others: &[(String, String)]) -> Vec<(String, String)> {
    let inherited: Vec<_> = others.iter().filter(|(name, _)| own.iter().all(|(of, _)| of != name)).cloned().collect();
    own.extend(inherited);
    own
}

#[test]
fn every_text_has_the_contrast_that_wcag_asks_for() {
    let handset = include_str!("html/handset.css");
    let (light, dark) = handset.split_at(handset.rfind("@media (prefers").unwrap());
    let dark_of = |css: &'static str| css.split_once("@media (prefers").unwrap().1;
    let (preview, pages) = (include_str!("html/preview.css"), include_str!("assets/volley.css"));
    for (place, rules, root) in [
        ("preview", light, over(colours(handset, ":root", false), &colours(preview, ":root", false))),
        ("preview", dark, over(colours(dark_of(handset), ":root", true), &colours(dark_of(preview), ":root", true))),
        ("pages", light, over(colours(handset, ":root", false), &colours(pages, ":root", false))),
        ("pages", dark, over(colours(dark_of(handset), ":root", true), &colours(pages, ":root", true))),
    ] {
        let of = |colours: &[(String, String)], name: &str| {
            colours.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone()).unwrap()
        };
        let mut pairs = vec![
            (place, root.clone(), "--ink", "--page"),
            (place, root.clone(), "--quiet", "--page"),
            (place, root.clone(), "--alarm-text", "--alarm-back"),
            (place, root.clone(), "--gap-ink", "--gap-back"),
        ];
        if place == "pages" {
            for text in ["--ink", "--quiet", "--accent", "--danger", "--good", "--warn"] {
                pairs.push((place, root.clone(), text, "--card"));
            }
            pairs.push((place, root.clone(), "--ink", "--raised"));
            pairs.push((place, root.clone(), "--on-accent", "--accent"));
        }
        for class in ["whatsapp", "viber", "sms", "rcs", "line", "zalo"] {
            let own = over(colours(rules, &format!(".phone:has(.{class})"), false), &root);
            for (text, back) in [
                ("--ink", "--bubble"),
                ("--quiet", "--bubble"),
                ("--act", "--bubble"),
                ("--ink", "--screen"),
                ("--quiet", "--screen"),
            ] {
                pairs.push((class, own.clone(), text, back));
            }
        }
        for (class, colours, text, back) in pairs {
            let found = contrast(&of(&colours, text), &of(&colours, back));
            assert!(found >= 4.5, "{place}, {class}: {text} on {back} has a contrast of {found:.2}");
        }
    }
}
