//! Tests of uploads over real files and a store in memory.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::record::{ImportEnd, Record};
use super::*;
use crate::base::clock::{Chance, Clock, ManualClock};
use crate::base::domain::{ByteSize, Span, Timestamp};
use crate::recipients::audience::FileSettings;
use crate::store::{Store, open};

mod crashes;

const FILE: &str = "number,name\n+6591234567,Ann\n+6598765432,Bob\n";

struct Desk {
    uploads: Arc<UploadFolder>,
    imports: Imports,
    store: Arc<dyn Store>,
    clock: Arc<ManualClock>,
    folder: TempDir,
}

impl Desk {
    async fn new() -> Self {
        Self::with(ByteSize::from_bytes(1_000)).await
    }

    async fn with(most: ByteSize) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
        let store = open("sqlite::memory:", Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap();
        Self::start(most, store, clock, tempfile::tempdir().unwrap(), 1)
    }

    fn start(most: ByteSize, store: Arc<dyn Store>, clock: Arc<ManualClock>, folder: TempDir, seed: u64) -> Self {
        let now = Arc::clone(&clock) as Arc<dyn Clock>;
        let chance = Arc::new(Chance::seeded(seed));
        let uploads = UploadFolder::open(folder.path().join("uploads"), most, Arc::clone(&now), chance).unwrap();
        let imports = Imports::new(Arc::clone(&uploads), Arc::clone(&store), now, CancellationToken::new());
        Self { uploads, imports, store, clock, folder }
    }

    /// The next start after a crash: nothing in memory is left.
    fn restarted(self) -> Self {
        let Self { uploads, store, clock, folder, .. } = self;
        Self::start(uploads.most, store, clock, folder, 2)
    }

    async fn begin(&self, length: Option<u64>) -> UploadId {
        self.uploads.begin("recipients.csv", length).await.unwrap().id.parse().unwrap()
    }

    async fn send(&self, id: UploadId, offset: u64, text: &str) -> Result<u64, ReceiveError<&'static str>> {
        self.uploads.receive(id, offset, Some(text.len() as u64), body(&[text])).await
    }

    /// Imports an upload, and returns its state at the end.
    async fn import(&self, id: UploadId, target: ImportTarget) -> ImportProgressView {
        self.imports.begin(id, target, FileSettings::default(), "ann").await.unwrap();
        self.ended(id).await
    }

    async fn ended(&self, id: UploadId) -> ImportProgressView {
        self.imports.ended().await;
        self.uploads.get(id).unwrap().import.unwrap()
    }

    async fn recipients(&self, name: &str) -> Vec<u32> {
        let audience = self.store.audience_named(name).await.unwrap();
        audience.map(|audience| audience.parts.iter().map(|part| part.recipients).collect()).unwrap_or_default()
    }

    fn files(&self) -> usize {
        std::fs::read_dir(self.folder.path().join("uploads")).map_or(0, Iterator::count)
    }
}

fn body(parts: &[&str]) -> impl Stream<Item = Result<Bytes, &'static str>> + Send + use<> {
    let parts: Vec<_> = parts.iter().map(|part| Ok(Bytes::from((*part).to_owned()))).collect();
    stream::iter(parts)
}

fn members() -> ImportTarget {
    ImportTarget::Named("members".to_owned())
}

#[tokio::test]
async fn a_file_arrives_in_parts_and_is_imported_once() {
    let desk = Desk::new().await;
    let id = desk.begin(Some(FILE.len() as u64)).await;
    let (first, second) = FILE.split_at(20);
    assert_eq!(desk.send(id, 0, first).await.unwrap(), 20);
    let early = desk.imports.begin(id, members(), FileSettings::default(), "ann").await;
    assert!(matches!(early, Err(ImportRefused::Incomplete { received: 20, .. })), "{early:?}");
    assert_eq!(desk.send(id, 20, second).await.unwrap(), FILE.len() as u64);
    let (summary, _) = desk.imports.check(id, FileSettings::default().options().unwrap()).await.unwrap().unwrap();
    assert_eq!((summary.valid, desk.recipients("members").await), (2, vec![]));
    let import = desk.import(id, members()).await;
    assert_eq!((import.state, import.rows, &import.result.unwrap()["added"]), (ImportState::Done, 2, &2.into()));
    assert_eq!(desk.recipients("members").await, [2]);
    assert_eq!(desk.files(), 1, "the record stays for a day, and the bytes do not");
    let again = desk.imports.begin(id, members(), FileSettings::default(), "ann").await;
    assert!(matches!(again, Err(ImportRefused::Imported(_))), "{again:?}");
}

#[tokio::test]
async fn a_broken_part_keeps_what_has_arrived_also_after_a_crash() {
    let desk = Desk::new().await;
    let id = desk.begin(None).await;
    let cut = body(&[&FILE[..10], &FILE[10..25]]).chain(stream::iter([Err("the connection is gone")]));
    let ended = desk.uploads.receive(id, 0, None, cut).await;
    assert!(matches!(ended, Err(ReceiveError::Body("the connection is gone"))), "{ended:?}");
    let desk = desk.restarted();
    assert_eq!(desk.uploads.get(id).unwrap().offset, 25);
    for wrong in [0, 24, 26] {
        let refused = desk.send(id, wrong, "x").await;
        assert!(matches!(refused, Err(ReceiveError::WrongOffset { on_disk: 25, .. })), "{refused:?}");
    }
    desk.send(id, 25, &FILE[25..]).await.unwrap();
    assert_eq!(desk.import(id, members()).await.state, ImportState::Done);
    assert_eq!(desk.recipients("members").await, [2]);
}

#[tokio::test]
async fn a_later_part_takes_the_place_of_one_that_stalls() {
    let desk = Desk::new().await;
    let id = desk.begin(None).await;
    let stalled = desk.uploads.receive(id, 0, None, body(&["abc"]).chain(stream::pending()));
    let later = async {
        while desk.uploads.get(id).unwrap().offset < 3 {
            tokio::task::yield_now().await;
        }
        desk.send(id, 3, "def").await
    };
    let (stalled, later) = tokio::join!(stalled, later);
    assert!(matches!(stalled, Err(ReceiveError::Superseded)), "{stalled:?}");
    assert_eq!(later.unwrap(), 6);
    let written = std::fs::read_to_string(desk.uploads.data_path(id)).unwrap();
    assert_eq!(written, "abcdef");
}

#[tokio::test]
async fn a_part_beyond_the_declared_length_is_refused() {
    let desk = Desk::new().await;
    let id = desk.begin(Some(5)).await;
    let refused = desk.send(id, 0, "abcdef").await;
    assert!(matches!(refused, Err(ReceiveError::TooLong { length: 5 })), "{refused:?}");
    // Without a declared length of its own, it is found out when the bytes arrive.
    let refused = desk.uploads.receive(id, 0, None, body(&["abc", "def"])).await;
    assert!(matches!(refused, Err(ReceiveError::TooLong { length: 5 })), "{refused:?}");
    assert_eq!(desk.uploads.get(id).unwrap().offset, 3);
    assert_eq!(desk.send(id, 3, "de").await.unwrap(), 5);
}

#[tokio::test]
async fn all_uploads_share_one_limit() {
    let desk = Desk::with(ByteSize::from_bytes(10)).await;
    let too_large = desk.uploads.begin("a.csv", Some(11)).await;
    assert!(matches!(too_large, Err(UploadError::TooLarge { .. })), "{too_large:?}");
    let first = desk.begin(Some(6)).await;
    let no_room = desk.uploads.begin("b.csv", Some(5)).await;
    assert!(matches!(no_room, Err(UploadError::NoRoom { .. })), "{no_room:?}");
    let second = desk.begin(None).await;
    let no_room = desk.send(second, 0, "12345").await;
    assert!(matches!(no_room, Err(ReceiveError::Upload(UploadError::NoRoom { .. }))), "{no_room:?}");
    assert_eq!(desk.send(first, 0, "123456").await.unwrap(), 6);
    desk.uploads.remove(first).await.unwrap();
    assert_eq!(desk.send(second, 0, "12345").await.unwrap(), 5);
}

#[tokio::test]
async fn the_number_of_uploads_is_bounded() {
    let desk = Desk::new().await;
    for _ in 0..100 {
        desk.begin(None).await;
    }
    let refused = desk.uploads.begin("one-more.csv", None).await;
    assert!(matches!(refused, Err(UploadError::TooMany)), "{refused:?}");
}

#[tokio::test]
async fn no_name_of_a_file_is_a_path_and_only_its_owner_reads_it() {
    let desk = Desk::new().await;
    let long = "x".repeat(201);
    for wrong in ["", " ", ".", "..", "../etc/passwd", "/etc/passwd", "a\\b.csv", "a\0b", "a\nb", &long] {
        let refused = desk.uploads.begin(wrong, None).await;
        assert!(matches!(refused, Err(UploadError::Name(_))), "{wrong:?}");
    }
    assert_eq!(desk.files(), 0);
    let id = desk.begin(None).await;
    desk.send(id, 0, FILE).await.unwrap();
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    let folder = desk.folder.path().join("uploads");
    assert_eq!((mode(&folder), mode(&desk.uploads.data_path(id))), (0o700, 0o600));
    assert_eq!(mode(&folder.join(format!("{id}.json"))), 0o600);
}

#[tokio::test]
async fn an_upload_is_removed_a_day_after_its_last_use() {
    let desk = Desk::new().await;
    let (old, used) = (desk.begin(None).await, desk.begin(None).await);
    desk.clock.advance(Span::from_secs(3_600));
    desk.send(used, 0, "x").await.unwrap();
    desk.clock.advance(KEPT);
    assert_eq!(desk.uploads.sweep().await.unwrap(), 1);
    assert!(desk.uploads.get(old).is_err() && desk.uploads.get(used).is_ok());
    let desk = desk.restarted();
    assert!(desk.uploads.get(old).is_err() && desk.uploads.get(used).is_ok());
    desk.uploads.remove(used).await.unwrap();
    assert_eq!(desk.files(), 0);
}

#[tokio::test]
async fn what_a_crash_has_left_is_removed_or_completed() {
    let desk = Desk::new().await;
    let (id, bytes_only, damaged) = (desk.begin(None).await, desk.begin(None).await, desk.begin(None).await);
    for upload in [id, bytes_only, damaged] {
        desk.send(upload, 0, FILE).await.unwrap();
    }
    let folder = desk.folder.path().join("uploads");
    std::fs::remove_file(folder.join(format!("{bytes_only}.json"))).unwrap();
    std::fs::write(folder.join(format!("{damaged}.json")), "{").unwrap();
    // A record that was being written.
    std::fs::write(folder.join(".tmpHalf"), "{").unwrap();
    let desk = desk.restarted();
    assert_eq!(desk.uploads.list().iter().map(|upload| upload.id.clone()).collect::<Vec<_>>(), [id.to_string()]);
    assert_eq!(desk.files(), 2);
}

/// Lets the record of an import be as it was before its end.
fn forget_the_end(desk: &Desk, id: UploadId) {
    let path = desk.folder.path().join("uploads").join(format!("{id}.json"));
    let mut record = Record::read(&path).unwrap();
    record.import.as_mut().unwrap().end = None;
    record.write(&path).unwrap();
    std::fs::write(desk.uploads.data_path(id), FILE).unwrap();
}

#[tokio::test]
async fn an_import_goes_on_after_a_crash_and_adds_nothing_twice() {
    for target in [members(), ImportTarget::AddTo("members".to_owned())] {
        let desk = Desk::new().await;
        let first = desk.begin(None).await;
        desk.send(first, 0, "number\n+6590000001\n").await.unwrap();
        if target != members() {
            desk.import(first, members()).await;
        }
        let id = desk.begin(None).await;
        desk.send(id, 0, &FILE.replace("number,name", "number").replace(",Ann", "").replace(",Bob", "")).await.unwrap();
        // Accepted, and killed before anything was stored.
        let settings = FileSettings { keep_duplicates: true, ..FileSettings::default() };
        let stopped = CancellationToken::new();
        stopped.cancel();
        let dead = Imports::new(
            Arc::clone(&desk.uploads),
            Arc::clone(&desk.store),
            Arc::clone(&desk.clock) as Arc<dyn Clock>,
            stopped,
        );
        dead.begin(id, target.clone(), settings, "ann").await.unwrap();
        let desk = desk.restarted();
        desk.imports.resume();
        assert_eq!(desk.ended(id).await.state, ImportState::Done);
        let stored = desk.recipients("members").await;
        assert_eq!(stored.last(), Some(&2));
        // Killed after the recipients were stored, and before their import was recorded.
        forget_the_end(&desk, id);
        let desk = desk.restarted();
        desk.imports.resume();
        let import = desk.ended(id).await;
        assert_eq!((import.state, &import.result.unwrap()["valid"]), (ImportState::Done, &2.into()));
        assert_eq!(desk.recipients("members").await, stored);
    }
}

#[tokio::test]
async fn a_failed_import_says_why_and_may_be_repeated_with_other_options() {
    let desk = Desk::new().await;
    let id = desk.begin(None).await;
    desk.send(id, 0, "Mobile,Name\n91234567,Ann\n").await.unwrap();
    let failed = desk.import(id, members()).await;
    let problem = failed.problem.unwrap();
    assert_eq!(failed.state, ImportState::Failed);
    assert!(problem.contains("recipients.csv") && !problem.contains("upl_"), "{problem}");
    let settings = FileSettings { country: Some("SG".parse().unwrap()), ..FileSettings::default() };
    desk.imports.begin(id, members(), settings, "ann").await.unwrap();
    assert_eq!(desk.ended(id).await.state, ImportState::Done);
}

#[tokio::test]
async fn an_import_needs_a_free_name_or_a_known_one() {
    let desk = Desk::new().await;
    let (first, second) = (desk.begin(None).await, desk.begin(None).await);
    for id in [first, second] {
        desk.send(id, 0, FILE).await.unwrap();
    }
    let unknown =
        desk.imports.begin(first, ImportTarget::AddTo("others".to_owned()), FileSettings::default(), "ann").await;
    assert!(matches!(unknown, Err(ImportRefused::UnknownAudience(_))), "{unknown:?}");
    desk.import(first, members()).await;
    let taken = desk.imports.begin(second, members(), FileSettings::default(), "ann").await;
    assert!(matches!(taken, Err(ImportRefused::NameTaken(_))), "{taken:?}");
    let added = desk.import(second, ImportTarget::AddTo("members".to_owned())).await.result.unwrap();
    assert_eq!((&added["added"], &added["same_as"], &added["duplicates"]), (&0.into(), &"members".into(), &2.into()));
}

#[test]
fn the_end_of_an_import_reads_back_as_it_was_written() {
    for end in [ImportEnd::Done(serde_json::json!({"added": 2})), ImportEnd::Failed("no rows".to_owned())] {
        let text = serde_json::to_string(&end).unwrap();
        assert_eq!(serde_json::to_string(&serde_json::from_str::<ImportEnd>(&text).unwrap()).unwrap(), text);
    }
}
