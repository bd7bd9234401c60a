//! Settings overridden while the server runs: applies them to the configuration.

use crate::config::{Config, Lane};
use crate::domain::{Knob, Rate, Tier};
use crate::store::Dial;

/// The value in the file of a setting that can be overridden; `None` if the file has no such name.
pub fn in_file(config: &Config, knob: Knob, name: &str) -> Option<String> {
    match knob {
        Knob::Rate => config.lane(name).map(|lane| lane.rate.to_string()),
        Knob::Burst => config.lane(name).map(|lane| lane.burst.to_string()),
        Knob::AccountRate => config.account(name)?.rate.map(|rate| rate.to_string()),
        Knob::Tier => config.portfolios().find(|(known, _)| *known == name).map(|(_, tier)| tier.to_string()),
    }
}

/// Whether an override is outdated, because the value in the file has changed since.
pub fn is_over(config: &Config, dial: &Dial) -> bool {
    in_file(config, dial.knob, &dial.name).is_none_or(|says| says != dial.in_file)
}

/// The configuration with all overrides. An override that cannot be parsed changes nothing.
pub fn turned(config: &Config, dials: &[Dial]) -> Config {
    let mut config = config.clone();
    // A burst without an override follows the rate, so rates come first.
    let in_order = |knob: Knob| dials.iter().filter(move |dial| dial.knob == knob);
    let counting: Vec<Dial> =
        Knob::ALL.iter().flat_map(|knob| in_order(*knob)).filter(|dial| !is_over(&config, dial)).cloned().collect();
    for dial in counting {
        apply(&mut config, &dial);
    }
    config
}

fn apply(config: &mut Config, dial: &Dial) {
    let lanes = config.lanes.iter_mut();
    match dial.knob {
        Knob::Rate => {
            if let (Some(lane), Ok(rate)) = (named(lanes, &dial.name), dial.value.parse::<Rate>()) {
                *lane = lane.at_rate(rate);
            }
        }
        Knob::Burst => {
            if let (Some(lane), Ok(burst)) = (named(lanes, &dial.name), dial.value.parse()) {
                lane.burst = burst;
            }
        }
        Knob::AccountRate => {
            let account = config.accounts.iter_mut().find(|account| account.name == dial.name);
            if let (Some(account), Ok(rate)) = (account, dial.value.parse::<Rate>()) {
                account.rate = Some(rate);
            }
        }
        Knob::Tier => {
            if let Ok(tier) = dial.value.parse::<Tier>() {
                lanes.filter(|lane| lane.tiered() == Some(&dial.name)).for_each(|lane| lane.tier = tier);
            }
        }
    }
}

fn named<'a>(mut lanes: impl Iterator<Item = &'a mut Lane>, name: &str) -> Option<&'a mut Lane> {
    lanes.find(|lane| lane.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;
    use crate::events::Origin;

    fn config(rate: &str) -> Config {
        let text = format!(
            "[provider]\nsub_account = \"acme\"\n\
             [[account]]\nname = \"waba\"\nrate = \"100/s\"\n\
             [[lane]]\nname = \"one\"\nchannel = \"WhatsApp\"\nrate = \"{rate}\"\nportfolio = \"acme\"\naccount = \"waba\"\n\
             [[lane]]\nname = \"two\"\nchannel = \"WhatsApp\"\nburst = 7\nportfolio = \"acme\"\n"
        );
        let none = std::iter::empty::<(&str, String)>();
        Config::read(Some((std::path::Path::new("volley.toml"), &text)), std::iter::empty(), none).unwrap().config
    }

    fn dial(knob: Knob, name: &str, value: &str, in_file: &str) -> Dial {
        Dial {
            knob,
            name: name.to_owned(),
            value: value.to_owned(),
            in_file: in_file.to_owned(),
            origin: Origin::operator("Ann", None),
            since: Timestamp::default(),
        }
    }

    fn shown(config: &Config) -> Vec<String> {
        config.lanes.iter().map(|lane| format!("{} {} {}", lane.rate, lane.burst, lane.tier)).collect()
    }

    #[test]
    fn an_override_applies_until_its_value_in_the_file_changes() {
        let overrides = [
            dial(Knob::Burst, "one", "9", "4"),
            dial(Knob::Rate, "one", "400/s", "80/s"),
            dial(Knob::Rate, "two", "400/s", "80/s"),
            dial(Knob::Tier, "acme", "10K", "250"),
            dial(Knob::Rate, "gone", "1/s", "2/s"),
        ];
        assert_eq!(shown(&turned(&config("80/s"), &overrides)), ["400/s 9 10K", "400/s 7 10K"]);
        assert_eq!(shown(&turned(&config("80/s"), &overrides[1..2]))[0], "400/s 20 250", "the burst follows the rate");
        assert_eq!(shown(&turned(&config("60/s"), &overrides)), ["60/s 3 10K", "400/s 7 10K"]);
        assert!(is_over(&config("60/s"), &overrides[1]) && !is_over(&config("80/s"), &overrides[1]));
        assert!(is_over(&config("80/s"), &overrides[4]));
        let account = dial(Knob::AccountRate, "waba", "20/s", "100/s");
        let rate = turned(&config("80/s"), &[account]).account("waba").unwrap().rate;
        assert_eq!(rate, Some("20/s".parse().unwrap()));
        assert_eq!(in_file(&config("80/s"), Knob::AccountRate, "another"), None);
    }
}
