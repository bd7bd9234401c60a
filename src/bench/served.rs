//! Servers in this process, and the load on them from another one.

use std::process::Stdio;
use std::sync::Arc;

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Begun, Error, Run};
use crate::base::clock::{Chance, Clock};
use crate::base::config::{Config, Loaded};
use crate::http::api::{self, ApiParts, Door, ServeError};
use crate::node::{Node, NodeParts, Os};
use crate::store::Store;

/// What another process sends.
#[derive(Debug)]
pub(super) struct Sending {
    /// The hidden command of `volley bench` that sends it.
    pub(super) command: &'static str,
    pub(super) arguments: Vec<String>,
    /// How many messages, receipts or rows it is, for the processor time of each.
    pub(super) count: u64,
}

/// Serves `routes` until all of the load is answered.
pub(super) async fn served(routes: Router, sending: &Sending, clock: &dyn Clock) -> Result<Run, Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let stop = CancellationToken::new();
    let serving = axum::serve(listener, routes).with_graceful_shutdown(stop.clone().cancelled_owned());
    let serving = tokio::spawn(serving.into_future());
    let measured = from_another_process(sending, &address, clock).await;
    stop.cancel();
    serving.await??;
    measured
}

/// Runs this program again as the sender, and adds what this process used to answer it.
pub(super) async fn from_another_process(sending: &Sending, address: &str, clock: &dyn Clock) -> Result<Run, Error> {
    let begun = Begun::now(clock);
    let output = tokio::process::Command::new(std::env::current_exe()?)
        .args(["bench", sending.command, "--address", address])
        .args(&sending.arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?
        .wait_with_output()
        .await?;
    if !output.status.success() {
        return Err("the sender of requests failed".into());
    }
    let seen: Run = serde_json::from_slice(&output.stdout)?;
    let here = Run::since(begun, sending.count, clock);
    Ok(Run { cpu_us: here.cpu_us, peak_mib: here.peak_mib, ..seen })
}

/// The product: a node with its API.
pub(super) struct Server {
    node: Node,
    door: Arc<Door>,
    serving: JoinHandle<Result<(), ServeError>>,
    pub(super) address: String,
}

impl Server {
    pub(super) async fn start(
        config: Arc<Config>,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        chance: Arc<Chance>,
    ) -> Result<Self, Error> {
        let processes = Arc::new(Os);
        let parts = NodeParts {
            config: Arc::clone(&config),
            store: Arc::clone(&store),
            clock: Arc::clone(&clock),
            chance: Arc::clone(&chance),
            processes,
        };
        let node = Node::start(parts).await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let door = Door::new(Arc::clone(&clock), None, Vec::new());
        let intake = node.intake().ok_or("the node accepts no receipts")?;
        let loaded = Arc::new(Loaded::without_sources(Config::clone(&config)));
        let door_of_api = Arc::clone(&door);
        let parts = ApiParts {
            config,
            loaded,
            store,
            clock,
            chance,
            intake,
            verifier: node.door(),
            door: door_of_api,
            sources: node.sources(),
            commands: None,
        };
        let serving = tokio::spawn(api::serve(listener, parts));
        Ok(Self { node, door, serving, address })
    }

    /// Stops when everything that was answered is carried out.
    pub(super) async fn stop(mut self) -> Result<(), Error> {
        self.node.stop_sending().await;
        self.door.close();
        self.serving.await??;
        self.node.stop().await?;
        Ok(())
    }
}
