//! Every key that a command prints with `--json` has its row in `docs/json.md`, and every number its unit.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::root;
use crate::cli::{Ran, installation, interrupt, run, serve};
use crate::history_commands::{self, NAME};
use crate::support::until;
use volley::base::domain::Span;

/// Keys of the first version, which scripts rely on, though they do not name their unit.
const OLDER_THAN_THE_RULE: [&str; 3] = ["seconds", "rate.now", "rate.allowed"];

/// Units that need no name in the key: a number that has one of them is whole.
const COUNTED: [&str; 2] = ["count", "number"];

/// How a key ends that holds a number of this unit.
fn ending(unit: &str) -> Option<&'static str> {
    Some(match unit {
        "per second" => "_per_s",
        "ms" => "_ms",
        "s" => "_s",
        "µs" => "_us",
        "ms a second" => "_ms_per_s",
        "MiB" => "_mib",
        "bytes" => "bytes",
        "share" => "_share",
        "ratio" => "ratio",
        "degrees" => "_deg",
        _ => return None,
    })
}

/// The units of the page by key, each key once.
fn units() -> BTreeMap<String, String> {
    let page = fs::read_to_string(root().join("docs/json.md")).unwrap();
    let mut units = BTreeMap::new();
    let mut is_inside = false;
    for line in page.lines() {
        is_inside = line == "| key | meaning | unit |" || is_inside && line.starts_with('|');
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [key, meaning, unit] = cells[..] else { continue };
        let Some(key) = key.strip_prefix('`').and_then(|key| key.strip_suffix('`')).filter(|_| is_inside) else {
            continue;
        };
        assert!(!meaning.is_empty() && !unit.is_empty(), "docs/json.md says nothing about {key}");
        let former = units.insert(key.to_owned(), unit.to_owned());
        assert_eq!(former, None, "docs/json.md has two rows of {key}");
    }
    units
}

/// Whether a number may be printed under a key of this unit.
fn has_its_unit(key: &str, unit: &str, number: &serde_json::Number) -> bool {
    if OLDER_THAN_THE_RULE.contains(&key) {
        return true;
    }
    let last = key.rsplit('.').next().unwrap();
    let is_count = COUNTED.iter().any(|counted| unit.starts_with(counted));
    match ending(unit) {
        Some(ending) => last.ends_with(ending) || ending == "ratio" && last == "ratios",
        None => is_count && !number.is_f64(),
    }
}

/// What a printed value has that the page does not tell of.
fn undocumented(units: &BTreeMap<String, String>, value: &Value, parent: &str, wrong: &mut Vec<String>) {
    match value {
        Value::Array(all) => all.iter().for_each(|one| undocumented(units, one, parent, wrong)),
        Value::Object(object) => {
            for (name, inner) in object {
                let own = format!("{parent}.{name}");
                let key = if units.contains_key(&own) { &own } else { name };
                let Some(unit) = units.get(key) else {
                    wrong.push(format!("`{name}` of `{parent}` has no row"));
                    continue;
                };
                let numbers = inner.as_array().map_or(std::slice::from_ref(inner), Vec::as_slice);
                let numbers = numbers.iter().filter_map(Value::as_number);
                let bad = numbers.filter(|number| !has_its_unit(key, unit, number));
                wrong.extend(bad.map(|number| format!("`{key}` is {number}, and its unit is {unit}")));
                // The keys of such an object are data.
                if !(inner.is_object() && unit.contains(" by ")) {
                    undocumented(units, inner, name, wrong);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Checks what a command printed, one object or one on each line.
#[track_caller]
pub(crate) fn check(printed: &str) {
    let (units, mut wrong) = (units(), Vec::new());
    let mut seen = 0;
    for value in serde_json::Deserializer::from_str(printed).into_iter::<Value>() {
        undocumented(&units, &value.unwrap(), "", &mut wrong);
        seen += 1;
    }
    assert!(seen > 0, "nothing was printed");
    wrong.sort_unstable();
    wrong.dedup();
    assert!(wrong.is_empty(), "docs/json.md: {wrong:#?}\n{printed}");
}

/// Runs commands with `--json`, and checks what each prints.
fn check_all(at: &Path, commands: &[&str]) {
    for command in commands {
        let words = shlex::split(command).unwrap();
        let words: Vec<&str> = words.iter().map(String::as_str).chain(["--json"]).collect();
        let Ran { stdout, stderr, .. } = run(at, &words);
        assert!(!stdout.is_empty(), "{command}: {stderr}");
        check(&stdout);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_key_of_a_report_is_documented() {
    let folder = history_commands::site().await;
    let at = folder.path();
    let audited = |rest: &str| rest.replace('@', NAME);
    let commands = [
        "campaign show @",
        "campaign list --all",
        "campaign report @ --by both",
        "audit @",
        "message list @",
        "message show @ +6591000001",
        "message explain @ +6591000007",
        "message explain +6591000007",
        "message strays",
        "reply list --unmasked",
        "opt-out list",
        "opt-out show +6591000007",
        "events",
        "doctor",
        "purge --recipient +6591000003",
        "purge --after 90d",
        "backup copy.db",
    ];
    let commands: Vec<String> = commands.into_iter().map(audited).collect();
    check_all(at, &commands.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn every_key_of_a_change_is_documented() {
    let folder = installation();
    let at = folder.path();
    fs::copy(root().join("samples/recipients-messy.csv"), at.join("messy.csv")).unwrap();
    check_all(
        at,
        &[
            "audience check recipients.csv",
            "audience check messy.csv --country SG",
            "audience import recipients.csv --name members",
            "audience import messy.csv --name more --country SG",
            "audience list",
            "audience show members",
            "audience sample members",
            "audience delete more",
            "opt-out add +6591234567 1",
            "opt-out remove +6591234567",
            "campaign plan promo.toml",
            "campaign plan promo.toml --preview --max-parts 1",
            "template preview promo.toml --with FirstName=Ann",
            "campaign plan missing.toml",
            "campaign launch promo.toml --unchecked --name first --at 2099-12-01T09:00+08:00",
            "campaign launch promo.toml --unchecked --name second",
            "campaign launch promo.toml --draft --name third",
            "campaign test second --to +6591234568",
            "campaign calendar",
            "campaign show first",
            "campaign show second",
            "campaign set first --quiet-hours 22:00-07:00 --max-messages 20 --step 2",
            "campaign rename first fourth",
            "campaign pause second --step 1",
            "campaign resume second --step 1",
            "campaign pause second --reason moving",
            "campaign resume second",
            "campaign start third",
            "campaign clone second --draft --name fifth",
            "campaign delete fifth",
            "lane pause promo-sg --reason moving",
            "lane set promo-sg --rate 5/min --tier 10K",
            "lane list",
            "lane show promo-sg",
            "template hold promo",
            "template list",
            "campaign show second",
            "template resume promo",
            "lane resume promo-sg",
            "campaign cancel second",
            "campaign report second",
            "key create --name shop --scope send,read --address 10.0.0.0/8 --expires 90d --requests-per-s 50",
            "key rotate shop --overlap 1h",
            "key list",
            "key revoke shop",
            "audit-log",
            "operator list",
            "events",
            "doctor",
            "config show",
            "config check",
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
#[cfg(unix)]
async fn every_key_of_a_running_server_is_documented() {
    let folder = installation();
    let at = folder.path();
    let (mut server, listening) = serve(at, &[]);
    check(&listening.to_string());
    let lane: String = until("the server reports its lanes", Span::from_secs(60), async || {
        let shown = run(at, &["lane", "show", "sms", "--json"]).ended(0);
        if shown.json()["now"].is_null() { Err(shown.stdout) } else { Ok(shown.stdout) }
    })
    .await;
    check(&lane);
    check_all(at, &["lane list", "doctor"]);
    interrupt(&server);
    assert_eq!(server.wait().unwrap().code(), Some(0));
}

#[test]
fn every_key_of_a_benchmark_is_documented() {
    let folder = tempfile::tempdir().unwrap();
    check_all(folder.path(), &["bench engine --runs 1", "bench import --rows 2000 --huge 5000 --runs 1"]);
}

#[test]
fn a_number_without_a_unit_in_its_key_is_found() {
    let units = BTreeMap::from([
        ("took_ms".to_owned(), "ms".to_owned()),
        ("pace".to_owned(), "per second".to_owned()),
        ("rows".to_owned(), "count".to_owned()),
    ]);
    let mut wrong = Vec::new();
    let printed = serde_json::json!({ "took_ms": 5, "pace": 4.5, "rows": 1.5, "new": { "rows": 1 } });
    undocumented(&units, &printed, "", &mut wrong);
    assert_eq!(
        wrong,
        ["`new` of `` has no row", "`pace` is 4.5, and its unit is per second", "`rows` is 1.5, and its unit is count",]
    );
}
