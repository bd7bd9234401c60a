//! `volley bench` as an operator runs it: every part measures what its name says, at sizes that take no time.

use std::collections::BTreeSet;

use crate::cli::{ran, volley};

#[test]
fn the_bench_of_the_api_stores_every_message_and_reads_every_row() {
    let place = tempfile::tempdir().unwrap();
    let sizes =
        ["--messages", "300", "--connections", "4", "--batched", "2500", "--uploaded", "700", "--stored", "1200"];
    let bench = [&["bench", "api"], &sizes[..], &["--runs", "1", "--json"]].concat();
    let figures = ran(volley(place.path(), &bench)).ended(0).json();
    let all = figures["figures"].as_array().unwrap();
    let counted: Vec<_> = all.iter().map(|figure| figure["runs"][0]["messages"].as_u64().unwrap()).collect();
    let [bare, kept, single, half, _, batched, uploaded, imported, messages, campaigns, events] = counted[..] else {
        panic!("{figures}")
    };
    assert_eq!([uploaded, imported], [700; 2], "{figures}");
    assert_eq!([bare, kept, single, half, batched], [300, 300, 300, 150, 2_500], "{figures}");
    assert_eq!([messages, campaigns], [1_200, 2_001], "{figures}");
    assert!(events > 100_000, "{figures}");
    let targets = |at: usize| all[at]["targets"][0]["target"].as_str().unwrap();
    let wanted = ["ratio >= 0.50", "p99 < 50 ms", ">= 100,000/s", "peak <= 143 MiB", "p99 < 20 ms"];
    assert_eq!([2, 3, 5, 6, 8].map(targets), wanted);
}

#[test]
fn the_bench_of_campaigns_measures_whole_commands() {
    let place = tempfile::tempdir().unwrap();
    let bench = ["bench", "campaign", "--rows", "2000", "--exported", "300", "--runs", "1", "--json"];
    let figures = ran(volley(place.path(), &bench)).ended(0).json();
    let all = figures["figures"].as_array().unwrap();
    let counted: Vec<_> = all.iter().filter_map(|figure| figure["runs"][0]["messages"].as_u64()).collect();
    assert_eq!((all.len(), counted[0] > 1_800, counted[1]), (6, true, counted[0]), "{figures}");
    assert!(all.iter().all(|figure| figure["runs"][0]["answered_ms"].is_u64()), "{figures}");
}

#[test]
fn the_bench_of_dispatch_submits_everything_also_with_all_rules() {
    let place = tempfile::tempdir().unwrap();
    let run_of = ["bench", "run", "product", "--messages", "300", "--connections", "4", "--batch", "1", "--with-rules"];
    assert_eq!(ran(volley(place.path(), &run_of)).ended(0).json()["messages"], 300);
}

#[test]
fn the_bench_of_imports_compares_each_with_the_limit_of_its_run() {
    let place = tempfile::tempdir().unwrap();
    let bench = ["bench", "import", "--rows", "2000", "--huge", "5000", "--runs", "1", "--json"];
    let figures = ran(volley(place.path(), &bench)).ended(0).json();
    let shown: Vec<(&str, u64)> = figures["figures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|figure| (figure["name"].as_str().unwrap(), figure["runs"][0]["messages"].as_u64().unwrap()))
        .collect();
    let [csv, check, store, import, sheet, sheet_check, huge] = shown[..] else { panic!("{shown:?}") };
    assert_eq!([csv.1, check.1, sheet.1, sheet_check.1, huge.1], [2_000, 2_000, 2_000, 2_000, 5_000]);
    // One of twenty rows has no number, and is not stored.
    assert_eq!(store, ("CSV: bulk insert alone", import.1));
    assert!((1_800..2_000).contains(&import.1), "{shown:?}");
    let holds = |name: &str, key: &str| {
        figures["figures"].as_array().unwrap().iter().any(|it| it["name"] == name && it[key].is_number())
    };
    assert!(holds(import.0, "median_ratio") && holds(sheet_check.0, "median_ratio"), "{figures}");
    // Several targets of one row, each with its own answer.
    let targets = figures["figures"][1]["targets"].as_array().unwrap();
    let shown: Vec<&str> = targets.iter().map(|held| held["target"].as_str().unwrap()).collect();
    assert_eq!(shown, [">= 1,000,000/s", "peak <= 150 MiB"]);
    assert!(targets.iter().all(|held| held["met"].is_boolean()), "{figures}");
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0, "it leaves nothing behind");
}

#[test]
fn the_bench_of_memory_sends_campaigns_of_both_sizes() {
    let place = tempfile::tempdir().unwrap();
    let bench = ["bench", "memory", "--messages", "300", "--many", "2000", "--runs", "1", "--json"];
    let figures = ran(volley(place.path(), &bench)).ended(0).json();
    let all = figures["figures"].as_array().unwrap();
    let sent: Vec<_> = all.iter().map(|figure| figure["runs"][0]["messages"].as_u64().unwrap()).collect();
    assert_eq!(sent, [300, 300, 300, 2_000, 2_000, 2_000], "{figures}");
    for figure in all {
        assert!(figure["runs"][0]["peak_mib"].as_f64().unwrap() > 1.0, "{figure}");
        assert_eq!(figure["targets"][0]["target"], "peak <= 80 MiB");
    }
}

#[test]
fn the_bench_of_the_engine_decides_each_kind_of_fact() {
    let place = tempfile::tempdir().unwrap();
    let figures = ran(volley(place.path(), &["bench", "engine", "--runs", "1", "--json"])).ended(0).json();
    let all = figures["figures"].as_array().unwrap();
    let kinds: BTreeSet<_> = all.iter().map(|figure| figure["name"].as_str().unwrap()).collect();
    assert_eq!((all.len(), kinds.len()), (4, 4), "{figures}");
    assert!(all.iter().all(|figure| figure["runs"][0]["messages"].as_u64().unwrap() > 1_000), "{figures}");
}
