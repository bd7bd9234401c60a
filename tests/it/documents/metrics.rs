//! The table of metrics, and the alert rules on them, against the metrics that the server has.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;
use volley::http::metrics::{ALL, Kind};

use super::{compare, root};

#[test]
fn the_page_of_metrics_has_every_metric() {
    let mut made = "| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n".to_owned();
    for metric in ALL {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let (name, kind) = (metric.full_name(), metric.kind.as_str());
        made += &format!("| `{name}` | {kind} | {} | {} |\n", labels.join(", "), metric.help);
    }
    compare("docs/monitoring.md", "metrics", &made);
}

#[test]
fn every_metric_of_the_alert_rules_exists() {
    let mut known = BTreeSet::new();
    for metric in ALL {
        let name = metric.full_name();
        match metric.kind {
            Kind::Histogram => known.extend(["bucket", "sum", "count"].map(|part| format!("{name}_{part}"))),
            Kind::Counter | Kind::Gauge => _ = known.insert(name),
        }
    }
    let rules = fs::read_to_string(root().join("samples/alerts.yml")).unwrap();
    let named = Regex::new(r"\bvolley_\w+").unwrap();
    let named: BTreeSet<&str> = named.find_iter(&rules).map(|found| found.as_str()).collect();
    assert!(named.len() > 10, "{named:?}");
    for name in named {
        assert!(known.contains(name), "samples/alerts.yml names {name}, which is no metric");
    }
}

#[test]
fn every_field_of_the_log_has_its_row() {
    let page = fs::read_to_string(root().join("docs/monitoring.md")).unwrap();
    let (call, field) = (
        Regex::new(r#"tracing::(?:error|warn|info|debug)!\(([^"]*)""#).unwrap(),
        Regex::new(r"(?:^|,)\s*[%?]?([a-z_]+)\s*(?:=|,)").unwrap(),
    );
    let mut files = Vec::new();
    rust_files(&root().join("src"), &mut files);
    let mut fields = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for call in call.captures_iter(&text) {
            fields.extend(field.captures_iter(&call[1]).map(|field| field[1].to_owned()));
        }
    }
    assert!(fields.contains("error") && fields.contains("lane"), "{fields:?}");
    for field in fields {
        assert!(page.contains(&format!("| `{field}` |")), "docs/monitoring.md has no row for the field {field}");
    }
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}
