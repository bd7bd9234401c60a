//! Counts beside texts, and the fields of templates.

use super::{Author, FILE};
use crate::base::domain::Timestamp;
use crate::http::api::native::tests::Bench;
use crate::store::{FetchedTemplates, StoredTemplate, TemplatePlace};

const ORDER: &str = r#"[{"type":"HEADER","format":"VIDEO"},
    {"type":"BODY","text":"Hi {{1}}, order {{2}} <b>left</b>."},
    {"type":"BUTTONS","buttons":[{"type":"URL","text":"Track","url":"https://shop.example/t/{{1}}"},
        {"type":"URL","text":"Shop","url":"https://shop.example"},
        {"type":"COPY_CODE","text":"Copy"},{"type":"QUICK_REPLY","text":"Stop"}]}]"#;
const PLACE: &str = r#"[{"type":"HEADER","format":"LOCATION"},{"type":"BODY","text":"We are here, {{1}}."}]"#;
const CARDS: &str = r#"[{"type":"BODY","text":"Hi {{1}}."},{"type":"CAROUSEL","cards":[
    {"components":[{"type":"HEADER","format":"IMAGE"},{"type":"BODY","text":"Shoes {{1}}"},
        {"type":"BUTTONS","buttons":[{"type":"URL","text":"Buy","url":"https://shop.example/{{1}}"}]}]},
    {"components":[{"type":"HEADER","format":"IMAGE"},{"type":"BODY","text":"Hats {{1}}"},
        {"type":"BUTTONS","buttons":[{"type":"URL","text":"Buy","url":"https://shop.example/{{1}}"}]}]}]}]"#;
const HELLO: &str = r#"[{"type":"HEADER","format":"TEXT","text":"News for {{1}}"},{"type":"BODY","text":"Hello."}]"#;

/// A server that knows templates of its WhatsApp lane.
pub(super) async fn bench() -> Bench {
    let bench = Bench::changed(|text| {
        let number = "number = \"+6531234567\"";
        text.replacen(number, &format!("{number}\naccount_id = \"acme-1\"\nchannel_id = \"wa-1\""), 1)
    })
    .await;
    let stored = |name: &str, components: &str| StoredTemplate {
        name: name.to_owned(),
        language: "en".to_owned(),
        category: "MARKETING".to_owned(),
        status: "APPROVED".to_owned(),
        components: components.to_owned(),
        updated_at: None,
    };
    let fetched = FetchedTemplates {
        place: TemplatePlace { account_id: "acme-1".to_owned(), channel_id: "wa-1".to_owned() },
        fetched_at: Timestamp::from_millis(1_800_000_000_000),
        templates: vec![stored("order", ORDER), stored("place", PLACE), stored("hello", HELLO), stored("cards", CARDS)],
    };
    assert!(bench.store.replace_templates(fetched, Vec::new()).await.unwrap());
    bench
}

#[tokio::test]
async fn a_text_has_its_length_and_one_that_is_too_long_is_marked() {
    let bench = Bench::new().await;
    let author = Author::written(&bench).await;
    let content = author.get("content").await;
    assert!(content.contains("3 of 1,000 characters, without the values of its variables"), "{content}");
    assert!(content.contains("1 part, 5 characters in GSM-7, of at most 10 parts"), "{content}");
    let long = "x".repeat(999) + "{{FirstName}}";
    author.fill("content", &[("1-text", &long), ("2-text", &"ł".repeat(700)), ("2-source", "ACME")]).await;
    let content = author.get("content").await;
    // The limit is broken by values, and by the text itself.
    assert!(content.contains("999 of 1,000 characters"), "{content}");
    assert!(content.contains("Too long: 11 parts, 700 characters in UCS-2"), "{content}");
    author.fill("content", &[("1-text", &long), ("2-text", "Hi"), ("2-source", "ACME")]).await;
    let content = author.get("content").await;
    let (_, field) = content.split_once("id=\"1-text\"").unwrap();
    let field = field.split_once("</div>").unwrap().0;
    assert!(field.contains("onger than 1,000 characters: 3 recipients"), "{field}");
    let counted = author.browser.get("/new/count?of=SMS+AUTO&text=%C5%82").await;
    assert_eq!(counted.body["sentence"], "1 part, 1 character in UCS-2, of at most 10 parts", "{}", counted.text);
    let unknown = author.browser.get("/new/count?of=Pigeon&text=a").await;
    assert!(unknown.body.is_null(), "{}", unknown.text);
}

#[tokio::test]
async fn a_template_has_exactly_the_fields_that_it_needs() {
    let bench = bench().await;
    let author = Author::begin(&bench).await;
    author.upload("Members.csv", FILE).await;
    author.fill("route", &[("1-channel", "WhatsApp"), ("do", "next")]).await;
    let chosen = author.fill("content", &[("1-template", "order|en|MARKETING"), ("do", "chosen-1")]).await;
    assert!(super::place(&chosen).ends_with("/content#step-1"), "{}", super::place(&chosen));
    let content = author.get("content").await;
    for name in ["header_video", "body_1", "body_2", "button_0_url", "button_2_copy_code", "button_3_payload"] {
        assert!(content.contains(&format!("name=\"1-template_{name}\"")), "{name}: {content}");
    }
    for name in ["header_image", "body_3", "button_1_url", "header"] {
        assert!(!content.contains(&format!("name=\"1-template_{name}\"")), "{name}: {content}");
    }
    assert!(content.contains("<mark>{{1}}</mark>, order <mark>{{2}}</mark> &#60;b&#62;left"), "{content}");
    // What is missing is asked for where it is missing.
    author.fill("content", &[("1-template", "order|en|MARKETING"), ("do", "save")]).await;
    let content = author.get("content?saved=true").await;
    assert_eq!(content.matches("The template needs this value.").count(), 5, "{content}");
    assert!(!content.contains("index = ") && !content.contains("needs a value"), "{content}");
    let filled = [
        ("1-template", "order|en|MARKETING"),
        ("1-template_header_video", "https://shop.example/a.mp4"),
        ("1-template_body_1", "{{FirstName|you}}"),
        ("1-template_body_2", "{{Code}}"),
        ("1-template_button_0_url", "{{Code}}"),
        ("1-template_button_2_copy_code", "SAVE10"),
        ("1-template_button_3_payload", ""),
    ];
    author.fill("content", &filled).await;
    let review = author.get("review").await;
    assert!(review.contains("Launch to 3 recipients") && review.contains("order A1"), "{review}");
    assert!(author.get("content").await.contains("value=\"SAVE10\""));
}

#[tokio::test]
async fn another_template_keeps_the_values_that_it_has_fields_for() {
    let bench = bench().await;
    let author = Author::begin(&bench).await;
    author.upload("Members.csv", FILE).await;
    author.fill("route", &[("1-channel", "WhatsApp"), ("do", "next")]).await;
    author.fill("content", &[("1-template", "order|en|MARKETING")]).await;
    let filled = [
        ("1-template", "place|en|MARKETING"),
        ("1-template_header_video", "https://shop.example/a.mp4"),
        ("1-template_body_1", "{{FirstName|you}}"),
        ("1-template_body_2", "{{Code}}"),
        ("1-template_button_0_url", "{{Code}}"),
    ];
    author.fill("content", &filled).await;
    let content = author.get("content").await;
    assert!(content.contains("name=\"1-template_header_location_latitude\""), "{content}");
    assert!(content.contains("value=\"{{FirstName|you}}\"") && !content.contains("a.mp4"), "{content}");
    let place = [
        ("1-template", "place|en|MARKETING"),
        ("1-template_body_1", "Ann"),
        ("1-template_header_location_latitude", "1.29"),
        ("1-template_header_location_longitude", "103.85"),
        ("1-template_header_location_name", "Shop"),
        ("1-template_header_location_address", "1 Road"),
    ];
    author.fill("content", &place).await;
    assert!(author.get("review").await.contains("Launch to 3 recipients"), "{}", author.get("review").await);
    author.fill("content", &[("1-template", "hello|en|MARKETING")]).await;
    author.fill("content", &[("1-template", "hello|en|MARKETING"), ("1-template_header_text", "{{FirstName}}")]).await;
    let review = author.get("review").await;
    assert!(review.contains("Launch to 3 recipients") && review.contains("News for Ann"), "{review}");
    // Without a template, the step has a text.
    author.fill("content", &[("1-template", ""), ("1-text", "Hi")]).await;
    let content = author.get("content").await;
    assert!(content.contains("of 4,096 characters") && !content.contains("1-template_header_text"), "{content}");
}

#[tokio::test]
async fn the_cards_of_a_template_have_fields_and_are_previewed() {
    let bench = bench().await;
    let author = Author::begin(&bench).await;
    author.upload("Members.csv", FILE).await;
    author.fill("route", &[("1-channel", "WhatsApp"), ("do", "next")]).await;
    author.fill("content", &[("1-template", "cards|en|MARKETING"), ("do", "chosen-1")]).await;
    let content = author.get("content").await;
    for name in ["body_1", "card_1_header_image", "card_1_body_1", "card_1_button_0_url", "card_2_header_image"] {
        assert!(content.contains(&format!("name=\"1-template_{name}\"")), "{name}: {content}");
    }
    assert!(
        !content.contains("name=\"1-template_card_2_body_2\"") && !content.contains("template_card_3"),
        "{content}"
    );
    assert!(content.contains("Card 2") && content.contains("Shoes <mark>{{1}}</mark>"), "{content}");
    let filled = [
        ("1-template", "cards|en|MARKETING"),
        ("1-template_body_1", "{{FirstName}}"),
        ("1-template_card_1_header_image", "https://shop.example/a.png"),
        ("1-template_card_1_body_1", "{{Code}}"),
        ("1-template_card_1_button_0_url", "{{Code}}"),
        ("1-template_card_2_header_image", ""),
        ("1-template_card_2_body_1", "now"),
        ("1-template_card_2_button_0_url", "hats"),
    ];
    author.fill("content", &filled).await;
    // A missing file stands beside its field.
    let content = author.get("content").await;
    let (_, field) = content.split_once("id=\"1-template_card_2_header_image\"").unwrap();
    assert!(field.split_once("</div>").unwrap().0.contains("class=\"problem\""), "{field}");
    let mut complete = filled;
    complete[5].1 = "https://shop.example/b.png";
    author.fill("content", &complete).await;
    let review = author.get("review").await;
    assert!(review.contains("Launch to 3 recipients") && review.contains("Shoes A1"), "{review}");
    assert!(review.contains("https://shop.example/hats"), "{review}");
    // Another template takes the cards away.
    author.fill("content", &[("1-template", "hello|en|MARKETING"), ("1-template_header_text", "x")]).await;
    assert!(!author.get("content").await.contains("template_card_1"));
}

#[tokio::test]
async fn a_preview_without_the_text_of_its_template_says_so() {
    let bench = Bench::new().await;
    let author = Author::begin(&bench).await;
    author.upload("Members.csv", FILE).await;
    author.fill("route", &[("1-channel", "WhatsApp"), ("do", "next")]).await;
    let template = [
        ("1-template_name", "promo"),
        ("1-template_language", "en"),
        ("1-template_category", "MARKETING"),
        ("1-template_body", "{{FirstName}}"),
        ("1-text", ""),
    ];
    author.fill("content", &template).await;
    for (page, says) in [("content", "nor shows its text"), ("review", "does not have the text of this template")] {
        let shown = author.get(page).await;
        assert!(shown.contains(says), "{page}: {shown}");
        assert!(shown.contains("class=\"phone unknown\"") && shown.contains("href=\"/templates\""), "{page}: {shown}");
    }
}

#[tokio::test]
async fn a_content_that_was_not_written_yet_is_missing_only_once_it_was_sent() {
    let bench = Bench::new().await;
    let author = Author::begin(&bench).await;
    author.upload("Members.csv", FILE).await;
    author.fill("route", &[("1-channel", "Viber"), ("do", "next")]).await;
    let missing = "A step needs content.";
    let page = author.get("content").await;
    assert!(!page.contains(missing) && page.contains("Save to see the preview."), "{page}");
    assert!(author.get("review").await.contains("a step needs content"));
    let saved = author.fill("content", &[("1-text", ""), ("do", "save")]).await;
    let page = author.browser.get(super::place(&saved)).await.text;
    assert!(page.contains(missing), "{page}");
    // What was written is checked at once.
    author.fill("content", &[("1-text", "Hi {{Nam}}"), ("do", "next")]).await;
    assert!(author.get("content").await.contains("nknown column &#34;Nam&#34;"));
}
