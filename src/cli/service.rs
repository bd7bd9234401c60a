//! What a service manager such as systemd is told: that the server is ready, reads its files again, stops, and is alive.
//!
//! The protocol is `sd_notify(3)`: datagrams of `KEY=VALUE` lines to the socket that `NOTIFY_SOCKET` names. Without that
//! variable, it sends nothing.

use std::convert::Infallible;
use std::fmt::Display;

use crate::base::clock::{Clock, monotonic_micros};
use crate::base::domain::Span;

#[derive(Debug)]
pub(super) struct ServiceManager {
    #[cfg(unix)]
    socket: Option<std::os::unix::net::UnixDatagram>,
    /// How often it wants a sign of life.
    alive_every: Option<Span>,
}

impl ServiceManager {
    /// Connects to the service manager that started this process, if one did.
    pub(super) fn of_environment() -> Self {
        let variable = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
        let is_ours = variable("WATCHDOG_PID").is_none_or(|pid| pid == std::process::id().to_string());
        let watchdog = variable("WATCHDOG_USEC").and_then(|micros| micros.parse::<i64>().ok()).filter(|_| is_ours);
        Self {
            #[cfg(unix)]
            socket: variable("NOTIFY_SOCKET").and_then(|name| match connect(&name) {
                Ok(socket) => Some(socket),
                Err(error) => {
                    tracing::warn!(%error, "the socket {name} of NOTIFY_SOCKET cannot be used");
                    None
                }
            }),
            // Two signs in each period, so that one may come late.
            alive_every: watchdog.map(|micros| Span::from_millis(micros / 2_000)).filter(|every| *every > Span::ZERO),
        }
    }

    pub(super) fn ready(&self, status: impl Display) {
        self.tell(&format!("READY=1\nSTATUS={status}"));
    }

    /// The server reads its files again. [`Self::ready`] follows.
    pub(super) fn reloading(&self) {
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={}", monotonic_micros()));
    }

    pub(super) fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=Stopping");
    }

    /// Gives a sign of life again and again, as long as the caller polls it: a server whose main task hangs gives none.
    pub(super) async fn keep_alive(&self, clock: &dyn Clock) -> Infallible {
        let Some(every) = self.alive_every else { return std::future::pending().await };
        loop {
            self.tell("WATCHDOG=1");
            clock.sleep(every).await;
        }
    }

    #[cfg(unix)]
    fn tell(&self, lines: &str) {
        if let Some(socket) = &self.socket
            && let Err(error) = socket.send(lines.as_bytes())
        {
            tracing::warn!(%error, "the service manager cannot be told: {lines:?}");
        }
    }

    #[cfg(not(unix))]
    fn tell(&self, _: &str) {}
}

/// A name that begins with @ is an abstract one, which no file has.
#[cfg(unix)]
fn connect(name: &str) -> std::io::Result<std::os::unix::net::UnixDatagram> {
    let socket = std::os::unix::net::UnixDatagram::unbound()?;
    // A service manager that reads nothing must not stop the server.
    socket.set_nonblocking(true)?;
    match name.strip_prefix('@') {
        #[cfg(target_os = "linux")]
        Some(name) => {
            use std::os::linux::net::SocketAddrExt;
            socket.connect_addr(&std::os::unix::net::SocketAddr::from_abstract_name(name)?)?;
        }
        _ => socket.connect(name)?,
    }
    Ok(socket)
}
