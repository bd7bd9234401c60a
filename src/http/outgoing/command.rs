//! Alerts that run a command: it gets the alert as JSON on its standard input.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStderr, Command};

/// How long a command may run before it is killed.
const LIMIT: Duration = Duration::from_secs(10);
/// How long its standard error is read after its end. A process that it left behind may hold that open.
const AFTERWARDS: Duration = Duration::from_millis(200);
/// Bytes of its standard error that are kept.
const KEPT: u64 = 1_024;

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ended {
    /// Why it failed, as a sentence.
    pub(super) error: Option<String>,
    /// The beginning of its standard error.
    pub(super) output: String,
}

/// Runs a command with a body. Its standard output is dropped: that of the server is data.
pub(super) async fn run(command: &[String], body: &str) -> Ended {
    run_within(command, body, LIMIT).await
}

async fn run_within(command: &[String], body: &str, limit: Duration) -> Ended {
    let failed = |error: String| Ended { error: Some(error), output: String::new() };
    let Some((program, arguments)) = command.split_first() else { return failed("it has no command".to_owned()) };
    let started = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        // A command that runs too long, or a server that stops, ends it.
        .kill_on_drop(true)
        .spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(error) => return failed(format!("{program} cannot be started: {error}")),
    };
    match tokio::time::timeout(limit, finish(&mut child, body)).await {
        Ok(ended) => ended,
        Err(_) => failed(format!("{program} did not end within {} s", limit.as_secs_f32())),
    }
}

async fn finish(child: &mut Child, body: &str) -> Ended {
    let (input, errors) = (child.stdin.take(), child.stderr.take());
    let mut kept = Vec::new();
    let status = {
        let write = async {
            if let Some(mut input) = input {
                // A command that does not read its input may succeed all the same.
                let _ = input.write_all(body.as_bytes()).await;
            }
        };
        let mut pipes = std::pin::pin!(futures_util::future::join(write, read(errors, &mut kept)));
        tokio::select! {
            _ = &mut pipes => child.wait().await,
            status = child.wait() => {
                let _ = tokio::time::timeout(AFTERWARDS, pipes).await;
                status
            }
        }
    };
    let error = match status {
        Ok(status) if status.success() => None,
        Ok(status) => Some(format!("the command failed: {status}")),
        Err(error) => Some(format!("the command failed: {error}")),
    };
    Ended { error, output: String::from_utf8_lossy(&kept).into_owned() }
}

/// Reads all of a pipe, and keeps its beginning. A command whose pipe is not read would wait.
async fn read(errors: Option<ChildStderr>, kept: &mut Vec<u8>) {
    if let Some(errors) = errors {
        let mut beginning = errors.take(KEPT);
        let _ = beginning.read_to_end(kept).await;
        let _ = tokio::io::copy(&mut beginning.into_inner(), &mut tokio::io::sink()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Vec<String> {
        ["sh", "-c", script].map(str::to_owned).to_vec()
    }

    #[tokio::test]
    async fn a_command_gets_the_alert_and_its_failure_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alert.json");
        let ended = run(&shell(&format!("cat > '{}'", path.display())), r#"{"kind":"outage"}"#).await;
        assert_eq!(ended, Ended { error: None, output: String::new() });
        assert_eq!(std::fs::read_to_string(path).unwrap(), r#"{"kind":"outage"}"#);
        let ended = run(&shell("echo 'no pager' >&2; exit 3"), "{}").await;
        assert_eq!(
            (ended.error.as_deref(), ended.output.as_str()),
            (Some("the command failed: exit status: 3"), "no pager\n")
        );
        let ended = run(&["/no/such/program".to_owned()], "{}").await;
        assert!(ended.error.unwrap().contains("/no/such/program cannot be started"));
    }

    #[tokio::test]
    async fn a_command_that_neither_reads_nor_ends_is_killed() {
        let large = "x".repeat(1 << 20);
        let ended = run_within(&shell("exec sleep 600"), &large, Duration::from_millis(50)).await;
        assert!(ended.error.unwrap().contains("did not end within"));
        let ended = run_within(&shell("exit 0"), &large, Duration::from_secs(60)).await;
        assert_eq!(ended.error, None);
    }

    #[tokio::test]
    async fn a_command_may_write_much_and_leave_a_process_behind() {
        // Much more than a pipe holds, on both outputs.
        let script = "head -c 3000000 /dev/zero; head -c 3000000 /dev/zero | tr '\\0' x >&2";
        let ended = run_within(&shell(script), "{}", Duration::from_secs(60)).await;
        assert_eq!(ended, Ended { error: None, output: "x".repeat(1_024) });
        // The process that it leaves behind holds its standard error open.
        let ended = run_within(&shell("sleep 100 & exit 0"), "{}", Duration::from_secs(60)).await;
        assert_eq!(ended.error, None);
    }
}
