//! Commands, progress, tables.
//!
//! In: what somebody types. Out: data on stdout, talk on stderr, and an exit code ([`Exit`]).
//! Promises: stdout holds data and nothing else; every command that reports speaks JSON when asked to; whatever takes
//! longer than a second shows how far it is; what goes wrong is one line that says what, where and what to do.
//! May not: decide anything. A command calls the rooms' public verbs, the same that the server uses, and shows what
//! came of it; beside a running server it meets it in the store.

mod audience;
mod audit;
mod backup;
mod bench;
mod campaign;
mod config;
mod demo;
mod doctor;
mod events;
mod exit;
mod gap;
mod ground;
mod holds;
mod interrupt;
mod lane;
mod message;
mod noted;
mod obstacles;
mod optout;
mod out;
mod pace;
mod progress;
mod purge;
mod reply;
mod room;
mod serve;
mod server;
mod shell;
mod simulate;
mod stranded;
mod table;
mod template;
mod used_up;
mod watch;
mod words;

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

pub use exit::Exit;
use ground::Ground;

#[derive(Debug, Parser)]
#[command(
    name = "volley",
    version,
    arg_required_else_help = true,
    about = "Sends bulk messaging campaigns at exactly the allowed pace, and makes sure that each message arrives",
    long_about = "Volley sends bulk messaging campaigns at exactly the pace that the sender's messaging tier and rate \
                  allow, watches every receipt, and when WhatsApp has not reached someone in time it tries Viber, then \
                  SMS.\n\nA server (`volley serve`) sends; every other command works beside it, on the same database.",
    after_help = "\
Examples:
  volley demo                             see all of it work, in half a minute, without any account
  volley audience check recipients.csv    who in a file can be written to, and why the others cannot
  volley campaign plan promo.toml         what would be sent, before anything is
  volley serve                            send
  volley campaign launch promo.toml --wait

Exit codes: 0 done; 1 failed; 2 wrong usage; 3 finished with rejects or undelivered messages, where --strict is given.
What is logged goes to stderr; VOLLEY_LOG=info (or debug) shows more of it, VOLLEY_LOG_FORMAT=json as JSON."
)]
pub struct Cli {
    /// The configuration; without it VOLLEY_CONFIG, else volley.toml where the command runs.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Everything at once: simulator, server, a sample campaign, live progress, a report.
    Demo(demo::Args),
    /// Send: webhooks, dispatcher and timers, until Ctrl-C.
    Serve(serve::Args),
    /// The practice provider alone: takes messages and answers with receipts, sends nothing.
    Simulate(simulate::Args),
    /// Recipient files: check, import, look at.
    #[command(subcommand)]
    Audience(audience::Command),
    /// Campaigns: plan, launch, watch, pause, resume, cancel, report.
    #[command(subcommand)]
    Campaign(campaign::Command),
    /// Senders: how fast they may send and what holds them.
    #[command(subcommand)]
    Lane(lane::Command),
    /// WhatsApp templates: which are in use and which are held.
    #[command(subcommand)]
    Template(template::Command),
    /// One message: where it stands, and why.
    #[command(subcommand)]
    Message(message::Command),
    /// Hold a campaign against its facts: run the rules over all that is recorded, and prove or refute what it says.
    Audit(audit::Args),
    /// Who wants nothing more: list, add, remove, look up.
    #[command(subcommand, name = "opt-out")]
    OptOut(optout::Command),
    /// What people wrote back.
    #[command(subcommand)]
    Reply(reply::Command),
    /// Remove what is not to be kept for ever: campaigns that settled long ago, or one recipient everywhere.
    Purge(purge::Args),
    /// Copy the whole database into a new file, beside a running server.
    Backup(backup::Args),
    /// Figures of this machine, each against a limit measured in the same run.
    #[command(subcommand)]
    Bench(bench::Command),
    /// The configuration: what holds, and where each value comes from.
    #[command(subcommand)]
    Config(config::Command),
    /// What has happened: holds and their ends, slowdowns, outages, spent tiers, gaps.
    Events(events::Args),
    /// Look over the installation: configuration, database, lanes, holds, server.
    Doctor(doctor::Args),
    /// Print what a shell needs to complete commands.
    Completions(shell::Completions),
    /// Print a manual page.
    Man(shell::Man),
}

impl Cli {
    /// Does what was asked. Everything there is to say has been said when this returns.
    pub async fn run(self) -> Exit {
        let obeyed = match log() {
            Ok(()) => self.obey().await,
            Err(error) => Err(error),
        };
        obeyed.unwrap_or_else(|error| exit::of_error(&error))
    }

    async fn obey(self) -> anyhow::Result<Exit> {
        let file = self.config.as_deref();
        let ground = || Ground::new(file, Vec::new());
        match self.command {
            Command::Demo(args) => demo::run(args).await,
            Command::Serve(args) => serve::run(args, file).await,
            Command::Simulate(args) => simulate::run(args).await,
            Command::Audience(command) => audience::run(command, &ground()?).await,
            Command::Campaign(command) => campaign::run(command, &ground()?).await,
            Command::Lane(command) => lane::run(command, &ground()?).await,
            Command::Template(command) => template::run(command, &ground()?).await,
            Command::Message(command) => message::run(command, &ground()?).await,
            Command::Audit(args) => audit::run(args, &ground()?).await,
            Command::OptOut(command) => optout::run(command, &ground()?).await,
            Command::Reply(command) => reply::run(command, &ground()?).await,
            Command::Purge(args) => purge::run(args, &ground()?).await,
            Command::Backup(args) => backup::run(args, &ground()?).await,
            Command::Bench(command) => bench::run(command).await,
            Command::Config(command) => config::run(&command, &ground()?),
            Command::Events(args) => events::run(args, &ground()?).await,
            Command::Doctor(args) => doctor::run(args, ground()).await,
            Command::Completions(args) => shell::completions(&args),
            Command::Man(args) => shell::man(&args),
        }
    }
}

fn log() -> anyhow::Result<()> {
    let said = |variable| std::env::var(variable).unwrap_or_default();
    let filter = filter(&said("VOLLEY_LOG"))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(out::Log::default);
    // Somebody else's subscriber, as in tests, is as good.
    let _ = match said("VOLLEY_LOG_FORMAT").as_str() {
        "json" => log.json().try_init(),
        "" | "text" => log.with_ansi(out::To::Stderr.paint().is_on()).with_target(false).try_init(),
        other => anyhow::bail!("VOLLEY_LOG_FORMAT: \"{other}\" is no format of the log; write json or text"),
    };
    Ok(())
}

/// What is logged. A word alone is a level: the library would take any other for the name of a module.
fn filter(said: &str) -> anyhow::Result<EnvFilter> {
    let levels = ["off", "error", "warn", "info", "debug", "trace"];
    let is_known = |part: &str| part.contains('=') || levels.contains(&part.to_lowercase().as_str());
    match said.trim() {
        // A server says when its lanes go on, as it has said that they stand.
        "" => Ok(EnvFilter::new("warn,volley::node=info")),
        said => EnvFilter::try_new(said).ok().filter(|_| said.split(',').all(|part| is_known(part.trim()))).ok_or_else(
            || {
                anyhow::anyhow!(
                    "VOLLEY_LOG: \"{said}\" says nothing about the log; write one of {}, or a level for a part, such as \
                     warn,volley::dispatch=debug",
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
    fn the_definition_of_the_commands_is_sound() {
        super::Cli::command().debug_assert();
    }
}
