//! What a plan refuses of a content because of the lane or the campaign's own values, and what it makes of constants.

use super::super::addresses::{AddressPass, Addresses};
use super::*;
use crate::base::domain::{Fields, Recipient, RefusalSubject};

const LINE: &str = "\n[[lane]]\nname = \"line\"\nchannel = \"LINE\"";

fn refusal(text: &str, more: &str) -> String {
    through(text, &config_with(more)).unwrap_err()
}

#[test]
fn a_line_id_that_is_the_same_for_all_recipients_is_refused() {
    let line = |id: &str| {
        with("[values]\nMine = \"U1\"", &[&format!("channel = \"LINE\"\nline_user_id = \"{id}\"\ntext = \"x\"")])
    };
    for id in ["U1", "{{Mine}}"] {
        let problem = refusal(&line(id), LINE);
        assert!(problem.contains("line_user_id: \"U1\" is the same for all recipients"), "{problem}");
    }
    assert!(through(&line("{{Code}}"), &config_with(LINE)).is_ok());
}

#[test]
fn a_file_on_this_machine_is_only_for_a_provider_on_this_machine() {
    let more = "\n[[lane]]\nname = \"public\"\nchannel = \"WhatsApp\"\nbase_url = \"https://gateway.example\"";
    let image = |lane: &str, url: &str| {
        let step = WHATSAPP.replace("body = [\"{{code}}\"]", &format!("header = {{ image = \"{url}\" }}"));
        with("", &[&format!("lane = \"{lane}\"\n{step}"), SMS])
    };
    for url in ["http://localhost:8690/files/a.png", "http://127.0.0.1:8690/files/a.png"] {
        assert!(through(&image("promo-sg", url), &config_with(more)).is_ok(), "{url}");
        let problem = refusal(&image("public", url), more);
        assert!(problem.contains("header image: must be a web address that begins with https://"), "{problem}");
    }
    let https = image("public", "https://h/a.png");
    assert!(through(&https, &config_with(more)).is_ok());
}

#[test]
fn constants_are_checked_and_count_as_the_same_for_all() {
    let head = "[values]\nLogo = \"logo.png\"\nHi = \"Hello\"";
    let problem = refusal(&with(head, &["channel = \"Viber\"\nimage = \"{{Logo}}\""]), "");
    assert!(problem.contains("image: must be a web address that begins with https://"), "{problem}");
    let plan = |text: &str| {
        through(&with(head, &[&format!("channel = \"SMS\"\ntext = \"{text}\"")]), &config_with("")).unwrap().0
    };
    assert!(!plan("{{Hi}}!").steps[0].varies_in(RefusalSubject::Text));
    assert!(plan("{{Hi}}, {{FirstName|you}}!").steps[0].varies_in(RefusalSubject::Text));
}

/// Such characters mark the variables of a request, and a step that has them elsewhere could not be composed.
#[test]
fn reserved_characters_are_refused_wherever_they_stand() {
    let odd = '\u{FDD0}';
    let zalo = "\n[[lane]]\nname = \"zalo\"\nchannel = \"ZaloNotification\"";
    for (step, key) in [
        (format!("channel = \"Viber\"\nraw = {{ type = \"te{odd}xt\", content = {{ text = \"x\" }} }}"), "raw type"),
        (
            format!("channel = \"Viber\"\nraw = {{ type = \"text\", content = {{ a = [{{ \"b{odd}\" = 1 }}] }} }}"),
            "raw",
        ),
        (format!("channel = \"SMS\"\nsource = \"A{odd}\"\ntext = \"x\""), "source"),
        (
            format!(
                "channel = \"ZaloNotification\"\ntemplate = {{ name = \"{odd}\", language = \"vi\", params = {{ a = \"b\" }} }}"
            ),
            "template name",
        ),
        (
            format!(
                "channel = \"ZaloNotification\"\ntemplate = {{ name = \"7\", language = \"v{odd}\", params = {{ a = \"b\" }} }}"
            ),
            "template language",
        ),
        (
            format!(
                "channel = \"ZaloNotification\"\ntemplate = {{ name = \"7\", language = \"vi\", params = {{ \"a{odd}\" = \"b\" }} }}"
            ),
            "template params",
        ),
        (interactive_flow(&format!("screen = \"S{odd}\"")), "interactive flow screen"),
        (interactive_flow(&format!("screen = \"S\", data = {{ \"a{odd}\" = 1 }}")), "interactive flow data"),
        (template_flow(&format!("screen = \"S{odd}\"")), "button 0 flow screen"),
        (template_flow(&format!("screen = \"S\", data = {{ \"a{odd}\" = 1 }}")), "button 0 flow data"),
    ] {
        let problem = refusal(&with("", &[&step]), zalo);
        let expected = format!("{key}: characters from U+FDD0 to U+FDEF are not supported");
        assert!(problem.contains(&expected), "{expected}: {problem}");
    }
}

#[test]
fn a_variable_where_none_is_filled_in_is_refused() {
    let zalo = "\n[[lane]]\nname = \"zalo\"\nchannel = \"ZaloNotification\"";
    for (step, key) in [
        ("channel = \"Viber\"\nraw = { type = \"{{Code}}\", content = { text = \"x\" } }".to_owned(), "raw type"),
        ("channel = \"ZaloNotification\"\ntemplate = { name = \"{{Code}}\", language = \"vi\", params = { a = \"b\" } }".to_owned(), "template name"),
        ("channel = \"ZaloNotification\"\ntemplate = { name = \"7\", language = \"{{Code}}\", params = { a = \"b\" } }".to_owned(), "template language"),
        (interactive_flow("screen = \"{{Code}}\""), "interactive flow screen"),
        (template_flow("screen = \"{{Code}}\""), "button 0 flow screen"),
    ] {
        let problem = refusal(&with("", &[&step]), zalo);
        let expected = format!("{key}: \"{{{{Code}}}}\" is the same for every recipient");
        assert!(problem.contains(&expected), "{expected}: {problem}");
    }
}

fn interactive_flow(keys: &str) -> String {
    let flow = format!("flow = {{ id = \"1\", text = \"Go\", {keys} }}");
    format!("channel = \"WhatsApp\"\n[step.interactive]\nbody = \"b\"\n{flow}")
}

fn template_flow(keys: &str) -> String {
    let buttons = format!("buttons = [{{ index = 0, flow = {{ {keys} }} }}]");
    let template = "[step.template]\nname = \"promo\"\nlanguage = \"en\"\ncategory = \"MARKETING\"";
    format!("channel = \"WhatsApp\"\n{template}\n{buttons}")
}

fn recipient(n: u64, code: &str) -> Recipient {
    let fields: Vec<&str> = columns().iter().map(|column| if column == "Code" { code } else { "" }).collect();
    let msisdn = Msisdn::try_from(6_591_234_560 + n).unwrap();
    Recipient {
        address: Some(msisdn.into()),
        country: "SG".parse().unwrap(),
        client_message_id: None,
        fields: Fields::pack(fields),
    }
}

/// What is found in the column Code of recipients whose numbers end in 1, 2 and so on.
fn addresses(text: &str, more: &str, codes: &[&str]) -> Addresses {
    let config = config_with(more);
    let mut pass = AddressPass::of(&through(text, &config).unwrap().0, &config).unwrap();
    for (n, code) in (1..).zip(codes) {
        let recipient = recipient(n, code);
        pass.look(&recipient, &recipient.fields.unpack().unwrap());
    }
    pass.found()
}

#[test]
fn recipients_whose_id_is_shared_or_malformed_are_refused() {
    let text = with("", &["channel = \"LINE\"\nline_user_id = \"{{Code}}\"\ntext = \"x\""]);
    let [ann, bob] = ["a", "b"].map(|letter| format!("U4af4980629a1b2c3d4e5f60718293a4{letter}"));
    let problem = |codes: &[&str]| addresses(&text, LINE, codes).problem(3).map(|problem| problem.to_string());
    assert_eq!(problem(&[&ann, &bob, ""]), None);
    // Who has no id gets no message.
    assert_eq!(problem(&["", ""]), None);
    assert_eq!(
        problem(&[&ann, &bob, &ann]).unwrap(),
        format!(
            "step 1, line_user_id: 1 of 3 recipients has the id of an earlier row, so one person would get the message \
             several times: +6591234563 ({ann}); remove these rows, or correct their ids"
        )
    );
    let problem = problem(&["Ua", &bob, "+6591234561"]).unwrap();
    let named =
        "2 of 3 recipients have an id that LINE does not have, which is U and 32 letters or digits: +6591234561 (Ua)";
    assert!(problem.contains(named), "{problem}");
}

#[test]
fn addresses_in_cells_that_no_provider_can_fetch_are_counted() {
    let text = with("", &["channel = \"Viber\"\nimage = \"{{Code}}\""]);
    let codes = ["https://h/a.png", "http://h/a.png", "", "h/a.png", "http://127.0.0.1/a.png"];
    let sentences = |more: &str| {
        let found: Vec<Warning> = addresses(&text, more, &codes).warnings(5).collect();
        found.into_iter().map(|warning| warning.sentence.to_string()).collect::<Vec<_>>()
    };
    let [here] = &sentences("")[..] else { panic!() };
    assert!(here.starts_with("image: for 2 of 5 recipients, the address does not begin with https://"), "{here}");
    assert!(here.contains("+6591234562 (http://h/a.png), +6591234564 (h/a.png); correct"), "{here}");
    assert_eq!(addresses(&text, "", &codes[..1]).warnings(1).count(), 0);
}
