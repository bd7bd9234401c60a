//! Neither the names of lanes nor the path of the database affect what recipients get.

use super::partition::Parted;
use super::small::{World, numbers};
use crate::base::domain::Span;

/// Returns every request that the provider accepted, with its time.
async fn got(database: &str, [viber, sms]: [&str; 2]) -> Vec<(String, String)> {
    let config = format!(
        "[provider]\nbase_url = \"http://127.0.0.1:1\"\nsub_account = \"acme\"\napi_key = \"k\"\n\
         webhook_authorization = \"hook\"\n\
         [[lane]]\nname = \"{viber}\"\nchannel = \"Viber\"\nrate = \"20/s\"\n\
         [[lane]]\nname = \"{sms}\"\nchannel = \"SMS\"\nrate = \"5/s\"\nsource = \"ACME\"\n"
    );
    let mut parted = Parted::new(World::on(database, &config, Some(Parted::practice(9))).await);
    let steps = format!(
        "[[step]]\nchannel = \"Viber\"\nlane = \"{viber}\"\nfallback_after = \"3m\"\ntext = \"Hello\"\n\
         [[step]]\nchannel = \"SMS\"\nlane = \"{sms}\"\ntext = \"Hello\"\n"
    );
    for from in [0, 40] {
        let campaign = format!("name = \"from {from}\"\n{}\n{steps}", numbers(from..from + 60));
        parted.world.launch_of(&campaign).await;
    }
    parted.pass(Span::from_secs(100)).await;
    // First the provider cannot be reached, then webhooks are lost, then the server is down.
    parted.world.set_cut(&[viber, sms], true);
    parted.pass(Span::from_secs(60)).await;
    parted.world.set_cut(&[viber, sms], false);
    parted.cut_way_in(true);
    parted.pass(Span::from_secs(200)).await;
    parted.cut_way_in(false);
    parted.world.down_for(Span::from_secs(30)).await;
    parted.pass(Span::from_secs(600)).await;
    let took = parted.taken().into_iter();
    let mut got: Vec<_> =
        took.map(|taken| (taken.accepted_at, taken.request.map(|json| json.to_string()).unwrap_or_default())).collect();
    got.sort_unstable();
    got
}

#[tokio::test]
async fn lane_names_and_database_paths_do_not_change_what_recipients_get() {
    let expected = got("sqlite::memory:", ["viber", "sms"]).await;
    let sms = expected.iter().filter(|(_, request)| request.contains("\"sms\":{")).count();
    assert!(expected.len() == 120 + sms && sms > 20, "{sms} of {}", expected.len());
    // Names that sort in another order, and a longer one.
    let renamed = got("sqlite::memory:", ["zeta", "a-lane-of-quite-another-length"]).await;
    assert_eq!(renamed, expected);
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = folder.path().join("another folder").join("store.sqlite");
    std::fs::create_dir(elsewhere.parent().unwrap()).unwrap();
    let elsewhere = got(&format!("sqlite://{}", elsewhere.display()), ["viber", "sms"]).await;
    assert_eq!(elsewhere, expected);
}
