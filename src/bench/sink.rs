//! The sink as a process of its own.

use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use super::Error;
use crate::clock::Clock;
use crate::simulator::{Sink, SinkOptions, WebhookTarget};

/// A sink that ends when this is dropped.
#[derive(Debug)]
pub struct SinkProcess {
    pub address: SocketAddr,
    _child: Child,
}

/// What webhooks prove themselves with in a benchmark.
pub(super) const AUTHORIZATION: &str = "Bearer bench";

impl SinkProcess {
    /// Starts this program once more, as a sink. It says on its first line where it listens.
    pub async fn start(webhook: Option<&str>, receipts: usize) -> Result<Self, Error> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["bench", "sink", "--receipts", &receipts.to_string()]);
        if let Some(webhook) = webhook {
            command.args(["--webhook", webhook]);
        }
        let mut child = command.stdout(Stdio::piped()).stdin(Stdio::null()).kill_on_drop(true).spawn()?;
        let stdout = child.stdout.take().ok_or("the sink has no output")?;
        let line = BufReader::new(stdout).lines().next_line().await?;
        let address = line.ok_or("the sink did not start")?.parse()?;
        Ok(Self { address, _child: child })
    }

    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// The sink's side: listens on a free port, tells it through `started`, and serves until the process is killed.
pub async fn run_sink(
    webhook: Option<String>,
    receipts: usize,
    clock: Arc<dyn Clock>,
    started: impl FnOnce(SocketAddr),
) -> Result<(), Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let webhook = webhook.map(|url| {
        let mut target = WebhookTarget::new(url);
        target.authorization = Some(AUTHORIZATION.to_owned().into());
        target.group = 50;
        target
    });
    let sink = Sink::start(listener, SinkOptions { webhook, receipts }, 1, clock, CancellationToken::new())?;
    started(address);
    sink.stopped().await;
    Ok(())
}
