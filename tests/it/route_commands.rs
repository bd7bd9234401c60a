//! Routes in the commands: refusals by plan and launch, a step's conditions in the plan, routes of the
//! configuration.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::cli::{installation, run};

fn write(folder: &Path, name: &str, steps: &[&str]) {
    let mut text = "audience = \"recipients.csv\"\ncountry = \"SG\"\nttl = \"1h\"\n".to_owned();
    for step in steps {
        writeln!(text, "[[step]]\n{step}").unwrap();
    }
    std::fs::write(folder.join(name), text).unwrap();
}

const VIBER: &str = "channel = \"Viber\"\ntext = \"Hi\"";
const SMS: &str = "channel = \"SMS\"\ntext = \"Hi\"";

fn extend_config(folder: &Path, more: &str) {
    let path = folder.join("volley.toml");
    let text = std::fs::read_to_string(&path).unwrap() + more;
    std::fs::write(path, text).unwrap();
}

#[test]
fn plan_and_launch_refuse_an_impossible_route_with_step_and_key() {
    let folder = installation();
    let no_fallback = format!("{VIBER}\nfallback_after = \"0s\"");
    let too_late = format!("{VIBER}\nfallback_after = \"1h\"");
    let beyond = format!("{VIBER}\nttl = \"2h\"");
    let read = format!("{SMS}\nsuccess_status = \"Read\"");
    let template = "channel = \"SMS\"\ntemplate = { name = \"promo\", language = \"en\", category = \"MARKETING\" }";
    let wa = |more: &str, template: &str| format!("channel = \"WhatsApp\"\n{more}\ntemplate = {{ {template} }}");
    let whole = "name = \"promo\", language = \"en\", category = \"UTILITY\", ttl = \"2h\"";
    let nameless = wa("", "language = \"en\", category = \"MARKETING\"");
    let speechless = wa("", "name = \"promo\", category = \"MARKETING\"");
    let cases: [(&[&str], u8, &str); 26] = [
        (&[&no_fallback, SMS], 1, "fallback_after"),
        (&[&too_late, SMS], 1, "fallback_after"),
        (&[&format!("{VIBER}\nfallback_after = \"soon\""), SMS], 1, "fallback_after"),
        (&[&format!("{VIBER}\nfallback_after = -5"), SMS], 1, "fallback_after"),
        (&[VIBER, &format!("{SMS}\nfallback_after = \"5m\"")], 2, "fallback_after"),
        (&[&beyond, SMS], 1, "ttl"),
        (&[&format!("{VIBER}\nttl = \"0s\""), SMS], 1, "ttl"),
        (&[&wa("ttl = \"5m\"", whole), SMS], 1, "ttl"),
        (&[VIBER, &read], 2, "success_status"),
        (&[&format!("{VIBER}\nsuccess_status = \"Opened\""), SMS], 1, "success_status"),
        (&["channel = \"LINE\"\nsuccess_status = \"Delivered\"\ntext = \"Hi\"", SMS], 1, "success_status"),
        (&[VIBER, "channel = \"Pigeon\"\ntext = \"Hi\""], 2, "channel"),
        (&[VIBER, "text = \"Hi\""], 2, "channel"),
        (&[SMS, VIBER, SMS], 3, "channel"),
        (&[VIBER, "channel = \"RCS\"\ntext = \"Hi\""], 2, "lane"),
        (&[VIBER, "channel = \"SMS\""], 2, "text"),
        (&[VIBER, "channel = \"SMS\"\ntext = \" \""], 2, "text"),
        (&[VIBER, template], 2, "template"),
        (&[&nameless, SMS], 1, "template, name"),
        (&[&speechless, SMS], 1, "template, language"),
        (&[&format!("{VIBER}\non_tier_spent = \"fall_back\""), SMS], 1, "on_tier_spent"),
        (&[VIBER, &wa("on_tier_spent = \"fall_back\"", whole)], 2, "on_tier_spent"),
        (&[&format!("{VIBER}\nskip_when = [\"UK\"]"), SMS], 1, "skip_when"),
        (&[&format!("{VIBER}\nonly = []"), SMS], 1, "only"),
        (&[&format!("{VIBER}\nonly = [\"VN\"]"), &format!("{SMS}\nonly = [\"CN\"]")], 1, "only"),
        (&[&format!("{VIBER}\nleave_within = \"0s\""), SMS], 1, "leave_within"),
    ];
    for (steps, step, key) in cases {
        write(folder.path(), "odd.toml", steps);
        let planned = run(folder.path(), &["campaign", "plan", "odd.toml", "--json"]).ended(1).json();
        let problem = &planned["error"]["problems"][0];
        assert_eq!((&problem["step"], &problem["key"]), (&json!(step), &json!(key)), "{planned}");
        let place = format!("odd.toml, step {step}, {key}: ");
        for command in [&["plan", "odd.toml"][..], &["launch", "odd.toml", "--unchecked"]] {
            let refused = run(folder.path(), &[&["campaign"], command].concat()).ended(1);
            assert!(refused.stderr.contains(&place), "{place} is missing in {}", refused.stderr);
        }
    }
    let eighth: Vec<&str> = [VIBER; 8].to_vec();
    write(folder.path(), "odd.toml", &eighth);
    for command in [&["plan", "odd.toml"][..], &["launch", "odd.toml", "--unchecked"]] {
        let refused = run(folder.path(), &[&["campaign"], command].concat()).ended(1);
        assert!(refused.stderr.contains("odd.toml, step: 8 steps are more than the 7 allowed"), "{}", refused.stderr);
    }
    let campaigns = run(folder.path(), &["campaign", "list", "--json"]);
    assert!(campaigns.stdout.is_empty() || campaigns.json() == json!([]), "{}", campaigns.stdout);
}

#[test]
fn marketing_on_whatsapp_to_the_united_states_alone_is_refused() {
    let folder = installation();
    std::fs::write(folder.path().join("recipients.csv"), "Mobile\n+12015550123\n+12015550124\n").unwrap();
    let whatsapp =
        "channel = \"WhatsApp\"\n[step.template]\nname = \"promo\"\nlanguage = \"en\"\ncategory = \"MARKETING\"";
    write(folder.path(), "us.toml", &[whatsapp]);
    let refused = run(folder.path(), &["campaign", "plan", "us.toml"]).ended(1).stderr;
    let sentence = "us.toml, step 1, us_marketing: WhatsApp delivers no marketing to numbers of the United States, and no \
                    step applies to any recipient, so nothing would be sent; add a step of another channel";
    assert!(refused.contains(sentence), "{refused}");
    write(folder.path(), "us.toml", &[&whatsapp.replace("[step", "us_marketing = \"send\"\n[step")]);
    let planned = run(folder.path(), &["campaign", "plan", "us.toml", "--json"]).ended(0).json();
    assert_eq!(planned["steps"][0]["recipients"], json!(2));
}

#[test]
fn a_plan_counts_the_recipients_of_each_step() {
    let folder = installation();
    let people = "Mobile\n+6591000001\n+6591000002\n+8613800000001\n+60121234567\n";
    std::fs::write(folder.path().join("recipients.csv"), people).unwrap();
    let viber = format!("{VIBER}\nonly = [\"SG\", \"MY\"]\nfallback_after = \"5m\"");
    write(folder.path(), "some.toml", &[&viber, &format!("{SMS}\nskip_when = [\"MY\", \"CN\"]")]);
    let planned = run(folder.path(), &["campaign", "plan", "some.toml", "--json"]).ended(0).json();
    let steps = planned["steps"].as_array().unwrap();
    assert_eq!(steps.iter().map(|step| &step["recipients"]).collect::<Vec<_>>(), [3, 2]);
    assert_eq!(steps[0]["countries"], json!({ "only": ["MY", "SG"] }));
    let codes: Vec<&Value> = planned["warnings"].as_array().unwrap().iter().map(|warning| &warning["code"]).collect();
    assert!(codes.contains(&&json!("no_step")), "{codes:?}");
    let shown = run(folder.path(), &["campaign", "plan", "some.toml"]).ended(0).stdout;
    for line in ["only MY, SG: 3 of 4 recipients", "not CN, MY: 2 of 4 recipients"] {
        assert!(shown.contains(line), "{line:?} is missing in {shown}");
    }
    // A recipient without any step becomes a message all the same, so totals add up.
    let launched = run(folder.path(), &["campaign", "launch", "some.toml", "--name", "some", "--unchecked", "--json"]);
    assert_eq!(launched.ended(0).json()["messages"], json!(4));
    let report = run(folder.path(), &["campaign", "report", "some", "--json"]).ended(0).json();
    assert_eq!(
        (&report["audience"], &report["open"], &report["outcomes"]["skipped"]),
        (&json!(4), &json!(3), &json!(1))
    );
    assert_eq!(report["skipped"], json!({ "no step applies": 1 }));
    assert_eq!(report["steps"][0]["passed_over"], json!(1));
}

#[test]
fn a_campaign_without_steps_uses_and_shows_the_default_route() {
    let folder = installation();
    std::fs::write(folder.path().join("plain.toml"), "audience = \"recipients.csv\"\ncountry = \"SG\"").unwrap();
    let refused = run(folder.path(), &["campaign", "plan", "plain.toml"]).ended(1);
    assert!(refused.stderr.contains("plain.toml, step: a campaign needs a step"), "{}", refused.stderr);
    extend_config(
        folder.path(),
        "[[route]]\nname = \"codes\"\ndefault = true\n[[route.step]]\nchannel = \"Viber\"\nfallback_after = \"5m\"\n\
         text = \"Hi {{FirstName|there}}\"\n[[route.step]]\nchannel = \"SMS\"\ntext = \"{{Code}}\"\n",
    );
    let planned = run(folder.path(), &["campaign", "plan", "plain.toml", "--json"]).ended(0).json();
    let channels: Vec<&Value> = planned["steps"].as_array().unwrap().iter().map(|step| &step["channel"]).collect();
    assert_eq!(channels, [&json!("Viber"), &json!("SMS")]);
    run(folder.path(), &["campaign", "launch", "plain.toml", "--unchecked"]).ended(0);
    let shown = run(folder.path(), &["config", "show"]).ended(0).stdout;
    for line in ["route codes", "route codes, step 2"] {
        assert!(shown.contains(line), "{line:?} is missing in {shown}");
    }
    run(folder.path(), &["config", "check"]).ended(0);

    // The check reports what cannot work before a campaign uses it; every command reports what cannot be read.
    extend_config(folder.path(), "[[route]]\nname = \"late\"\n[[route.step]]\nchannel = \"RCS\"\ntext = \"Hi\"\n");
    let checked = run(folder.path(), &["config", "check"]).ended(1);
    assert!(checked.stderr.contains("volley.toml, route late, step 1, lane: there is no lane of acme on RCS"));
    extend_config(folder.path(), "fallback_afterwards = \"5m\"\n");
    let read = run(folder.path(), &["lane", "list"]).ended(1);
    assert!(read.stderr.contains("route late, step 1, fallback_afterwards: unknown key"), "{}", read.stderr);
}

#[test]
fn a_missing_price_list_fails_config_check_and_doctor() {
    let folder = installation();
    extend_config(folder.path(), "[prices]\nfile = \"gone.csv\"\n");
    run(folder.path(), &["config", "check"]).ended(1).says(&["the price list", "gone.csv", "[prices] in volley.toml"]);
    let doctor = run(folder.path(), &["doctor"]).ended(1).stdout;
    assert!(doctor.contains("nothing can be launched: the price list"), "{doctor}");
    std::fs::write(folder.path().join("gone.csv"), "channel,price\nSMS,0.05\n").unwrap();
    run(folder.path(), &["config", "check"]).ended(0);
}
