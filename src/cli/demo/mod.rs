//! `volley demo`: everything at once, in one process and over real HTTP.
//!
//! The practice provider is a task of this process and no child of it, so that there is nothing to be left behind by a
//! Ctrl-C and nothing to find on a disk; what passes between it and the server are the same requests and webhooks, over
//! the same sockets, that pass between the server and the real provider.

mod outcome;
mod scene;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::campaign::{Until, launch};
use super::interrupt::Interrupts;
use super::out::{self, To};
use super::server::Server;
use super::watch::{How, follow};
use super::words::{count, shell};
use super::{Exit, Ground};
use crate::audience::MAX_DEMO_RECIPIENTS;
use crate::campaign::{Draft, Launched};
use crate::simulator;
use crate::store::Store;
use outcome::Outcome;
use scene::Scene;

#[derive(Debug, clap::Args)]
#[command(
    long_about = "Everything at once: starts the practice provider and the server on free ports, with a database in a \
                  temporary folder; makes a sample spreadsheet of people over eight countries; launches a campaign that \
                  tries WhatsApp, then Viber, then SMS; shows it live, and ends with a report.\n\nNobody is written to: \
                  the people are made up, and so is the provider. Time is compressed: a fallback comes after seconds \
                  instead of minutes.",
    after_help = "\
Examples:
  volley demo
  volley demo --recipients 20000
  volley demo --data demo --stay      keep the files, and the server up, to look around in
  volley demo --json | jq .outcomes"
)]
pub(super) struct Args {
    /// People in the sample spreadsheet.
    #[arg(long, value_name = "N", default_value_t = 3_000, value_parser = clap::value_parser!(u64).range(1..=MAX_DEMO_RECIPIENTS))]
    recipients: u64,
    /// Stay up after the report, until Ctrl-C.
    #[arg(long)]
    stay: bool,
    /// Keep everything in this folder instead of a temporary one.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Chance: the same number makes the same people, with the same luck.
    #[arg(long, value_name = "NUMBER", default_value_t = 8)]
    seed: u64,
    /// The report as one object.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> anyhow::Result<Exit> {
    let mut interrupts = Interrupts::listen();
    let scene = Scene::set(&args).await?;
    let ground = scene.ground.clone();
    let store = ground.store().await?;
    let provider = Provider::start(&scene, args.seed).await?;
    let server = Server::start(&ground, Arc::clone(&store), scene.listener).await?;
    if !args.json {
        let folder = scene.folder.path().display();
        out::talk(format_args!(
            "Practice provider on {}, server on http://{}, files in {folder}.",
            provider.address, server.address
        ));
    }
    let mut stage = Stage { ground, store, provider, server };
    let played = tokio::select! {
        played = stage.play(&scene.campaign, &args) => Some(played),
        () = interrupts.next() => None,
    };
    let exit = match played {
        None => {
            out::talk("Stopped before the end.");
            Exit::Failed
        }
        Some(outcome) => {
            outcome?.tell(args.json, To::Stdout.paint())?;
            Exit::Done
        }
    };
    if args.stay && exit == Exit::Done {
        out::talk(format_args!("\nStaying up until Ctrl-C. Meanwhile, in another terminal:"));
        stage.hint(&scene.volley).await?;
        tokio::select! {
            () = interrupts.next() => {}
            error = stage.server.failed() => return Err(error),
        }
    } else if args.data.is_some() {
        out::talk("\nTo look around in it:");
        stage.hint(&scene.volley).await?;
    }
    tokio::select! {
        struck = stage.strike() => struck?,
        () = interrupts.next() => {}
    }
    Ok(exit)
}

/// The practice provider as a task.
#[derive(Debug)]
struct Provider {
    task: JoinHandle<Result<(), simulator::ServeError>>,
    stop: CancellationToken,
    address: String,
}

impl Provider {
    async fn start(scene: &Scene, seed: u64) -> anyhow::Result<Self> {
        let listener =
            scene.provider_listener.lock().await.take().context("the practice provider has started already")?;
        let address = format!("http://{}", listener.local_addr()?);
        let stop = CancellationToken::new();
        let model = simulator::Model::new(scene::profile(), seed).with_key(Some(scene.api_key.clone()));
        let options = simulator::Options { webhook: Some(scene.webhook()), journal: None };
        let clock = Arc::clone(&scene.ground.clock);
        let task = tokio::spawn(simulator::serve(listener, model, options, clock, stop.clone()));
        Ok(Self { task, stop, address })
    }
}

/// Everybody who takes part.
struct Stage {
    ground: Ground,
    store: Arc<dyn Store>,
    provider: Provider,
    server: Server,
}

impl Stage {
    /// From the spreadsheet to the report, by the verbs that the commands use.
    async fn play(&mut self, campaign: &std::path::Path, args: &Args) -> anyhow::Result<Outcome> {
        let begun = self.ground.now();
        let draft = Draft::load(campaign)?;
        // What is warned about is the compressed time, which is meant.
        let (launched, _) = launch::launch(&self.ground, self.store.as_ref(), &draft, (false, args.json)).await?;
        if !args.json {
            let Launched { name, messages, .. } = &launched;
            out::talk(format_args!(
                "Launched \"{name}\" to {} people: WhatsApp, else Viber, else SMS.\n",
                count(*messages)
            ));
        }
        let how = if args.json { How::Silent } else { How::Passing(To::Stderr) };
        let following = follow(&self.ground, self.store.as_ref(), launched.batch, Until::Settled, how);
        tokio::select! {
            look = following => { look?; }
            error = self.server.failed() => return Err(error),
            ended = &mut self.provider.task => {
                ended??;
                anyhow::bail!("the practice provider has ended before its time");
            }
        }
        outcome::read(&self.ground, self.store.as_ref(), launched.batch, &self.provider.address, begun).await
    }

    /// What to try next.
    async fn hint(&self, volley: &str) -> anyhow::Result<()> {
        let Some(batch) = self.store.batches(None).await?.pop() else { return Ok(()) };
        let name = shell(&super::campaign::name_of(&batch));
        out::talk(format_args!("  {volley} campaign report {name}"));
        for (id, why) in outcome::worth_a_look(self.store.as_ref(), &batch).await? {
            out::talk(format_args!("  {volley} message explain {id}   # {why}"));
        }
        Ok(())
    }

    /// Ends in the order in which nothing is lost: the server hears the provider out.
    async fn strike(self) -> anyhow::Result<()> {
        self.server.stop(|_| {}).await?;
        self.store.close().await;
        self.provider.stop.cancel();
        self.provider.task.await??;
        Ok(())
    }
}
