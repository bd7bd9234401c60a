//! A campaign's report by country and by code, and its export with a row for each recipient.

use std::collections::HashMap;

use volley::base::domain::Count;
use volley::campaigns::report::{self, ExportColumns, Sheets};

use crate::audit::campaign as campaign_of;
use crate::support::by_hand::ByHand;

#[tokio::test(flavor = "multi_thread")]
async fn countries_sum_to_the_report_and_codes_say_what_ended_a_step() {
    let world = ByHand::start("").await;
    let launched = campaign_of(&world).await;
    let parts = report::breakdown(world.store.as_ref(), launched.batch, |_, _| {}).await.unwrap().unwrap();
    let report = report::Report::read(world.store.as_ref(), &world.batch(&launched).await).await.unwrap();
    let [singapore] = &parts.countries[..] else { panic!("{:#?}", parts.countries) };
    assert_eq!(singapore.country.unwrap().as_str(), "SG");
    assert_eq!(
        (singapore.audience, singapore.open, &singapore.outcomes),
        (report.audience, report.open, &report.outcomes)
    );
    assert_eq!(singapore.outcomes.0.values().sum::<i64>() + singapore.open, 10);
    let codes: Vec<_> =
        parts.codes.iter().map(|code| (code.step, code.result, code.code, code.messages, code.ended)).collect();
    assert_eq!(codes, [(1, "undelivered", Some(2_008), 1, 1), (2, "undelivered", Some(46), 1, 1)]);
    assert_eq!((parts.codes[0].meaning, parts.codes[0].cause), ("not on Viber", "recipient"));
    assert_eq!(report.steps[0].fell_back.undelivered, 1);
    assert_eq!(world.store.tallies(launched.batch).await.unwrap().total(Count::Recalled), 0);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_has_a_row_for_each_recipient_with_every_step() {
    let world = ByHand::start("").await;
    let launched = campaign_of(&world).await;
    let batch = world.batch(&launched).await;
    let plan = world.store.plan(batch.id).await.unwrap().unwrap();
    let all = ExportColumns::of(&plan, batch.tag, Some("Asia/Singapore".parse().unwrap()));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("out.csv");
    let mut sheets = Sheets::create(&file, all.names().map(str::to_owned).collect()).unwrap();
    let write = |cells: Vec<String>| sheets.row(&cells);
    let rows = report::export(world.store.as_ref(), batch.id, &all, write, |_, _| {}).await.unwrap().unwrap();
    sheets.finish().unwrap();
    assert_eq!(rows, 10);

    let mut csv = csv::Reader::from_path(&file).unwrap();
    let rows: Vec<HashMap<String, String>> = csv.deserialize().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 10);
    let of = |n: usize, column: &str| rows[n].get(column).unwrap_or_else(|| panic!("no column {column}")).as_str();
    assert!(of(0, "message").starts_with("msg_"));
    assert_eq!((of(0, "number"), of(0, "country"), of(0, "outcome")), ("+6591000000", "SG", "reached"));
    assert_eq!((of(0, "1 Viber status"), of(0, "1 Viber ended by")), ("Delivered", "success"));
    assert!(of(0, "1 Viber submitted").ends_with("+08:00") && !of(0, "1 Viber delivered").is_empty());
    assert_eq!((of(0, "2 SMS status"), of(0, "2 SMS queued")), ("", ""));
    assert_eq!((of(2, "1 Viber code"), of(2, "1 Viber meaning")), ("2008", "not on Viber"));
    assert_eq!((of(2, "1 Viber status"), of(2, "1 Viber ended by")), ("undelivered", "undelivered"));
    assert_eq!((of(6, "reason"), of(6, "1 Viber ended by")), ("delivered twice", "deadline"));
    assert_eq!((of(7, "state"), of(7, "outcome"), of(7, "2 SMS status")), ("awaiting", "", "Accepted"));

    let some = all.clone().only(&["number".to_owned(), "OUTCOME".to_owned()]).unwrap();
    assert_eq!(some.names().collect::<Vec<_>>(), ["number", "outcome"]);
    let wrong = all.only(&["nmber".to_owned()]).unwrap_err().to_string();
    assert!(wrong.contains("unknown column \"nmber\"") && wrong.contains("1 Viber status"), "{wrong}");
    world.stop().await;
}
