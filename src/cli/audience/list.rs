//! `volley audience list`, `show`, `sample`, `export` and `delete`.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::bail;

use super::summary::country_lines;
use crate::base::clock::format_time;
use crate::base::domain::{Country, Recipient, nearest, suggestion};
use crate::cli::interrupt::Interrupts;
use crate::cli::out::Paint;
use crate::cli::table::Table;
use crate::cli::{CommandContext, Exit, out, progress, words};
use crate::recipients::audience::{
    AudienceRows, AudienceView, ImportRecord, RecipientView, RemovedView, Summary, sample as sample_of,
};
use crate::store::{Audience, AudiencePart, Audiences};

/// Recipients that `show` prints.
const FIRST: u32 = 5;

/// The summaries of the parts. One that cannot be read is missing, which is reported on stderr.
fn summaries(audience: &Audience) -> Vec<Option<Summary>> {
    let summary = |part: &AudiencePart| {
        let record = ImportRecord::of(part).inspect_err(|unreadable| out::talk(unreadable));
        record.unwrap_or_default().summary
    };
    audience.parts.iter().map(summary).collect()
}

fn sources(audience: &Audience) -> String {
    audience.parts.iter().map(|part| part.source.as_str()).collect::<Vec<_>>().join(", ")
}

pub(super) async fn list(context: &CommandContext, json: bool) -> anyhow::Result<Exit> {
    let store = context.existing_store().await?;
    let audiences = store.audiences().await?;
    if json {
        let summaries: Vec<_> = audiences.iter().map(summaries).collect();
        let views =
            audiences.iter().zip(&summaries).map(|(audience, summaries)| AudienceView::new(audience, summaries));
        out::json(&views.collect::<Vec<_>>())?;
        return Ok(Exit::Done);
    }
    if audiences.is_empty() {
        out::talk("No audiences yet. To import one: volley audience import recipients.csv --name members");
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&["name", ">recipients", "imported", "file", "columns"]);
    for audience in &audiences {
        table.row([
            audience.name.clone(),
            words::count(audience.recipients()),
            audience.parts.last().map(|part| format_time(part.begun_at, None)).unwrap_or_default(),
            sources(audience),
            audience.columns.join(", "),
        ]);
    }
    out::lines(table.lines(out::To::Stdout.paint()))?;
    Ok(Exit::Done)
}

pub(super) async fn named(store: &dyn Audiences, name: &str) -> anyhow::Result<Audience> {
    if let Some(audience) = store.audience_named(name).await? {
        return Ok(audience);
    }
    let known: Vec<String> = store.audiences().await?.into_iter().map(|audience| audience.name).collect();
    let nearest = nearest(name, known.iter().map(String::as_str));
    bail!("unknown audience \"{name}\"; {}", suggestion(nearest, "see `volley audience list`"))
}

pub(super) async fn show(context: &CommandContext, name: &str, json: bool) -> anyhow::Result<Exit> {
    let store = context.existing_store().await?;
    let audience = named(store.as_ref(), name).await?;
    let summaries = summaries(&audience);
    if json {
        out::json(&AudienceView::new(&audience, &summaries))?;
        return Ok(Exit::Done);
    }
    let paint = out::To::Stdout.paint();
    let recipients = words::plural(audience.recipients(), "recipient", "recipients");
    out::data(format_args!("{}  {}", paint.bold(name), paint.dim(recipients)))?;
    let mut parts = Table::new(&["from", ">recipients", "imported"]);
    for part in &audience.parts {
        parts.row([part.source.clone(), words::count(part.recipients), format_time(part.begun_at, None)]);
    }
    let mut countries = BTreeMap::<Country, u64>::new();
    for (country, number) in summaries.iter().flatten().flat_map(|summary| &summary.countries) {
        *countries.entry(*country).or_default() += number;
    }
    out::lines(parts.lines(paint).into_iter().map(|line| format!("  {line}")))?;
    out::lines(country_lines(
        countries.iter().map(|(country, number)| (country.to_string(), *number)).collect(),
        paint,
    ))?;
    let first = store.recipients(audience.id(), 0, FIRST).await?;
    out::data(format_args!("\nFirst {}", words::plural(first.len() as i128, "recipient", "recipients")))?;
    print_recipients(&audience, &first, paint)?;
    Ok(Exit::Done)
}

fn print_recipients(audience: &Audience, recipients: &[Recipient], paint: Paint) -> anyhow::Result<()> {
    let columns: Vec<&str> = std::iter::once("number").chain(audience.columns.iter().map(String::as_str)).collect();
    let mut table = Table::new(&columns);
    for recipient in recipients {
        let fields = recipient.fields.unpack().unwrap_or_default();
        // A line break in a cell must not break the line.
        let one_line = |field: &str| field.split_whitespace().collect::<Vec<_>>().join(" ");
        table.row(
            std::iter::once(recipient.address.as_ref().map(ToString::to_string).unwrap_or_default())
                .chain(fields.iter().map(|field| one_line(field))),
        );
    }
    out::lines(table.lines(paint).into_iter().map(|line| format!("  {line}")))
}

/// Prints recipients at even distances through the whole audience.
pub(super) async fn sample(context: &CommandContext, name: &str, number: u32, json: bool) -> anyhow::Result<Exit> {
    let store = context.existing_store().await?;
    let audience = named(store.as_ref(), name).await?;
    let some = sample_of(store.as_ref(), &audience, number).await?;
    if !json {
        print_recipients(&audience, &some, out::To::Stdout.paint())?;
        return Ok(Exit::Done);
    }
    for recipient in &some {
        out::json(&RecipientView::new(recipient, &audience.columns))?;
    }
    Ok(Exit::Done)
}

/// Writes all recipients to a file that can be imported.
pub(super) async fn export(context: &CommandContext, name: &str, file: &Path) -> anyhow::Result<Exit> {
    out::is_table(file)?;
    let store = context.existing_store().await?;
    let audience = named(store.as_ref(), name).await?;
    let mut sheets = out::table_into(context, file, AudienceRows::header(&audience))?;
    let bar = progress::bar("export", out::is_stdout(file));
    bar.set_length(u64::from(audience.recipients()));
    let mut interrupts = Interrupts::listen();
    let (mut pages, mut rows) = (AudienceRows::of(&audience), 0_u64);
    loop {
        let page = tokio::select! {
            page = pages.next(store.as_ref()) => page?,
            () = interrupts.next() => bail!("interrupted before the export was complete"),
        };
        let Some(page) = page else { break };
        page.iter().try_for_each(|cells| sheets.row(cells))?;
        rows += page.len() as u64;
        bar.set_position(rows);
        bar.set_message(words::plural(rows, "row", "rows"));
    }
    bar.finish_and_clear();
    sheets.finish()?;
    if !out::is_stdout(file) {
        out::talk(format_args!("Wrote {} of \"{name}\" to {}.", words::plural(rows, "row", "rows"), file.display()));
    }
    Ok(Exit::Done)
}

pub(super) async fn delete(context: &CommandContext, name: &str, json: bool) -> anyhow::Result<Exit> {
    let store = context.existing_store().await?;
    let audience = named(store.as_ref(), name).await?;
    store.remove_audience(audience.id()).await?;
    store.close().await;
    if json {
        out::json(&RemovedView { name, recipients: audience.recipients() })?;
        return Ok(Exit::Done);
    }
    let recipients = words::plural(audience.recipients(), "recipient", "recipients");
    out::talk(format_args!("Removed the audience \"{name}\" with {recipients}."));
    Ok(Exit::Done)
}
