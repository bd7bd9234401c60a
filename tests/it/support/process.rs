//! The real binary, started, listened to and killed.

use std::path::Path;
use std::process::{ExitStatus, Stdio};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use volley::domain::Span;

use super::wait::clock;

/// A command that takes longer is stuck.
const COMMAND_MAX: Span = Span::from_secs(120);
/// A server that says nothing for so long will not.
const START_MAX: Span = Span::from_secs(60);

/// A running `volley`. Dropping it kills it.
pub(crate) struct Process {
    child: Child,
    stdout: BufReader<ChildStdout>,
    stderr: tokio::task::JoinHandle<String>,
    what: String,
}

/// How a command ended.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    what: String,
}

async fn read_all(mut stderr: ChildStderr) -> String {
    let mut all = Vec::new();
    let _ = stderr.read_to_end(&mut all).await;
    String::from_utf8_lossy(&all).into_owned()
}

impl Process {
    /// Starts the binary in `folder`, with nothing of the caller's own configuration.
    pub(crate) fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_volley"));
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
        let stderr = tokio::spawn(read_all(child.stderr.take().unwrap()));
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
                panic!("{} did not start: {line:?} {}", self.what, (&mut self.stderr).await.unwrap_or_default());
            }
        }
    }

    /// SIGKILL. Says how it had ended where it was faster.
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
        Ended { status, stdout, stderr: self.stderr.await.unwrap_or_default(), what: self.what }
    }
}

impl Ended {
    /// Its answer, where it did what it was asked.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert!(self.status.success(), "{} failed: {}", self.what, self.stderr);
        match serde_json::from_str(&self.stdout) {
            Ok(value) => value,
            Err(error) => panic!("{} wrote no JSON ({error}): {:?} {}", self.what, self.stdout, self.stderr),
        }
    }
}
