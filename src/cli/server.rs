//! A server within this process: the node and its front door, started and stopped in the right order.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;

use super::Ground;
use crate::api;
use crate::node::{Node, Os, Parts};
use crate::store::Store;

#[derive(Debug)]
pub(super) struct Server {
    node: Node,
    /// Nothing once its end has been told.
    api: Option<JoinHandle<Result<(), api::ServeError>>>,
    stop_api: CancellationToken,
    pub(super) address: SocketAddr,
}

impl Server {
    pub(super) async fn start(ground: &Ground, store: Arc<dyn Store>, listener: TcpListener) -> anyhow::Result<Self> {
        let address = listener.local_addr()?;
        let node = Node::start(Parts {
            config: Arc::clone(&ground.config),
            store: Arc::clone(&store),
            clock: Arc::clone(&ground.clock),
            chance: Arc::clone(&ground.chance),
            processes: Arc::new(Os),
        });
        let node = node.await?;
        let intake = node.intake().context("the server takes no webhooks any more")?;
        let stop_api = CancellationToken::new();
        let api =
            tokio::spawn(api::serve(listener, intake, node.door(), store, Arc::clone(&ground.clock), stop_api.clone()));
        let api = Some(api);
        Ok(Self { node, api, stop_api, address })
    }

    /// What was in flight when the last server died.
    pub(super) const fn recovered(&self) -> u64 {
        self.node.recovered
    }

    /// Ends only if something does that should not, and says what.
    pub(super) async fn failed(&mut self) -> anyhow::Error {
        tokio::select! {
            why = self.node.failed() => why.into(),
            ended = ended(&mut self.api) => match ended {
                Ok(Err(error)) => error.into(),
                Ok(Ok(())) => anyhow::anyhow!("the server has failed: nobody takes webhooks any more"),
                Err(error) => anyhow::anyhow!("the server has failed: {error}"),
            },
        }
    }

    /// Finishes what is in flight, hands back what was not begun, and takes receipts until the last of it is on disk.
    pub(super) async fn stop(mut self, say: impl Fn(&str)) -> anyhow::Result<()> {
        say("finishing the requests that are under way");
        self.node.stop_sending().await;
        say("taking the last webhooks");
        // First: what the closed door turns away must not fall into a time of which the node says that it listened.
        self.node.stop_listening().await;
        self.stop_api.cancel();
        let served = match self.api {
            Some(api) => api.await.context("the server's front door has failed"),
            None => Ok(Ok(())),
        };
        self.node.stop().await?;
        served??;
        Ok(())
    }
}

/// Ends with the task, and never a second time.
async fn ended<T>(task: &mut Option<JoinHandle<T>>) -> Result<T, JoinError> {
    let Some(running) = task else { return std::future::pending().await };
    let ended = running.await;
    *task = None;
    ended
}
