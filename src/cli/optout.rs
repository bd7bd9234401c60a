//! `volley opt-out`: who wants nothing more, and what put them there.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::bail;
use serde::Serialize;

use super::audience::Told;
use super::exit::Usage;
use super::noted::{by_all, sentence};
use super::out::{self, Paint, To};
use super::table::Table;
use super::words::{count, of};
use super::{Exit, Ground};
use crate::audience::{self, Options, Reason, Sieve, Source, Summary};
use crate::campaign::{moment_exactly, noted};
use crate::domain::{Country, Keyword, Msisdn, Timestamp, WishFrom};
use crate::store::{InboundOf, OptIn, OptOut, Store, Wish};

/// People listed, or written, in one go.
const PAGE: u32 = 5_000;
/// Messages of a person that are shown.
const SHOWN: u32 = 1_000;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Everybody who has opted out, with when and how, in order of the number.
    List {
        /// An object on a line of its own for each: msisdn, since, source, how.
        #[arg(long)]
        json: bool,
    },
    /// Let people have nothing more, from any campaign, on any channel. What waits for them is taken back.
    #[command(after_help = "\
Who is out already stays so, since when they were. What an operator puts here ends by
`volley opt-out remove` alone, not by a person's START.

Examples:
  volley opt-out add +6591234567
  volley opt-out add 91234567 --country SG --reason 'asked on the phone'
  volley opt-out add --file blacklist.csv
  cat numbers.txt | volley opt-out add --file -")]
    Add(Args),
    /// Let people be written to again, whatever had put them out. What was taken back stays so.
    Remove(Args),
    /// One person: whether they are out, and everything that put them there or let them back.
    Show {
        /// The number.
        number: String,
        /// Of which country the number is, where it has no country code.
        #[arg(long, value_name = "CC")]
        country: Option<Country>,
        /// As an object: msisdn, opted_out, since, source, how, wishes, wrote.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Phone numbers.
    #[arg(required_unless_present = "file")]
    numbers: Vec<String>,
    /// A file of them: a recipient file, or one number on each line; - reads lines from stdin.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    told: Told,
    /// Why, for whoever wonders.
    #[arg(long)]
    reason: Option<String>,
    /// End with exit code 3 if any row held no number.
    #[arg(long)]
    strict: bool,
    /// As an object: numbers, changed, unchanged, invalid, duplicates, countries, reasons, noted.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(command: Command, ground: &Ground) -> anyhow::Result<Exit> {
    match command {
        Command::List { json } => everybody(ground, json).await,
        Command::Add(args) => change(ground, args, Keyword::Stop).await,
        Command::Remove(args) => change(ground, args, Keyword::Start).await,
        Command::Show { number, country, json } => show(ground, &number, country, json).await,
    }
}

#[derive(Serialize)]
struct OptOutShown<'a> {
    msisdn: Msisdn,
    since: String,
    source: WishFrom,
    how: &'a str,
}

async fn everybody(ground: &Ground, json: bool) -> anyhow::Result<Exit> {
    let store = ground.store_to_look_into().await?;
    let paint = To::Stdout.paint();
    let mut after = None;
    loop {
        let page = store.opt_out_list(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        if json {
            let shown = page.iter().map(|wish| {
                serde_json::to_string(&OptOutShown {
                    msisdn: wish.msisdn,
                    since: wish.since.rfc3339(),
                    source: wish.from,
                    how: &wish.source,
                })
            });
            out::lines(shown.collect::<Result<Vec<_>, _>>()?)?;
        } else {
            if after.is_none() {
                out::data(paint.dim(format!("{:<16}  {:<27}  {:<8}  how", "number", "since", "said by")))?;
            }
            out::lines(page.iter().map(|wish| {
                let since = moment_exactly(wish.since, None);
                format!("{:<16}  {since:<27}  {:<8}  {}", wish.msisdn.to_string(), wish.from, wish.source)
            }))?;
        }
        after = Some(last.msisdn);
    }
    store.close().await;
    if after.is_none() && !json {
        out::talk("Nobody has opted out.");
    }
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct ChangeShown {
    numbers: usize,
    changed: u64,
    unchanged: u64,
    invalid: u64,
    duplicates: u64,
    countries: BTreeMap<Country, u64>,
    reasons: BTreeMap<Reason, u64>,
    noted: Option<bool>,
}

async fn change(ground: &Ground, args: Args, wants: Keyword) -> anyhow::Result<Exit> {
    let Args { numbers, file, told, reason, strict, json } = args;
    let label = file.clone().map(|file| Source::File(file).label());
    // An opt-out counts for every number that may be meant, and is lifted only for one that surely is.
    let options = Options { takes_all: wants == Keyword::Stop, ..told.options() };
    let (people, summary) = people(numbers, file, options).await?;
    if people.is_empty() {
        bail!("there is no number in it that can be read; {}", unreadable(&summary));
    }
    let why = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    let from = label.map(|label| format!(" from {label}")).unwrap_or_default();
    let (was_there, store, now) = (ground.database().exists(), ground.store().await?, ground.now());
    let mut changed = 0;
    for page in people.chunks(usize::try_from(PAGE).unwrap_or(usize::MAX)) {
        changed += u64::from(write(store.as_ref(), page, wants, now, &format!("by {}{from}{why}", ground.by)).await?);
    }
    let obeyed = noted(store.as_ref(), ground.clock.as_ref(), store.seq().await?).await?;
    store.close().await;
    let unchanged = (people.len() as u64).saturating_sub(changed);
    if json {
        out::json(&ChangeShown {
            numbers: people.len(),
            changed,
            unchanged,
            invalid: summary.invalid,
            duplicates: summary.duplicates,
            countries: summary.countries,
            reasons: summary.reasons,
            noted: by_all(obeyed),
        })?;
    } else {
        let (did, were) = match wants {
            Keyword::Stop => ("opted out", "had before"),
            Keyword::Start => ("may be written to again", "had not opted out"),
        };
        let mut parts = vec![format!("{} {did}", of(changed, "person", "people"))];
        if unchanged > 0 {
            parts.push(format!("{} {were}", count(unchanged)));
        }
        if summary.duplicates > 0 {
            parts.push(format!("{} stood there twice", count(summary.duplicates)));
        }
        out::data(format_args!("{} ({}).", parts.join("; "), sentence(obeyed)))?;
        if !summary.number_column.is_empty() {
            out::talk(format_args!("Their numbers stand in column \"{}\".", summary.number_column));
        }
        for note in &summary.notes {
            out::talk(note.text());
        }
        if summary.invalid > 0 {
            out::talk(format_args!(
                "{} could not be read: {}",
                of(summary.invalid, "row", "rows"),
                unreadable(&summary)
            ));
        }
        ground.print_database(was_there);
    }
    Ok(if strict && summary.invalid > 0 { Exit::Incomplete } else { Exit::Done })
}

async fn write(
    store: &dyn Store,
    page: &[Msisdn],
    wants: Keyword,
    now: Timestamp,
    source: &str,
) -> anyhow::Result<u32> {
    let (from, people) = (WishFrom::Operator, page.iter().copied());
    Ok(match wants {
        Keyword::Stop => {
            let wish = |msisdn| OptOut { msisdn, since: now, from, source: source.to_owned() };
            store.opt_out(people.map(wish).collect()).await?
        }
        Keyword::Start => {
            let wish = |msisdn| OptIn { msisdn, at: now, from, source: source.to_owned() };
            store.opt_in(people.map(wish).collect()).await?
        }
    })
}

/// The people who are named, each once, and what could not be read.
async fn people(
    numbers: Vec<String>,
    file: Option<PathBuf>,
    options: Options,
) -> anyhow::Result<(Vec<Msisdn>, Summary)> {
    // One sieve for all of them: whom an argument names is a duplicate in the file.
    let sieve = Sieve::new(Arc::default());
    let read = async |source| audience::numbers(source, options.clone(), sieve.clone()).await;
    let (mut people, mut whole) = (Vec::new(), Summary::default());
    if !numbers.is_empty() {
        (people, whole) = read(Source::numbers(numbers)).await?;
    }
    let Some(file) = file else { return Ok((people, whole)) };
    sieve.next_source();
    let (more, summary) = read(Source::File(file)).await?;
    people.extend(more);
    whole.invalid += summary.invalid;
    whole.duplicates += summary.duplicates;
    for (country, number) in summary.countries {
        *whole.countries.entry(country).or_default() += number;
    }
    for (reason, number) in summary.reasons {
        *whole.reasons.entry(reason).or_default() += number;
    }
    whole.examples.extend(summary.examples);
    (whole.number_column, whole.notes) = (summary.number_column, summary.notes);
    Ok((people, whole))
}

fn unreadable(summary: &Summary) -> String {
    let told =
        summary.examples.iter().filter(|example| !matches!(example.reason, Reason::Duplicate | Reason::Elsewhere));
    let told: Vec<String> =
        told.take(3).map(|it| format!("line {}, \"{}\": {}", it.line, it.value, it.reason.sentence())).collect();
    if told.is_empty() { "name at least one number".to_owned() } else { told.join("; ") }
}

#[derive(Serialize)]
struct PersonShown {
    msisdn: Msisdn,
    opted_out: bool,
    since: Option<String>,
    source: Option<WishFrom>,
    how: Option<String>,
    /// What put them out and let them back, in order.
    wishes: Vec<WishShown>,
    /// Messages that they wrote to us; `volley reply list` shows them.
    wrote: usize,
}

#[derive(Serialize)]
struct WishShown {
    at: String,
    wants: Keyword,
    source: WishFrom,
    how: String,
}

async fn show(ground: &Ground, number: &str, country: Option<Country>, json: bool) -> anyhow::Result<Exit> {
    let (people, summary) = people(vec![number.to_owned()], None, Options { country, ..Options::default() }).await?;
    let Some(person) = people.first().copied() else {
        return Err(Usage(format!("that is no number: {}", unreadable(&summary))).into());
    };
    let store = ground.store_to_look_into().await?;
    let is_out = !store.opted_out(vec![person]).await?.is_empty();
    let before = Msisdn::try_from(person.get() - 1).ok();
    let present = store.opt_out_list(before, 1).await?.into_iter().find(|wish| wish.msisdn == person);
    let wishes = store.wishes(person).await?;
    let wrote = store.inbound(InboundOf::Person(person), 0, SHOWN).await?.len();
    store.close().await;
    if json {
        let wishes = wishes.into_iter().map(|Wish { at, wants, from, source }| WishShown {
            at: at.rfc3339(),
            wants,
            source: from,
            how: source,
        });
        out::json(&PersonShown {
            msisdn: person,
            opted_out: is_out,
            since: present.as_ref().map(|wish| wish.since.rfc3339()),
            source: present.as_ref().map(|wish| wish.from),
            how: present.map(|wish| wish.source),
            wishes: wishes.collect(),
            wrote,
        })?;
        return Ok(Exit::Done);
    }
    let paint = To::Stdout.paint();
    let stands = match &present {
        Some(wish) => paint.bad(format!("has opted out, since {}", moment_exactly(wish.since, None))),
        None => paint.good("may be written to"),
    };
    out::data(format_args!("{}  {stands}", paint.bold(person)))?;
    out::lines(history(&wishes, paint))?;
    if wrote > 0 {
        let messages = of(wrote as u64, "message", "messages");
        out::data(paint.dim(format!("wrote {messages}: volley reply list --from {person}")))?;
    }
    Ok(Exit::Done)
}

fn history(wishes: &[Wish], paint: Paint) -> Vec<String> {
    let mut table = Table::new(&["", "", ""]);
    for wish in wishes {
        let what = match (wish.wants, wish.from) {
            (Keyword::Stop, _) => "out",
            (Keyword::Start, WishFrom::Operator) => "back",
            // What an operator has put there a person's word does not lift.
            (Keyword::Start, WishFrom::Person | WishFrom::Provider) => "asked to be back",
        };
        let at = format!("  {}", moment_exactly(wish.at, None));
        table.row([at, what.to_owned(), format!("{} ({})", wish.source, wish.from)]);
    }
    table.lines(paint)
}
