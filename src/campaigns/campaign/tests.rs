mod conditions;
mod contents;
mod operators;
mod routes;
mod setup;
mod templates;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::plan_checks::remove_idle_rules;
use super::*;
use crate::base::clock::{Chance, ManualClock};
use crate::base::config::{Config, Problem};
use crate::base::domain::{
    AfterGap, Channel, Fields, Money, Msisdn, OnMissed, OnUnknown, Plan, Recipient, Span, Status, Step, StepIndex,
    Stretch, Timestamp,
};
use crate::base::events::Origin;
use crate::provider::catalogue::Catalogue;
use crate::recipients::audience::OddCells;
use crate::rules::forecast::Bill;

const COLUMNS: [&str; 6] = ["Mobile", "FirstName", "Code", "Pic", "Slug", "Country"];

fn columns() -> Vec<String> {
    COLUMNS.map(str::to_owned).to_vec()
}

fn config_with(more: &str) -> Config {
    let text = include_str!("../../../samples/volley.toml").to_owned() + more;
    Config::read(Some((Path::new("volley.toml"), &text)), std::iter::empty(), []).unwrap().config
}

fn now() -> Timestamp {
    Timestamp::parse_rfc3339("2026-11-01T00:00:00Z").unwrap()
}

fn file(text: &str) -> Result<Draft, String> {
    Draft::parse("promo.toml", text).map_err(|error| error.to_string())
}

/// Runs the whole room: returns the plan with its warnings, or the problems as operators see them.
fn through(text: &str, config: &Config) -> Result<(Plan, Vec<Warning>), String> {
    through_to(["SG", "CN"], text, config)
}

/// The same to 900 recipients of one country and 100 of another.
fn through_to(countries: [&str; 2], text: &str, config: &Config) -> Result<(Plan, Vec<Warning>), String> {
    let draft = file(text)?;
    let shown = |problems: Vec<Problem>| lines("promo.toml", &problems);
    let schedule = schedule(&draft, now()).map_err(shown)?;
    // The content of the price list, if the configuration names one.
    let list = "channel,country,price,currency\nSMS,,0.04,EUR\nViber,SG,0.02,EUR\n";
    let prices = config.prices.as_ref().map(|file| PriceList::read(file, list).unwrap());
    let planned = plan(&draft, &columns(), config, &schedule, prices.as_ref(), &Catalogue::default()).map_err(shown)?;
    let countries = countries.map(|code| code.parse().unwrap()).into_iter().zip([900, 100]).collect();
    let (mut plan, mut warnings) = planned;
    remove_idle_rules(&mut plan, &countries);
    let facts = Facts {
        recipients: 1_000,
        countries: &countries,
        without_number: &BTreeMap::new(),
        bill: &Bill::of_countries(&plan, &countries),
        odd: &OddCells { empty: vec![0, 40, 2, 0, 0, 0], refused: vec![0; 6] },
        allowed: draft.allow_countries.as_ref(),
        windows: &[(StepIndex::FIRST, 12)].into(),
        need_no_slot: &BTreeMap::new(),
    };
    warnings.extend(lint(&plan, config, &facts));
    Ok((plan, warnings))
}

fn sample(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples").join(name);
    std::fs::read_to_string(path).unwrap()
}

/// A campaign file of a head and steps.
fn with(head: &str, steps: &[&str]) -> String {
    let steps: Vec<String> = steps.iter().map(|step| format!("[[step]]\n{step}\n")).collect();
    format!("audience = \"a.csv\"\n{head}\n{}", steps.concat())
}

const WHATSAPP: &str = "channel = \"WhatsApp\"\nfallback_after = \"15m\"\n[step.template]\nname = \"promo\"\nlanguage = \"en\"\n\
                        category = \"MARKETING\"\nbody = [\"{{code}}\"]";
const SMS: &str = "channel = \"SMS\"\ntext = \"Your code is {{Code}}.\"";

#[test]
fn the_samples_are_good_campaigns() {
    let config = config_with("");
    let (plan, warnings) = through(&sample("promo.toml"), &config).unwrap();
    let lanes: Vec<String> = plan.steps.iter().map(|step| step.lanes.to_string()).collect();
    assert_eq!(lanes, ["promo-sg", "viber", "sms"]);
    let [whatsapp, viber, sms] = &plan.steps[..] else { panic!("three steps") };
    assert_eq!(whatsapp.receipt_window, Span::from_secs(43_200));
    assert_eq!(viber.receipt_window, Span::from_secs(7 * 86_400));
    assert_eq!((sms.success, sms.fallback_after), (Status::Delivered, None));
    assert_eq!(
        (plan.ttl, plan.on_unknown, plan.after_gap),
        (Some(Span::from_secs(86_400)), OnUnknown::Keep, AfterGap::Ask)
    );
    let shown: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "step 1: the provider may deliver the template for 12h, but the step falls back after 20s, so a recipient \
             may get both; shorten the template's TTL at the provider and write it as template.ttl, or set on_overlap = \"wait\" [overlap]",
            "2 of 1,000 recipients have an empty Code, so the messages of steps 1, 2, 3 cannot be rendered for them; give \
             the variable a default: {{Code|…}} [empty_variable]",
        ]
    );
    let (plan, _) = through(&sample("sms.toml"), &config).unwrap();
    assert_eq!(plan.steps[0].source("sms", "SG".parse().unwrap()), Some("ACME"));
}

#[test]
fn json_and_toml_say_the_same() {
    let toml = file(&sample("promo.toml")).unwrap();
    let value: toml::Value = toml::from_str(&sample("promo.toml")).unwrap();
    let json = serde_json::to_string(&value).unwrap();
    assert_eq!(Draft::parse("promo.json", &json).unwrap(), toml);
    // A text that begins with a brace is JSON under any name.
    assert_eq!(Draft::parse("promo", &json).unwrap(), toml);
}

#[test]
fn an_invalid_file_reports_every_problem() {
    let cases = [
        ("name = ", "promo.toml, line 1: invalid TOML: "),
        ("{\n\"name\": }", "promo.toml, line 2: invalid"),
        ("name = \"x\"", "promo.toml, audience: a campaign needs recipients; add audience = \"recipients.csv\""),
        ("audience = \"a\"\nstep = []", "promo.toml, step: is missing; add one with a channel and its content"),
        (&with("titel = 1", &[SMS]), "promo.toml, titel: unknown key; use one of name, audience"),
        (&with("send_windows = 1", &[SMS]), "send_windows: unknown key; did you mean \"send_window\"?"),
        (&with("allow_country = 1", &[SMS]), "allow_country: unknown key; did you mean \"allow_countries\"?"),
        (&with("lane = \"sms\"", &[SMS]), "promo.toml, lane: belongs to a step; move it into a [[step]]"),
        (&with("fallback_after = \"1h\"", &[SMS]), "fallback_after: belongs to a step; move it into a [[step]]"),
        (&with("[step]", &[]), "promo.toml, line 2: every step has double brackets; write [[step]] instead of [step]"),
        (&with("[steps]", &[]), "line 2: every step has double brackets; write [[step]] instead of [steps]"),
        (&with("step = {}", &[]), "step: write [[step]] with double brackets, one for each entry"),
        (&with("contry = \"SG\"", &[SMS]), "contry: unknown key; did you mean \"country\"?"),
        (&with("country = \"Singapore\"", &[SMS]), "country: unknown country \"Singapore\"; give the two-letter code"),
        (&with("ttl = 24", &[SMS]), "ttl: 24 has no unit; write a length of time in quotes"),
        (&with("ttl = \"500ms\"", &[SMS]), "ttl: 500ms is less than a second"),
        (&with("name = \" \"", &[SMS]), "name: is empty; write a value or remove it"),
        (
            &with("quiet_hours = \"21-08\"", &[SMS]),
            "quiet_hours: \"21\" is not a time of day; write a range such as 21:00-08:00",
        ),
        (
            &with("quiet_hours = \"08:00-08:00\"", &[SMS]),
            "quiet_hours: \"08:00-08:00\" starts and ends at the same time",
        ),
        (
            &with("send_window = \"Mo-Fr 09:00-18:00\"", &[SMS]),
            "send_window: unknown day of the week \"Mo\"; use one of Mon",
        ),
        (&with("holidays = [\"2026-02-30\"]", &[SMS]), "holidays: there is no day 2026-02-30; write another day"),
        (&with("holidays = [\"Christmas\"]", &[SMS]), "holidays: \"Christmas\" is not a date; write it as 2026-12-25"),
        (&with("on_missed = \"never\"", &[SMS]), "unknown on_missed \"never\"; use one of start, skip"),
        (&with("max_messages = 0", &[SMS]), "max_messages: invalid number of messages \"0\"; use 1 or more"),
        (&with("budget = \"5,00\"", &[SMS]), "budget: \"5,00\" is not an amount of money; write it as 25 or 0.0042"),
        (&with("budget = \"5.000 EUR\"", &[SMS]), "budget: \"5.000\" can be read as 5 or as 5000; write 5 or 5000"),
        (&with("budget = 0", &[SMS]), "budget: is zero, so nothing could be sent"),
        (
            &with("pause_when = \"undelivered > 20%\"", &[SMS]),
            "pause_when: \"undelivered > 20%\" is not a rule; write it as",
        ),
        (&with("stop_when = \"x\"", &[SMS]), "`stop_when` is not supported yet; write `pause_when`"),
        (&with("time_zone = \"Asia/Singapur\"", &[SMS]), "did you mean Asia/Singapore?"),
        (&with("on_overlap = \"maybe\"", &[SMS]), "unknown on_overlap \"maybe\"; use one of warn, wait, refuse"),
        (&with("", &["text = \"x\""]), "promo.toml, step 1, channel: is missing; write WhatsApp"),
        (&with("", &["channel = \"Pigeon\"\ntext = \"x\""]), "step 1, channel: unknown channel \"Pigeon\"; use one of"),
        (&with("", &["channel = \"SMS\""]), "step 1, text: a step needs content"),
        (&with("", &[SMS, &format!("{WHATSAPP}\ncolour = 1")]), "step 2, template, colour: unknown key"),
        (&with("", &[&format!("{SMS}\nlanes = []")]), "step 1, lanes: names no lane; write some"),
        (&with("", &[&format!("{SMS}\nlanes = [\"a\", \"b\", \"a\"]")]), "step 1, lanes: names a twice"),
        (&with("", &[&format!("{SMS}\nlane = \"a\"\nlanes = [\"b\"]")]), "lanes: `lane` already names one; keep one"),
        (
            &with("", &[&format!("{SMS}\nsource = {{ UK = \"A\" }}")]),
            "source: unknown country \"UK\"; did you mean GB?",
        ),
        (&with("", &[&format!("{SMS}\nsource = {{ SG = 5 }}")]), "source: SG: must be a text in quotes"),
        (
            &with("", &[&format!("{SMS}\nttl = \"900ms\"")]),
            "step 1, ttl: 900ms is less than a second; write 1s or more",
        ),
        (
            &with("", &[&WHATSAPP.replace("15m", "0s"), SMS]),
            "step 1, fallback_after: 0s is less than a second; write 1s or more",
        ),
        (
            &with("", &[&format!("{SMS}\nfallback_after = \"15\"")]),
            "step 1, fallback_after: \"15\" is not a length of time",
        ),
        (
            &with("", &["channel = \"WhatsApp\"\nraw = { type = \"interactive\" }"]),
            "step 1, raw, content: is missing; write the `content` of the provider's request",
        ),
        (
            &with("", &[&format!("{WHATSAPP}\nbuttons = [{{ index = 0, flow = \"token\" }}]")]),
            "step 1, template, buttons flow: the provider takes no token with a template; write flow = {}",
        ),
        (
            &with("", &[&format!("{WHATSAPP}\notp = \"{{{{code}}}}\"")]),
            "step 1, template, otp: belongs to a template of AUTHENTICATION",
        ),
        (
            &with(
                "",
                &["channel = \"ZaloNotification\"\n[step.template]\nname = \"7\"\nlanguage = \"en\"\nbody = [\"x\"]"],
            ),
            "step 1, template, body: ZaloNotification templates have named parameters; write params",
        ),
        (
            &with("", &["channel = \"Viber\"\nimage = \"https://a\"\nvideo = \"https://b\""]),
            "step 1, video: a message has one file, and image is one as well; remove one of them",
        ),
        (
            &with("", &["channel = \"Viber\"\nimage = { link = \"https://a\" }"]),
            "step 1, image, url: is missing; write the address of the file",
        ),
        (
            &with("", &["channel = \"Viber\"\ntext = \"a\"\nbutton = { caption = \"View\" }"]),
            "step 1, button, url: is missing; write the address that the button opens",
        ),
        (
            &with("", &["channel = \"Viber\"\nimage = \"https://a\"\nsource = \"ACME\""]),
            "step 1, source: belongs to an SMS, not to a step with image; remove it",
        ),
        (
            &with("", &["channel = \"WhatsApp\"\n[step.interactive]\nbody = \"a\""]),
            "step 1, interactive: an interactive message has one of buttons, list, link, flow, product or products; write \
             exactly one",
        ),
        (
            &with(
                "",
                &["channel = \"WhatsApp\"\ninteractive = { list = { button = \"b\", sections = [{ rows = [{}] }] } }"],
            ),
            "step 1, interactive, list sections rows id: is missing; write what comes back when the recipient chooses",
        ),
        (
            &with("", &["channel = \"RCS\"\ntext = \"a\"\nsuggestions = [{ reply = \"Yes\" }]"]),
            "step 1, suggestions, data: is missing; write what comes back when the recipient taps",
        ),
        (
            &with("", &["channel = \"RCS\"\ncard = { title = \"a\" }"]),
            "step 1, card: a card has an image or a video; write exactly one",
        ),
        (
            &with("", &["channel = \"RCS\"\ntext = \"a\"\ncard_width = \"small\""]),
            "step 1, card_width: belongs to cards; remove it",
        ),
        (
            &with("", &["channel = \"LineNotification\"\nnotification = {}"]),
            "step 1, notification, title: is missing; write the title of the notification",
        ),
        (
            &with("", &[&format!("text = \"x\"\n{WHATSAPP}")]),
            "step 1, template: a step has one content, and text is one as well; remove one of them",
        ),
        (
            &with("", &["channel = \"WhatsApp\"\n[step.template]\nlanguage = \"en\"\ncategory = \"BULK\""]),
            "step 1, template, name: is missing; write the template's name at the provider\n\
             promo.toml, step 1, template, category: unknown template category \"BULK\"",
        ),
        (
            &with("", &[&format!("{WHATSAPP}\nheader = {{ image = \"a\", video = \"b\" }}")]),
            "step 1, template, header: a header is one of text, image, video, gif, document or location; write exactly one",
        ),
        (
            &with("", &[&format!("{WHATSAPP}\nheader = {{ imgae = \"a\" }}")]),
            "step 1, template, header imgae: unknown key; did you mean \"image\"?",
        ),
        (
            &with("", &[&format!("{WHATSAPP}\nbuttons = [{{ index = \"0\", url = \"a\" }}]")]),
            "step 1, template, buttons index: must be a number from 0 to 9",
        ),
        (
            &with("", &[&format!("{WHATSAPP}\nbuttons = [{{ index = 0, link = \"a\" }}]")]),
            "step 1, template, buttons link: unknown key; use one of index, url",
        ),
    ];
    for (text, sentence) in cases {
        let error = file(text).expect_err(text);
        assert!(error.contains(sentence), "{text}\n  gave: {error}\n  want: {sentence}");
    }
}

#[test]
fn a_misspelled_key_is_reported_without_its_consequence() {
    let cases = [
        (with("", &[SMS]).replace("audience", "audiense"), "audiense: unknown key; did you mean \"audience\"?"),
        (with("", &[&SMS.replace("channel", "chanel")]), "step 1, chanel: unknown key; did you mean \"channel\"?"),
        (with("", &[SMS]).replace("audience =", "number ="), "number: unknown key; did you mean \"numbers\"?"),
        (with("", &[&SMS.replace("text", "txt")]), "step 1, txt: unknown key; did you mean \"text\"?"),
        (
            with("", &[&WHATSAPP.replace("language", "langauge")]),
            "step 1, template, langauge: unknown key; did you mean \"language\"?",
        ),
    ];
    for (text, sentence) in cases {
        assert_eq!(file(&text).unwrap_err(), format!("promo.toml, {sentence}"), "{text}");
    }
    // Another missing key is still reported.
    let error = file("audience = \"a.csv\"\n[[step]]\nchanel = \"SMS\"\n").unwrap_err();
    assert_eq!(
        error,
        "promo.toml, step 1, text: a step needs content; add text = \"…\", [step.template] or [step.raw]\n\
         promo.toml, step 1, chanel: unknown key; did you mean \"channel\"?"
    );
}

#[test]
fn a_route_that_cannot_work_is_refused() {
    let two = "\n[[lane]]\nname = \"sms-2\"\nchannel = \"SMS\"";
    let cases = [
        (with("", &[SMS, SMS]), "", "promo.toml, step 2, channel: SMS is already step 1"),
        (
            with("", &[&format!("{SMS}\nsuccess_status = \"Read\"")]),
            "",
            "step 1, success_status: SMS never reports Read; use Delivered",
        ),
        (
            with("", &[&format!("{SMS}\non_tier_spent = \"fall_back\"")]),
            "",
            "step 1, on_tier_spent: only WhatsApp has tiers; remove it",
        ),
        (
            with("", &[&WHATSAPP.replace("fallback_after = \"15m\"", "on_tier_spent = \"fall_back\"")]),
            "",
            "step 1, on_tier_spent: the last step has nothing to fall back to",
        ),
        (with("", &[WHATSAPP]), "", "step 1, fallback_after: the last step has nothing to fall back to; remove it"),
        (
            with("", &[&WHATSAPP.replace("15m", "31d"), SMS]),
            "",
            "step 1, fallback_after: 31d is too long; the maximum is 30d",
        ),
        (
            with("", &["channel = \"Viber\"\ntext = \"{{Kode}}\""]),
            "",
            "step 1, text: unknown column \"Kode\"; did you mean \"Code\"?",
        ),
        (
            with("", &["channel = \"Viber\"\ntext = \"{{Nickname}}\""]),
            "",
            "the columns are Mobile, FirstName, Code, Pic, Slug, Country; use one of them",
        ),
        (
            with("", &["channel = \"Viber\"\ntext = \"{{Code\""]),
            "",
            "step 1, text: `{{Code` opens a variable that is never closed",
        ),
        (
            with("", &[&WHATSAPP.replace("{{code}}", "a\", \"{{x}}"), SMS]),
            "",
            "step 1, template, body 2: unknown column \"x\"",
        ),
        (
            with("", &[&WHATSAPP.replace("WhatsApp", "Viber"), SMS]),
            "",
            "step 1, template: is not supported on Viber; use text, image, video, file, button or raw",
        ),
        (with("", &["channel = \"RCS\"\ntext = \"x\""]), "", "step 1, lane: there is no lane on RCS; add a [[lane]]"),
        (
            with("", &["channel = \"LINE\"\ntext = \"x\""]),
            "\n[[lane]]\nname = \"line\"\nchannel = \"LINE\"",
            "step 1, line_user_id: is missing; LINE knows recipients by their ids: write line_user_id",
        ),
        (
            with("", &["channel = \"LineNotification\"\ntext = \"x\""]),
            "\n[[lane]]\nname = \"lon\"\nchannel = \"LineNotification\"",
            "step 1, text: is not supported on LineNotification; use notification",
        ),
        (
            with("", &["channel = \"LineNotification\"\nttl = \"1h\"\nnotification = { title = \"a\" }"]),
            "\n[[lane]]\nname = \"lon\"\nchannel = \"LineNotification\"",
            "step 1, ttl: the provider takes no ttl with a LineNotification; remove it",
        ),
        (
            with(
                "",
                &[
                    "channel = \"WhatsApp\"\n[step.interactive]\nbody = \"{{Kode}}\"\nlink = { text = \"a\", url = \"https://h\" }",
                ],
            ),
            "",
            "step 1, interactive body: unknown column \"Kode\"; did you mean \"Code\"?",
        ),
        (
            with("", &[SMS]),
            two,
            "step 1, lane: SMS has several lanes; name one: lane = \"sms\", or several: lanes = [\"sms\", \"sms-2\"]",
        ),
        (
            with("", &[&format!("{SMS}\nlanes = [\"sms\", \"sms-3\", \"viber\"]")]),
            two,
            "step 1, lanes: unknown lane \"sms-3\"; did you mean \"sms-2\"?\npromo.toml, step 1, lanes: lane viber is on \
             Viber",
        ),
        (
            with("", &["channel = \"WhatsApp\"\nlanes = [\"promo-sg\", \"promo-my\"]\ntext = \"Hi\""]),
            "\n[[lane]]\nname = \"promo-my\"\nchannel = \"WhatsApp\"",
            "step 1, lanes: WhatsApp accepts free text only from the number that the recipient has written to; name \
             one lane",
        ),
        (
            with("", &[&format!("{SMS}\nlane = \"smss\"")]),
            "",
            "step 1, lane: unknown lane \"smss\"; did you mean \"sms\"?",
        ),
        (with("", &[&format!("{SMS}\nlane = \"viber\"")]), "", "lane viber is on Viber, not on SMS; use one of sms"),
        (
            with("ttl = \"15m\"", &[WHATSAPP, SMS]),
            "",
            "promo.toml, step 1, fallback_after: the step falls back after 15m, but by then the campaign's ttl of 15m \
             has ended",
        ),
        (
            with("ttl = \"1h\"\non_overlap = \"wait\"", &[&format!("{WHATSAPP}\nttl = \"12h\""), SMS]),
            "",
            "step 1, fallback_after: the step falls back after 12h30s, but by then the campaign's ttl of 1h has ended",
        ),
        (
            with("", &["channel = \"SMS\"\ntext = \" \""]),
            "",
            "promo.toml, step 1, text: is empty; write something, or remove it",
        ),
        (
            with("", &[WHATSAPP, &WHATSAPP.replace("WhatsApp", "SMS").replace("fallback_after = \"15m\"\n", "")]),
            "",
            "promo.toml, step 2, template: is not supported on SMS; use text",
        ),
        (
            with("", &["channel = \"LINE\"\nsuccess_status = \"Delivered\"\ntext = \"x\""]),
            "\n[[lane]]\nname = \"line\"\nchannel = \"LINE\"",
            "step 1, success_status: LINE never reports Delivered; use Sent",
        ),
        (
            with("ttl = \"1h\"", &[&format!("{SMS}\nttl = \"2h\"")]),
            "",
            "step 1, ttl: 2h is longer than the campaign's ttl of 1h; shorten it, or lengthen that",
        ),
        (
            with("", &[&WHATSAPP.replace("[step.template]", "ttl = \"1h\"\n[step.template]"), SMS]),
            "",
            "step 1, ttl: a template's ttl is set at the provider; write that value as template.ttl instead",
        ),
        (
            with(
                "on_overlap = \"refuse\"",
                &["channel = \"Viber\"\nfallback_after = \"10m\"\nttl = \"1h\"\ntext = \"Hi\"", SMS],
            ),
            "",
            "step 1, fallback_after: the provider may deliver it for 1h, but the step falls back after 10m",
        ),
        (
            with("on_overlap = \"refuse\"", &[WHATSAPP, SMS]),
            "",
            "step 1, fallback_after: the provider may deliver the template for 30d, but the step falls back after 15m",
        ),
        (
            with("on_overlap = \"wait\"", &[WHATSAPP, SMS]),
            "",
            "on_overlap = \"wait\" would wait 30d, until the provider stops delivering the template, which is more",
        ),
        (with("at = \"2026-12-01T09:00\"", &[SMS]), "", "promo.toml, at: \"2026-12-01T09:00\" has no time zone"),
        (with("at = 2026-10-31T23:00:00Z", &[SMS]), "", "at: \"2026-10-31T23:00:00Z\" was 1h ago; write a later time"),
        (
            with("at = \"2026-12-01T09:00Z\"\nend = \"2026-12-01T09:00Z\"", &[SMS]),
            "",
            "end: \"2026-12-01T09:00Z\" is not after `at`, so nothing could be sent",
        ),
        (
            with("over = \"3h\"\nat = \"2026-12-01T09:00Z\"\nend = \"2026-12-01T10:30Z\"", &[SMS]),
            "",
            "over: 3h is longer than the 1h30m until `end`",
        ),
        (with("over = \"60d\"", &[SMS]), "", "over: 60d is too long to spread a start over; the maximum is 30d"),
        (with("on_missed = \"skip\"", &[SMS]), "", "on_missed: a campaign that starts at once cannot miss its start"),
        (
            with("budget = \"5 EUR\"", &[SMS]),
            "",
            "promo.toml, budget: there are no prices to count it with; write [prices] file",
        ),
        (
            with("", &[&format!("{SMS}\nbudget = \"5 usd\"")]),
            "\n[prices]\nfile = \"prices.csv\"\n",
            "promo.toml, step 1, budget: is in USD, but prices.csv is in EUR; write it in EUR",
        ),
        (
            with("hold_paid_when = \"undelivered > 50% of the last 1000\"", &[SMS]),
            "",
            "hold_paid_when: no step after the first costs anything, so there is nothing to hold; remove it",
        ),
        (with("time_zone = \"recipient\"", &[SMS]), "", "time_zone: \"recipient\" applies to `at`, which is missing"),
        (
            with("time_zone = \"recipient\"\nat = \"2026-10-31T11:00\"", &[SMS]),
            "",
            "at: \"2026-10-31T11:00\" was 1h ago even in the westernmost time zone",
        ),
        (
            with("time_zone = \"recipient\"\nat = \"2026-12-01T09:00\"\nend = \"2026-12-02T09:00\"", &[SMS]),
            "",
            "end: a campaign ends at one moment for all recipients; add an offset",
        ),
    ];
    for (text, more, sentence) in cases {
        let error = through(&text, &config_with(more)).expect_err(&text);
        assert!(error.contains(sentence), "{text}\n  gave: {error}\n  want: {sentence}");
    }
}

#[test]
fn limits_and_prices_are_frozen_with_the_steps() {
    let head = "max_messages = 5_000\nbudget = \"100 EUR\"\npause_when = \"undelivered > 20% of the last 1000\"\n\
                hold_paid_when = \"undelivered > 50% of the last 500\"";
    let step = format!("{SMS}\nmax_messages = \"200\"\nbudget = 12.5");
    let text = with(
        &head.replace("5_000", "\"5_000\""),
        &["channel = \"Viber\"\ntext = \"Hi\"\nfallback_after = \"10m\"", &step],
    );
    let (plan, _) = through(&text, &config_with("\n[prices]\nfile = \"prices.csv\"\n")).unwrap();
    let money = |text: &str| Some(text.parse::<Money>().unwrap());
    assert_eq!((plan.limits.messages, plan.limits.budget), (Some(5_000), money("100")));
    let [viber, sms] = &plan.steps[..] else { panic!("two steps") };
    assert_eq!((sms.limits.messages, sms.limits.budget), (Some(200), money("12.50")));
    let [singapore, china] = ["SG", "CN"].map(|code| code.parse().unwrap());
    assert_eq!(
        [sms.prices.of(china), viber.prices.of(singapore), viber.prices.of(china)]
            .map(|rate| rate.map(|rate| rate.price)),
        [money("0.04"), money("0.02"), None]
    );
    assert_eq!((plan.currency.as_deref(), plan.pause_when.unwrap().last()), (Some("EUR"), 1_000));
    assert_eq!(plan.hold_paid_when.unwrap().to_string(), "undelivered > 50% of the last 500");
}

#[test]
fn a_steps_own_hours_override_the_campaigns() {
    let head = "quiet_hours = \"21:00-08:00\"\nsend_window = [\"Mon-Fri 09:00-18:00\", \"Sat 10:00-14:00 Asia/Singapore\"]\n\
                holidays = [\"2026-12-25\", 2026-12-26]\nat = \"2026-12-01T09:00\"\ntime_zone = \"recipient\"\nover = \"3h\"\n\
                on_missed = \"skip\"";
    let sms = format!("{SMS}\nquiet_hours = []\nsend_window = \"00:00-12:00\"");
    let (plan, _) = through(&with(head, &[WHATSAPP, &sms]), &config_with("")).unwrap();
    let shown = |stretches: &[Stretch]| stretches.iter().map(ToString::to_string).collect::<Vec<_>>();
    let [whatsapp, sms] = &plan.steps[..] else { panic!("two steps") };
    assert_eq!(shown(&whatsapp.hours.quiet), ["21:00-08:00"]);
    assert_eq!(shown(&whatsapp.hours.windows), ["Mon-Fri 09:00-18:00", "Sat 10:00-14:00 Asia/Singapore"]);
    assert_eq!((sms.hours.quiet.len(), shown(&sms.hours.windows)), (0, vec!["00:00-12:00".to_owned()]));
    let nine = "2026-12-01T09:00:00".parse().ok();
    assert_eq!((whatsapp.hours.since, sms.hours.holidays.len()), (nine, 2));
    assert_eq!((plan.over, plan.on_missed), (Some(Span::from_secs(3 * 3_600)), Some(OnMissed::Skip)));
    // The stored plan is the same.
    let kept: Plan = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
    assert_eq!(kept, plan);
}

#[test]
fn a_campaign_goes_only_to_its_allowed_countries() {
    let only = format!("{SMS}\nskip_when = [\"MY\"]");
    let (plan, warnings) =
        through(&with("allow_countries = [\"SG\", \"MY\"]", &[WHATSAPP, &only]), &config_with("")).unwrap();
    let goes_to = |step: usize| ["SG", "MY", "CN"].map(|code| plan.steps[step].countries.contain(code.parse().ok()));
    assert_eq!((goes_to(0), goes_to(1)), ([true, true, false], [true, false, false]));
    assert!(
        warnings.iter().any(|warning| warning.code == Lint::NoStep && warning.sentence.to_string().contains("CN 100"))
    );
    let wrong = file(&with("allow_countries = [\"UK\"]", &[SMS])).unwrap_err();
    assert!(wrong.contains("allow_countries: unknown country \"UK\"; did you mean GB?"), "{wrong}");
}

#[test]
fn cells_that_a_template_may_not_send_are_counted_where_they_are_a_parameter() {
    let warnings = |steps: &[&str]| {
        let (draft, config) = (file(&with("", steps)).unwrap(), config_with(""));
        let planned =
            plan(&draft, &columns(), &config, &schedule(&draft, now()).unwrap(), None, &Catalogue::default()).unwrap();
        let countries = [("SG".parse().unwrap(), 1_000)].into();
        let (mut plan, _) = planned;
        remove_idle_rules(&mut plan, &countries);
        let code = plan.columns.iter().position(|column| column == "Code").unwrap();
        let mut odd = OddCells { empty: vec![0; plan.columns.len()], refused: vec![0; plan.columns.len()] };
        odd.refused[code] = 1_234;
        let facts = Facts {
            recipients: 5_000,
            countries: &countries,
            without_number: &BTreeMap::new(),
            bill: &Bill::of_countries(&plan, &countries),
            odd: &odd,
            allowed: None,
            windows: &BTreeMap::new(),
            need_no_slot: &BTreeMap::new(),
        };
        let found = lint(&plan, &config, &facts).into_iter().filter(|warning| warning.code == Lint::ParameterText);
        found.map(|warning| warning.to_string()).collect::<Vec<_>>()
    };
    let [warning] = &warnings(&[WHATSAPP, SMS])[..] else { panic!("one warning") };
    assert!(warning.starts_with("step 1: 1,234 of 5,000 recipients have a Code with a line break"), "{warning}");
    assert_eq!(warnings(&[SMS]), [""; 0], "an SMS has no parameters");
}

#[test]
fn rare_countries_are_named_unless_they_get_nothing() {
    let rare = |head: &str| {
        let (draft, config) = (file(&with(head, &[SMS])).unwrap(), config_with(""));
        let (plan, _) =
            plan(&draft, &columns(), &config, &schedule(&draft, now()).unwrap(), None, &Catalogue::default()).unwrap();
        let countries =
            [("SG", 99_990), ("BT", 9), ("MY", 1)].map(|(code, recipients)| (code.parse().unwrap(), recipients)).into();
        let windows = BTreeMap::new();
        let facts = Facts {
            recipients: 100_000,
            countries: &countries,
            without_number: &BTreeMap::new(),
            bill: &Bill::of_countries(&plan, &countries),
            odd: &OddCells::default(),
            allowed: draft.allow_countries.as_ref(),
            windows: &windows,
            need_no_slot: &BTreeMap::new(),
        };
        let found = lint(&plan, &config, &facts).into_iter().find(|warning| warning.code == Lint::RareCountry);
        found.map(|warning| warning.sentence.to_string())
    };
    let sentence = rare("").unwrap();
    assert!(sentence.contains("BT 9, MY 1;"), "{sentence}");
    assert_eq!(rare("allow_countries = [\"SG\"]"), None);
}

#[test]
fn on_overlap_wait_moves_the_deadline_past_the_templates_ttl() {
    let timed = format!("{WHATSAPP}\nttl = \"12h\"");
    let (plan, warnings) = through(&with("on_overlap = \"wait\"", &[&timed, SMS]), &config_with("")).unwrap();
    assert_eq!(plan.steps[0].fallback_after, Some(Span::from_secs(43_230)));
    let codes: Vec<&str> = warnings.iter().map(|warning| warning.code.code()).collect();
    assert_eq!(codes, ["deadline_moved", "empty_variable"]);
    // A deadline that is already past the TTL stays.
    let late = timed.replace("15m", "13h");
    let (plan, _) = through(&with("on_overlap = \"wait\"", &[&late, SMS]), &config_with("")).unwrap();
    assert_eq!(plan.steps[0].fallback_after, Some(Span::from_secs(13 * 3_600)));
}

#[test]
fn a_steps_ttl_bounds_its_receipts_and_checks_its_deadline() {
    let viber = "channel = \"Viber\"\nfallback_after = \"10m\"\nttl = \"1h\"\ntext = \"Hi\"";
    let (plan, warnings) = through(&with("", &[viber, SMS]), &config_with("")).unwrap();
    assert_eq!((plan.steps[0].ttl, plan.steps[1].ttl), (Some(Span::from_secs(3_600)), None));
    assert_eq!(plan.steps[0].receipt_window, Span::from_secs(3_630));
    let shown: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    let overlap = "step 1: the provider may deliver it for 1h, but the step falls back after 10m, so a recipient may \
                   get both; set a shorter ttl, or set on_overlap = \"wait\" [overlap]";
    assert!(shown.iter().any(|shown| shown == overlap), "{shown:#?}");
    let (plan, _) = through(&with("on_overlap = \"wait\"", &[viber, SMS]), &config_with("")).unwrap();
    assert_eq!(plan.steps[0].fallback_after, Some(Span::from_secs(3_630)));
}

#[test]
fn probable_mistakes_get_a_warning_with_a_stable_code() {
    let tiny = |key: &str, value: &str| {
        let text = include_str!("../../../samples/volley.toml");
        let line = text.lines().find(|line| line.starts_with(key)).unwrap();
        let text = text.replacen(line, &format!("{key} = \"{value}\""), 1);
        Config::read(Some((Path::new("volley.toml"), &text)), std::iter::empty(), []).unwrap().config
    };
    let usual = || config_with("");
    let timed = format!("{WHATSAPP}\nttl = \"20m\"");
    let silent = WHATSAPP.replace("fallback_after = \"15m\"\n", "");
    let long = format!("channel = \"SMS\"\nsource = \"A\"\ntext = \"ş{}\"", "x".repeat(80));
    let cases = [
        (
            with("", &[&timed, SMS]),
            usual(),
            "step 1: template.ttl is 20m, but the provider allows 12h to 30d for a template of MARKETING",
        ),
        (
            with("", &[&format!("receipt_window = \"1s\"\n{WHATSAPP}"), SMS]),
            usual(),
            "step 1: falls back after 15m, but waits only 1s for receipts if the campaign is cancelled or the recipient \
             opts out; lengthen receipt_window",
        ),
        (
            with("", &[&format!("success_status = \"Read\"\n{}", WHATSAPP.replace("15m", "12d")), SMS]),
            usual(),
            "step 1: falls back after 12d without a read receipt, but the provider reports reading for 10d after the \
             delivery; shorten fallback_after, or remove success_status [late_read]",
        ),
        (with("", &[&silent, SMS]), usual(), "step 1: has no fallback_after, so it falls back only on failure"),
        (
            with("ttl = \"20m\"", &[WHATSAPP, "channel = \"Viber\"\nfallback_after = \"5m\"\ntext = \"Hi\"", SMS]),
            usual(),
            "step 3: the steps before it may take 20m, but the campaign's ttl ends after 20m, so messages reach this \
             step",
        ),
        (
            with("", &[&long]),
            usual(),
            "step 1: every SMS is at least 2 parts, 81 characters in UCS-2, and each part is charged; without 'ş'",
        ),
        (
            with("", &["channel = \"WhatsApp\"\ntext = \"Hi\""]),
            usual(),
            "step 1: is free text, so WhatsApp accepts it only within 24 hours after a recipient's last message: 12 of \
             1,000 recipients have such an open window now; a message to any other recipient is not sent, because no \
             later step applies",
        ),
        (
            with("", &["channel = \"WhatsApp\"\ntext = \"Hi\"\nfallback_after = \"15m\"", SMS]),
            usual(),
            "12 of 1,000 recipients have such an open window now; a message to any other recipient falls back to the next \
             step",
        ),
        (
            with("", &[&WHATSAPP.replace("{{code}}", "100%"), SMS]),
            usual(),
            "step 1: body 1 contains one of #, $ and %, which the provider may refuse",
        ),
        (
            with("", &[WHATSAPP, SMS]),
            tiny("send", "batch"),
            "step 1: batch_size 1000 is more than the burst 4 of lane promo-sg",
        ),
        (
            with("", &[WHATSAPP, SMS]),
            tiny("tier", "250"),
            "step 1: portfolio acme may send to 250 new recipients a day, but 1,000 need a slot, so sending takes 4 \
             days or more",
        ),
        (
            with("at = \"2027-03-28T02:30\"\ntime_zone = \"Europe/Berlin\"", &[SMS]),
            usual(),
            "at: 2027-03-28 02:30 does not exist in Europe/Berlin, because the clock is put forward; 03:30 is used \
             [clock_change]",
        ),
    ];
    for (text, config, sentence) in cases {
        let (_, warnings) = through(&text, &config).expect(&text);
        let shown: Vec<String> = warnings.iter().map(ToString::to_string).collect();
        assert!(shown.iter().any(|shown| shown.contains(sentence)), "{text}\n  gave: {shown:#?}\n  want: {sentence}");
        // A page names neither keys nor options. What is said of a batch names settings of a lane.
        for warning in warnings.iter().filter(|warning| warning.code != Lint::BatchOverBurst) {
            let on_page = warning.sentence.on_page(|_| "Field".to_owned());
            let is_for_files = ["_", "`", " = ", " --", "ttl"].iter().any(|sign| on_page.contains(sign));
            assert!(!is_for_files && !on_page.is_empty(), "{on_page}");
        }
    }
}

#[test]
fn a_problem_counts_steps_from_one() {
    let problem = Problem::new(StepIndex::new(1), "text", "is odd");
    assert_eq!(problem.to_string(), "step 2, text: is odd");
}

/// One call is one transaction; a refused call stores nothing.
#[tokio::test]
async fn a_call_joins_no_more_messages_than_a_transaction_may_hold() {
    let (clock, config) = (Arc::new(ManualClock::at(now())), config_with(""));
    let store =
        crate::store::open("sqlite::memory:", Arc::clone(&clock) as Arc<dyn crate::base::clock::Clock>).await.unwrap();
    let chance = Chance::seeded(1);
    let launcher =
        Launcher { store: store.as_ref(), clock: clock.as_ref(), chance: &chance, config: &config, by: Origin::SERVER };
    let recipient = |n: u64| Recipient {
        address: Some(Msisdn::try_from(6_591_000_000 + n).unwrap().into()),
        country: "SG".parse().unwrap(),
        client_message_id: None,
        fields: Fields::pack(Vec::<&str>::new()),
    };
    let plan = || Plan::of_steps(vec![Step::of_text(Channel::Sms, "sms", "Hello")]);
    let refused = launcher.join(plan(), (0..10_001).map(recipient).collect()).await.unwrap_err().to_string();
    assert!(refused.contains("10,001") && refused.contains("10,000"), "{refused}");
    assert!(store.batches(None).await.unwrap().is_empty());
    let joined = launcher.join(plan(), (0..10_000).map(recipient).collect()).await.unwrap();
    assert_eq!(store.batch(joined.batch).await.unwrap().unwrap().messages, 10_000);
}
