//! `[[route]]`, and the lines that `config show` prints for it.

use super::*;

const ROUTE: &str = r#"
    [[route]]
    name = "codes"
    default = true
    [[route.step]]
    channel = "WhatsApp"
    lane = "promo"
    skip_when = ["CN"]
    fallback_after = "5m"
    template = { name = "code", language = "en", category = "UTILITY" }
    [[route.step]]
    channel = "SMS"
    text = "Hi {{Name}}"
"#;

fn with(more: &str) -> Result<Loaded, Error> {
    read(&format!("{TWO}{more}"))
}

#[test]
fn a_route_is_steps_under_a_name() {
    let loaded = with(ROUTE).unwrap();
    let [route] = &loaded.config.routes[..] else { panic!("one route") };
    assert_eq!((route.name.as_str(), route.sub_account.as_deref(), route.is_default), ("codes", Some("acme"), true));
    assert_eq!(route.steps.len(), 2);
    let shown: Vec<String> = loaded
        .settings
        .iter()
        .filter(|setting| setting.section.starts_with("route"))
        .map(|setting| format!("{}: {} = {}", setting.section, setting.key, setting.value.clone().unwrap_or_default()))
        .collect();
    assert_eq!(
        shown,
        [
            "route codes: sub_account = acme",
            "route codes: default = true",
            "route codes, step 1: channel = WhatsApp",
            "route codes, step 1: lanes = promo",
            "route codes, step 1: skip_when = CN",
            "route codes, step 1: fallback_after = 5m",
            "route codes, step 1: template = code",
            "route codes, step 2: channel = SMS",
            "route codes, step 2: text = Hi {{Name}}",
        ]
    );
}

#[test]
fn all_problems_of_a_route_are_listed_with_step_and_key() {
    let cases = [
        (
            "fallback_after = \"5m\"",
            "fallback_after = \"0s\"",
            "route codes, step 1, fallback_after: 0s is less than a second",
        ),
        (
            "channel = \"SMS\"",
            "chanel = \"SMS\"",
            "route codes, step 2, chanel: unknown key; did you mean \"channel\"?",
        ),
        ("channel = \"SMS\"", "", "route codes, step 2, channel: is missing"),
        (
            "channel = \"SMS\"",
            "channel = \"Pigeon\"",
            "route codes, step 2, channel: unknown channel \"Pigeon\"; use one of",
        ),
        ("text = \"Hi {{Name}}\"", "", "route codes, step 2, text: a step needs content"),
        ("[\"CN\"]", "[\"CHN\"]", "route codes, step 1, skip_when: unknown country \"CHN\"; did you mean"),
        ("language = \"en\", ", "", "route codes, step 1, template, language: is missing"),
        ("default = true", "default = \"yes\"", "route codes, default: write true or false, without quotes"),
        (
            "default = true",
            "sub_account = \"acne\"",
            "route codes, sub_account: no lane uses the subaccount acne; did you mean \"acme\"?",
        ),
        ("default = true", "deflaut = true", "route codes, deflaut: unknown key; did you mean \"default\"?"),
        ("name = \"codes\"", "name = \"my codes\"", "route number 1, name: give it a name of letters, digits"),
        ("name = \"codes\"", "", "route number 1, name: give it a name"),
    ];
    for (from, to, sentence) in cases {
        let error = with(&ROUTE.replacen(from, to, 1)).expect_err(sentence).to_string();
        assert!(error.contains(&format!("etc/volley.toml, {sentence}")), "gave: {error}\n  want: {sentence}");
    }
    let error = with(&ROUTE.replace("5m", "0s").replace("Hi {{Name}}\"", "Hi\"\nttl = \"x\"")).unwrap_err().to_string();
    assert_eq!(error.lines().count(), 2, "{error}");
}

#[test]
fn a_key_of_a_step_beside_the_steps_is_sent_there() {
    let error = with(&ROUTE.replace("default = true", "default = true\nlane = \"promo\"")).unwrap_err().to_string();
    assert!(error.contains("route codes, lane: belongs to a step; move it into a [[route.step]]"), "{error}");
    // The list has every key that a step reads.
    let error = with(&ROUTE.replace("text =", "zzz = 1\ntext =")).unwrap_err().to_string();
    let (_, known) = error.split_once("zzz: unknown key; use one of ").unwrap();
    let mut known: Vec<&str> = known.trim().split(", ").collect();
    let mut listed = route::STEP_KEYS.to_vec();
    known.sort_unstable();
    listed.sort_unstable();
    assert_eq!(known, listed);
}

#[test]
fn route_names_and_the_default_of_a_subaccount_are_unique() {
    let other = ROUTE.replace("\"codes\"", "\"others\"");
    let error = with(&format!("{ROUTE}{other}")).unwrap_err().to_string();
    assert!(error.contains("route others, default: codes is already the default of acme; keep one"), "{error}");
    let error = with(&format!("{ROUTE}{}", ROUTE.replace("default = true", ""))).unwrap_err().to_string();
    assert!(error.contains("route codes, name: another route has this name"), "{error}");
    assert_eq!(with(&format!("{ROUTE}{}", other.replace("default = true", ""))).unwrap().config.routes.len(), 2);
}

#[test]
fn a_route_is_a_repeated_section_of_the_file_only() {
    let error = with("[route]\nname = \"x\"").unwrap_err().to_string();
    assert!(error.contains("every route has double brackets; write [[route]] instead of [route]"), "{error}");
    let error = with("[[rout]]\nname = \"x\"").unwrap_err().to_string();
    assert!(error.contains("unknown section \"rout\"; did you mean \"route\"?"), "{error}");
    let error = read_env(TWO, &[("VOLLEY_ROUTE_CODES_DEFAULT", "true")]).unwrap_err().to_string();
    assert!(error.contains("VOLLEY_ROUTE_CODES_DEFAULT: a route does not fit into a variable"), "{error}");
}
