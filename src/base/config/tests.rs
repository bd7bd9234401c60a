mod routes;

use super::*;
use crate::base::domain::{AlertForm, AlertKind, Language, Phrase, Span};

fn read(text: &str) -> Result<Loaded, Error> {
    Config::read(Some((Path::new("etc/volley.toml"), text)), std::iter::empty(), [])
}

fn read_env(text: &str, variables: &[(&str, &str)]) -> Result<Loaded, Error> {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::read(Some((Path::new("volley.toml"), text)), variables, [])
}

const TWO: &str = r#"
    [provider]
    sub_account = "acme"
    [[lane]]
    name = "promo"
    channel = "WhatsApp"
    [[lane]]
    name = "promo-sg"
    channel = "sms"
    rate = "5/min"
"#;

#[test]
fn an_empty_configuration_is_complete() {
    let loaded = Config::read(None, std::iter::empty(), []).unwrap();
    assert_eq!(loaded.config.database, Database::Sqlite { path: PathBuf::from("volley.db") });
    assert_eq!(loaded.config.server.listen.to_string(), "127.0.0.1:8688");
    assert_eq!(loaded.config.server.public_url, "http://127.0.0.1:8688");
    assert_eq!(loaded.config.provider.base_url, "https://chatapps.8x8.com");
    assert_eq!(loaded.config.provider.send, SendMode::Single);
    assert_eq!(loaded.config.provider.timeout, Span::from_secs(30));
    assert!(loaded.settings.iter().all(|setting| setting.source == Source::Default));
    loaded.config.check_serve().unwrap();
}

#[test]
fn the_public_address_is_known_if_it_is_set() {
    let of = |text: &str| Config::read(Some((Path::new("volley.toml"), text)), std::iter::empty(), []).unwrap();
    assert_eq!(of("[server]\nlisten = \"127.0.0.1:9\"\n").configured_public_url(), None);
    let set = of("[server]\npublic_url = \"https://volley.example/\"\n");
    assert_eq!(set.configured_public_url(), Some("https://volley.example"));
}

#[test]
fn lanes_get_defaults_for_missing_keys() {
    let config = read(TWO).unwrap().config;
    let [whatsapp, sms] = &config.lanes[..] else { panic!("two lanes") };
    assert_eq!((whatsapp.rate.to_string().as_str(), whatsapp.burst.get()), ("80/s", 4));
    assert_eq!((sms.rate.to_string().as_str(), sms.burst.get()), ("5/min", 1));
    assert_eq!((whatsapp.account.as_str(), whatsapp.portfolio.as_deref()), ("promo", Some("promo")));
    assert_eq!((whatsapp.tier, sms.tier), (Tier::Recipients(250), Tier::Unlimited));
    assert_eq!((whatsapp.tiered(), sms.tiered()), (Some("promo"), None));
    assert_eq!(sms.provider.sub_account, "acme");
    assert_eq!(config.account("promo").unwrap().rate, None);
    assert_eq!(config.portfolios().collect::<Vec<_>>(), [("promo", Tier::Recipients(250))]);
}

#[test]
fn every_error_says_what_where_and_what_to_do() {
    let lane =
        |more: &str| format!("[provider]\nsub_account = \"a\"\n[[lane]]\nname = \"x\"\nchannel = \"WhatsApp\"\n{more}");
    let cases = [
        (
            "[provider]\nbase_ulr = \"x\"",
            "etc/volley.toml: provider: unknown key \"base_ulr\"; did you mean \"base_url\"?",
        ),
        (
            "[provider]\nbase_url = \"http://chatapps.8x8.com\"",
            "provider, base_url: http://chatapps.8x8.com would send your API key unencrypted; write https://",
        ),
        (
            "[campaign]\napproval_above = 5",
            "etc/volley.toml: unknown section \"campaign\"; did you mean \"campaigns\"?",
        ),
        (
            "[campaigns]\napproval_abov = 5",
            "etc/volley.toml: campaigns: unknown key \"approval_abov\"; did you mean \"approval_above\"?",
        ),
        (
            "[campaigns]\napproval_above = \"many\"",
            "etc/volley.toml, campaigns, approval_above: invalid number \"many\"; use a whole number, such as 10000",
        ),
        ("[providers]", "etc/volley.toml: unknown section \"providers\"; did you mean \"provider\"?"),
        ("[databas", "etc/volley.toml, line 1: invalid TOML"),
        ("lane = 3", "`lane` must be a repeated section with double brackets, [[lane]]"),
        (
            "[lane]\nname = \"x\"",
            "etc/volley.toml, line 1: every lane has double brackets; write [[lane]] instead of [lane]",
        ),
        ("[lane]\nname = \"x\"\n[lane]\nname = \"y\"", "line 3: there is more than one `lane`"),
        ("fallback_after = \"1h\"", "unknown section \"fallback_after\"; it is a key of a step: move it into a"),
        ("[provider]\ntimeout = true", "etc/volley.toml, provider, timeout: must be a text in quotes"),
        ("[opt_out]\nstop = { a = 1 }", "etc/volley.toml, opt_out, stop: must be a list of texts in quotes"),
        ("[provider]\ntimeout = \"30\"", "etc/volley.toml, provider, timeout: \"30\" is not a length of time"),
        ("[provider]\ntimeout = \"10m\"", "use 1s to 5m"),
        (
            "[provider]\nsub_account = \"a\"\n[[lane]]\nname = \"x\"\nchannel = \"Viber\"\napi = \"sms\"",
            "lane x, api: the SMS API sends SMS alone; remove it",
        ),
        ("[provider]\nconnect_timeout = \"11s\"", "invalid time limit 11s; use 1s to 10s"),
        (
            "[provider]\nproxy = \"socks5://ann:s3cret@proxy\"",
            "etc/volley.toml, provider, proxy: invalid URL of a proxy; use",
        ),
        ("[provider]\nca_file = \"none.pem\"", "the file etc/none.pem cannot be read"),
        ("[provider]\nsub_account = \" \"", "is empty; write a value or remove it"),
        ("[provider]\nbatch_size = 10001", "use a whole number from 1 to 10000"),
        ("[provider]\nbatch_size = 0", "use a whole number from 1 to 10000"),
        ("[provider]\nsend = \"bulk\"", "use single or batch"),
        ("[provider]\nbase_url = \"chatapps.8x8.com\"", "invalid URL \"chatapps.8x8.com\""),
        ("[provider]\nbase_url = \"ftp://x\"", "invalid URL"),
        (
            "[provider]\nbase_url = \"https://chatapps.8x8.com/api/v1/\"",
            "has the path of the API, which Volley adds itself; write \"https://chatapps.8x8.com\"",
        ),
        ("[provider]\napi_key = \"two words\"", "without spaces"),
        ("[provider]\napi_key = \"k\"\napi_key_file = \"f\"", "provider has both api_key and api_key_file; keep one"),
        ("[provider]\napi_key_file = \"none.key\"", "the file etc/none.key cannot be read"),
        ("[database]\nurl = \"sqlite://\"", "\"sqlite://\" has no file path"),
        ("[database]\nurl = \"mysql://x\"", "invalid database"),
        (
            "[database]\nurl = \"postgres://user@host/volley\"",
            "PostgreSQL is not supported yet; use sqlite:// and a path",
        ),
        ("[server]\nlisten = \"8688\"", "use an address and a port, such as 127.0.0.1:8688"),
        ("[[lane]]\nchannel = \"SMS\"", "lane number 1 has no valid name"),
        ("[[lane]]\nname = \"a b\"", "lane number 1 has no valid name"),
        ("[[lane]]\nname = \"x\"", "lane x has no channel"),
        ("[[lane]]\nname = \"x\"\nchannel = \"SMS\"", "lane x has no sub_account; add sub_account"),
        (
            "[[lane]]\nname = \"x\"\nchannel = \"Pigeon\"",
            "lane x, channel: unknown channel \"Pigeon\"; use one of WhatsApp",
        ),
        (&lane("[[lane]]\nname = \"x\""), "two lanes named \"x\"; rename one"),
        (
            &lane("[[lane]]\nname = \"X\""),
            "two lanes named \"x\" and \"X\"; rename one, because VOLLEY_LANE_X would apply",
        ),
        (&lane("rate = \"0/s\""), "\"0/s\" is not a rate; write a number of at least 1"),
        (&lane("burst = 0"), "use a whole number from 1"),
        (&lane("tier = \"300\""), "use one of 50, 250, 2K, 10K, 100K, unlimited"),
        (&lane("number = \"12\""), "not an international phone number"),
        (&lane("source = \"ACME\""), "only SMS lanes have a source; remove it"),
        (&lane("countries = [\"SG\", \"UK\"]"), "unknown country \"UK\"; did you mean GB?"),
        (&lane("teir = \"1K\""), "etc/volley.toml: lane x: unknown key \"teir\"; did you mean \"tier\"?"),
        (
            &lane("[[lane]]\nname = \"y\"\nchannel = \"SMS\"\ntier = \"1K\""),
            "lane y, tier: only WhatsApp lanes have a messaging tier; remove it",
        ),
        (&lane("[[lane]]\nname = \"y\"\nchannel = \"SMS\"\nsource = \"12345678901234567\""), "more than 16 characters"),
        (
            &lane(
                "portfolio = \"p\"\ntier = \"1K\"\n[[lane]]\nname = \"y\"\nchannel = \"WhatsApp\"\nportfolio = \"p\"",
            ),
            "portfolio p has one tier, but lane x states 1K and lane y 250",
        ),
        (
            &lane(
                "account = \"a\"\nportfolio = \"p\"\n[[lane]]\nname = \"y\"\nchannel = \"WhatsApp\"\naccount = \"a\"\nportfolio = \"q\"",
            ),
            "account a belongs to one portfolio, but lane x says p and lane y says q",
        ),
        (
            "[outgoing]\nallow = [\"10.1.0.0/8\"]",
            "outgoing, allow: invalid \"10.1.0.0/8\": it has bits behind its prefix",
        ),
        ("[outgoing]\nallow = [\"intranet\"]", "outgoing, allow: invalid \"intranet\": it is not a network"),
        ("[[alert]]\nname = \"ops\"", "alert ops, url: an alert needs a target; add a url or a command"),
        ("[[alert]]\nname = \"ops\"\nurl = \"T0/B0\"", "alert ops, url: invalid URL; use https://"),
        (
            "[[alert]]\nname = \"ops\"\nurl = \"https://x/\"\ncommand = [\"page\"]",
            "alert ops, command: the alert has a url, too; keep one of them",
        ),
        (
            "[[alert]]\nname = \"ops\"\ncommand = [\"page\"]\nformat = \"slack\"",
            "alert ops, format: a command always gets JSON; remove it",
        ),
        (
            "[[alert]]\nname = \"ops\"\nurl = \"https://x/\"\nkinds = [\"lane_hold\"]",
            "unknown kind of alert \"lane_hold\"",
        ),
        (&lane("account = \"waba-1\"\n[[account]]\nname = \"waba1\""), "have no effect; did you mean \"waba-1\"?"),
    ];
    for (text, sentence) in cases {
        let error = read(text).expect_err(text).to_string();
        assert!(error.contains(sentence), "{text}\n  gave: {error}\n  want: {sentence}");
    }
}

#[test]
fn variables_override_the_file_and_flags_override_both() {
    let variables = [
        ("VOLLEY_PROVIDER_TIMEOUT", "20s"),
        ("VOLLEY_SERVER_LISTEN", "127.0.0.1:1"),
        ("VOLLEY_LANE_PROMO_SG_RATE", "9/s"),
        ("VOLLEY_LANE_PROMO_RATE", "8/s"),
        ("VOLLEY_SERVICE_HOST", "set by other software"),
        ("VOLLEY_PORT_8688_TCP", "set by other software"),
    ];
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let text = format!("{TWO}\n[server]\nlisten = \"127.0.0.1:2\"");
    let flags = [("server.listen", "127.0.0.1:3".to_owned())];
    let loaded = Config::read(Some((Path::new("volley.toml"), &text)), variables, flags).unwrap();
    assert_eq!(loaded.config.provider.timeout, Span::from_secs(20));
    assert_eq!(loaded.config.server.listen.port(), 3);
    let rates: Vec<String> = loaded.config.lanes.iter().map(|lane| lane.rate.to_string()).collect();
    assert_eq!(rates, ["8/s", "9/s"]);
    let source = |section: &str, key| {
        let setting = loaded.settings.iter().find(|setting| setting.section == section && setting.key == key);
        setting.unwrap().source.to_string()
    };
    assert_eq!(source("server", "listen"), "flag");
    assert_eq!(source("lane promo-sg", "rate"), "VOLLEY_LANE_PROMO_SG_RATE");
    assert_eq!(source("lane promo-sg", "channel"), "volley.toml");
    assert_eq!(source("lane promo-sg", "burst"), "default");
}

#[test]
fn an_alert_has_a_target_and_kinds_and_hides_its_address() {
    let text = "[[alert]]\nname = \"chat\"\nurl = \"https://hooks.example/T0/s3cret\"\nformat = \"slack\"\n\
                [[alert]]\nname = \"pager\"\ncommand = [\"page\", \"--team\", \"ops\"]\nkinds = [\"outage\", \"disk_full\"]";
    let loaded = read(text).unwrap();
    let [chat, pager] = &loaded.config.alerts[..] else { panic!("{:?}", loaded.config.alerts) };
    let AlertTarget::Webhook { url, form: AlertForm::Slack } = &chat.target else { panic!("{chat:?}") };
    assert_eq!((url.expose(), chat.kinds.len()), ("https://hooks.example/T0/s3cret", AlertKind::ALL.len()));
    let AlertTarget::Command(command) = &pager.target else { panic!("{pager:?}") };
    assert_eq!(
        (command.join(" ").as_str(), &pager.kinds[..]),
        ("page --team ops", &[AlertKind::Outage, AlertKind::DiskFull][..])
    );
    assert!(!format!("{:?} {:?}", loaded.config, loaded.settings).contains("s3cret"));
    let by_variable = read_env(text, &[("VOLLEY_ALERT_CHAT_URL", "https://hooks.example/other")]).unwrap().config;
    let AlertTarget::Webhook { url, .. } = &by_variable.alerts[0].target else { panic!() };
    assert_eq!(url.expose(), "https://hooks.example/other");
    let unknown = read_env(text, &[("VOLLEY_ALERT_CHATS_URL", "https://x/")]).unwrap_err().to_string();
    assert!(unknown.contains("use VOLLEY_ALERT_<NAME>_<KEY>"), "{unknown}");
}

#[test]
fn a_lane_can_be_defined_by_variables_alone() {
    let variables = [("VOLLEY_LANE_NEWS_DE_CHANNEL", "Viber"), ("VOLLEY_LANE_NEWS_DE_RATE", "2/s")];
    let config = read_env(TWO, &variables).unwrap().config;
    let lane = config.lane("news-de").unwrap();
    assert_eq!((lane.channel, lane.rate.to_string().as_str()), (Channel::Viber, "2/s"));
}

#[test]
fn a_misspelled_variable_is_refused() {
    for (variable, sentence) in [
        (
            "VOLLEY_PROVIDER_API_KYE",
            "VOLLEY_PROVIDER_API_KYE: provider: unknown key \"api_kye\"; did you mean \"api_key\"?",
        ),
        ("VOLLEY_PROVIDRE_API_KEY", "did you mean VOLLEY_PROVIDER_API_KEY?"),
        ("VOLLEY_FOO", "unknown variable VOLLEY_FOO; use VOLLEY_DATABASE_…"),
        ("VOLLEY_SOMETHING_ELSE", "unknown variable VOLLEY_SOMETHING_ELSE"),
        ("VOLLEY_LANE_PRMO_RATE", "VOLLEY_LANE_PRMO_RATE: unknown lane; use VOLLEY_LANE_<NAME>_<KEY>"),
        ("VOLLEY_ACCOUNT_WABA_RATE", "unknown account"),
    ] {
        let error = read_env(TWO, &[(variable, "1")]).expect_err(variable).to_string();
        assert!(error.contains(sentence), "{variable}\n  gave: {error}\n  want: {sentence}");
    }
}

#[test]
fn a_shared_whatsapp_account_has_the_providers_rate_by_default() {
    let text = TWO.replace(
        "channel = \"WhatsApp\"",
        "channel = \"WhatsApp\"\naccount = \"waba\"\nrate = \"2000/s\"\nnumber = \"+6591234567\"",
    );
    let loaded = read(&text).unwrap();
    assert_eq!(loaded.config.account("waba").unwrap().rate.unwrap().to_string(), "1000/s");
    assert!(loaded.warnings[0].contains("lane promo states 2000/s, but its account waba allows 1000/s"));
    for loaded in [
        read(&format!("{text}\n[[account]]\nname = \"waba\"\nrate = \"3000/s\"")).unwrap(),
        read_env(&text, &[("VOLLEY_ACCOUNT_WABA_RATE", "3000/s")]).unwrap(),
    ] {
        assert_eq!(loaded.config.account("waba").unwrap().rate.unwrap().to_string(), "3000/s");
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    }
}

#[test]
fn a_whatsapp_lane_without_number_gets_a_warning() {
    let warned = |text: &str| {
        let warnings = read(text).unwrap().warnings;
        warnings.into_iter().find(|warning| warning.contains("`number`"))
    };
    assert!(warned(TWO).unwrap().contains("WhatsApp lane promo has no `number`;"));
    assert_eq!(warned(&TWO.replace("\"WhatsApp\"", "\"WhatsApp\"\nnumber = \"+6591234567\"")), None);
}

#[test]
fn proxies_at_every_address_get_a_warning() {
    let warned = |proxies: &str| {
        let warnings = read(&format!("[server]\ntrusted_proxies = [{proxies}]\n{TWO}")).unwrap().warnings;
        warnings.into_iter().find(|warning| warning.contains("trusted_proxies"))
    };
    for everywhere in ["\"0.0.0.0/0\"", "\"10.0.0.0/8\", \"::/0\""] {
        assert!(warned(everywhere).unwrap().contains("the addresses of your proxies alone"), "{everywhere}");
    }
    assert_eq!(warned("\"10.0.0.0/8\", \"::1\""), None);
}

#[test]
fn a_placeholder_of_a_key_gets_a_warning_at_its_place() {
    let warned = |key: &str, of_lane: &str| -> Vec<String> {
        let text =
            format!("[provider]\nsub_account = \"a\"\n{key}\n[[lane]]\nname = \"x\"\nchannel = \"SMS\"\n{of_lane}\n");
        let warnings = read(&text).unwrap().warnings.into_iter();
        warnings.filter(|warning| warning.contains("looks like a placeholder")).collect()
    };
    let api = warned("api_key = \"YOUR_KEY\"", "");
    assert!(matches!(&api[..], [one] if one.starts_with("[provider]: api_key looks like a placeholder;")), "{api:?}");
    let webhook = warned("webhook_authorization = \"Bearer …\"", "");
    assert!(matches!(&webhook[..], [one] if one.starts_with("[provider]: webhook_authorization")), "{webhook:?}");
    let lane = warned("api_key = \"k3y\"", "api_key = \"changeme\"");
    assert!(matches!(&lane[..], [one] if one.starts_with("lane x: api_key")), "{lane:?}");
    assert_eq!(warned("api_key = \"practice\"", ""), [""; 0]);
}

#[test]
fn paths_in_the_file_are_relative_to_the_file_and_secrets_never_print() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("volley.toml");
    std::fs::write(folder.path().join("8x8.key"), "s3cr3t\r\n").unwrap();
    std::fs::write(&path, "[provider]\napi_key_file = \"8x8.key\"\n[database]\nurl = \"sqlite://data.db\"").unwrap();
    let loaded = Config::load(Some(&path), std::iter::empty()).unwrap();
    assert_eq!(valid(&loaded.config.provider.api_key), ["s3cr3t"]);
    assert_eq!(loaded.config.database, Database::Sqlite { path: folder.path().join("data.db") });

    // The key of the environment overrides the key file of the file.
    let variables = [("VOLLEY_PROVIDER_API_KEY".to_owned(), "t0pm0st".to_owned())];
    let loaded = Config::load(Some(&path), variables.into_iter()).unwrap();
    assert_eq!(valid(&loaded.config.provider.api_key), ["t0pm0st"]);
    let all = format!("{loaded:?}");
    assert!(!all.contains("t0pm0st") && all.contains("***"), "{all}");
}

fn valid(credential: &Option<Credential>) -> Vec<String> {
    let valid = credential.as_ref().unwrap().valid();
    valid.iter().map(|secret| secret.expose().to_owned()).collect()
}

#[test]
fn a_file_of_webhook_secrets_holds_the_old_and_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("volley.toml");
    let text =
        "[provider]\napi_key_file = \"key\"\nwebhook_authorization_file = \"hook\"\nwebhook_secret_file = \"hmac\"";
    std::fs::write(&path, text).unwrap();
    let load = |key: &str, hook: &str, hmac: &str| {
        for (name, text) in [("key", key), ("hook", hook), ("hmac", hmac)] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        Config::load(Some(&path), std::iter::empty()).map(|loaded| loaded.config.provider)
    };
    let provider = load("k\n", "\u{feff}Bearer old \r\n\nBearer new\n", "one").unwrap();
    assert_eq!(valid(&provider.webhook_authorization), ["Bearer old", "Bearer new"]);
    assert_eq!(valid(&provider.webhook_secret), ["one"]);
    for (key, hook, hmac, problem) in [
        ("old\nnew", "a", "b", "api_key_file: invalid key; it must be one line"),
        ("k", "a\nb\nc", "b", "hook has 3 lines; write one secret per line, at most two"),
        ("k", "a", " \n ", "hmac is empty; write the secret into it"),
        ("k", "a", &"b".repeat(70_000), "hmac is not a regular file of at most 64 KiB"),
    ] {
        let error = load(key, hook, hmac).unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    }
}

#[test]
fn only_the_file_at_its_default_path_may_be_missing() {
    let error = Config::load(Some(Path::new("no/such.toml")), std::iter::empty()).unwrap_err();
    assert!(error.to_string().contains("no/such.toml cannot be read"), "{error}");
    let variables = [("VOLLEY_CONFIG".to_owned(), "no/other.toml".to_owned())];
    let error = Config::load(None, variables.into_iter()).unwrap_err();
    assert!(error.to_string().contains("no/other.toml cannot be read"), "{error}");
}

#[test]
fn serving_needs_keys_and_off_loopback_a_webhook_secret() {
    let open = "[server]\nlisten = \"0.0.0.0:8688\"\n";
    let error = read(open).unwrap().config.check_serve().unwrap_err();
    assert!(error.to_string().contains("no webhook secret is set"), "{error}");
    let proven = format!("{open}[provider]\nwebhook_authorization = \"Bearer x\"");
    read(&proven).unwrap().config.check_serve().unwrap();
    let error = read(TWO).unwrap().config.check_serve().unwrap_err();
    assert!(error.to_string().starts_with("lane promo has no API key"), "{error}");
}

#[test]
fn the_sample_configuration_is_valid_without_warnings() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/volley.toml");
    let loaded = Config::load(Some(&path), std::iter::empty()).unwrap();
    assert_eq!(loaded.config.lanes.len(), 3);
    // Trying it out needs nothing else.
    loaded.config.check_serve().unwrap();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
}

const CONTACTS_URL: &str = "https://contacts.8x8.com";

#[test]
fn own_keywords_are_a_list_and_separated_by_commas_in_a_variable() {
    let words = |texts: &[&str]| -> Vec<Phrase> { texts.iter().map(|text| text.parse().unwrap()).collect() };
    let config = read("[opt_out]\nstop = [\"Schluss\", \"keine Werbung\"]\nignore = [\"TD\"]").unwrap().config;
    let (stop, ignore) = (words(&["Schluss", "keine Werbung"]), words(&["TD"]));
    assert_eq!(config.opt_out, Keywords { stop, ignore, contacts_url: CONTACTS_URL.to_owned(), ..Keywords::default() });
    let variables = [("VOLLEY_OPT_OUT_STOP", "Schluss, genug"), ("VOLLEY_OPT_OUT_START", "weiter")];
    let config = read_env("", &variables).unwrap().config;
    let (stop, start) = (words(&["Schluss", "genug"]), words(&["weiter"]));
    assert_eq!(config.opt_out, Keywords { stop, start, contacts_url: CONTACTS_URL.to_owned(), ..Keywords::default() });
    for wrong in ["stop = [\"a, b\"]", "stop = [7]", "stop = \"a\"\nstart = \"a\"", "words = [\"a\"]"] {
        read(&format!("[opt_out]\n{wrong}")).unwrap_err();
    }
}

#[test]
fn a_confirmation_is_one_text_or_a_text_for_each_language() {
    let confirm =
        |text: &str| read(&format!("[opt_out]\nconfirm = {text}")).map(|loaded| loaded.config.opt_out.confirm);
    let one = confirm("\"Bye, all\"").unwrap().unwrap();
    assert_eq!((one.text(None), one.text(Some(Language::German))), ("Bye, all", "Bye, all"));
    let by_language = confirm("{ de = \"Tschüss\", others = \"Bye\" }").unwrap().unwrap();
    assert_eq!(by_language.text(Some(Language::German)), "Tschüss");
    assert_eq!((by_language.text(Some(Language::French)), by_language.text(None)), ("Bye", "Bye"));
    let by_variable = read_env("", &[("VOLLEY_OPT_OUT_CONFIRM", "Bye, all")]).unwrap().config;
    assert_eq!(by_variable.opt_out.confirm, Some(one));
    assert_eq!(read("").unwrap().config.opt_out.confirm, None);
    for (wrong, what) in [
        ("7.5", "opt_out, confirm: must be a text in quotes, or a table of texts"),
        ("{ de = 7, others = \"Bye\" }", "opt_out, confirm: must be a text in quotes, or a table of texts"),
        ("\"Bye\u{fdd0}\"", "opt_out, confirm: characters from U+FDD0 to U+FDEF are not supported"),
        ("{ de = \"Tschüss\" }", "opt_out, confirm: has no text for every other language; add others"),
        ("{ xx = \"?\", others = \"Bye\" }", "opt_out, confirm: unknown language \"xx\""),
        ("{ de = \" \", others = \"Bye\" }", "opt_out, confirm: has an empty text"),
        ("\"Bye {{Name}}\"", "opt_out, confirm: has a variable"),
    ] {
        let error = confirm(wrong).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
}

#[test]
fn an_unusable_or_ambiguous_keyword_is_refused() {
    let long = format!("stop = [\"{}\"]", "a".repeat(97));
    for (wrong, what) in [
        ("stop = [\"!\"]", "opt_out, stop: invalid \"!\": it contains only spaces and punctuation"),
        (&long, "longer than 96 bytes"),
        ("stop = [\"Ende\"]\nstart = [\"ENDE.\"]", "opt_out, start: \"ende\" is also in stop"),
        ("stop = [\"Ende\"]\nignore = [\"ende\"]", "opt_out, ignore: \"ende\" is also in stop"),
        ("start = [\"go-on\"]\nignore = [\"Go on\"]", "opt_out, ignore: \"go on\" is also in start"),
    ] {
        let error = read(&format!("[opt_out]\n{wrong}")).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
}

#[test]
fn a_lane_of_the_sms_api_has_the_sms_host_of_its_region() {
    for (base_url, expected, own) in [
        ("https://chatapps.8x8.com", "https://sms.8x8.com", "https://sms.8x8.uk"),
        ("https://chatapps.us.8x8.com", "https://sms.us.8x8.com", "https://sms.8x8.com"),
        ("http://127.0.0.1:8690", "http://127.0.0.1:8690", "https://own.example"),
    ] {
        let text = format!(
            "[provider]\nbase_url = \"{base_url}\"\nsub_account = \"a\"\n\
             [[lane]]\nname = \"x\"\nchannel = \"SMS\"\napi = \"sms\"\n\
             [[lane]]\nname = \"y\"\nchannel = \"SMS\"\n\
             [[lane]]\nname = \"z\"\nchannel = \"SMS\"\napi = \"sms\"\nbase_url = \"{own}\"\n"
        );
        let none = std::iter::empty::<(&str, String)>();
        let file = Path::new("volley.toml");
        let config = Config::read(Some((file, &text)), std::iter::empty(), none).unwrap().config;
        let addresses: Vec<&str> = config.lanes.iter().map(|lane| lane.provider.base_url.as_str()).collect();
        assert_eq!(addresses, [expected, base_url, own]);
    }
}

#[test]
fn practice_and_the_provider_are_never_mixed() {
    const PROVIDERS: [&str; 3] = ["https://chatapps.8x8.com", "https://contacts.us.8x8.com", "https://sms.8x8.uk."];
    const OTHERS: [&str; 4] =
        ["http://127.0.0.1:8690", "http://localhost:8690", "https://own.example", "https://8x8.com.own.example"];
    let with = |base_url: &str, section: &str, key: &str, address: &str| {
        read(&format!("[provider]\nbase_url = \"{base_url}\"\nsub_account = \"a\"\n{section}\n{key} = \"{address}\"\n"))
    };
    for (section, key) in [("[opt_out]", "contacts_url"), ("[[lane]]\nname = \"x\"\nchannel = \"SMS\"", "base_url")] {
        for (base_urls, same, mixed) in [(&PROVIDERS[..1], &PROVIDERS[..], &OTHERS[..]), (&OTHERS, &OTHERS, &PROVIDERS)]
        {
            for base_url in base_urls {
                for address in same {
                    with(base_url, section, key, address).unwrap();
                }
                for address in mixed {
                    let error = with(base_url, section, key, address).unwrap_err().to_string();
                    assert!(
                        error.contains(&format!("but base_url under [provider] is {base_url}; change base_url under")),
                        "{error}"
                    );
                }
            }
        }
    }
}

#[test]
fn the_sample_configuration_names_no_host_but_this_machine() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/volley.toml");
    let loaded = Config::load(Some(&path), std::iter::empty()).unwrap();
    let addresses: Vec<&Setting> = loaded
        .settings
        .iter()
        .filter(|setting| setting.value.as_ref().is_some_and(|value| value.contains("://")))
        .collect();
    let away = addresses.iter().filter_map(|setting| setting.value.as_deref());
    let away: Vec<&str> =
        away.filter(|value| !value.starts_with("http://127.0.0.1:") && *value != "sqlite://volley.db").collect();
    assert_eq!(away, [""; 0]);
    assert!(addresses.iter().any(|setting| setting.key == "contacts_url"), "{addresses:?}");
}

#[test]
fn a_number_that_is_also_in_the_app_sends_twenty_a_second_at_most() {
    let lane = |keys: &str| {
        let text = format!("[provider]\nsub_account = \"acme\"\napi_key = \"k\"\n[[lane]]\nname = \"wa\"\n{keys}");
        read(&text).map(|loaded| loaded.config.lanes[0].clone())
    };
    let whatsapp = "channel = \"WhatsApp\"\nalso_in_app = true\n";
    let rate = |text: &str| text.parse::<crate::base::domain::Rate>().unwrap();
    let own = lane(whatsapp).unwrap();
    assert_eq!(
        (own.rate, own.at_rate(rate("80/s")).rate, own.at_rate(rate("5/s")).rate),
        (rate("20/s"), rate("20/s"), rate("5/s"))
    );
    let too_fast = lane(&format!("{whatsapp}rate = \"21/s\"\n")).unwrap_err().to_string();
    assert!(too_fast.contains("also used in the app takes 20/s"), "{too_fast}");
    let viber = lane("channel = \"Viber\"\nalso_in_app = true\n").unwrap_err().to_string();
    assert!(viber.contains("only a WhatsApp number"), "{viber}");
}
