//! Ctrl-C and its siblings.

/// Being asked to stop. From the first one made, Ctrl-C no longer ends the process by itself.
#[derive(Debug)]
pub(super) struct Interrupts {
    #[cfg(unix)]
    asked: [Option<tokio::signal::unix::Signal>; 2],
}

impl Interrupts {
    #[cfg(unix)]
    pub(super) fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        Self { asked: [SignalKind::interrupt(), SignalKind::terminate()].map(|kind| signal(kind).ok()) }
    }

    #[cfg(not(unix))]
    pub(super) fn listen() -> Self {
        Self {}
    }

    /// Ends once somebody asks: by Ctrl-C or, as a service manager does, by SIGTERM.
    #[cfg(unix)]
    pub(super) async fn next(&mut self) {
        let [interrupt, terminate] = &mut self.asked;
        tokio::select! {
            () = received(interrupt) => {}
            () = received(terminate) => {}
        }
    }

    #[cfg(not(unix))]
    pub(super) async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(unix)]
async fn received(signal: &mut Option<tokio::signal::unix::Signal>) {
    let came = match signal {
        Some(signal) => signal.recv().await,
        None => None,
    };
    if came.is_none() {
        // Nobody can ask this way.
        std::future::pending::<()>().await;
    }
}
