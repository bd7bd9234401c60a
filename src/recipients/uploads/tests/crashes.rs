//! Crashes during an import, and commands beside a server.

use std::fs::OpenOptions;
use std::path::PathBuf;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::*;
use crate::base::events::EventKind;
use crate::store::Cursor;

/// An upload whose file cannot be read to its end: opening it waits until the test opens it too.
struct Stuck {
    id: UploadId,
    path: PathBuf,
    /// Another name of the file, which outlives the upload.
    folder: TempDir,
}

impl Stuck {
    async fn begin(desk: &Desk) -> Self {
        let id = desk.begin(None).await;
        desk.send(id, 0, FILE).await.unwrap();
        let path = desk.uploads.data_path(id);
        std::fs::remove_file(&path).unwrap();
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::hard_link(&path, folder.path().join("file")).unwrap();
        Self { id, path, folder }
    }

    /// Waits until the import is in progress.
    async fn in_progress(&self, desk: &Desk) {
        while desk.uploads.get(self.id).unwrap().import.unwrap().state != ImportState::Running {
            tokio::task::yield_now().await;
        }
    }

    fn tries(&self, desk: &Desk) -> u32 {
        let path = desk.folder.path().join("uploads").join(format!("{}.json", self.id));
        Record::read(&path).unwrap().import.unwrap().tries
    }
}

impl Drop for Stuck {
    /// Lets the threads go that still wait for the file, and those that have not opened it yet find none.
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
        let _ = OpenOptions::new().read(true).write(true).open(self.folder.path().join("file"));
    }
}

#[tokio::test]
async fn an_import_in_progress_at_two_crashes_has_failed() {
    let mut desk = Desk::new().await;
    let stuck = Stuck::begin(&desk).await;
    desk.imports.begin(stuck.id, members(), FileSettings::default(), "ann").await.unwrap();
    for tries in 1..=2 {
        stuck.in_progress(&desk).await;
        assert_eq!(stuck.tries(&desk), tries, "the try is on disk before the work begins");
        desk = desk.restarted();
        desk.imports.resume();
    }
    let import = desk.ended(stuck.id).await;
    let problem = import.problem.unwrap();
    assert_eq!(import.state, ImportState::Failed);
    assert!(problem.contains("2 times") && problem.contains("recipients.csv"), "{problem}");
    let events = desk.store.events(Cursor::START, 10).await.unwrap();
    let crashes = events.iter().filter_map(|(_, event)| match &event.kind {
        EventKind::ImportGivenUp { upload, audience, crashes, .. } => {
            Some((upload.clone(), audience.as_str(), *crashes))
        }
        _ => None,
    });
    assert_eq!(crashes.collect::<Vec<_>>(), [(stuck.id.to_string(), "members", 2)]);
    // An operator may ask for it again, and the other uploads are imported.
    let desk = desk.restarted();
    desk.imports.resume();
    assert_eq!(desk.ended(stuck.id).await.state, ImportState::Failed);
    desk.imports.begin(stuck.id, members(), FileSettings::default(), "ann").await.unwrap();
    stuck.in_progress(&desk).await;
}

#[tokio::test]
async fn a_stop_of_the_server_is_no_crash_of_an_import() {
    let desk = Desk::new().await;
    let stuck = Stuck::begin(&desk).await;
    let stop = CancellationToken::new();
    let clock = Arc::clone(&desk.clock) as Arc<dyn Clock>;
    let imports = Imports::new(Arc::clone(&desk.uploads), Arc::clone(&desk.store), clock, stop.clone());
    imports.begin(stuck.id, members(), FileSettings::default(), "ann").await.unwrap();
    stuck.in_progress(&desk).await;
    assert_eq!(stuck.tries(&desk), 1);
    stop.cancel();
    imports.ended().await;
    assert_eq!(stuck.tries(&desk), 0);
    assert_eq!(desk.uploads.get(stuck.id).unwrap().import.unwrap().state, ImportState::Waiting);
}

#[tokio::test]
async fn a_command_lists_and_deletes_uploads_beside_a_server_and_without_one() {
    let desk = Desk::new().await;
    let folder = desk.folder.path().join("uploads");
    let stored = |are_served| StoredUploads { folder: &folder, are_served };
    assert!(stored(false).list().unwrap().is_empty(), "the folder does not exist yet");
    let (stuck, idle) = (Stuck::begin(&desk).await, desk.begin(Some(FILE.len() as u64)).await);
    desk.imports.begin(stuck.id, members(), FileSettings::default(), "ann").await.unwrap();
    stuck.in_progress(&desk).await;
    let shown = |uploads: &[UploadView]| {
        uploads.iter().map(|upload| (upload.id.clone(), upload.import.as_ref().map(|it| it.state))).collect::<Vec<_>>()
    };
    assert_eq!(shown(&stored(true).list().unwrap()), shown(&desk.uploads.list()));
    assert!(shown(&stored(false).list().unwrap()).contains(&(stuck.id.to_string(), Some(ImportState::Waiting))));

    // The server notices at once.
    let unknown = "upl_00000000000000000000000000000000".parse().unwrap();
    assert!(matches!(stored(true).remove(unknown), Err(UploadError::Unknown(_))));
    stored(true).remove(idle).unwrap();
    assert!(matches!(desk.uploads.get(idle), Err(UploadError::Unknown(_))));
    assert!(matches!(desk.send(idle, 0, "x").await, Err(ReceiveError::Upload(UploadError::Unknown(_)))));
    assert!(matches!(stored(true).remove(stuck.id), Err(UploadError::Importing(_))));
    assert_eq!(shown(&desk.uploads.list()), [(stuck.id.to_string(), Some(ImportState::Running))]);

    let desk = desk.restarted();
    stored(false).remove(stuck.id).unwrap();
    desk.imports.resume();
    desk.imports.ended().await;
    assert_eq!((desk.files(), desk.recipients("members").await), (0, vec![]));
}
