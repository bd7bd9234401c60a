//! Recipients who lack a value for a variable, and what a campaign does about them.

use serde_json::json;

use crate::cli::{installation, run};

const ROWS: &str = "Mobile,Name,Amount,Tier\n+6591000001,Ann,10.5,gold\n+6591000002,Bob,soon,gold\n\
                    +6591000003,,7,silver\n+6591000004,Di,8,bronze\n";

/// Bob's amount is no number, the third has no name, and Di's tier has no discount.
const CAMPAIGN: &str = "at = \"2099-01-01T09:00Z\"\n[values]\nDiscount = { by = \"Tier\", gold = \"20\", silver = \"10\" }\n\
                        Greeting = \"Dear {{Name}}\"\n[[step]]\nchannel = \"SMS\"\nsource = \"ACME\"\n\
                        text = '{{Greeting}}, {{Amount:number(2)}} less {{Discount}}%'\n";

#[test]
fn a_campaign_skips_or_refuses_recipients_without_a_value() {
    let folder = installation();
    let at = folder.path();
    std::fs::write(at.join("members.csv"), ROWS).unwrap();
    run(at, &["audience", "import", "members.csv", "--name", "members"]).ended(0);
    for source in ["members.csv", "members"] {
        let campaign = |name: &str, on_missing: &str| {
            let text = format!("name = \"{name}\"\naudience = \"{source}\"\n{on_missing}\n{CAMPAIGN}");
            std::fs::write(at.join("x.toml"), text).unwrap();
        };
        let lacking = "3 of 4 recipients lack a value for a variable: +6591000002 (Amount: \"soon\" cannot be read), \
                       +6591000003 (Name), +6591000004 (Discount: no text for \"bronze\")";
        let advice = ["give the variable a default", "tell it their form: number(", "or `others` for all of them"];
        campaign("refused", "on_missing_value = \"refuse\"");
        for command in ["plan", "launch"] {
            let said = [&["x.toml", "on_missing_value: ", lacking][..], &advice].concat();
            run(at, &["campaign", command, "x.toml"]).ended(1).says(&said);
        }
        for (on_missing, consequence) in
            [("", "they get the next step"), ("on_missing_value = \"skip\"", "they get no message")]
        {
            campaign(&format!("{source} {on_missing}").replace('"', ""), on_missing);
            let plan = run(at, &["campaign", "plan", "x.toml", "--json"]).ended(0).json();
            assert_eq!((&plan["recipients"], &plan["lacking_value"]), (&json!(4), &json!(3)), "{plan}");
            let warnings = plan["warnings"].as_array().unwrap();
            // Those with an empty name are counted among them, and not once more by a warning of their own.
            assert_eq!(warnings.iter().filter(|it| it["code"] == "empty_variable").count(), 1, "{plan}");
            let shown: Vec<&str> = warnings.iter().filter_map(|it| it["sentence"].as_str()).collect();
            let shown = shown.join("\n");
            assert!(shown.contains(lacking) && shown.contains(consequence), "{shown}");
            let first = plan["steps"][0]["previews"][0]["lines"][0]["text"].as_str().unwrap();
            assert_eq!(first, "Dear Ann, 10.50 less 20%");
        }
        let launched = run(at, &["campaign", "launch", "x.toml", "--json"]).ended(0).json();
        assert_eq!(launched["messages"], 4, "{launched}");
        let id = launched["id"].as_str().unwrap();
        let report = run(at, &["campaign", "report", id, "--json"]).ended(0).json();
        assert_eq!(report["skipped"], json!({ "missing variable": 3 }), "{report}");
        assert_eq!((&report["outcomes"]["skipped"], &report["open"]), (&json!(3), &json!(1)), "{report}");
        run(at, &["audit", id]).ended(0);
    }
}

#[test]
fn the_plan_shows_what_transliteration_changes_and_what_each_country_costs() {
    let folder = installation();
    let at = folder.path();
    let text =
        format!("Mobile,Name\n+6591000001,Ann\n+6591000002,Bręk\n+6591000003,สมชาย\n+6591000004,{}\n", "ą".repeat(60));
    std::fs::write(at.join("members.csv"), text).unwrap();
    let text = format!(
        "audience = \"members.csv\"\n[[step]]\nchannel = \"SMS\"\nsource = \"ACME\"\ntransliterate = true\n\
         text = \"{} {{{{Name}}}}\"\n",
        "x".repeat(66)
    );
    std::fs::write(at.join("x.toml"), text).unwrap();
    let plan = run(at, &["campaign", "plan", "x.toml", "--json"]).ended(0).json();
    let changed = &plan["steps"][0]["transliterated"];
    // 71 and 127 characters are one part in GSM-7, and two in UCS-2.
    assert_eq!(changed, &json!({ "recipients": 2, "replaced": ["ą", "ę"], "parts_saved": 2 }), "{plan}");
    // The text in Thai has two parts, and with transliteration that of 60 letters has one.
    let with_prices = std::fs::read_to_string(at.join("volley.toml")).unwrap() + "\n[prices]\nfile = \"prices.csv\"\n";
    std::fs::write(at.join("volley.toml"), with_prices).unwrap();
    std::fs::write(at.join("prices.csv"), "channel,price,currency\nSMS,0.05,EUR\n").unwrap();
    let priced = run(at, &["campaign", "plan", "x.toml", "--json"]).ended(0).json();
    let cost = json!([{ "country": "SG", "messages": 4, "billed_parts": 5, "price": "0.05", "sum": "0.25" }]);
    assert_eq!(priced["steps"][0]["country_costs"], cost, "{priced}");
    let said =
        "1 recipient gets 1 more part to be paid, because of characters with which a part holds only 70: “ส” in Name";
    assert!(priced["warnings"].to_string().contains(said), "{priced}");
    let plan = run(at, &["campaign", "plan", "x.toml"]).ended(0).stdout;
    let said = "written in plain characters for 2 recipients, which saves 2 parts: ą ę";
    assert!(plan.contains(said) && plan.contains(" Brek"), "{plan}");
}
