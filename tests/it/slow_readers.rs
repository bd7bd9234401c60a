//! An export that is read slowly, or not at all, does not block the database.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use volley::base::domain::Timestamp;
use volley::base::events::{Event, EventKind, Subject};
use volley::store;

use crate::cli::{installation, run};
use crate::support::{clock, number};

/// More rows than a pipe and the buffers before it hold.
const PEOPLE: u64 = 40_000;
/// How much is written meanwhile, and how long the log of the database may grow: its usual 16 MB, and a piece.
const WRITTEN: usize = 96;
const MIB: usize = 1 << 20;
const LOG_MAX: u64 = 32 << 20;

fn log_of(folder: &Path) -> u64 {
    std::fs::metadata(folder.join("volley.db-wal")).unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_stays_bounded_while_an_export_is_not_read() {
    let folder = installation();
    let at = folder.path();
    let mut people = String::from("Mobile,FirstName\n");
    for person in 0..PEOPLE {
        writeln!(people, "+{},Ann {person}", number(person)).unwrap();
    }
    std::fs::write(at.join("people.csv"), people).unwrap();
    let promo = "name = \"big\"\naudience = \"people.csv\"\n[[step]]\nchannel = \"SMS\"\ntext = \"Hi {{FirstName}}\"\n";
    std::fs::write(at.join("big.toml"), promo).unwrap();
    run(at, &["campaign", "launch", "big.toml", "--unchecked"]).ended(0);

    let mut export = Command::new(env!("CARGO_BIN_EXE_volley"));
    export.args(["campaign", "export", "big", "-"]).current_dir(at).env_clear().env("USER", "ann");
    let mut export = export.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut rows = BufReader::with_capacity(1, export.stdout.take().unwrap());
    // The export has begun to write rows; from here on its pipe is not read.
    rows.read_exact(&mut [0]).unwrap();

    let store = store::open(&format!("sqlite://{}", at.join("volley.db").display()), clock()).await.unwrap();
    let mut longest = 0;
    for second in 0..WRITTEN {
        let now = Timestamp::from_millis(1_800_000_000_000 + second as i64 * 1_000);
        let kind = EventKind::Other { unknown_kind: "x".repeat(MIB) };
        store.record_event(Event::by_server(now, Subject::Server, kind)).await.unwrap();
        longest = longest.max(log_of(at));
    }
    store.close().await;
    assert!(longest < LOG_MAX, "{} MiB in the log", longest / MIB as u64);

    let left = BufReader::new(rows).lines().map(Result::unwrap).count() as u64;
    assert_eq!(left, PEOPLE + 1, "the header, and a row for each recipient as before");
    assert!(export.wait().unwrap().success());
}
