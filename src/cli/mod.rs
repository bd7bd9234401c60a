//! Commands, progress, tables.
//!
//! In: a command line. Out: data on stdout, messages on stderr, and an exit code (`Exit`).
//!
//! Promises:
//! - stdout carries only data.
//! - Every command that reports has `--json`.
//! - An operation that takes longer than a second shows its progress.
//! - An error is one line that says what, where and what to do. With `--json` it is also an object on stdout.
//!
//! May not: decide anything, or know what a thing looks like as JSON, but for errors, the configuration, backups and
//! benchmarks. A command calls the rooms' public verbs, which the server uses too, and prints the views that they return.
//! A command and a running server share only the store. A command on another server (`remote`) is run by that server
//! (`callers`), and prints here.

mod audience;
mod audit;
mod audit_log;
mod backup;
mod bench;
mod callers;
mod campaign;
mod config;
mod context;
mod demo;
mod doctor;
mod events;
mod exit;
mod interrupt;
mod key;
mod lane;
mod marks;
mod message;
mod operator;
mod operators;
mod optout;
mod optout_push;
mod out;
mod preview;
mod progress;
mod purge;
mod reload;
mod remote;
mod reply;
mod serve;
mod server;
mod service;
mod shell;
mod simulate;
mod subscription;
mod table;
mod template;
mod uploads;
mod usage;
mod watch;
mod webhooks;
mod words;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use futures_util::future::LocalBoxFuture;
use tracing_subscriber::EnvFilter;

use crate::base::clock::showing_times_in;
use crate::base::domain::Zone;
use crate::recipients::audience::hush_stumbling_readers;
use context::CommandContext;
use exit::Exit;

#[derive(Debug, Parser)]
#[command(
    name = "volley",
    version,
    arg_required_else_help = true,
    about = "Sends bulk messaging campaigns at exactly the allowed rate, and falls back to another channel where needed",
    long_about = "Volley sends bulk messaging campaigns at exactly the rate that the sender's messaging tier and rate \
                  limits allow. It tracks every receipt. When WhatsApp does not reach a recipient in time, it falls \
                  back to Viber, then SMS.\n\nA server (`volley serve`) sends. All other commands use the same \
                  database and can run while it does.",
    after_help = "\
Examples:
  volley demo                             try everything in half a minute, without an account
  volley audience check recipients.csv    count the valid and rejected rows of a file, with reasons
  volley campaign plan promo.toml         show what would be sent, without sending
  volley serve                            start sending
  volley campaign launch promo.toml --wait

Exit codes: 0 done; 1 failed; 2 wrong usage; 3 finished with rejected rows or undelivered messages (with --strict).
The log goes to stderr. VOLLEY_LOG=info (or debug) logs more; VOLLEY_LOG_FORMAT=json logs as JSON."
)]
pub struct Cli {
    /// Configuration file. Default: VOLLEY_CONFIG, else volley.toml in the current folder.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Show times on the clock of this zone, such as Asia/Singapore. Default: the zone of the campaign, else TZ or that of
    /// the computer that runs the command.
    #[arg(long, global = true, value_name = "ZONE")]
    time_zone: Option<Zone>,

    #[command(flatten)]
    remote: remote::Options,

    #[command(subcommand)]
    command: Command,

    /// Whether the command has `--json`. Errors are printed accordingly, so no command can forget it.
    #[arg(skip)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a demonstration: practice provider, server, a sample campaign, live progress and a report.
    ///
    /// It starts the practice provider and the server on free ports, with a database in a temporary folder. It
    /// generates a spreadsheet of recipients in eight countries, and launches a campaign that tries WhatsApp, then
    /// Viber, then SMS.
    ///
    /// Nothing is sent to real phones: the practice provider decides who is reached. Time is compressed: steps fall
    /// back after seconds instead of minutes.
    Demo(demo::Args),
    /// Run the server, which sends, receives webhooks and applies deadlines, until Ctrl-C.
    ///
    /// It sends queued messages at exactly the rate that lanes and tiers allow, receives the provider's webhooks at
    /// /webhooks/8x8, and falls back when a deadline passes. It prints one line with the address that it listens on.
    ///
    /// Ctrl-C (or SIGTERM) stops it gracefully: it finishes requests in flight and returns other claimed messages to
    /// their queues. A second Ctrl-C stops it at once: nothing is lost or sent twice, but the results of requests in
    /// flight are unknown.
    Serve(serve::Args),
    /// Run only the practice provider, which accepts messages and posts receipts but sends nothing.
    ///
    /// It implements the provider's API, decides at random which recipients are reached on which channel, and posts
    /// webhooks with both authentications. The same seed gives the same result for a number every time.
    ///
    /// GET /simulator/seen returns what it has received; POST /simulator/faults injects faults.
    Simulate(simulate::Args),
    #[command(flatten)]
    Shared(SharedCommand),
    /// Keys of the API: create, list, rotate, revoke.
    #[command(subcommand)]
    Key(key::Command),
    /// Operators with a password for the web pages: create, list, disable, enable.
    #[command(subcommand)]
    Operator(operators::Command),
    /// Show who changed something over the API, and who changed keys and operators.
    AuditLog(audit_log::Args),
    /// Remove campaigns that settled long ago, or erase one recipient everywhere.
    Purge(purge::Args),
    /// Copy the whole database to a new file, also while a server is running.
    Backup(backup::Args),
    /// Measure this machine's throughput, each figure against a limit measured in the same run.
    #[command(subcommand)]
    Bench(bench::Command),
    /// Configuration: show each value in effect with its source, or check it.
    #[command(subcommand)]
    Config(config::Command),
    /// Uploaded recipient files: list, delete, also while no server runs.
    #[command(subcommand)]
    Upload(uploads::Command),
    /// Webhooks that Volley sends: create subscriptions, list deliveries, resend them.
    #[command(subcommand)]
    Subscription(subscription::Command),
    /// Check the installation: configuration, database, lanes, holds, server.
    ///
    /// It checks whether the configuration is valid, the database and the providers can be reached, every lane has a
    /// key, the provider accepts each key with its subaccount, and a server is running. It names each hold, slow lane and
    /// paused campaign, and gaps in receiving.
    ///
    /// Each finding says what to do. The exit code is 1 if something prevents Volley from sending.
    Doctor(doctor::Args),
    /// Print a completion script for a shell.
    Completions(shell::Completions),
    /// Print a manual page.
    Man(shell::Man),
}

/// The commands that also work on another server.
#[derive(Debug, Subcommand)]
enum SharedCommand {
    /// Recipient files: check, import, show, export.
    #[command(subcommand)]
    Audience(audience::Command),
    /// Campaigns: plan, launch, watch, pause, resume, cancel, report.
    #[command(subcommand)]
    Campaign(campaign::Command),
    /// Lanes (senders): rates, tiers and holds.
    #[command(subcommand)]
    Lane(lane::Command),
    /// WhatsApp templates: which are in use and which are on hold.
    #[command(subcommand)]
    Template(template::Command),
    /// Single messages: their state, and the rule behind each step.
    #[command(subcommand)]
    Message(message::Command),
    /// Verify a campaign: run the rules over its recorded facts, and prove or refute its report.
    Audit(audit::Args),
    /// Opt-outs: list, add, remove, look up.
    #[command(subcommand, name = "opt-out")]
    OptOut(optout::Command),
    /// Messages that recipients sent back.
    #[command(subcommand)]
    Reply(reply::Command),
    /// Recorded events: holds and releases, slowdowns, outages, spent tiers, gaps.
    Events(events::Args),
}

impl SharedCommand {
    /// Runs the command. Its future is boxed, because each unit of code that polls a future compiles it again.
    #[inline(never)]
    fn run(self, context: &CommandContext) -> LocalBoxFuture<'_, anyhow::Result<Exit>> {
        Box::pin(async {
            match self {
                Self::Audience(command) => audience::run(command, context).await,
                Self::Campaign(command) => campaign::run(command, context).await,
                Self::Lane(command) => lane::run(command, context).await,
                Self::Template(command) => template::run(command, context).await,
                Self::Message(command) => message::run(command, context).await,
                Self::Audit(args) => audit::run(args, context).await,
                Self::OptOut(command) => optout::run(command, context).await,
                Self::Reply(command) => reply::run(command, context).await,
                Self::Events(args) => events::run(args, context).await,
            }
        })
    }
}

/// Parses the command line of this process, runs the command and returns its exit code.
///
/// The runtime starts here and not in the binary: a crate that polls a future compiles all futures that it awaits, and the
/// library has compiled them already.
#[inline(never)]
pub fn main() -> ExitCode {
    let cli = Cli::from_command_line();
    hush_stumbling_readers();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "cannot start the worker threads");
            return Exit::Failed.into();
        }
    };
    let exit = runtime.block_on(cli.run());
    // Tasks that still read a file or wait for a response do not delay the exit.
    runtime.shutdown_background();
    exit.into()
}

impl Cli {
    /// Reads the command line of this process. Prints help and usage errors, and exits then.
    fn from_command_line() -> Self {
        let words: Vec<OsString> = std::env::args_os().collect();
        let read = Self::command().try_get_matches_from(&words).and_then(|matches| {
            let cli = Self::from_arg_matches(&matches)?;
            Ok(Self { json: has_json(&matches), ..cli })
        });
        read.unwrap_or_else(|error| exit::of_parser(&error, &words))
    }

    /// Runs the command and prints its result, or its error.
    async fn run(self) -> Exit {
        let json = self.json;
        let result = match init_log() {
            Ok(()) => Box::pin(showing_times_in(self.time_zone, self.execute())).await,
            Err(error) => Err(error),
        };
        result.unwrap_or_else(|error| exit::of_error(&error, json))
    }

    async fn execute(self) -> anyhow::Result<Exit> {
        if let Some(server) = self.remote.server()? {
            match self.command {
                Command::Shared(command) => return remote::run(&server, &command).await,
                Command::Completions(_) | Command::Man(_) => {}
                command => return Err(remote::not_there(command.stays_here())),
            }
        }
        let file = self.config.as_deref();
        let context = || CommandContext::new(file, Vec::new());
        match self.command {
            Command::Demo(args) => demo::run(args).await,
            Command::Serve(args) => serve::run(args, file).await,
            Command::Simulate(args) => simulate::run(args).await,
            Command::Shared(command) => command.run(&context()?).await,
            Command::Key(command) => key::run(command, &context()?).await,
            Command::Operator(command) => operators::run(command, &context()?).await,
            Command::AuditLog(args) => audit_log::run(args, &context()?).await,
            Command::Purge(args) => purge::run(args, &context()?).await,
            Command::Backup(args) => backup::run(args, &context()?).await,
            Command::Bench(command) => bench::run(command).await,
            Command::Config(command) => config::run(&command, &context()?),
            Command::Upload(command) => uploads::run(command, &context()?).await,
            Command::Subscription(command) => subscription::run(command, &context()?).await,
            Command::Doctor(args) => doctor::run(args, context()).await,
            Command::Completions(args) => shell::completions(&args),
            Command::Man(args) => shell::man(&args),
        }
    }
}

/// Whether `--json` was given to the command, or to its subcommand.
fn has_json(matches: &ArgMatches) -> bool {
    match matches.subcommand() {
        Some((_, inner)) => has_json(inner),
        None => matches!(matches.try_get_one::<bool>("json"), Ok(Some(true))),
    }
}

fn init_log() -> anyhow::Result<()> {
    let variable = |variable| std::env::var(variable).unwrap_or_default();
    let filter = filter(&variable("VOLLEY_LOG"))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(out::Log::default);
    // A subscriber that is already installed, as in tests, stays.
    let _ = match variable("VOLLEY_LOG_FORMAT").as_str() {
        "json" => log.json().try_init(),
        "" | "text" => log.with_ansi(out::To::Stderr.paint().is_on()).with_target(false).try_init(),
        other => anyhow::bail!("VOLLEY_LOG_FORMAT: unknown format \"{other}\"; use one of json, text"),
    };
    Ok(())
}

/// Parses VOLLEY_LOG. Refuses a single word that is not a level: the library would take it for a module.
fn filter(text: &str) -> anyhow::Result<EnvFilter> {
    let levels = ["off", "error", "warn", "info", "debug", "trace"];
    let is_known = |part: &str| part.contains('=') || levels.contains(&part.to_lowercase().as_str());
    match text.trim() {
        // The server logs holds as warnings and their end as info: show both.
        // The store says itself when the database is slow.
        "" => Ok(EnvFilter::new("warn,volley::node=info,volley::base::events=info,sqlx=error")),
        text => EnvFilter::try_new(text).ok().filter(|_| text.split(',').all(|part| is_known(part.trim()))).ok_or_else(
            || {
                anyhow::anyhow!(
                    "VOLLEY_LOG: invalid value \"{text}\"; use one of {}, or a level for each module, such as \
                     warn,volley::sending::dispatch=debug",
                    levels.join(", ")
                )
            },
        ),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_definitions_are_valid() {
        super::Cli::command().debug_assert();
    }
}
