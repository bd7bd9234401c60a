//! For whom a step is: what is written, what is refused, what is warned of.

use std::collections::BTreeMap;

use super::*;
use crate::domain::{Countries, Country};

const VIBER: &str = "channel = \"Viber\"\nfallback_after = \"10m\"\ntext = \"Hi\"";

fn country(code: &str) -> Country {
    code.parse().unwrap()
}

#[test]
fn only_and_skip_when_say_for_whom_a_step_is() {
    let only = format!("{VIBER}\nonly = [\"sg\", \"MY\"]");
    let skip = VIBER.replace("Viber", "RCS") + "\nskip_when = \"CN\"";
    let draft = file(&with("", &[&only, &skip, SMS])).unwrap();
    let DraftRoute::Own(steps) = &draft.route else { panic!("{draft:?}") };
    let said: Vec<&Countries> = steps.iter().map(|step| &step.countries).collect();
    let (some, but) = ([country("SG"), country("MY")].into(), [country("CN")].into());
    assert_eq!(said, [&Countries::Only(some), &Countries::AllBut(but), &Countries::Everywhere]);
    let frozen = through(&with("", &[&only, SMS]), &config_with("")).unwrap().0;
    let json = serde_json::to_string(&frozen).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), frozen);
}

#[test]
fn a_condition_that_cannot_be_meant_is_refused_with_its_step_and_key() {
    for (condition, sentence) in [
        ("only = []", "promo.toml, step 2, only: names no country; write some, such as [\"SG\", \"MY\"]"),
        ("skip_when = []", "step 2, skip_when: names no country"),
        ("only = [\"SGP\"]", "step 2, only: \"SGP\" is no country; did you mean SG?"),
        ("only = [\"SG\", \"MYY\"]", "step 2, only: \"MYY\" is no country; did you mean MY?"),
        ("skip_when = [\"UK\"]", "step 2, skip_when: \"UK\" is no country; did you mean GB?"),
        ("only = [\"Singapore\"]", "step 2, only: \"Singapore\" is no country; write its two letters"),
        ("only = [65]", "step 2, only: write a text in quotes instead of 65"),
        ("only = [\"SG\"]\nskip_when = [\"CN\"]", "step 2, skip_when: `only` says already for whom the step is"),
        ("skip_if = [\"CN\"]", "step 2, skip_if: there is no such key"),
        ("quiet_hour = \"21:00-08:00\"", "step 2, quiet_hour: there is no such key; did you mean `quiet_hours`?"),
        ("skip_wen = [\"CN\"]", "step 2, skip_wen: there is no such key; did you mean `skip_when`?"),
        ("countries = [\"CN\"]", "step 2, countries: `countries` is designed but not built yet; write `only`"),
    ] {
        let error = file(&with("", &[VIBER, &format!("{SMS}\n{condition}")])).expect_err(condition);
        assert!(error.contains(sentence), "{condition}\n  gave: {error}\n  want: {sentence}");
    }
}

#[test]
fn a_condition_that_reaches_nobody_or_not_everybody_gets_a_warning() {
    // 900 people of Singapore and 100 of China.
    for (conditions, sentence) in [
        (
            ["only = [\"SG\"]", "only = [\"SG\"]"],
            "100 of 1,000 recipients get nothing, because no step is for their country: CN 100; let a step be for them, or \
             leave them out of the audience [no_step]",
        ),
        (["only = [\"MY\"]", ""], "step 1: is for nobody among the recipients: none of them is from MY [for_nobody]"),
        (
            ["skip_when = [\"SG\", \"CN\"]", ""],
            "step 1: is for nobody among the recipients: all of them are from CN, SG [for_nobody]",
        ),
        (
            ["skip_when = [\"CN\", \"VN\"]", ""],
            "step 1: names VN, and none of the recipients is from there [nobody_there]",
        ),
        (
            ["only = [\"SG\"]", "skip_when = [\"SG\"]"],
            "step 1: no later step is for anybody whom it is for, so for all of them it is the last; its fallback_after does \
             nothing [nothing_follows]",
        ),
        (
            ["only = [\"SG\"]", "only = [\"CN\"]"],
            "step 2: up to 2 of 100 recipients have nothing in Code, so it cannot be written for them",
        ),
    ] {
        let [viber, sms] = conditions;
        let text = with("", &[&format!("{VIBER}\n{viber}"), &format!("{SMS}\n{sms}")]);
        let said: Vec<String> = through(&text, &config_with("")).unwrap().1.iter().map(ToString::to_string).collect();
        assert!(said.iter().any(|said| said.contains(sentence)), "{text}\n  gave: {said:#?}\n  want: {sentence}");
    }
}

#[test]
fn a_pool_of_unlike_lanes_is_pointed_out_and_each_is_held_against_its_own_part() {
    let more = "\n[[lane]]\nname = \"slow\"\nchannel = \"SMS\"\nrate = \"10/s\"\nsource = \"ACME\"\n";
    let text = with("", &[&format!("{SMS}\nlanes = [\"sms\", \"slow\"]")]);
    let (plan, warnings) = through(&text, &config_with(more)).unwrap();
    assert_eq!(plan.steps[0].lanes.to_string(), "sms, slow");
    let said: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    let has = |part: &str| said.iter().any(|said| said.contains(part));
    assert!(has("shares its people among lanes of unlike rates: lane slow has 496"), "{said:#?}");
    let apart = "\n[[lane]]\nname = \"slow\"\nchannel = \"SMS\"\nrate = \"10/s\"\ncountries = [\"VN\"]\n";
    let warnings =
        through(&with("", &[&format!("{SMS}\nlanes = [\"sms\", \"slow\"]")]), &config_with(apart)).unwrap().1;
    assert!(warnings.iter().all(|warning| warning.code != Lint::UnevenPool), "{warnings:#?}");
}

#[test]
fn limits_that_leave_somebody_out_are_pointed_out() {
    let prices = config_with("\n[prices]\nfile = \"prices.csv\"\n");
    for (head, step, sentence) in [
        (
            "",
            "max_messages = 400",
            "step 1: max_messages is 400, and 1,000 people begin here, so 600 of them wait [small_limit]",
        ),
        ("max_messages = 999", "", "max_messages is 999, and 1,000 people begin here, so 1 of them wait [small_limit]"),
        ("budget = 39", "", "everybody's first message costs about 40.00 EUR together, and the budget is 39.00 EUR"),
    ] {
        let (_, warnings) = through(&with(head, &[&format!("{SMS}\n{step}")]), &prices).unwrap();
        let said: Vec<String> = warnings.iter().map(ToString::to_string).collect();
        assert!(said.iter().any(|said| said.contains(sentence)), "{said:#?}\n  want: {sentence}");
    }
    let (_, warnings) = through(&with("budget = 40\nmax_messages = 1000", &[SMS]), &prices).unwrap();
    assert!(warnings.iter().all(|warning| warning.code != Lint::SmallLimit), "{warnings:#?}");
}

#[test]
fn a_lane_of_some_countries_makes_its_step_one_for_them() {
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
fn people_are_shared_out_among_the_steps() {
    let text =
        with("", &[&format!("{VIBER}\nonly = [\"SG\", \"MY\"]"), &format!("{SMS}\nskip_when = [\"SG\", \"VN\"]")]);
    let plan = through(&text, &config_with("")).unwrap().0;
    let people: BTreeMap<Country, u64> =
        [("SG", 5), ("MY", 30), ("CN", 200), ("VN", 1_000)].map(|(code, people)| (country(code), people)).into();
    let shares = Shares::of(&plan, &people);
    let at = |index| shares.at(StepIndex::new(index).unwrap());
    assert_eq!(at(0), Share { people: 35, beginning: 35, followed: 30 });
    assert_eq!(at(1), Share { people: 230, beginning: 200, followed: 0 });
    assert_eq!(shares.nobodys, [(country("VN"), 1_000)].into());
}
