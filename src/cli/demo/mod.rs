//! `volley demo`: runs a whole campaign in one process, over real HTTP.
//!
//! The practice provider is a task of this process, not a child process, so a Ctrl-C leaves nothing running. The server
//! and the practice provider exchange the same requests and webhooks over sockets as with the real provider.

mod outcome;
mod samples;
mod setup;
mod templates;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::campaign::{Until, launch};
use super::interrupt::Interrupts;
use super::out::{self, To};
use super::server::Server;
use super::watch::{How, follow};
use super::words::{count, shell};
use super::{CommandContext, Exit};
use crate::base::clock::Chance;
use crate::base::config::Secret;
use crate::base::domain::Scope;
use crate::campaigns::campaign::{Draft, HowToLaunch, Launched};
use crate::http::access::{Access, AccessError, By, NewOperator, Scopes};
use crate::practice::simulator;
use crate::recipients::audience::MAX_DEMO_RECIPIENTS;
use crate::store::Store;
use outcome::Outcome;
use setup::{Folder, Setup};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  volley demo
  volley demo --recipients 20000
  volley demo --data demo --stay      keep the files, and keep the server running
  volley demo --json | jq .outcomes")]
pub(super) struct Args {
    /// Number of recipients in the sample spreadsheet.
    #[arg(long, value_name = "N", default_value_t = 3_000, value_parser = clap::value_parser!(u64).range(1..=MAX_DEMO_RECIPIENTS))]
    recipients: u64,
    /// Keep the server running after the report, until Ctrl-C, and print an address to watch the campaign in a browser.
    #[arg(long)]
    stay: bool,
    /// Folder for all files. Default: a temporary folder, removed at the end.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Random seed: the same seed generates the same recipients with the same results.
    #[arg(long, value_name = "NUMBER", default_value_t = 8)]
    seed: u64,
    /// Print the report as one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> anyhow::Result<Exit> {
    let mut interrupts = Interrupts::listen();
    let setup = Setup::prepare(&args).await?;
    let context = setup.context.clone();
    let store = context.store().await?;
    let provider = Provider::start(&setup, args.seed).await?;
    let server = Server::start(&context, Arc::clone(&store), setup.listener).await?;
    templates::fetch(&context, &store).await?;
    if !args.json {
        let folder = setup.folder.path().display();
        out::talk(format_args!(
            "Practice provider on {}, server on http://{}, files in {folder}.",
            provider.address, server.address
        ));
    }
    let visitor = match args.stay {
        false => None,
        true => {
            samples::add(&context, &store, setup.folder.path()).await?;
            Some(visitor(&context, &store).await?)
        }
    };
    let mut demo = Demo { context, store, provider, server, visitor };
    let outcome = tokio::select! {
        outcome = demo.run_campaign(&setup.campaign, &args) => Some(outcome),
        () = interrupts.next() => None,
    };
    let exit = match outcome {
        None => {
            out::talk("Interrupted before the end.");
            Exit::Failed
        }
        Some(outcome) => {
            outcome?.print(args.json, To::Stdout.paint())?;
            Exit::Done
        }
    };
    if args.stay && exit == Exit::Done {
        out::talk("\nThe server runs until Ctrl-C.");
        demo.print_pages();
        out::talk("In another terminal, try:");
        demo.print_hints(&setup.volley).await?;
        tokio::select! {
            () = interrupts.next() => {}
            error = demo.server.failed() => return Err(error),
        }
    } else if args.data.is_some() {
        out::talk("\nTo explore the result:");
        demo.print_hints(&setup.volley).await?;
    }
    tokio::select! {
        stopped = demo.stop() => stopped?,
        () = interrupts.next() => {}
    }
    if let Folder::Temporary(folder) = setup.folder {
        remove(folder, args.json);
    }
    Ok(exit)
}

/// Removes the temporary folder, and says how to keep the files next time.
fn remove(folder: TempDir, is_quiet: bool) {
    let path = folder.path().display().to_string();
    let removed = match folder.close() {
        Ok(()) => format!("The folder {path} is removed."),
        Err(error) => format!("The folder {path} cannot be removed: {error}."),
    };
    if !is_quiet {
        out::talk(format_args!("\n{removed} To look at each message, keep the files, or the server too:"));
        out::talk("  volley demo --data demo\n  volley demo --data demo --stay");
    }
}

/// The operator who looks at the pages of a demonstration.
const VISITOR: &str = "demo";

/// Creates the operator for the pages, or gives the one of an earlier demonstration a new password. Returns the password.
async fn visitor(context: &CommandContext, store: &Arc<dyn Store>) -> anyhow::Result<Secret> {
    let access = Access::new(Arc::clone(store));
    let (by, now) = (By::command("volley demo"), context.now());
    let password = Secret::new(format!("{:016x}", Chance::from_entropy().bits()));
    let scopes = Scopes::default().with(Scope::Admin);
    let new = NewOperator { name: VISITOR.to_owned(), scopes, password: password.clone() };
    match access.create_operator(new, &by, now).await {
        Err(AccessError::OperatorExists { .. }) => {
            access.set_password(VISITOR, password.clone(), &by, now).await?;
        }
        created => {
            created?;
        }
    }
    Ok(password)
}

/// The practice provider as a task.
#[derive(Debug)]
struct Provider {
    task: JoinHandle<Result<(), simulator::ServeError>>,
    stop: CancellationToken,
    address: String,
}

impl Provider {
    async fn start(setup: &Setup, seed: u64) -> anyhow::Result<Self> {
        let listener =
            setup.provider_listener.lock().await.take().context("the practice provider has started already")?;
        let address = format!("http://{}", listener.local_addr()?);
        let stop = CancellationToken::new();
        let (profile, now) = (setup::profile(setup.recipients_reply), setup.context.now());
        let mut model = simulator::Model::new(profile, seed, now).with_key(Some(setup.api_key.clone()));
        templates::create(&mut model, &setup.api_key, now)?;
        let options = simulator::SimulatorOptions { webhook: Some(setup.webhook()), journal: None };
        let clock = Arc::clone(&setup.context.clock);
        let task = tokio::spawn(simulator::serve(listener, model, options, clock, stop.clone()));
        Ok(Self { task, stop, address })
    }
}

/// The running parts of a demonstration.
struct Demo {
    context: CommandContext,
    store: Arc<dyn Store>,
    provider: Provider,
    server: Server,
    /// The password of the operator for the pages, if the server stays.
    visitor: Option<Secret>,
}

impl Demo {
    /// Launches the campaign and follows it to the report, with the same verbs as the commands.
    async fn run_campaign(&mut self, campaign: &std::path::Path, args: &Args) -> anyhow::Result<Outcome> {
        let begun = self.context.now();
        let draft = Draft::load(campaign)?;
        // The warnings are about the compressed time, which is intended: ignore them.
        let (launched, _) = launch::launch(
            &self.context,
            self.store.as_ref(),
            &draft,
            (HowToLaunch::default(), args.json),
            async |_| Ok(()),
        )
        .await?;
        if !args.json {
            let Launched { name, messages, .. } = &launched;
            out::talk(format_args!(
                "Launched \"{name}\" to {} recipients: WhatsApp, then Viber, then SMS.",
                count(*messages)
            ));
            self.print_address(&launched);
            out::talk("");
        }
        let how = if args.json { How::Silent } else { How::Passing(To::Stderr) };
        let following = follow(&self.context, self.store.as_ref(), launched.batch, Until::Settled, how);
        tokio::select! {
            look = following => { look?; }
            error = self.server.failed() => return Err(error),
            ended = &mut self.provider.task => {
                ended??;
                anyhow::bail!("the practice provider stopped unexpectedly");
            }
        }
        outcome::read(&self.context, self.store.as_ref(), launched.batch, &self.provider.address, begun).await
    }

    /// Prints where the campaign can be watched in a browser.
    fn print_address(&self, launched: &Launched) {
        let Some(password) = &self.visitor else { return };
        out::talk(format_args!(
            "Watch it in a browser, signed in as {VISITOR} with the password {}:\n  http://{}/campaigns/{}",
            password.expose(),
            self.server.address,
            launched.id
        ));
    }

    /// Prints where all pages are, once the report has moved the address of the campaign away.
    fn print_pages(&self) {
        let Some(password) = &self.visitor else { return };
        out::talk(format_args!(
            "Look around in a browser, signed in as {VISITOR} with the password {}:\n  http://{}/",
            password.expose(),
            self.server.address
        ));
    }

    /// Prints commands to try next.
    async fn print_hints(&self, volley: &str) -> anyhow::Result<()> {
        let Some(batch) = self.store.batches(None).await?.pop() else { return Ok(()) };
        let name = shell(&batch.display_name());
        out::talk(format_args!("  {volley} campaign report {name}"));
        for (id, why) in outcome::worth_a_look(self.store.as_ref(), &batch).await? {
            out::talk(format_args!("  {volley} message explain {id}   # {why}"));
        }
        Ok(())
    }

    /// Stops the server before the provider, so that the server still receives the last webhooks.
    async fn stop(self) -> anyhow::Result<()> {
        self.server.stop(|_| {}).await?;
        self.store.close().await;
        self.provider.stop.cancel();
        self.provider.task.await??;
        Ok(())
    }
}
