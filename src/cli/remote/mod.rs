//! `--server`: runs a command on another server, over its API, and prints what it prints there.

mod address;
mod campaign_file;
mod client;
mod files;
mod key;
mod words;

use std::path::PathBuf;

use crate::base::clock::RealClock;
use crate::base::domain::Scope;
use crate::campaigns::campaign::refuse_campaign_file;
use crate::cli::exit::Usage;
use crate::cli::out::{Screen, To, text};
use crate::cli::{Exit, SharedCommand};
use crate::http::api::{Output, Printed, Stream, Terminal};
use address::Address;
use client::{Client, Request};
use files::{Upload, Written};

/// The variable that names the server.
const SERVER: &str = "VOLLEY_SERVER";

/// Where a command runs. Every command has these options.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Options {
    /// Run the command on this server, such as https://volley.example.com. Default: the variable VOLLEY_SERVER.
    #[arg(long, global = true, value_name = "URL", conflicts_with = "config")]
    server: Option<String>,
    /// File with the API key for --server. Default: the key in the variable VOLLEY_KEY.
    #[arg(long, global = true, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Send the key without encryption (http://) to another computer, where others on the way can read it.
    #[arg(long, global = true)]
    allow_plain_http: bool,
}

/// The server that a command line names.
#[derive(Debug)]
pub(in crate::cli) struct Server {
    address: Address,
    key_file: Option<PathBuf>,
}

impl Options {
    pub(in crate::cli) const fn is_given(&self) -> bool {
        self.server.is_some() || self.key_file.is_some() || self.allow_plain_http
    }

    /// The server to run commands on; `None` for this computer.
    pub(in crate::cli) fn server(&self) -> anyhow::Result<Option<Server>> {
        let named = std::env::var(SERVER).ok().filter(|url| !url.trim().is_empty());
        let (option, url) = match (&self.server, named) {
            (Some(url), _) => ("--server", url.clone()),
            (None, Some(url)) => (SERVER, url),
            (None, None) if self.is_given() => {
                let sentence = "--key-file and --allow-plain-http need --server, which names the server";
                return Err(Usage(sentence.to_owned()).into());
            }
            (None, None) => return Ok(None),
        };
        let address = Address::parse(url.trim(), self.allow_plain_http);
        let address = address.map_err(|error| Usage(format!("{option}: {error}")))?;
        Ok(Some(Server { address, key_file: self.key_file.clone() }))
    }
}

/// The error of a command that does not run on other servers.
pub(in crate::cli) fn not_there(why: &str) -> anyhow::Error {
    Usage(format!("this command does not work with --server ({SERVER}): {why}")).into()
}

/// Runs the command of this process on a server. Every command that changes something runs there once, however often its
/// answer is lost.
pub(in crate::cli) async fn run(server: &Server, command: &SharedCommand) -> anyhow::Result<Exit> {
    let changes = command.scope() != Scope::Read;
    let key = key::read(server.key_file.as_deref())?;
    let words = words::of_server(std::env::args_os().skip(1))?;
    let campaign = command.campaign_file().map(campaign_file::read).transpose()?;
    if let SharedCommand::Audience(_) = command {
        command.file_to_read().map_or(Ok(()), refuse_campaign_file)?;
    }
    let mut shown = Shown { screen: None, written: Written::of(command)? };
    let (client, clock) = (Client::new(&server.address, &key)?, RealClock::new());
    let sent = match command.file_to_read() {
        Some(path) => Some((path.display().to_string(), client.upload(Upload::open(path)?, &clock).await?)),
        None => None,
    };
    let request = Request { words, campaign, files: sent.iter().cloned().collect(), terminal: terminal(changes) };
    let exit = client.run(&request, changes, &clock, |printed| shown.add(printed)).await;
    if let Some((_, id)) = sent {
        client.forget(&id).await;
    }
    let exit = exit?;
    if matches!(exit, Exit::Done | Exit::Incomplete) {
        shown.written.finish()?;
    }
    Ok(exit)
}

/// Where this process prints. The output of a change comes at its end, so it has lines instead of a view that is redrawn.
fn terminal(changes: bool) -> Terminal {
    let output = |to: To| Output { terminal: to.is_terminal(), colours: to.paint().is_on() };
    let columns = u16::try_from(To::Stdout.width()).unwrap_or(u16::MAX);
    let stderr = output(To::Stderr);
    Terminal { columns, stdout: output(To::Stdout), stderr: Output { terminal: stderr.terminal && !changes, ..stderr } }
}

/// What a command on the server prints, shown here.
#[derive(Debug)]
struct Shown {
    /// The view that is redrawn in place.
    screen: Option<Screen>,
    /// The files that it writes.
    written: Written,
}

impl Shown {
    fn add(&mut self, printed: Printed) -> anyhow::Result<()> {
        let to = |stream| match stream {
            Stream::Stdout => To::Stdout,
            Stream::Stderr => To::Stderr,
        };
        match printed {
            // A reader that is gone, such as `head`, keeps no file from being written.
            Printed::Text { stream, text: printed } => match text(to(stream), printed) {
                Err(_) if !self.written.is_empty() => {}
                printed => printed?,
            },
            Printed::View { stream, lines } => self.screen.get_or_insert_with(|| Screen::new(to(stream))).draw(&lines),
            Printed::File { name, bytes } => self.written.add(&name, &bytes)?,
            Printed::Clear {} => self.screen.iter().for_each(Screen::clear),
            Printed::Exit(_) => {}
        }
        Ok(())
    }
}
