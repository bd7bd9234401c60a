//! `volley audience list`, `show` and `delete`.

use anyhow::bail;
use serde::Serialize;
use serde_json::Value;

use super::summary::country_lines;
use crate::campaign::moment;
use crate::cli::table::Table;
use crate::cli::{Exit, Ground, out, words};
use crate::config::nearest;
use crate::store::{Audience, Store};

/// People who are shown of an audience.
const FIRST: u32 = 5;

#[derive(Serialize)]
struct AudienceShown<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    source: &'a str,
    recipients: u32,
    columns: &'a [String],
    imported_at: String,
    #[serde(skip_serializing_if = "Value::is_null")]
    summary: Value,
}

impl<'a> AudienceShown<'a> {
    fn new(audience: &'a Audience) -> Self {
        Self {
            name: audience.name.as_deref(),
            source: &audience.source,
            recipients: audience.recipients,
            columns: &audience.columns,
            imported_at: audience.begun_at.rfc3339(),
            summary: understood(audience),
        }
    }
}

/// What the import understood of the file.
fn understood(audience: &Audience) -> Value {
    let parsed = audience.summary.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok());
    parsed.and_then(|mut value| value.get_mut("summary").map(Value::take)).unwrap_or_default()
}

/// Only what has a name: files that campaigns brought along are theirs.
async fn kept(store: &dyn Store) -> anyhow::Result<Vec<Audience>> {
    Ok(store.audiences().await?.into_iter().filter(|audience| audience.name.is_some()).collect())
}

pub(super) async fn list(ground: &Ground, json: bool) -> anyhow::Result<Exit> {
    let store = ground.existing_store().await?;
    let audiences = kept(store.as_ref()).await?;
    if json {
        out::json(&audiences.iter().map(AudienceShown::new).collect::<Vec<_>>())?;
        return Ok(Exit::Done);
    }
    if audiences.is_empty() {
        out::talk("There is no audience yet: volley audience import recipients.csv --name members");
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&["name", ">people", "imported", "file", "columns"]);
    for audience in &audiences {
        table.row([
            audience.name.clone().unwrap_or_default(),
            words::count(audience.recipients),
            moment(audience.begun_at, None),
            audience.source.clone(),
            audience.columns.join(", "),
        ]);
    }
    out::lines(table.lines(out::To::Stdout.paint()))?;
    Ok(Exit::Done)
}

async fn named(store: &dyn Store, name: &str) -> anyhow::Result<Audience> {
    if let Some(audience) = store.audience_named(name).await? {
        return Ok(audience);
    }
    let known: Vec<String> = kept(store).await?.into_iter().filter_map(|audience| audience.name).collect();
    match nearest(name, known.iter().map(String::as_str)) {
        Some(right) => bail!("there is no audience \"{name}\"; did you mean \"{right}\"?"),
        None => bail!("there is no audience \"{name}\"; see `volley audience list`"),
    }
}

pub(super) async fn show(ground: &Ground, name: &str, json: bool) -> anyhow::Result<Exit> {
    let store = ground.existing_store().await?;
    let audience = named(store.as_ref(), name).await?;
    if json {
        out::json(&AudienceShown::new(&audience))?;
        return Ok(Exit::Done);
    }
    let paint = out::To::Stdout.paint();
    let people = words::of(audience.recipients, "person", "people");
    let from = format!("{people} · from {} · imported {}", audience.source, moment(audience.begun_at, None));
    out::data(format_args!("{}  {}", paint.bold(name), paint.dim(from)))?;
    let countries = understood(&audience)["countries"].as_object().cloned().unwrap_or_default();
    let countries = countries.into_iter().map(|(country, number)| (country, number.as_u64().unwrap_or(0))).collect();
    out::lines(country_lines(countries, paint))?;
    let first = store.recipients(audience.id, 0, FIRST).await?;
    out::data(format_args!("\nThe first {} of them", first.len()))?;
    let columns: Vec<&str> = std::iter::once("number").chain(audience.columns.iter().map(String::as_str)).collect();
    let mut table = Table::new(&columns);
    for recipient in &first {
        let fields = recipient.fields.unpack().unwrap_or_default();
        table.row(std::iter::once(recipient.msisdn.to_string()).chain(fields.into_iter().map(Into::into)));
    }
    out::lines(table.lines(paint).into_iter().map(|line| format!("  {line}")))?;
    Ok(Exit::Done)
}

pub(super) async fn delete(ground: &Ground, name: &str, json: bool) -> anyhow::Result<Exit> {
    let store = ground.existing_store().await?;
    let audience = named(store.as_ref(), name).await?;
    store.remove_audience(audience.id).await?;
    store.close().await;
    if json {
        out::json(&serde_json::json!({ "name": name, "recipients": audience.recipients }))?;
        return Ok(Exit::Done);
    }
    let people = words::of(audience.recipients, "person", "people");
    out::talk(format_args!("The audience \"{name}\" is removed, with {people}."));
    Ok(Exit::Done)
}
