//! Pages in a browser, and viewers of a live page, beside a campaign that is being sent.
//!
//! Whoever looks is another process, with the session of an operator.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

use super::dispatch::{lane, launch_on, provider, read, store_audience};
use super::figures::{idle_ms, percentile};
use super::http::Connection;
use super::served::{Sending, Server, from_another_process};
use super::stock::{LANE as STOCK_LANE, Stock};
use super::{Begun, Error, Run, SinkProcess};
use crate::base::clock::{Chance, Clock};
use crate::base::config::{Config, Secret};
use crate::base::domain::{Count, Scope, Scopes, Span};
use crate::base::events::Origin;
use crate::campaigns::campaign::Launcher;
use crate::http::access::{Access, By, NewOperator};
use crate::http::pages::{ASSETS, Assets};
use crate::store::{self, AuditRequest, BatchFilter, Store};

/// The campaign that is being sent, and its lane.
pub const RUNNING: &str = "running";
/// Its recipients: enough for hours at its rate.
const RECIPIENTS: u32 = 1_000_000;
const CONNECTIONS: std::num::NonZeroU32 = std::num::NonZeroU32::MIN.saturating_add(7);
const OPERATOR: &str = "bench";
/// How often a page is loaded: within the 100 requests that an operator may send at once.
const LOADED: u32 = 90;
/// How long a server is measured without viewers, and with them.
const MEASURED: Span = Span::from_secs(20);
/// A browser's request of a new operator, in the audit log of the benchmark.
const FROM_HERE: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// The pages that are measured. `MESSAGE` stands for the id of a message.
pub const PAGES: [&str; 24] = [
    "/",
    "/campaigns",
    "/campaigns/running",
    "/campaigns/bench",
    "/campaigns/bench/recipients",
    "/campaigns/bench/recipients?whom=%2B6590000005",
    "/campaigns/bench/report",
    "/campaigns/bench/events",
    "/campaigns/bench/replies",
    "/messages/MESSAGE",
    "/calendar",
    "/audiences",
    "/recipients/6590000005",
    "/replies",
    "/opt-outs",
    "/lanes",
    "/templates",
    "/prices",
    "/events",
    "/doctor",
    "/settings",
    "/operators",
    "/keys",
    "/audit-log",
];

fn config(sink: &SinkProcess) -> Result<Arc<Config>, Error> {
    let text = provider(&sink.base_url(), CONNECTIONS, std::num::NonZeroU32::MIN)
        + &lane(RUNNING, "100/s", "unlimited")
        + &lane(STOCK_LANE, "100/s", "unlimited");
    Ok(Arc::new(read(&text)?))
}

/// Launches the campaign that is sent while pages are loaded.
pub async fn prepare(database: &Path, clock: Arc<dyn Clock>, chance: &Chance) -> Result<(), Error> {
    let sink = SinkProcess::start(None, 0).await?;
    let config = config(&sink)?;
    let store = store::open(&format!("sqlite://{}", database.display()), Arc::clone(&clock)).await?;
    let launcher =
        Launcher { store: store.as_ref(), clock: clock.as_ref(), chance, config: &config, by: Origin::SERVER };
    store_audience(RECIPIENTS, &launcher).await?;
    launch_on(RUNNING, &launcher).await?;
    store.close().await;
    Ok(())
}

/// Signs an operator in. Returns the header of the requests.
pub(super) async fn signed_in(store: &Arc<dyn Store>, clock: &dyn Clock) -> Result<String, Error> {
    let (access, now) = (Access::new(Arc::clone(store)), clock.now());
    let password = || Secret::new("a password of a benchmark".to_owned());
    if store.operator(OPERATOR.to_owned()).await?.is_none() {
        let scopes = Scopes::default().with(Scope::Admin);
        let new = NewOperator { name: OPERATOR.to_owned(), scopes, password: password() };
        access.create_operator(new, &By::command("bench"), now).await?;
    }
    let operator = access.sign_in(OPERATOR, password()).await?;
    let request =
        AuditRequest { id: String::new(), peer: FROM_HERE, method: "POST".to_owned(), path: "/sign-in".to_owned() };
    let secret = access.begin_session(&operator, None, request, now).await?;
    Ok(format!("cookie: volley={}", secret.expose()))
}

/// Serves a stock, with its running campaign, to a process that loads one page again and again.
pub async fn browse(database: &Path, page: &str, clock: Arc<dyn Clock>, chance: Arc<Chance>) -> Result<Run, Error> {
    let sink = SinkProcess::start(None, 0).await?;
    let store = store::open(&format!("sqlite://{}", database.display()), Arc::clone(&clock)).await?;
    let credentials = signed_in(&store, clock.as_ref()).await?;
    let server = Server::start(config(&sink)?, Arc::clone(&store), Arc::clone(&clock), chance).await?;
    let page = page.replace("MESSAGE", &Stock::message(5).to_string());
    let arguments = ["--credentials", &credentials, "--page", &page].map(str::to_owned).to_vec();
    let sending = Sending { command: "load-page", arguments, count: LOADED.into() };
    let seen = from_another_process(&sending, &server.address, clock.as_ref()).await?;
    server.stop().await?;
    store.close().await;
    Ok(seen)
}

/// Loads a page again and again.
pub async fn load(address: SocketAddr, credentials: &str, page: &str, clock: &dyn Clock) -> Result<Run, Error> {
    let mut connection = Connection::open(address).await?;
    // The first request of a new server opens its connections to the database and prepares its statements.
    let largest = connection.get(page, credentials).await?.len() + assets();
    let begun = Begun::now(clock);
    let mut took = Vec::new();
    for _ in 0..LOADED {
        let asked = clock.now();
        connection.get(page, credentials).await?;
        took.push(clock.now().since(asked).millis());
    }
    let mut measured = Run::since(begun, LOADED.into(), clock);
    took.sort_unstable();
    measured.p50_ms = percentile(&took, 50);
    measured.p99_ms = percentile(&took, 99);
    #[expect(clippy::cast_precision_loss, reason = "a figure for display")]
    let kib = largest as f64 / 1024.0;
    measured.page_kib = Some(kib);
    Ok(measured)
}

/// What a page loads besides itself, in bytes.
fn assets() -> usize {
    let assets = Assets::all();
    let all = [&assets.style, &assets.script, &assets.icon];
    debug_assert!(all.iter().all(|asset| asset.path.starts_with(ASSETS)), "every asset has its address");
    all.iter().map(|asset| asset.content.len()).sum()
}

/// Viewers of a live page, as a process of its own that ends when this is dropped.
#[derive(Debug)]
pub struct Viewers {
    _child: Child,
}

impl Viewers {
    /// Returns when each of them has seen the page.
    pub async fn start(address: &str, credentials: &str, page: &str, viewers: u32) -> Result<Self, Error> {
        let mut command = Command::new(std::env::current_exe()?);
        let viewers = viewers.to_string();
        command.args(["bench", "view", "--address", address, "--credentials", credentials, "--page", page]);
        command.args(["--viewers", &viewers]).stdout(Stdio::piped()).stdin(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let stdout = child.stdout.take().ok_or("the viewers have no output")?;
        BufReader::new(stdout).lines().next_line().await?.ok_or("the viewers see nothing")?;
        Ok(Self { _child: child })
    }
}

/// The viewers: reads as many streams until the process is killed. Calls `seen` once each stream has begun.
pub async fn view(
    address: SocketAddr,
    credentials: &str,
    page: &str,
    viewers: u32,
    seen: impl FnOnce(),
) -> Result<(), Error> {
    let mut streams = JoinSet::new();
    for _ in 0..viewers {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("GET {page} HTTP/1.1\r\nhost: localhost\r\n{credentials}\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut buffer = vec![0; 64 << 10];
        let mut read = 0;
        while !buffer[..read].windows(6).any(|bytes| bytes == b"event:" || bytes == b"data: ") {
            let more = stream.read(&mut buffer[read..]).await?;
            read += more;
            if more == 0 || !buffer.starts_with(b"HTTP/1.1 2") {
                return Err(format!("answered {:?}", String::from_utf8_lossy(&buffer[..read])).into());
            }
        }
        streams.spawn(async move {
            while stream.read(&mut buffer).await? > 0 {}
            Err::<(), Error>("a stream has ended".into())
        });
    }
    seen();
    streams.join_next().await.ok_or("nobody views")??
}

/// What viewers of a live page cost, in processor time of the server: beside a campaign that is being sent, with them and
/// without.
pub async fn viewers(database: &Path, viewers: u32, clock: Arc<dyn Clock>, chance: Arc<Chance>) -> Result<Run, Error> {
    let sink = SinkProcess::start(None, 0).await?;
    let store = store::open(&format!("sqlite://{}", database.display()), Arc::clone(&clock)).await?;
    let credentials = signed_in(&store, clock.as_ref()).await?;
    let filter = BatchFilter { states: None, name: Some(RUNNING.to_owned()), is_campaign: Some(true), tests: false };
    let (batch, _) = store.batch_page(filter, None, 1).await?.batches.pop().ok_or("no campaign is sent")?;
    let server = Server::start(config(&sink)?, Arc::clone(&store), Arc::clone(&clock), chance).await?;
    while store.tallies(batch.id).await?.total(Count::HandedOver) == 0 {
        clock.sleep(Span::from_millis(50)).await;
    }
    clock.sleep(Span::from_secs(2)).await;
    let begun = Begun::now(clock.as_ref());
    let alone = idle_ms(clock.as_ref(), MEASURED).await;
    let page = format!("/campaigns/{RUNNING}/live?state=running");
    let watching = Viewers::start(&server.address, &credentials, &page, viewers).await?;
    let watched = idle_ms(clock.as_ref(), MEASURED).await;
    let mut run = Run::since(begun, viewers.into(), clock.as_ref());
    run.idle_ms_per_s = Some((watched - alone).max(0.0));
    drop(watching);
    server.stop().await?;
    store.close().await;
    Ok(run)
}
