//! A server under a service manager: what it is told, and that the samples for services name what exists.
#![cfg(unix)]

use std::path::Path;
use std::sync::Arc;

use clap::Parser;
use parking_lot::Mutex;
use tokio::net::UnixDatagram;
use volley::base::domain::Span;
use volley::cli::Cli;

use crate::support::{Installation, Shape, until};

const PATIENCE: Span = Span::from_secs(30);

/// A service manager that only listens.
struct Manager {
    told: Arc<Mutex<Vec<String>>>,
    listening: tokio::task::JoinHandle<()>,
}

impl Manager {
    fn at(socket: std::os::unix::net::UnixDatagram) -> Self {
        socket.set_nonblocking(true).unwrap();
        let socket = UnixDatagram::from_std(socket).unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&told);
        let listening = tokio::spawn(async move {
            let mut message = [0; 1_024];
            while let Ok(length) = socket.recv(&mut message).await {
                heard.lock().push(String::from_utf8_lossy(&message[..length]).into_owned());
            }
        });
        Self { told, listening }
    }

    /// What it was told besides signs of life.
    fn news(&self) -> Vec<String> {
        self.told.lock().iter().filter(|message| *message != "WATCHDOG=1").cloned().collect()
    }

    fn signs_of_life(&self) -> usize {
        self.told.lock().iter().filter(|message| *message == "WATCHDOG=1").count()
    }

    async fn wait_for_news(&self, count: usize) -> Vec<String> {
        until("the service manager is told", PATIENCE, || async {
            let news = self.news();
            if news.len() >= count { Ok(news) } else { Err(format!("{news:?}")) }
        })
        .await
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// The value of a line such as `MONOTONIC_USEC=1`.
fn value<'a>(message: &'a str, key: &str) -> Option<&'a str> {
    message.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
}

async fn is_told_everything(seed: u64, name: &str, socket: std::os::unix::net::UnixDatagram) {
    let shape = Shape { seed, profile: String::new(), rate: 10, batch: None, connections: 1 };
    let mut site = Installation::new(&shape).await;
    let manager = Manager::at(socket);
    let notify = format!("NOTIFY_SOCKET={name}");
    site.serve_by(&["env", &notify, "WATCHDOG_USEC=200000"]).await;
    let ready = manager.wait_for_news(1).await;
    let status = format!("Listens on http://{}", site.webhooks());
    assert_eq!(
        (value(&ready[0], "READY"), value(&ready[0], "STATUS")),
        (Some("1"), Some(status.as_str())),
        "{ready:?}"
    );
    until("signs of life", PATIENCE, || async {
        let signs = manager.signs_of_life();
        if signs >= 3 { Ok(()) } else { Err(signs) }
    })
    .await;
    assert!(site.volley(&["doctor", "--ready"]).await.status.success());

    site.server().signal("HUP");
    let news = manager.wait_for_news(3).await;
    assert_eq!((value(&news[1], "RELOADING"), value(&news[2], "READY")), (Some("1"), Some("1")), "{news:?}");
    assert!(value(&news[1], "MONOTONIC_USEC").is_some_and(|at| at.parse::<u64>().is_ok_and(|at| at > 0)), "{news:?}");

    let server = site.take_server();
    server.signal("TERM");
    assert!(server.ended().await.status.success());
    let news = manager.wait_for_news(4).await;
    assert_eq!((news.len(), value(&news[3], "STOPPING")), (4, Some("1")), "{news:?}");
    assert_eq!(site.volley(&["doctor", "--ready"]).await.status.code(), Some(1), "no server is running");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_manager_hears_of_start_reload_stop_and_life() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    is_told_everything(95, path.to_str().unwrap(), socket).await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_manager_is_reached_at_an_abstract_name() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};
    let name = format!("volley-test-{}", std::process::id());
    let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    is_told_everything(96, &format!("@{name}"), socket).await;
}

fn sample(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("samples").join(name)).unwrap()
}

#[test]
fn the_unit_starts_a_known_command_and_keeps_its_promises() {
    let unit = sample("volley.service");
    let of = |key: &str| unit.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).unwrap();
    let start: Vec<&str> = of("ExecStart").split(' ').collect();
    Cli::try_parse_from(&start).unwrap();
    assert_eq!((of("Type"), of("ExecReload")), ("notify", "/bin/kill -HUP $MAINPID"));
    // The stop of a server has two parts of ten seconds.
    assert!(of("TimeoutStopSec").parse::<u32>().unwrap() > 20);
    assert_eq!(of("AmbientCapabilities"), of("CapabilityBoundingSet"));
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/production.md")).unwrap();
    for named in [start[0], start[2], of("WorkingDirectory")] {
        assert!(page.contains(named), "docs/production.md does not name {named}");
    }
}

#[test]
fn the_image_is_built_from_files_that_exist_and_runs_known_commands() {
    let image = sample("Containerfile");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let copied: Vec<&str> = image
        .lines()
        .filter_map(|line| line.strip_prefix("COPY ").filter(|rest| !rest.starts_with("--")))
        .flat_map(|line| line.rsplit_once(' ').unwrap().0.split(' '))
        .collect();
    assert!(copied.len() > 5 && copied.iter().all(|name| root.join(name).exists()), "{copied:?}");
    let sent = std::fs::read_to_string(root.join(".containerignore")).unwrap();
    let sent: Vec<&str> = sent.lines().filter_map(|line| line.strip_prefix('!')).collect();
    let sorted = |mut names: Vec<&'_ str>| {
        names.sort_unstable();
        names.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(sorted(sent), sorted(copied), "the context of the build is what it copies");
    let words = |key: &str| -> Vec<String> {
        let at = image.find(key).unwrap() + key.len();
        serde_json::from_str(image[at..].lines().next().unwrap()).unwrap()
    };
    Cli::try_parse_from(words("--start-period=60s CMD ")).unwrap();
    Cli::try_parse_from([words("ENTRYPOINT "), words("\nCMD ")].concat()).unwrap();
    for variable in image.lines().filter_map(|line| line.strip_prefix("ENV ")) {
        let (name, value) = variable.split_once('=').unwrap();
        let read = volley::base::config::Config::read(
            None,
            std::iter::once((name.to_owned(), value.to_owned())),
            std::iter::empty::<(&str, String)>(),
        );
        assert!(name == "VOLLEY_CONFIG" || read.is_ok(), "{variable}");
    }
}
