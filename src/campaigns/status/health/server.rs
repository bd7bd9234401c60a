//! Checks the server: whether one is running, and how the last one ended.

use super::{Findings, Health};
use crate::base::clock::format_time;
use crate::base::domain::Timestamp;
use crate::base::domain::text::span;
use crate::campaigns::status::{Obstacle, Servers};
use crate::store::{Node, Nodes, Result};

/// Reports whether a server is running, and how the last one ended.
pub(super) async fn check_server(
    store: &dyn Nodes,
    servers: &Servers,
    now: Timestamp,
    findings: &mut Findings,
) -> Result<()> {
    let stuck = servers.unwritable.map(Obstacle::Unwritable);
    let silent = servers.silent_since.map(Obstacle::SilentServer);
    match (stuck, servers.running.last(), silent) {
        _ if servers.is_killed => {
            // A server that stops in good order leaves no row behind that is not stopped.
            let last = store.nodes(Timestamp::default()).await?.into_iter().max_by_key(|node| node.seen_at);
            let since = last.map(|node| format!(", last seen {}", seen(&node, now))).unwrap_or_default();
            let text = format!("not running: the last server ended without stopping{since}; it was killed, or crashed");
            let advice = "start `volley serve`: it recovers the messages in flight. Its log, or the system's, may say why it \
                          ended";
            findings.add("server", Health::Warning, text, Some(advice));
        }
        // The server runs, however old its heartbeat is: the heartbeat cannot be written either.
        (Some(stuck), _, _) => {
            findings.add("server", Health::Failed, stuck.what_since(now), Some(&stuck.what_to_do("", now)));
        }
        (None, Some(node), _) => {
            findings.add_ok("server", format!("running, last seen {} ago", span(now.since(node.seen_at))));
        }
        (None, None, Some(silent)) => {
            findings.add("server", Health::Warning, silent.what_since(now), Some(&silent.what_to_do("", now)));
        }
        (None, None, None) => findings.add("server", Health::Warning, "not running", Some("start `volley serve`")),
    }
    Ok(())
}

fn seen(node: &Node, now: Timestamp) -> String {
    format!("{} ({} ago)", format_time(node.seen_at, None), span(now.since(node.seen_at)))
}
