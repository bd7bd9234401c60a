//! The sink as a process of its own.

use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;

use super::Error;
use crate::base::clock::{Clock, Tick};
use crate::practice::simulator::{Arrival, RunningSink, SinkOptions, WebhookTarget};

/// A sink process that ends when this is dropped.
#[derive(Debug)]
pub struct SinkProcess {
    pub address: SocketAddr,
    lines: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

/// The `Authorization` of webhooks in a benchmark.
pub(super) const AUTHORIZATION: &str = "Bearer bench";

impl SinkProcess {
    /// Starts this program again as a sink, which prints its address on its first line.
    pub async fn start(webhook: Option<&str>, receipts: usize) -> Result<Self, Error> {
        let receipts = receipts.to_string();
        let webhook = webhook.map(|webhook| ["--webhook", webhook]);
        Self::start_with(["--receipts", &receipts].into_iter().chain(webhook.into_iter().flatten())).await
    }

    /// The same, but the sink then prints a line for each request.
    pub async fn start_with_arrivals() -> Result<Self, Error> {
        Self::start_with(["--arrivals"].into_iter()).await
    }

    async fn start_with(arguments: impl Iterator<Item = &str>) -> Result<Self, Error> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["bench", "sink"]).args(arguments);
        let mut child = command.stdout(Stdio::piped()).stdin(Stdio::null()).kill_on_drop(true).spawn()?;
        let stdout = child.stdout.take().ok_or("the sink has no output")?;
        let mut lines = BufReader::new(stdout).lines();
        let address = lines.next_line().await?.ok_or("the sink did not start")?.parse()?;
        Ok(Self { address, lines, _child: child })
    }

    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the next request that the sink prints. Cancel-safe: a caller that stops waiting loses no request.
    pub async fn arrival(&mut self) -> Result<Arrival, Error> {
        let line = self.lines.next_line().await?.ok_or("the sink has ended")?;
        let (at, messages) = line.split_once(' ').ok_or("the sink printed an invalid line")?;
        Ok(Arrival { at: Tick::from_nanos(at.parse()?), messages: messages.parse()? })
    }
}

/// Formats a request as a line.
pub fn arrival_line(arrival: &Arrival) -> String {
    format!("{} {}", arrival.at.nanos(), arrival.messages)
}

/// Runs the sink: listens on a free port, passes its address to `started`, and serves until the process is killed.
pub async fn run_sink(
    webhook: Option<String>,
    receipts: usize,
    arrivals: Option<Sender<Arrival>>,
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
    let options = SinkOptions { webhook, receipts, arrivals };
    let sink = RunningSink::start(listener, options, 1, clock, CancellationToken::new())?;
    started(address);
    sink.stopped().await;
    Ok(())
}
