//! Tests which countries a step applies to: how conditions are written, refused and warned about.

use std::collections::BTreeMap;

use super::*;
use crate::base::domain::{Countries, Country, crowd_of};
use crate::rules::forecast::{Share, Shares};

const VIBER: &str = "channel = \"Viber\"\nfallback_after = \"10m\"\ntext = \"Hi\"";

fn country(code: &str) -> Country {
    code.parse().unwrap()
}

#[test]
fn only_and_skip_when_choose_the_countries_of_a_step() {
    let only = format!("{VIBER}\nonly = [\"sg\", \"MY\"]");
    let skip = VIBER.replace("Viber", "RCS") + "\nskip_when = \"CN\"";
    let draft = file(&with("", &[&only, &skip, SMS])).unwrap();
    let DraftRoute::Own(steps) = &draft.route else { panic!("{draft:?}") };
    let shown: Vec<&Countries> = steps.iter().map(|step| &step.countries).collect();
    let (some, but) = ([country("SG"), country("MY")].into(), [country("CN")].into());
    assert_eq!(shown, [&Countries::Only(some), &Countries::AllBut(but), &Countries::Everywhere]);
    let frozen = through(&with("", &[&only, SMS]), &config_with("")).unwrap().0;
    let json = serde_json::to_string(&frozen).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), frozen);
}

#[test]
fn an_invalid_condition_is_refused_with_its_step_and_key() {
    for (condition, sentence) in [
        ("only = []", "promo.toml, step 2, only: names no country; write some, such as [\"SG\", \"MY\"]"),
        ("skip_when = []", "step 2, skip_when: names no country"),
        ("only = [\"SGP\"]", "step 2, only: unknown country \"SGP\"; did you mean SG?"),
        ("only = [\"SG\", \"MYY\"]", "step 2, only: unknown country \"MYY\"; did you mean MY?"),
        ("skip_when = [\"UK\"]", "step 2, skip_when: unknown country \"UK\"; did you mean GB?"),
        ("only = [\"Singapore\"]", "step 2, only: unknown country \"Singapore\"; use its two letters"),
        ("only = [65]", "step 2, only: write a text in quotes instead of 65"),
        ("only = [\"SG\"]\nskip_when = [\"CN\"]", "step 2, skip_when: `only` already selects the countries"),
        ("skip_if = [\"CN\"]", "step 2, skip_if: unknown key"),
        ("quiet_hour = \"21:00-08:00\"", "step 2, quiet_hour: unknown key; did you mean \"quiet_hours\"?"),
        ("skip_wen = [\"CN\"]", "step 2, skip_wen: unknown key; did you mean \"skip_when\"?"),
        ("countries = [\"CN\"]", "step 2, countries: `countries` is not supported yet; write `only`"),
    ] {
        let error = file(&with("", &[VIBER, &format!("{SMS}\n{condition}")])).expect_err(condition);
        assert!(error.contains(sentence), "{condition}\n  gave: {error}\n  want: {sentence}");
    }
}

#[test]
fn a_condition_that_excludes_recipients_gets_a_warning() {
    // 900 recipients from Singapore and 100 from China.
    for (conditions, sentence) in [
        (
            ["only = [\"SG\"]", "only = [\"SG\"]"],
            "100 of 1,000 recipients get nothing, because no step applies to their country: CN 100; let a step apply \
             to them, or remove them from the audience [no_step]",
        ),
        (["only = [\"MY\"]", ""], "step 1: applies to no recipient: none of them is from MY [unused_step]"),
        (
            ["skip_when = [\"SG\", \"CN\"]", ""],
            "step 1: applies to no recipient: all of them are from CN, SG [unused_step]",
        ),
        (["skip_when = [\"CN\", \"VN\"]", ""], "step 1: names VN, but no recipient is from there [unused_country]"),
        (
            ["only = [\"SG\"]", "skip_when = [\"SG\"]"],
            "step 1: no later step applies to its recipients, so it is their last step and its fallback_after has no \
             effect [nothing_follows]",
        ),
        (
            ["only = [\"SG\"]", "only = [\"CN\"]"],
            "step 2: up to 2 of 100 recipients have an empty Code, so the message cannot be rendered for them",
        ),
    ] {
        let [viber, sms] = conditions;
        let text = with("", &[&format!("{VIBER}\n{viber}"), &format!("{SMS}\n{sms}")]);
        let shown: Vec<String> = through(&text, &config_with("")).unwrap().1.iter().map(ToString::to_string).collect();
        assert!(shown.iter().any(|shown| shown.contains(sentence)), "{text}\n  gave: {shown:#?}\n  want: {sentence}");
    }
}

#[test]
fn marketing_on_whatsapp_leaves_out_the_united_states_and_says_so() {
    let step = |key: &str| WHATSAPP.replace("[step", &format!("{key}\n[step"));
    let skip = "step 1: WhatsApp delivers no marketing to numbers of the United States, and 100 recipients in the United \
                States skip this step";
    let us = "US";
    for (key, next, to, countries, sentence) in [
        (
            "",
            SMS,
            us,
            Countries::AllBut([country("US")].into()),
            format!("{skip}: for them, step 2, SMS, is used [us_m"),
        ),
        (
            "only = [\"SG\", \"US\"]",
            "channel = \"SMS\"\nskip_when = \"US\"\ntext = \"Hi\"",
            us,
            Countries::Only([country("SG")].into()),
            format!("{skip}, and no later one applies to them [us_m"),
        ),
        (
            "us_marketing = \"send\"",
            SMS,
            us,
            Countries::Everywhere,
            skip.replace("skip this step", "are sent this step all the same: it fails for them [us_m"),
        ),
        (
            "us_marketing = \"send\"\nskip_when = \"US\"",
            SMS,
            us,
            Countries::AllBut([country("US")].into()),
            String::new(),
        ),
        ("only = \"US\"", SMS, us, Countries::Only([].into()), format!("{skip}: for them, step 2, SMS, is used [us_m")),
        ("", SMS, "CN", Countries::Everywhere, String::new()),
        ("skip_when = \"US\"", SMS, us, Countries::AllBut([country("US")].into()), String::new()),
    ] {
        let (plan, warnings) = through_to(["SG", to], &with("", &[&step(key), next]), &config_with("")).unwrap();
        assert_eq!(plan.steps[0].countries, countries, "{key}");
        let shown: Vec<String> = warnings.iter().map(ToString::to_string).collect();
        let is_said = shown.iter().any(|shown| !sentence.is_empty() && shown.contains(&sentence));
        assert_eq!(is_said, !sentence.is_empty(), "{key}\n  gave: {shown:#?}\n  want: {sentence}");
        assert!(is_said || warnings.iter().all(|warning| warning.code != Lint::UsMarketing), "{shown:#?}");
    }
    for (step, is_left_out) in [(WHATSAPP.replace("MARKETING", "UTILITY"), false), (WHATSAPP.to_owned(), true)] {
        let (plan, _) = through_to(["SG", us], &with("", &[&step, SMS]), &config_with("")).unwrap();
        assert_eq!(plan.steps[0].withholds_us_marketing(), is_left_out, "{step}");
    }
    let wrong = format!("{VIBER}\nus_marketing = \"send\"");
    let refused = through(&with("", &[&wrong, SMS]), &config_with("")).unwrap_err();
    assert!(refused.contains("step 1, us_marketing: only templates of WhatsApp"), "{refused}");
}

#[test]
fn a_pool_of_lanes_with_different_rates_gets_a_warning() {
    let more = "\n[[lane]]\nname = \"slow\"\nchannel = \"SMS\"\nrate = \"10/s\"\nsource = \"ACME\"\n";
    let text = with("", &[&format!("{SMS}\nlanes = [\"sms\", \"slow\"]")]);
    let (plan, warnings) = through(&text, &config_with(more)).unwrap();
    assert_eq!(plan.steps[0].lanes.to_string(), "sms, slow");
    let shown: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    let has = |part: &str| shown.iter().any(|shown| shown.contains(part));
    assert!(has("shares its recipients among lanes of different rates: lane slow has 496"), "{shown:#?}");
    let apart = "\n[[lane]]\nname = \"slow\"\nchannel = \"SMS\"\nrate = \"10/s\"\ncountries = [\"VN\"]\n";
    let warnings =
        through(&with("", &[&format!("{SMS}\nlanes = [\"sms\", \"slow\"]")]), &config_with(apart)).unwrap().1;
    assert!(warnings.iter().all(|warning| warning.code != Lint::UnevenPool), "{warnings:#?}");
}

#[test]
fn limits_that_exclude_recipients_get_a_warning() {
    let prices = config_with("\n[prices]\nfile = \"prices.csv\"\n");
    for (head, step, sentence) in [
        (
            "",
            "max_messages = 400",
            "step 1: max_messages allows 400 of 1,000 first messages; raise it to send the other 600 [small_limit]",
        ),
        (
            "max_messages = 999",
            "",
            "max_messages allows 999 of 1,000 first messages; raise it to send the other 1 [small_limit]",
        ),
        ("budget = 39", "", "all first messages together cost 40.00 EUR, but the budget is 39.00 EUR"),
    ] {
        let (_, warnings) = through(&with(head, &[&format!("{SMS}\n{step}")]), &prices).unwrap();
        let shown: Vec<String> = warnings.iter().map(ToString::to_string).collect();
        assert!(shown.iter().any(|shown| shown.contains(sentence)), "{shown:#?}\n  want: {sentence}");
    }
    let (_, warnings) = through(&with("budget = 40\nmax_messages = 1000", &[SMS]), &prices).unwrap();
    assert!(warnings.iter().all(|warning| warning.code != Lint::SmallLimit), "{warnings:#?}");
}

#[test]
fn a_lanes_countries_limit_its_step() {
    let named =
        |name: &str, codes: &str| format!("\n[[lane]]\nname = \"{name}\"\nchannel = \"RCS\"\ncountries = [{codes}]\n");
    let config = config_with(&(named("a", "\"SG\", \"CN\"") + &named("b", "\"MY\"")));
    for (step, expected) in [
        ("lane = \"a\"", Countries::Only([country("SG"), country("CN")].into())),
        ("lanes = [\"a\", \"b\"]", Countries::Only([country("SG"), country("CN"), country("MY")].into())),
        ("lanes = [\"a\", \"b\"]\nskip_when = [\"CN\"]", Countries::Only([country("SG"), country("MY")].into())),
    ] {
        let text = with("", &[&format!("channel = \"RCS\"\ntext = \"Hi\"\n{step}"), SMS]);
        assert_eq!(through(&text, &config).unwrap().0.steps[0].countries, expected, "{step}");
    }
}

#[test]
fn recipients_are_divided_among_the_steps() {
    let text =
        with("", &[&format!("{VIBER}\nonly = [\"SG\", \"MY\"]"), &format!("{SMS}\nskip_when = [\"SG\", \"VN\"]")]);
    let plan = through(&text, &config_with("")).unwrap().0;
    let recipients: BTreeMap<Country, u64> = [("SG", 5), ("MY", 30), ("CN", 200), ("VN", 1_000)]
        .map(|(code, recipients)| (country(code), recipients))
        .into();
    let shares = Shares::of(&plan, &crowd_of(&recipients, &BTreeMap::new()));
    let at = |index| shares.at(StepIndex::new(index).unwrap());
    assert_eq!(at(0), Share { recipients: 35, beginning: 35, followed: 30 });
    assert_eq!(at(1), Share { recipients: 230, beginning: 200, followed: 0 });
    assert_eq!(shares.without_step, [(country("VN"), 1_000)].into());
}
