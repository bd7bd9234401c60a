//! Settings overridden while the server runs: applies them to the configuration.

use crate::base::config::{Config, Lane};
use crate::base::domain::{OverridableSetting, Rate, Tier};
use crate::store::Override;

/// The value in the file of a setting that can be overridden; `None` if the file has no such name.
pub fn in_file(config: &Config, setting: OverridableSetting, name: &str) -> Option<String> {
    match setting {
        OverridableSetting::Rate => config.lane(name).map(|lane| lane.rate.to_string()),
        OverridableSetting::Burst => config.lane(name).map(|lane| lane.burst.to_string()),
        OverridableSetting::AccountRate => config.account(name)?.rate.map(|rate| rate.to_string()),
        OverridableSetting::Tier => {
            config.portfolios().find(|(known, _)| *known == name).map(|(_, tier)| tier.to_string())
        }
    }
}

/// Whether an override is outdated, because the value in the file has changed since.
pub fn is_over(config: &Config, overridden: &Override) -> bool {
    in_file(config, overridden.setting, &overridden.name).is_none_or(|says| says != overridden.in_file)
}

/// The configuration with all overrides. An override that cannot be parsed changes nothing.
pub fn with_overrides(config: &Config, overrides: &[Override]) -> Config {
    let mut config = config.clone();
    // A burst without an override follows the rate, so rates come first.
    let in_order =
        |setting: OverridableSetting| overrides.iter().filter(move |overridden| overridden.setting == setting);
    let counting: Vec<Override> = OverridableSetting::ALL
        .iter()
        .flat_map(|setting| in_order(*setting))
        .filter(|overridden| !is_over(&config, overridden))
        .cloned()
        .collect();
    for overridden in counting {
        apply(&mut config, &overridden);
    }
    config
}

fn apply(config: &mut Config, overridden: &Override) {
    let lanes = config.lanes.iter_mut();
    match overridden.setting {
        OverridableSetting::Rate => {
            if let (Some(lane), Ok(rate)) = (named(lanes, &overridden.name), overridden.value.parse::<Rate>()) {
                *lane = lane.at_rate(rate);
            }
        }
        OverridableSetting::Burst => {
            if let (Some(lane), Ok(burst)) = (named(lanes, &overridden.name), overridden.value.parse()) {
                lane.burst = burst;
            }
        }
        OverridableSetting::AccountRate => {
            let account = config.accounts.iter_mut().find(|account| account.name == overridden.name);
            if let (Some(account), Ok(rate)) = (account, overridden.value.parse::<Rate>()) {
                account.rate = Some(rate);
            }
        }
        OverridableSetting::Tier => {
            if let Ok(tier) = overridden.value.parse::<Tier>() {
                lanes.filter(|lane| lane.tiered() == Some(&overridden.name)).for_each(|lane| lane.tier = tier);
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
    use crate::base::domain::Timestamp;
    use crate::base::events::Origin;

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

    fn overridden(setting: OverridableSetting, name: &str, value: &str, in_file: &str) -> Override {
        Override {
            setting,
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
            overridden(OverridableSetting::Burst, "one", "9", "4"),
            overridden(OverridableSetting::Rate, "one", "400/s", "80/s"),
            overridden(OverridableSetting::Rate, "two", "400/s", "80/s"),
            overridden(OverridableSetting::Tier, "acme", "10K", "250"),
            overridden(OverridableSetting::Rate, "gone", "1/s", "2/s"),
        ];
        assert_eq!(shown(&with_overrides(&config("80/s"), &overrides)), ["400/s 9 10K", "400/s 7 10K"]);
        assert_eq!(
            shown(&with_overrides(&config("80/s"), &overrides[1..2]))[0],
            "400/s 20 250",
            "the burst follows the rate"
        );
        assert_eq!(shown(&with_overrides(&config("60/s"), &overrides)), ["60/s 3 10K", "400/s 7 10K"]);
        assert!(is_over(&config("60/s"), &overrides[1]) && !is_over(&config("80/s"), &overrides[1]));
        assert!(is_over(&config("80/s"), &overrides[4]));
        let account = overridden(OverridableSetting::AccountRate, "waba", "20/s", "100/s");
        let rate = with_overrides(&config("80/s"), &[account]).account("waba").unwrap().rate;
        assert_eq!(rate, Some("20/s".parse().unwrap()));
        assert_eq!(in_file(&config("80/s"), OverridableSetting::AccountRate, "another"), None);
    }
}
