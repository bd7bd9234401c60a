//! Command lines that a server runs for callers of its API: `volley --server` on another computer.
//!
//! A command reads and prints as it does beside the server. It opens the database for itself, acts in the name of the caller's
//! key, and never touches a file of the server that its words name: it reads what the caller has sent along, and what it
//! writes is sent to the caller.

mod files;
mod printing;
mod scopes;

use std::ffi::OsString;
use std::sync::Arc;

use async_trait::async_trait;
use clap::{CommandFactory, FromArgMatches};
use tokio::runtime::Handle;
use tokio::sync::mpsc::Sender;

use super::{Cli, Command, CommandContext, Exit, SharedCommand, exit, has_json, usage};
use crate::base::clock::showing_times_in;
use crate::base::domain::{Scope, Zone};
use crate::campaigns::campaign::Draft;
use crate::http::api::{CommandLine, CommandLines, CommandNeeds, Printed, Stream};

pub(super) use files::CallerFiles;
use printing::printing_for;
pub(super) use printing::{Printer, printer};

/// Who a command runs for.
#[derive(Debug)]
pub(super) struct ForCaller {
    /// The name of the caller's key.
    pub(super) name: String,
    /// The campaign file that the words name.
    pub(super) campaign: Option<Draft>,
    /// The other files that the words name.
    pub(super) files: CallerFiles,
}

/// The commands of a server's callers.
#[derive(Debug)]
pub(super) struct CallersCommands {
    /// The context of the server.
    context: CommandContext,
}

impl CallersCommands {
    pub(super) fn shared(context: &CommandContext) -> Arc<dyn CommandLines> {
        Arc::new(Self { context: context.clone() })
    }
}

#[async_trait]
impl CommandLines for CallersCommands {
    fn needs(&self, words: &[String]) -> Result<CommandNeeds, String> {
        let (command, ..) = read(words)?;
        Ok(CommandNeeds { scope: command.scope(), computes: command.computes() })
    }

    async fn run(&self, line: CommandLine, printed: Sender<Printed>) -> u8 {
        let CommandLine { words, campaign, files, terminal, caller } = line;
        let files = match CallerFiles::new(files) {
            Ok(files) => files,
            Err(error) => {
                return failed(&printed, format!("the server has no room for the files of the command: {error}")).await;
            }
        };
        let context = self.context.for_caller(ForCaller { name: caller, campaign, files });
        let runtime = Handle::current();
        // A command is made for a thread of its own: what it holds need not go from one thread to another.
        let to = printed.clone();
        let on_thread = move || runtime.block_on(printing_for(terminal, to.clone(), run(&words, &context, &to)));
        if let Ok(exit) = tokio::task::spawn_blocking(on_thread).await {
            return exit as u8;
        }
        failed(&printed, "the command has failed on the server, whose log says why".to_owned()).await
    }
}

async fn failed(printed: &Sender<Printed>, why: String) -> u8 {
    let text = format!("volley: {why}\n");
    // A caller that is gone needs no reason.
    let _ = printed.send(Printed::Text { stream: Stream::Stderr, text }).await;
    Exit::Failed as u8
}

/// Runs a command, and prints its error. A command that only reads ends once nothing reads its output; a change is carried out.
async fn run(words: &[String], context: &CommandContext, printed: &Sender<Printed>) -> Exit {
    let (command, json, time_zone) = match read(words) {
        Ok(read) => read,
        Err(sentence) => return exit::of_error(&exit::Usage(sentence).into(), false),
    };
    let only_reads = command.scope() == Scope::Read;
    let ran = async {
        let exit = command.run(context).await?;
        context.deliver(printed).await?;
        Ok(exit)
    };
    tokio::select! {
        ran = showing_times_in(time_zone, ran) => ran.unwrap_or_else(|error: anyhow::Error| exit::of_error(&error, json)),
        () = printed.closed(), if only_reads => Exit::Failed,
    }
}

/// Reads the words of a command, whether it prints JSON, and the zone of its times.
fn read(words: &[String]) -> Result<(SharedCommand, bool, Option<Zone>), String> {
    let line: Vec<OsString> =
        std::iter::once("volley").chain(words.iter().map(String::as_str)).map(Into::into).collect();
    let see_help = || "a server prints no help; run the command with --help on your computer".to_owned();
    let wrong = |error: clap::Error| usage::sentence(&error, &line).unwrap_or_else(see_help);
    let matches = Cli::command().try_get_matches_from(&line).map_err(wrong)?;
    let cli = Cli::from_arg_matches(&matches).map_err(wrong)?;
    if cli.config.is_some() || cli.remote.is_given() {
        return Err("a command on a server takes no --config, --server and --key-file".to_owned());
    }
    match cli.command {
        Command::Shared(command) => Ok((command, has_json(&matches), cli.time_zone)),
        command => Err(format!("a server does not run this command for others: {}", command.stays_here())),
    }
}
