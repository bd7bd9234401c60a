//! Identifies processes, and finds out whether another one is gone.

use crate::store::Holder;

/// Identifies this process and checks others.
pub trait Processes: Send + Sync + std::fmt::Debug {
    /// This process.
    fn own(&self) -> Holder;
    /// Whether that process has certainly ended. A process that is not visible from here may be alive.
    fn is_gone(&self, holder: &Holder) -> bool;
}

/// The processes of the operating system. Only Linux tells enough to be certain; elsewhere no process counts as gone.
#[derive(Debug, Clone, Copy, Default)]
pub struct Os;

impl Processes for Os {
    fn own(&self) -> Holder {
        let pid = std::process::id();
        Holder { machine: machine(), pid, started: seen(pid).map_or(0, |seen| seen.started) }
    }

    fn is_gone(&self, holder: &Holder) -> bool {
        // Ids mean nothing on another machine, after a reboot, or in another container.
        if holder.machine.is_empty() || holder.machine != machine() {
            return false;
        }
        match seen(holder.pid) {
            // The id belongs to another process by now, or the process is a zombie.
            Some(seen) => seen.started != holder.started || seen.has_ended,
            // `/proc` may hide processes of other users; a signal still finds them.
            None => is_unused_pid(holder.pid),
        }
    }
}

/// A process in `/proc`.
struct Seen {
    started: u64,
    has_ended: bool,
}

#[cfg(target_os = "linux")]
fn machine() -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    let namespace = std::fs::read_link("/proc/self/ns/pid");
    match (boot, namespace) {
        (Ok(boot), Ok(namespace)) => format!("{} {}", boot.trim(), namespace.display()),
        _ => String::new(),
    }
}

#[cfg(not(target_os = "linux"))]
const fn machine() -> String {
    String::new()
}

fn seen(pid: u32) -> Option<Seen> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in brackets, which may contain spaces and brackets.
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    // Fields 3 and 22 of the whole line.
    let (state, started) = (fields.first()?, fields.get(19)?);
    Some(Seen { started: started.parse().ok()?, has_ended: matches!(*state, "Z" | "X") })
}

#[cfg(target_os = "linux")]
fn is_unused_pid(pid: u32) -> bool {
    use rustix::process::{Pid, test_kill_process};
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid) == Err(rustix::io::Errno::SRCH))
}

#[cfg(not(target_os = "linux"))]
const fn is_unused_pid(_: u32) -> bool {
    false
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_gone_once_it_ends_or_its_id_is_reused() {
        let own = Os.own();
        assert!(!Os.is_gone(&own), "{own:?}");
        assert!(Os.is_gone(&Holder { started: own.started + 1, ..own.clone() }));
        assert!(!Os.is_gone(&Holder { machine: "another".to_owned(), started: 0, ..own.clone() }));
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = child.id();
        let its = Holder { pid, started: seen(pid).unwrap().started, ..own };
        assert!(!Os.is_gone(&its));
        child.kill().unwrap();
        // Waiting for the child removes the zombie.
        child.wait().unwrap();
        assert!(Os.is_gone(&its));
    }
}
