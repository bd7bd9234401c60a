//! A server within this process: the node and the HTTP API, started and stopped in the right order.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::task::{JoinError, JoinHandle};

use super::CommandContext;
use super::callers::CallersCommands;
use crate::http::api::{self, ApiParts, Certificate, Door};
use crate::node::{Node, NodeParts, Os, Recovered};
use crate::store::Store;

#[derive(Debug)]
pub(super) struct Server {
    node: Node,
    /// `None` once its end has been reported.
    api: Option<JoinHandle<Result<(), api::ServeError>>>,
    door: Arc<Door>,
    pub(super) address: SocketAddr,
}

impl Server {
    pub(super) async fn start(
        context: &CommandContext,
        store: Arc<dyn Store>,
        listener: TcpListener,
    ) -> anyhow::Result<Self> {
        let address = listener.local_addr()?;
        let certificate = context.config.server.tls.as_ref().map(Certificate::load).transpose()?;
        let node = Node::start(NodeParts {
            config: Arc::clone(&context.config),
            store: Arc::clone(&store),
            clock: Arc::clone(&context.clock),
            chance: Arc::clone(&context.chance),
            processes: Arc::new(Os),
        });
        let node = node.await?;
        let intake = node.intake().context("the server no longer accepts webhooks")?;
        let proxies = context.config.server.trusted_proxies.clone();
        let door = Door::new(Arc::clone(&context.clock), certificate, proxies);
        let parts = ApiParts {
            config: Arc::clone(&context.config),
            loaded: Arc::new(context.loaded.clone()),
            store,
            clock: Arc::clone(&context.clock),
            chance: Arc::clone(&context.chance),
            intake,
            verifier: node.door(),
            door: Arc::clone(&door),
            sources: node.sources(),
            commands: Some(CallersCommands::shared(context)),
        };
        let api = tokio::spawn(api::serve(listener, parts));
        let api = Some(api);
        Ok(Self { node, api, door, address })
    }

    /// The certificate by which it speaks TLS.
    pub(super) fn certificate(&self) -> Option<&Certificate> {
        self.door.certificate().map(AsRef::as_ref)
    }

    /// The messages that were in flight at the start.
    pub(super) const fn recovered(&self) -> Recovered {
        self.node.recovered
    }

    /// Waits until a part of the server ends unexpectedly, and returns why.
    pub(super) async fn failed(&mut self) -> anyhow::Error {
        tokio::select! {
            why = self.node.failed() => why.into(),
            ended = ended(&mut self.api) => match ended {
                Ok(Err(error)) => error.into(),
                Ok(Ok(())) => anyhow::anyhow!("the server has failed: it no longer accepts webhooks"),
                Err(error) => anyhow::anyhow!("the server has failed: {error}"),
            },
        }
    }

    /// Stops gracefully: finishes requests in flight, returns other claimed messages, and records the last receipts.
    pub(super) async fn stop(mut self, say: impl Fn(&str)) -> anyhow::Result<()> {
        say("finishing requests in flight");
        self.node.stop_sending().await;
        say("recording the last webhooks");
        // First: webhooks that the closed API rejects must not fall into a time that the node records as listening.
        self.node.stop_listening().await;
        self.door.close();
        match self.door.requests() {
            0 => {}
            1 => say("waiting for 1 request to end, 10 s at most"),
            several => say(&format!("waiting for {several} requests to end, 10 s at most")),
        }
        let served = match self.api {
            Some(api) => api.await.context("the HTTP API has failed"),
            None => Ok(Ok(())),
        };
        self.node.stop().await?;
        served??;
        Ok(())
    }
}

/// Waits for the end of the task; after that, never returns again.
async fn ended<T>(task: &mut Option<JoinHandle<T>>) -> Result<T, JoinError> {
    let Some(running) = task else { return std::future::pending().await };
    let ended = running.await;
    *task = None;
    ended
}
