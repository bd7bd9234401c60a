//! The real binary: started, read and killed.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use volley::base::domain::Span;

use super::wait::{clock, until};

/// A command that takes longer is stuck.
const COMMAND_MAX: Span = Span::from_secs(120);
/// A server that prints nothing for so long has not started.
const START_MAX: Span = Span::from_secs(60);

/// A running `volley`. Dropping it kills it.
pub(crate) struct Process {
    child: Child,
    stdout: BufReader<ChildStdout>,
    stderr: Stderr,
    what: String,
}

/// Its stderr, read as it is written.
struct Stderr {
    so_far: Arc<Mutex<Vec<u8>>>,
    to_its_end: tokio::task::JoinHandle<()>,
}

/// How a command ended.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    what: String,
}

impl Stderr {
    fn of(mut stderr: ChildStderr) -> Self {
        let so_far = Arc::new(Mutex::new(Vec::new()));
        let said = Arc::clone(&so_far);
        let to_its_end = tokio::spawn(async move {
            let mut some = [0; 4_096];
            while let Ok(length @ 1..) = stderr.read(&mut some).await {
                said.lock().extend_from_slice(&some[..length]);
            }
        });
        Self { so_far, to_its_end }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.so_far.lock()).into_owned()
    }

    async fn all(&mut self) -> String {
        let _ = (&mut self.to_its_end).await;
        self.so_far()
    }
}

impl Process {
    /// Starts the binary in `folder`, with nothing of the caller's own configuration.
    pub(crate) fn start(folder: &Path, arguments: &[&str]) -> Self {
        Self::start_by(folder, &[], arguments)
    }

    /// The same by a program that makes room for it and then becomes it.
    pub(crate) fn start_by(folder: &Path, by: &[&str], arguments: &[&str]) -> Self {
        let volley = [env!("CARGO_BIN_EXE_volley")];
        let mut words = by.iter().chain(&volley);
        let mut command = Command::new(words.next().unwrap());
        command.args(words);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("VOLLEY_")) {
            command.env_remove(name);
        }
        let child = command
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        let mut child = child.unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let stderr = Stderr::of(child.stderr.take().unwrap());
        Self { child, stdout, stderr, what: format!("volley {}", arguments.join(" ")) }
    }

    /// Its first line, which a server writes once it listens.
    pub(crate) async fn first_line(&mut self) -> Value {
        let mut line = String::new();
        let clock = clock();
        tokio::select! {
            read = self.stdout.read_line(&mut line) => { read.unwrap(); }
            () = clock.sleep(START_MAX) => panic!("{} has said nothing for {START_MAX}", self.what),
        }
        match serde_json::from_str(&line) {
            Ok(line) => line,
            Err(_) => {
                let _ = self.child.kill().await;
                panic!("{} did not start: {line:?} {}", self.what, self.stderr.all().await);
            }
        }
    }

    /// SIGINT, as Ctrl-C sends it.
    #[cfg(unix)]
    pub(crate) fn interrupt(&self) {
        self.signal("INT");
    }

    #[cfg(unix)]
    pub(crate) fn signal(&self, signal: &str) {
        let kill = format!("kill -{signal} {}", self.id());
        assert!(std::process::Command::new("/bin/sh").args(["-c", &kill]).status().unwrap().success());
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// What it has written to stderr.
    pub(crate) fn output(&self) -> String {
        self.stderr.so_far()
    }

    /// Waits until its stderr contains a text.
    pub(crate) async fn wait_for_output(&self, what: &str) {
        until(&format!("{} writes {what:?}", self.what), COMMAND_MAX, || async {
            let so_far = self.stderr.so_far();
            if so_far.contains(what) { Ok(()) } else { Err(so_far) }
        })
        .await;
    }

    /// SIGKILL. Returns how it had ended if it was faster.
    pub(crate) async fn kill(mut self) -> Option<Ended> {
        let _ = self.child.start_kill();
        let ended = self.end().await;
        ended.status.code().is_some().then_some(ended)
    }

    /// Waits for its own end.
    pub(crate) async fn ended(self) -> Ended {
        let (clock, what) = (clock(), self.what.clone());
        tokio::select! {
            ended = self.end() => ended,
            () = clock.sleep(COMMAND_MAX) => panic!("{what} has not ended within {COMMAND_MAX}"),
        }
    }

    async fn end(mut self) -> Ended {
        let mut stdout = String::new();
        let _ = self.stdout.read_to_string(&mut stdout).await;
        let status = self.child.wait().await.unwrap();
        Ended { status, stdout, stderr: self.stderr.all().await, what: self.what }
    }
}

impl Ended {
    /// Its JSON output; panics if it failed.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert!(self.status.success(), "{} failed: {} {}", self.what, self.stderr, self.stdout);
        match serde_json::from_str(&self.stdout) {
            Ok(value) => value,
            Err(error) => panic!("{} wrote no JSON ({error}): {:?} {}", self.what, self.stdout, self.stderr),
        }
    }
}
