//! A campaign with several sources: each number gets one message, whichever sources contain it.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::json;
use volley::base::domain::{BatchState, Count, MessageKey, Msisdn, Outcome};
use volley::base::events::Origin;
use volley::campaigns::campaign::{Draft, Launcher};
use volley::recipients::audience::{self, Keep, Options, Source, SourceFilter};

use crate::cli::{installation, run};
use crate::support::number;
use crate::support::world::{Setup, World};

const SMS: &str = "[[step]]\nchannel = \"SMS\"\ntext = \"Your code is {{Code|none}}\"\n";

fn write(folder: &Path, name: &str, rows: &[(u64, &str)]) -> String {
    let mut text = String::from("Mobile,Code\n");
    for (person, code) in rows {
        writeln!(text, "+{},{code}", number(*person)).unwrap();
    }
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// Imports a file under a name, with its own repeats.
async fn import(world: &World, file: String, name: &str) {
    let options = Options { keep_duplicates: true, ..Options::default() };
    let filter = SourceFilter::default();
    let (store, clock, keep) = (world.store.as_ref(), world.clock.as_ref(), Keep::Named(name));
    audience::import(store, clock, Source::File(file.into()), keep, options, filter, None).await.unwrap();
}

/// The recipients of a batch, in order.
async fn people(world: &World, batch: volley::base::domain::BatchId, places: u32) -> Vec<(u32, Msisdn)> {
    let all = world.store.load((0..places).map(|n| MessageKey { batch, n }).collect()).await.unwrap();
    all.iter().filter_map(|message| Some((message.key.n, message.address.number()?))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_in_two_sources_gets_one_message_from_the_first_of_them() {
    let world = Setup::default().start().await;
    let folder = tempfile::tempdir().unwrap();
    let members = write(folder.path(), "members.csv", &[(1, "A"), (1, "B"), (2, ""), (3, "C")]);
    import(&world, members, "members").await;
    let file = write(folder.path(), "file.csv", &[(2, "D"), (4, ""), (4, "E")]);
    let numbers = [4, 5].map(|person| format!("\"+{}\"", number(person))).join(",");
    let text = format!("audience = [\"{file}\", \"members\"]\nnumbers = [{numbers}]\n{SMS}");

    let draft = Draft::parse("test.toml", &text).unwrap();
    let (store, clock, chance, config) = (world.store.as_ref(), world.clock.as_ref(), &world.chance, &world.config);
    let planned = Launcher { store, clock, chance, config, by: Origin::SERVER }.plan(&draft).await.unwrap().recipients;
    // 2 and 4 from the file; 1 twice, as it was imported, and 3; 5.
    assert_eq!((planned.recipients, planned.duplicates, planned.across), (6, 1, 2));
    assert_eq!(planned.countries.values().sum::<u64>(), 6);
    // The empty code of 2 in the audience is no longer used: 4 has none, and neither has the bare number 5.
    assert_eq!(planned.odd.empty, [0, 2]);

    let launched = world.launch_text(&text).await;
    assert_eq!((launched.messages, launched.rejected, launched.across), (6, 3, 2));
    let report = world.until_state(&launched, BatchState::Settled).await;
    assert_eq!((report.audience, report.outcome(Outcome::Reached)), (6, 6), "{report:?}");
    assert_eq!(world.seen().await["messages"], json!(6));
    let expected = [(0, 2), (1, 4), (2, 1), (3, 1), (5, 3), (6, 5)];
    let expected = expected.map(|(n, person)| (n, Msisdn::try_from(number(person)).unwrap()));
    assert_eq!(people(&world, launched.batch, 10).await, expected);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_audience_twice_is_one_audience() {
    let world = Setup::default().start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "file.csv", &[(1, "A"), (2, "B"), (3, "C")]);
    import(&world, file.clone(), "members").await;
    for (sources, left_out) in [(r#"["members", "members"]"#.to_owned(), 3), (format!("[\"members\", \"{file}\"]"), 3)]
    {
        let launched = world.launch_text(&format!("audience = {sources}\n{SMS}")).await;
        assert_eq!((launched.messages, launched.across), (3, left_out), "{sources}");
        let report = world.until_state(&launched, BatchState::Settled).await;
        assert_eq!((report.audience, report.outcome(Outcome::Reached)), (3, 3), "{report:?}");
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_excluded_number_is_skipped_in_every_source() {
    let world = Setup { rate: "100/s", ..Setup::default() }.start().await;
    let folder = tempfile::tempdir().unwrap();
    // More than one piece of a launch.
    let rows: Vec<(u64, &str)> = (0..5_200).map(|person| (person, "A")).collect();
    let file = write(folder.path(), "file.csv", &rows);
    let excluded = [3, 4_999, 5_000, 5_199, 9_000].map(|person| format!("\"+{}\"", number(person))).join(",");
    let text = format!("audience = \"{file}\"\nexclude = [{excluded}]\nat = \"2099-01-01T09:00Z\"\n{SMS}");
    let tallies = world.tallies(&world.launch_text(&text).await).await;
    assert_eq!((tallies.total(Count::SkippedExcluded), tallies.total(Count::Queued)), (4, 5_196));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bare_number_beside_a_file_has_empty_fields_in_any_order() {
    let world = Setup::default().start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.csv");
    std::fs::write(&path, format!("FirstName,Mobile\nAnn,+{}\n", number(1))).unwrap();
    import(&world, path.display().to_string(), "members").await;
    for source in [path.display().to_string(), "members".to_owned()] {
        let head = format!("audience = \"{source}\"\nnumbers = [\"+{}\"]\n", number(2));
        let text = format!("{head}[[step]]\nchannel = \"SMS\"\ntext = \"Hi {{{{FirstName|there}}}}\"\n");
        let launched = world.launch_text(&text).await;
        let key = MessageKey { batch: launched.batch, n: 1 };
        let facts = world.store.message_facts(key).await.unwrap().unwrap();
        let phone = format!("+{}", number(2));
        assert_eq!(facts.recipient.unwrap().fields.unpack().unwrap(), ["", phone.as_str()], "{source}");
        assert_eq!(facts.message.address.number().unwrap().to_string(), phone);
    }
    world.stop().await;
}

#[test]
fn a_plan_shows_a_bare_number_without_the_fields_of_a_file() {
    let folder = installation();
    let at = folder.path();
    std::fs::write(at.join("people.csv"), "FirstName,Mobile\nAnn,+6591000001\n").unwrap();
    let text = "audience = \"people.csv\"\nnumbers = [\"+6591000002\"]\n\
                [[step]]\nchannel = \"SMS\"\ntext = \"Hi {{FirstName|there}}\"\n";
    std::fs::write(at.join("hi.toml"), text).unwrap();
    let plan = run(at, &["campaign", "plan", "hi.toml", "--json"]).ended(0).json();
    let texts: Vec<_> =
        plan["steps"][0]["previews"].as_array().unwrap().iter().map(|preview| &preview["lines"][0]["text"]).collect();
    assert_eq!(texts, ["Hi Ann", "Hi there"], "{plan}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audience_with_a_name_like_a_number_can_be_excluded() {
    let world = Setup::default().start().await;
    let folder = tempfile::tempdir().unwrap();
    import(&world, write(folder.path(), "old.csv", &[(2, ""), (3, "")]), "2024-11").await;
    let file = write(folder.path(), "file.csv", &[(1, ""), (2, "")]);
    let later = "at = \"2099-01-01T09:00Z\"";
    let text = format!("audience = \"{file}\"\nexclude = [\"2024-11\"]\n{later}\n{SMS}");
    let tallies = world.tallies(&world.launch_text(&text).await).await;
    assert_eq!((tallies.total(Count::SkippedExcluded), tallies.total(Count::Queued)), (1, 1));
    world.stop().await;
}

#[test]
fn an_exclusion_without_effect_is_refused_or_reported() {
    let folder = installation();
    let at = folder.path();
    std::fs::write(at.join("blocked.csv"), "Mobile\n+6591000001\n9100 0002\noops\n").unwrap();
    let campaign = |more: &str| {
        let head = "name = \"x\"\nnumbers = [\"+6591000001\", \"+6591000002\"]\nat = \"2099-01-01T09:00Z\"";
        let text = format!("{head}\n{more}\n[[step]]\nchannel = \"SMS\"\ntext = \"Hi\"\nsource = \"ACME\"\n");
        std::fs::write(at.join("x.toml"), text).unwrap();
    };
    for (entry, said) in [
        ("+65 9100 000", "\"+65 9100 000\" is not a file, an imported audience or a readable number"),
        ("9100 0002", "The number has no country code, and its country is unknown"),
        ("2024-11", "would exclude nothing"),
        ("blokced.csv", "nor a number; did you mean \"blocked.csv\"?"),
        ("", "neither a file"),
    ] {
        campaign(&format!("exclude = [\"{entry}\"]"));
        for command in ["plan", "launch"] {
            run(at, &["campaign", command, "x.toml"]).ended(1).says(&["exclude: ", said]);
        }
    }
    campaign("audience = [\"blokced.csv\"]");
    let meant =
        "x.toml, audience: \"blokced.csv\" is neither a file nor an imported audience; did you mean \"blocked.csv\"?";
    for arguments in [&["plan", "x.toml"][..], &["launch", "x.toml"], &["test", "x.toml", "--to", "+6591000001"]] {
        run(at, &[&["campaign"], arguments].concat()).ended(1).says(&[meant]);
    }
    std::fs::write(at.join("names.csv"), "Name,Code\nAnn,x\n").unwrap();
    for key in ["audience", "exclude"] {
        campaign(&format!("{key} = [\"names.csv\"]"));
        let said = format!("x.toml, {key}: names.csv: no column contains phone numbers");
        run(at, &["campaign", "plan", "x.toml"]).ended(1).says(&[&said]);
    }
    // The file that is at hand is often given where the file that names it was meant.
    run(at, &["campaign", "plan", "blocked.csv"]).ended(1).says(&["blocked.csv is a recipient file"]);
    assert_eq!(run(at, &["campaign", "list", "--json"]).ended(0).json(), json!([]));

    let warnings = |answer: &serde_json::Value| answer["warnings"].as_array().unwrap().clone();
    campaign("exclude = [\"9100 0002\", \"blocked.csv\"]\ncountry = \"SG\"");
    let plan = run(at, &["campaign", "plan", "x.toml", "--json"]).ended(0).json();
    assert_eq!((&plan["excluded"], &plan["exclude_unreadable"]), (&json!(2), &json!(1)), "{plan}");
    assert_eq!(warnings(&plan)[0]["code"], "unreadable_exclude", "{plan}");
    let sentence = warnings(&plan)[0]["sentence"].as_str().unwrap().to_owned();
    assert!(sentence.starts_with("exclude: 1 row of blocked.csv excludes nothing; the first is line 4, \"oops\""));
    let launched = run(at, &["campaign", "launch", "x.toml", "--json"]).ended(0).json();
    assert_eq!(warnings(&launched), warnings(&plan));
}
