//! Tests which steps a campaign uses.

use super::*;
use crate::base::config::Error;

const ROUTES: &str = r#"
[[lane]]
name = "other-sms"
channel = "SMS"
sub_account = "other"

[[route]]
name = "codes"
default = true
[[route.step]]
channel = "Viber"
fallback_after = "5m"
text = "Your code is {{Code}}."
[[route.step]]
channel = "SMS"
text = "Your code is {{Code}}."

[[route]]
name = "others"
sub_account = "other"
default = true
[[route.step]]
channel = "SMS"
text = "Hi {{FirstName|there}}"
"#;

fn lanes(text: &str) -> Vec<String> {
    let plan = through(text, &own_config(ROUTES)).unwrap().0;
    plan.steps.into_iter().map(|step| step.lanes.to_string()).collect()
}

/// The sample without its own routes.
fn own_config(more: &str) -> Config {
    let sample = include_str!("../../../../samples/volley.toml");
    let text = sample.split("[[route]]").next().unwrap().to_owned() + more;
    Config::read(Some((Path::new("volley.toml"), &text)), std::iter::empty(), []).unwrap().config
}

#[test]
fn a_campaign_uses_its_route_its_own_steps_or_the_default() {
    assert_eq!(lanes("audience = \"a\""), ["viber", "sms"]);
    assert_eq!(lanes("audience = \"a\"\nroute = \"others\""), ["other-sms"]);
    assert_eq!(lanes("audience = \"a\"\nsub_account = \"other\""), ["other-sms"]);
    assert_eq!(lanes(&with("", &[&format!("{SMS}\nlane = \"sms\"")])), ["sms"]);
}

#[test]
fn a_named_route_is_frozen_like_the_campaigns_own_steps() {
    let of_route = through("audience = \"a\"", &own_config(ROUTES)).unwrap().0;
    let viber = "channel = \"Viber\"\nfallback_after = \"5m\"\ntext = \"Your code is {{Code}}.\"";
    let of_its_own = through(&with("", &[viber, &format!("{SMS}\nlane = \"sms\"")]), &own_config(ROUTES)).unwrap().0;
    assert_eq!(of_route, of_its_own);
}

#[test]
fn an_unknown_or_conflicting_route_is_refused() {
    let with_routes = own_config(ROUTES);
    let bare = own_config("");
    let cases = [
        (
            "",
            &bare,
            "promo.toml, step: a campaign needs a step; add [[step]] with a channel and a text or template, or name a",
        ),
        (
            "route = \"codes\"",
            &bare,
            "promo.toml, route: unknown route \"codes\"; add it to volley.toml as a [[route]]",
        ),
        ("route = \"code\"", &with_routes, "promo.toml, route: unknown route \"code\"; did you mean \"codes\"?"),
        ("sub_account = \"acne\"", &with_routes, "sub_account: acne has no default route; did you mean \"acme\"?"),
        ("sub_account = \"other\"", &bare, "sub_account: other has no default route; give one of its routes default"),
        (
            "route = \"codes\"\n[[step]]\nchannel = \"SMS\"\ntext = \"x\"",
            &with_routes,
            "route: a campaign names a route or has its own steps; keep one of them",
        ),
        (
            "sub_account = \"acme\"\nroute = \"codes\"",
            &with_routes,
            "sub_account: chooses a default route, but the campaign has its own steps or names a route; remove it",
        ),
        ("ttl = \"4m\"", &with_routes, "promo.toml, route codes, step 1, fallback_after: the step falls back after 5m"),
    ];
    for (more, config, sentence) in cases {
        let error = through(&format!("audience = \"a\"\n{more}"), config).expect_err(more);
        assert!(error.contains(sentence), "{more}\n  gave: {error}\n  want: {sentence}");
    }
    let misfit = ROUTES.replace("Code}}", "Kode}}");
    let error = through("audience = \"a\"", &own_config(&misfit)).unwrap_err();
    assert!(error.contains("route codes, step 2, text: unknown column \"Kode\"; did you mean \"Code\"?"), "{error}");
}

#[test]
fn routes_are_checked_before_any_campaign_takes_them() {
    assert_eq!(check_routes(&own_config(ROUTES)), []);
    for (from, to, sentence) in [
        ("channel = \"Viber\"", "channel = \"RCS\"", "route codes, step 1, lane: there is no lane of acme on RCS"),
        ("channel = \"Viber\"", "channel = \"SMS\"", "route codes, step 2, channel: SMS is already step 1"),
        (
            "fallback_after = \"5m\"",
            "success_status = \"Read\"\nchannel = \"SMS\"",
            "step 1, success_status: SMS never",
        ),
        (
            "channel = \"Viber\"",
            "channel = \"SMS\"\nlane = \"other-sms\"",
            "route codes, step 1, lane: lane other-sms sends for other, but the route is for acme; use one of sms",
        ),
        (
            "text = \"Hi {{FirstName|there}}\"",
            "text = \"Hi\"\nfallback_after = \"5m\"",
            "route others, step 1, fallback_after: the last step has nothing to fall back to",
        ),
    ] {
        let mut text = ROUTES.replace(from, to);
        if to.contains("Read") {
            text = text.replace("channel = \"Viber\"\n", "");
        }
        let shown: Vec<String> = check_routes(&own_config(&text)).iter().map(ToString::to_string).collect();
        assert!(
            shown.iter().any(|shown| shown.starts_with("route ") && shown.contains(sentence)),
            "{shown:#?}\n  {sentence}"
        );
    }
}

#[test]
fn a_route_may_show_a_local_file() {
    let with_header = |image: &str| {
        let text = format!(
            "[[route]]\nname = \"promo\"\n[[route.step]]\nchannel = \"WhatsApp\"\n[route.step.template]\nname = \"t\"\n\
             language = \"en\"\ncategory = \"MARKETING\"\nheader = {{ image = \"{image}\" }}\n"
        );
        let problems = check_routes(&own_config(&text));
        problems.into_iter().filter(|problem| problem.key == "template, header image").count()
    };
    assert_eq!((with_header("./a.png"), with_header("http://h.example/a.png")), (0, 1));
}

#[test]
fn the_sample_has_a_default_route_and_a_campaign_that_takes_it() {
    let config = config_with("");
    assert_eq!(check_routes(&config), []);
    let plan = through(&sample("codes.toml"), &config).unwrap().0;
    assert_eq!(plan.steps.iter().map(|step| step.lanes.to_string()).collect::<Vec<_>>(), ["viber", "sms"]);
    let broken =
        include_str!("../../../../samples/volley.toml").replace("[[route.step]]\nchannel", "[[route.step]]\nchanel");
    let refused = Config::read(Some((Path::new("volley.toml"), &broken)), std::iter::empty(), []).unwrap_err();
    assert!(matches!(refused, Error::Routes { .. }), "{refused}");
}
