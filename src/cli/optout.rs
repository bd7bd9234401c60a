//! `volley opt-out`: numbers and channel ids that opted out, and their history.

use std::path::{Path, PathBuf};

use anyhow::bail;
use serde::Serialize;

use super::audience::FileOptions;
use super::exit::Usage;
use super::out::{self, Paint, To};
use super::table::Table;
use super::words::{count, list as list_of, plural};
use super::{CommandContext, Exit, optout_push};
use crate::base::clock::format_time_exactly;
use crate::base::domain::{Address, Channel, Keyword, OptOutOf, OptOutSource, Timestamp, WishSenders, WishSubject};
use crate::campaigns::campaign::noted;
use crate::cli::operator::Operator;
use crate::recipients::audience::{DefaultCountry, ListedNumbers, OptOutChangeView, Options, Source};
use crate::recipients::optout::{self, ConsentView, OptOutView, WishView};
use crate::store::Cursor;

/// Numbers that one store call reads.
const PAGE: u32 = 5_000;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List all opt-outs, with time and source: in order of the number, then the ids of channels in order of arrival.
    List {
        /// Print one JSON object per line: msisdn, purpose, scope, since, by, how; for a channel's id channel and channel_user
        /// instead of msisdn.
        #[arg(long)]
        json: bool,
    },
    /// Opt numbers out of all campaigns, on all channels, or of marketing alone. Their waiting messages are cancelled.
    ///
    /// A channel's id (LINE, WhatsApp) opts out every number that is known with it, now or later.
    #[command(after_help = "\
A number that has opted out before keeps its date. An opt-out that an operator adds ends only with
`volley opt-out remove`, not with the recipient's START.

Entries that cannot be read are printed with their lines, and the exit code is 1. All others take effect.

Examples:
  volley opt-out add +6591234567
  volley opt-out add U4af4980629a1b2c3d4e5f60718293a4b
  volley opt-out add 91234567 --country SG --reason 'asked on the phone'
  volley opt-out add +6591234567 --purpose marketing
  volley opt-out add +6591234567 --purpose marketing --channel WhatsApp --sub-account acme
  volley opt-out add --file blacklist.csv
  cat numbers.txt | volley opt-out add --file -")]
    Add(Args),
    /// Remove opt-outs, whatever their source. Cancelled messages stay cancelled.
    ///
    /// Without --purpose and --channel, every opt-out of a number is removed; with them, those that they cover.
    Remove(Args),
    /// Narrow the opt-outs of everything that the provider reported to what it had reported: marketing on WhatsApp.
    ///
    /// Earlier versions stored each of them as an opt-out of everything. Recipients who have opted out themselves keep that.
    Narrow(NarrowArgs),
    /// Add opted-out numbers to a group of the provider's contacts, so that other senders of the account respect them.
    ///
    /// The group has to exist, and to be blacklisted. Ids of channels are not added: the provider's contacts have numbers.
    /// It does not read the group, because the provider does not document how.
    #[command(after_help = "\
Examples:
  volley opt-out push --group Opt-outs
  volley opt-out push --after +6591234567")]
    Push(optout_push::Args),
    /// Show whether a number or a channel's id has opted out, and its history.
    Show {
        /// The phone number, or the channel's id.
        number: String,
        /// Default country for a number without a country code.
        #[arg(long, value_name = "CC")]
        country: Option<DefaultCountry>,
        /// Print one JSON object: msisdn, is_opted_out, since, by, how, opt_outs, wishes, other_addresses, replies; for a
        /// channel's id channel and channel_user instead of msisdn.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Phone numbers, and ids of channels.
    #[arg(required_unless_present = "file")]
    numbers: Vec<String>,
    /// File with the numbers or ids: a recipient file, or one per line; - reads lines from stdin.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    file_options: FileOptions,
    /// What they opt out of or in to: everything, or marketing alone.
    #[arg(long, default_value_t = OptOutOf::Everything)]
    purpose: OptOutOf,
    /// Only messages on this channel.
    #[arg(long)]
    channel: Option<Channel>,
    /// Only messages of this subaccount on the channel.
    #[arg(long, value_name = "SUBACCOUNT", requires = "channel")]
    sub_account: Option<String>,
    /// Reason, shown in the history of the number.
    #[arg(long)]
    reason: Option<String>,
    /// End with exit code 3 instead of 1 if any row has no valid number.
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    pub(super) operator: Operator,
    /// Print one JSON object: numbers, channel_users, changed, unchanged, invalid, duplicates, countries, reasons, noted.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct NarrowArgs {
    /// List them, and change nothing.
    #[arg(long, conflicts_with_all = ["reason", "json"])]
    list: bool,
    /// Reason, shown in the history of each number.
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    pub(super) operator: Operator,
    /// Print one JSON object: narrowed.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Narrowed {
    narrowed: u64,
}

impl Args {
    fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }
}

impl Command {
    /// The file with the numbers.
    pub(super) fn file(&self) -> Option<&Path> {
        match self {
            Self::Add(args) | Self::Remove(args) => args.file(),
            Self::List { .. } | Self::Push(_) | Self::Narrow(_) | Self::Show { .. } => None,
        }
    }
}

pub(super) async fn run(command: Command, context: &CommandContext) -> anyhow::Result<Exit> {
    match command {
        Command::List { json } => list(context, json).await,
        Command::Add(args) => change(context, args, Keyword::Stop).await,
        Command::Push(args) => optout_push::run(args, context).await,
        Command::Remove(args) => change(context, args, Keyword::Start).await,
        Command::Narrow(args) => narrow(context, args).await,
        Command::Show { number, country, json } => show(context, &number, country, json).await,
    }
}

async fn list(context: &CommandContext, json: bool) -> anyhow::Result<Exit> {
    let store = context.store_for_reading().await?;
    let mut table = Table::new(&["=number or id", "of", "since", "source"]);
    let mut after = Cursor::START;
    loop {
        let page = store.opt_outs(after, PAGE).await?;
        let Some((last, _)) = page.last() else { break };
        after = *last;
        if json {
            let shown = page.into_iter().map(|(_, wish)| serde_json::to_string(&OptOutView::from(wish)));
            out::lines(shown.collect::<Result<Vec<_>, _>>()?)?;
        } else {
            for (_, wish) in &page {
                let since = format_time_exactly(wish.since, None);
                table.row([wish.address.to_string(), wish.of.to_string(), since, source(wish.from, &wish.source)]);
            }
            out::lines(table.next_page(To::Stdout.paint()))?;
        }
    }
    store.close().await;
    if after == Cursor::START && !json {
        out::talk("No opt-outs.");
    }
    Ok(Exit::Done)
}

async fn change(context: &CommandContext, args: Args, wants: Keyword) -> anyhow::Result<Exit> {
    let Args { numbers, file, file_options, purpose, channel, sub_account, reason, strict, json, operator } = args;
    let senders = channel.map(|channel| WishSenders { channel, sub_account });
    if let Some(senders) = senders.as_ref().filter(|senders| !context.config.has_sender(senders)) {
        let WishSenders { channel, sub_account } = senders;
        let named = sub_account.as_deref().unwrap_or_default();
        return Err(Usage(format!("no lane sends on {channel} for the subaccount \"{named}\"")).into());
    }
    let subject = WishSubject { of: purpose, senders };
    let context = context.acting(&operator);
    let file = file.map(|file| context.source(&file)).transpose()?;
    let label = file.as_ref().map(Source::label);
    // An opt-out applies to every possible reading of a number. A removal applies only to a certain one.
    let options = Options { takes_all: wants == Keyword::Stop, ..file_options.options() };
    let listed = ListedNumbers::read(numbers, file, options).await?;
    if listed.is_empty() {
        bail!("no valid number found; {}", listed.first_invalid());
    }
    let why = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    let from = label.map(|label| format!(" from {label}")).unwrap_or_default();
    let how = format!("by {}{from}{why}", context.by);
    let (was_there, store, now) = (context.database().exists(), context.store().await?, context.now());
    let changed = optout::change(store.as_ref(), &listed.addresses(), (wants, &subject), now, &how).await?;
    let noted = noted(store.as_ref(), context.clock.as_ref(), store.seq().await?).await?;
    store.close().await;
    let view = OptOutChangeView::new(&listed, changed, noted.by_all());
    let summary = &listed.summary;
    if json {
        out::json(&view)?;
    } else {
        let (did, were) = match wants {
            Keyword::Stop if listed.users.is_empty() => {
                (format!("{} opted out", plural(changed, "number", "numbers")), "already opted out")
            }
            Keyword::Stop => {
                (format!("{} opted out", plural(changed, "number or id", "numbers and ids")), "already opted out")
            }
            Keyword::Start => (format!("{} removed", plural(changed, "opt-out", "opt-outs")), "had none"),
        };
        let mut parts = vec![did];
        if view.unchanged > 0 {
            parts.push(format!("{} {were}", count(view.unchanged)));
        }
        if summary.duplicates > 0 {
            parts.push(format!("{} listed more than once", count(summary.duplicates)));
        }
        out::data(format_args!("{}{}.", parts.join("; "), noted.bracket(changed > 0)))?;
        if !summary.number_column.is_empty() {
            out::talk(format_args!("Numbers read from column \"{}\".", summary.number_column));
        }
        for note in listed.notes(wants == Keyword::Stop) {
            out::talk(note);
        }
        context.print_database(was_there);
    }
    if summary.invalid == 0 {
        return Ok(Exit::Done);
    }
    let entries = plural(summary.invalid, "entry", "entries");
    out::talk(format_args!("{entries} could not be read, and all others took effect:"));
    listed.all_invalid().for_each(|entry| out::talk(format_args!("  {entry}")));
    Ok(if strict { Exit::Incomplete } else { Exit::Failed })
}

async fn narrow(context: &CommandContext, args: NarrowArgs) -> anyhow::Result<Exit> {
    let NarrowArgs { list, reason, operator, json } = args;
    let context = context.acting(&operator);
    if list {
        return list_reported(&context).await;
    }
    let why = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    let how = format!("by {}, to what the provider reported{why}", context.by);
    let (store, now) = (context.existing_store().await?, context.now());
    let narrowed = optout::narrow(store.as_ref(), now, &how).await?;
    store.close().await;
    if json {
        out::json(&Narrowed { narrowed })?;
    } else if narrowed == 0 {
        out::data("No opt-out of everything comes from the provider alone.")?;
    } else {
        let narrowed = plural(narrowed, "opt-out is", "opt-outs are");
        out::data(format_args!("{narrowed} of {} now, no longer of everything.", optout::reported()))?;
    }
    Ok(Exit::Done)
}

async fn list_reported(context: &CommandContext) -> anyhow::Result<Exit> {
    let store = context.store_for_reading().await?;
    let found = optout::to_narrow(store.as_ref()).await?;
    store.close().await;
    let mut table = Table::new(&["=number or id", "since", "source"]);
    for wish in &found {
        let since = format_time_exactly(wish.since, None);
        table.row([wish.address.to_string(), since, source(wish.from, &wish.source)]);
    }
    if found.is_empty() {
        out::talk("No opt-out of everything comes from the provider alone.");
    } else {
        out::lines(table.lines(To::Stdout.paint()))?;
    }
    Ok(Exit::Done)
}

fn state(opt_outs: &[OptOutView], since: Option<Timestamp>, paint: Paint) -> String {
    match (since, opt_outs.first()) {
        (Some(since), _) => paint.bad(format!("opted out since {}", format_time_exactly(since, None))),
        (None, Some(_)) => {
            let of: Vec<String> = opt_outs.iter().map(|opt_out| opt_out.subject.to_string()).collect();
            paint.bad(format!("opted out of {}", list_of(&of)))
        }
        (None, None) => paint.good("not opted out"),
    }
}

async fn show(
    context: &CommandContext,
    number: &str,
    country: Option<DefaultCountry>,
    json: bool,
) -> anyhow::Result<Exit> {
    let address = if let Ok(user) = number.parse() {
        Address::User(user)
    } else {
        let options = Options { country, ..Options::default() };
        let listed = ListedNumbers::read(vec![number.to_owned()], None, options).await?;
        let msisdn = listed.numbers.first().copied();
        Address::Number(msisdn.ok_or_else(|| Usage(format!("invalid number: {}", listed.first_invalid())))?)
    };
    let store = context.store_for_reading().await?;
    let view = ConsentView::read(store.as_ref(), address.clone()).await?;
    store.close().await;
    if json {
        out::json(&view)?;
        return Ok(Exit::Done);
    }
    let paint = To::Stdout.paint();
    let on = address.user().map(|user| format!(" {}", paint.dim(format!("on {}", user.channel)))).unwrap_or_default();
    out::data(format_args!("{}{on}  {}", paint.bold(&address), state(&view.opt_outs, view.since, paint)))?;
    out::lines(history(&view.wishes, paint))?;
    if !view.other_addresses.is_empty() {
        let others = list_of(&view.other_addresses);
        out::data(paint.dim(format!("known of the same recipient: {others}")))?;
    }
    if view.replies > 0 {
        let replies = plural(view.replies as u64, "reply", "replies");
        out::data(paint.dim(format!("{replies} received; to list: volley reply list --from {address}")))?;
    }
    Ok(Exit::Done)
}

/// Who opted a number out or in, and how: `operator: ann from list.csv`, `recipient: STOP`.
fn source(by: OptOutSource, how: &str) -> String {
    let how = how.strip_prefix("by ").unwrap_or(how);
    // The operator without a name.
    let how = how.strip_prefix("an operator").unwrap_or(how).trim_start_matches([':', ' ']);
    if how.is_empty() { by.to_string() } else { format!("{by}: {how}") }
}

fn history(wishes: &[WishView], paint: Paint) -> Vec<String> {
    let mut table = Table::new(&["", "", ""]);
    for wish in wishes {
        let what = match (wish.wants, wish.by) {
            (Keyword::Stop, _) => "opted out",
            (Keyword::Start, OptOutSource::Operator) => "opted in",
            // A recipient's START does not end an operator's opt-out.
            (Keyword::Start, OptOutSource::Recipient | OptOutSource::Provider) => "asked to opt in",
        };
        let of = if wish.subject.is_everything() { String::new() } else { format!(": {}", wish.subject) };
        let at = format!("  {}", format_time_exactly(wish.at, None));
        table.row([at, format!("{what}{of}"), source(wish.by, &wish.how)]);
    }
    table.lines(paint)
}
