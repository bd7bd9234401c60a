//! Previews of a campaign and of a template: what they show, which limits they count, and their page.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::cli::{installation, run};

/// Rows of the file; numbers count up from `+6591000000`.
const ROWS: u32 = 300;

/// Two steps: a template with a parameter, an address and a button, and an SMS.
const STEPS: &str = r#"
country = "SG"
at = "2099-01-01T09:00Z"

[[step]]
channel = "WhatsApp"
[step.template]
name = "promo"
language = "en"
category = "MARKETING"
header = { image = "https://media.example/{{Pic}}" }
body = ["{{Name|there}}", "{{Code}}"]
buttons = [{ index = 0, url = "{{Slug}}" }]

[[step]]
channel = "SMS"
text = "Hi {{Name|there}}, {{Code}}"
source = "ACME"
"#;

fn number(row: u32) -> String {
    format!("+65{}", 91_000_000 + row)
}

/// Every row is harmless, but for these.
const EMPTY_CODE: u32 = 10;
const PERCENT: u32 = 20;
const LONG_CODE: u32 = 30;
const LONG_PICTURE: u32 = 40;
const TWO_PARTS: u32 = 50;
const NO_NAME: u32 = 60;
const HOSTILE: u32 = 70;

/// A cell that would do something on a page, on a terminal or to the reading direction.
const HOSTILE_CELL: &str = "<script>alert('x')</script>\u{1b}[2J\u{202e}";

fn recipients() -> String {
    let mut file = "Mobile,Name,Code,Pic,Slug\n".to_owned();
    for row in 0..ROWS {
        let name = match row {
            NO_NAME => String::new(),
            HOSTILE => HOSTILE_CELL.to_owned(),
            _ => "Ann".to_owned(),
        };
        let code = match row {
            EMPTY_CODE => String::new(),
            PERCENT => "25%".to_owned(),
            // With the three letters of the name, one more than a body holds, and seven parts of an SMS.
            LONG_CODE => "c".repeat(1_022),
            TWO_PARTS => "c".repeat(155),
            row => format!("C{row:03}"),
        };
        let pic = if row == LONG_PICTURE { "p".repeat(1_979) } else { "a.png".to_owned() };
        writeln!(file, "{},{name},{code},{pic},s/{row}", number(row)).unwrap();
    }
    file
}

/// A folder with the file, the campaign `x.toml` and an audience `members` of the same rows.
fn folder() -> tempfile::TempDir {
    let folder = installation();
    std::fs::write(folder.path().join("members.csv"), recipients()).unwrap();
    campaign(folder.path(), "audience = \"members.csv\"");
    folder
}

fn campaign(at: &Path, sources: &str) {
    std::fs::write(at.join("x.toml"), format!("{sources}\n{STEPS}")).unwrap();
}

fn preview(at: &Path, more: &[&str]) -> Value {
    let args: Vec<&str> = ["campaign", "plan", "x.toml", "--json"].iter().chain(more).copied().collect();
    run(at, &args).ended(0).json()["preview"].clone()
}

/// The limits that the messages of a step break: the sentence, the number of recipients, and the first of them.
fn broken(step: &Value) -> Vec<(String, u64, Vec<String>)> {
    let limit = |limit: &Value| {
        let first = limit["first_msisdns"].as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned());
        (limit["sentence"].as_str().unwrap().to_owned(), limit["recipients"].as_u64().unwrap(), first.collect())
    };
    let mut all: Vec<_> = step["broken"].as_array().unwrap().iter().map(limit).collect();
    all.sort();
    all
}

/// The numbers that a step shows, each with the reasons.
fn shown(step: &Value) -> Vec<(String, Value)> {
    let messages = step["shown"].as_array().unwrap().iter();
    messages.map(|it| (it["msisdn"].as_str().unwrap().to_owned(), it["chosen_as"].clone())).collect()
}

#[test]
fn every_broken_limit_is_counted_with_its_recipients() {
    let folder = folder();
    let at = folder.path();
    let one = |sentence: &str, row: u32| (sentence.to_owned(), 1, vec![number(row)]);
    let whatsapp = [
        one("body 2: has one of #, $ and %, which the provider may refuse in a parameter", PERCENT),
        one("body 2: no value for Code, so the message is not sent", EMPTY_CODE),
        one("header image: longer than 2,000 characters", LONG_PICTURE),
        one("template body: longer than 1,024 characters", LONG_CODE),
    ];
    let sms = |parts: &str, rows: &[u32]| {
        let many =
            (format!("text: more than {parts}"), rows.len() as u64, rows.iter().map(|row| number(*row)).collect());
        vec![many, one("text: no value for Code, so the message is not sent", EMPTY_CODE)]
    };
    run(at, &["audience", "import", "members.csv", "--name", "members"]).ended(0);
    for source in ["members.csv", "members"] {
        campaign(at, &format!("audience = \"{source}\""));
        // The hostile cell has characters that GSM-7 does not have, and fits into one part of 70.
        let found = preview(at, &["--preview", "--max-parts", "1"]);
        assert_eq!((&found["recipients"], &found["steps"][0]["recipients"]), (&json!(ROWS), &json!(ROWS)), "{source}");
        assert_eq!(broken(&found["steps"][0]), whatsapp, "{source}");
        assert_eq!(broken(&found["steps"][1]), sms("1 part", &[LONG_CODE, TWO_PARTS]), "{source}");
        assert_eq!(
            (&found["steps"][0]["breaking"], &found["steps"][1]["breaking"]),
            (&json!(4), &json!(3)),
            "{source}"
        );
        // The provider's own limit of ten parts is not reached.
        assert_eq!(broken(&preview(at, &["--preview"])["steps"][1]).len(), 1, "{source}");
    }
    let text = run(at, &["campaign", "plan", "x.toml", "--preview"]).ended(0).stdout;
    for line in [
        "  broken limits in 4 of 300 messages:".to_owned(),
        format!("    1 × template body: longer than 1,024 characters ({})", number(LONG_CODE)),
    ] {
        assert!(text.lines().any(|printed| printed == line), "{line}\n{text}");
    }
}

#[test]
fn only_recipients_that_get_a_message_are_looked_at() {
    let folder = folder();
    let at = folder.path();
    run(at, &["audience", "import", "members.csv", "--name", "members"]).ended(0);
    run(at, &["opt-out", "add", &number(EMPTY_CODE)]).ended(0);
    let rest = format!("exclude = [\"{}\"]\nwhere = 'Code != \"25%\"'", number(LONG_CODE));
    for source in ["audience = \"members.csv\"", "audience = \"members\"", "audience = [\"members\", \"members.csv\"]"]
    {
        campaign(at, &format!("{source}\n{rest}"));
        let found = preview(at, &["--preview"]);
        assert_eq!(found["recipients"], json!(ROWS - 3), "{source}");
        let left: Vec<String> = broken(&found["steps"][0]).into_iter().map(|(sentence, _, _)| sentence).collect();
        assert_eq!(left, ["header image: longer than 2,000 characters"], "{source}");
        assert_eq!(found["steps"][1]["breaking"], json!(0), "{source}");
    }
}

#[test]
fn the_first_the_shortest_the_longest_and_a_random_message_are_shown() {
    let folder = folder();
    let at = folder.path();
    let sms = &preview(at, &["--preview", "--seed", "7"])["steps"][1];
    let of = |choice: &str| {
        let found: Vec<String> = shown(sms)
            .into_iter()
            .filter(|(_, why)| why.as_array().unwrap().contains(&json!(choice)))
            .map(|it| it.0)
            .collect();
        assert_eq!(found.len(), 1, "{choice}: {sms}");
        found[0].clone()
    };
    assert_eq!(of("first"), number(0));
    // Without its code, it is the shortest.
    assert_eq!(of("shortest"), number(EMPTY_CODE));
    assert_eq!(of("longest"), number(LONG_CODE));
    // The same seed chooses the same recipient, also from an imported audience; other seeds choose others.
    run(at, &["audience", "import", "members.csv", "--name", "members"]).ended(0);
    let random = |seed: &str| {
        let steps = preview(at, &["--seed", seed])["steps"].clone();
        let of_step = |step: &Value| {
            shown(step).into_iter().find(|(_, why)| why.as_array().unwrap().contains(&json!("random"))).unwrap().0
        };
        (of_step(&steps[0]), of_step(&steps[1]))
    };
    let chosen = random("7");
    assert_eq!((&chosen.0, &chosen.0), (&chosen.1, &of("random")));
    campaign(at, "audience = \"members\"");
    assert_eq!(random("7"), chosen);
    assert!((0..5).any(|seed| random(&seed.to_string()) != chosen));
}

#[test]
fn requested_recipients_are_shown_and_unknown_ones_refused() {
    let folder = folder();
    let at = folder.path();
    let (third, hostile) = (number(3), number(HOSTILE));
    let found = preview(at, &["--to", &third, "--to", &hostile]);
    let requested = json!(["requested"]);
    assert_eq!(shown(&found["steps"][0]), [(third.clone(), requested.clone()), (hostile.clone(), requested)]);
    assert_eq!(found["steps"][0]["breaking"], json!(4), "the limits are still checked for all");
    let sms = &found["steps"][1]["shown"][0];
    assert_eq!(
        (&sms["bubble"]["body"]["text"]["text"], &sms["bubble"]["sender"], &sms["lane"], &sms["sms_parts"]),
        (&json!("Hi Ann, C003"), &json!("ACME"), &json!("sms"), &json!(1))
    );
    let text = run(at, &["campaign", "plan", "x.toml", "--to", &hostile]).ended(0).stdout;
    assert!(text.contains("<script>alert('x')</script>␛[2J‹U+202E›"), "{text}");
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text}");
    let unknown = run(at, &["campaign", "plan", "x.toml", "--to", "+6599999999"]).ended(2);
    unknown.says(&["--to", "no recipient that gets a message has the number +6599999999"]);
    run(at, &["campaign", "plan", "x.toml", "--to", "9100-0003"]).ended(2).says(&["write + and 7 to 15 digits"]);
}

#[test]
fn a_plan_without_a_preview_has_none() {
    let folder = folder();
    let at = folder.path();
    let plan = run(at, &["campaign", "plan", "x.toml", "--json"]).ended(0).json();
    assert_eq!(plan["preview"], Value::Null);
    assert_eq!(plan["steps"][0]["previews"].as_array().unwrap().len(), 3);
    // The short form shows lines; a cell cannot move the cursor there either.
    std::fs::write(at.join("one.csv"), format!("Mobile,Name,Code,Pic,Slug\n+6591000000,\"{HOSTILE_CELL}\",C,a,s\n"))
        .unwrap();
    campaign(at, "audience = \"one.csv\"");
    let text = run(at, &["campaign", "plan", "x.toml"]).ended(0).stdout;
    assert!(text.contains("alert('x')</script>␛[2J") && !text.contains('\u{1b}'), "{text}");
}

#[test]
fn a_page_holds_the_messages_and_loads_nothing() {
    let folder = folder();
    let at = folder.path();
    let ran = run(at, &["campaign", "plan", "x.toml", "--to", &number(HOSTILE), "--html", "preview.html"]).ended(0);
    assert!(ran.stderr.contains("Wrote the preview to preview.html"), "{}", ran.stderr);
    let page = std::fs::read_to_string(at.join("preview.html")).unwrap();
    assert!(page.contains("default-src 'none'"), "{page}");
    assert!(
        page.contains("&#60;script&#62;alert(&#39;x&#39;)&#60;/script&#62;␛[2J") && !page.contains("<script"),
        "{page}"
    );
    assert!(
        page.contains("Broken limits in 4 of 300 messages.") && page.contains("https://media.example/a.png"),
        "{page}"
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(at.join("preview.html")).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "only its owner may read it");
    }
    run(at, &["campaign", "plan", "x.toml", "--html", "-"]).ended(2).says(&["cannot be written to standard output"]);
    run(at, &["campaign", "plan", "x.toml", "--html", "no/such/folder.html"]).ended(1);
}

#[test]
fn a_template_is_shown_with_given_values() {
    let folder = folder();
    let at = folder.path();
    // The recipients are not read: their file need not exist.
    campaign(at, "audience = \"nowhere.csv\"");
    let with = ["--with", "name=Ann", "--with", "Code=A=1"];
    let args: Vec<&str> = ["template", "preview", "x.toml"].iter().chain(&with).copied().collect();
    let text = run(at, &args).ended(0).stdout;
    for part in [
        "Step 1: WhatsApp",
        "body 1: Ann",
        "body 2: A=1",
        "‹Pic is missing›",
        "no value for Slug",
        "SMS from ACME",
        "Hi Ann, A=1",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let second: Vec<&str> = args.iter().chain(&["--step", "2", "--json", "--html", "x.html"]).copied().collect();
    let json = run(at, &second).ended(0).json();
    assert_eq!(json["steps"].as_array().unwrap().len(), 1);
    assert_eq!((&json["steps"][0]["step"], &json["steps"][0]["characters"]), (&json!(2), &json!(11)));
    assert!(std::fs::read_to_string(at.join("x.html")).unwrap().contains("Hi Ann, A=1"));
    for (more, code, said) in [
        (["--with", "Nmae=Ann"], 2, "--with: no message has a variable Nmae; did you mean \"Name\"?"),
        (["--with", "Ann"], 2, "names no column; write COLUMN=VALUE"),
        (["--step", "3"], 2, "--step: unknown step 3; the route has 2 steps"),
    ] {
        let args: Vec<&str> = ["template", "preview", "x.toml"].iter().chain(&more).copied().collect();
        run(at, &args).ended(code).says(&[said]);
    }
}

#[test]
fn a_route_of_the_configuration_is_shown_with_given_values() {
    let folder = folder();
    let at = folder.path();
    let mut config = std::fs::read_to_string(at.join("volley.toml")).unwrap();
    config += "\n[[route]]\nname = \"welcome\"\n[[route.step]]\nchannel = \"Viber\"\ntext = \"Welcome, {{Name}}\"\n";
    std::fs::write(at.join("volley.toml"), config).unwrap();
    let text = run(at, &["template", "preview", "--route", "welcome", "--with", "Name=Ann"]).ended(0).stdout;
    assert!(text.contains("Welcome, Ann") && text.contains("12 of 1,000 characters"), "{text}");
    run(at, &["template", "preview", "--route", "welcom"]).ended(1).says(&["unknown route \"welcom\"", "\"welcome\""]);
}
