//! A campaign on several sources: everybody is written to once, whichever of them names them.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use volley::audience::{self, Options, Sieve, Source};
use volley::campaign::{Draft, Launcher};
use volley::domain::{BatchState, Count, MessageKey, Msisdn, Outcome};
use volley::optout::OptOuts;

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
    let sieve = Sieve::new(Arc::new(OptOuts::default()));
    let (store, clock, name) = (world.store.as_ref(), world.clock.as_ref(), Some(name.to_owned()));
    audience::import(store, clock, Source::File(file.into()), name, options, sieve, None).await.unwrap();
}

/// Who gets a message, by the places of a batch.
async fn people(world: &World, batch: volley::domain::BatchId, places: u32) -> Vec<(u32, Msisdn)> {
    let all = world.store.load((0..places).map(|n| MessageKey { batch, n }).collect()).await.unwrap();
    all.iter().map(|message| (message.key.n, message.msisdn)).collect()
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
    let planned = Launcher { store, clock, chance, config }.plan(&draft).await.unwrap().people;
    // 2 and 4 from the file; 1 twice, as it was imported, and 3; 5.
    assert_eq!((planned.recipients, planned.duplicates, planned.across), (6, 1, 2));
    assert_eq!(planned.countries.values().sum::<u64>(), 6);
    // The empty code of 2 in the audience is nobody's any more: 4 has none, and the bare number 5.
    assert_eq!(planned.empty, [1, 2]);

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
async fn whoever_is_excluded_is_skipped_wherever_they_stand() {
    let world = Setup { rate: "100/s", ..Setup::default() }.start().await;
    let folder = tempfile::tempdir().unwrap();
    // More than are laid out in one go.
    let rows: Vec<(u64, &str)> = (0..5_200).map(|person| (person, "A")).collect();
    let file = write(folder.path(), "file.csv", &rows);
    let excluded = [3, 4_999, 5_000, 5_199, 9_000].map(|person| format!("\"+{}\"", number(person))).join(",");
    let text = format!("audience = \"{file}\"\nexclude = [{excluded}]\nat = \"2099-01-01T09:00Z\"\n{SMS}");
    let tallies = world.tallies(&world.launch_text(&text).await).await;
    assert_eq!((tallies.total(Count::SkippedExcluded), tallies.total(Count::Queued)), (4, 5_196));
    world.stop().await;
}
