//! `volley backup`: a copy from which another installation continues.

use super::cli::{installation, run};

#[test]
fn a_backup_holds_everything_and_overwrites_nothing() {
    let folder = installation();
    let at = folder.path();
    run(at, &["audience", "import", "recipients.csv", "--name", "members", "--country", "SG"]).ended(0);
    let done = run(at, &["backup", "copy.db", "--json"]).ended(0).json();
    let file = at.join("copy.db");
    assert_eq!(done["bytes"].as_u64(), Some(file.metadata().unwrap().len()));
    run(at, &["backup", "copy.db"]).ended(1).says(&["copy.db", "the file already exists"]);
    run(at, &["backup", "nowhere/copy.db"]).ended(1).says(&["nowhere", "does not exist"]);

    let restored = installation();
    std::fs::copy(&file, restored.path().join("volley.db")).unwrap();
    let listed = |at| run(at, &["audience", "list", "--json"]).ended(0).stdout;
    assert!(listed(at).contains("members"));
    assert_eq!(listed(restored.path()), listed(at));
}

#[test]
#[cfg(unix)]
fn only_its_owner_can_read_a_backup() {
    use std::os::unix::fs::PermissionsExt;
    let folder = installation();
    let at = folder.path();
    run(at, &["audience", "import", "recipients.csv", "--name", "members", "--country", "SG"]).ended(0);
    run(at, &["backup", "copy.db"]).ended(0);
    assert_eq!(at.join("copy.db").metadata().unwrap().permissions().mode() & 0o077, 0);
}

#[test]
fn a_backup_without_a_database_is_refused() {
    let folder = installation();
    run(folder.path(), &["backup", "copy.db"]).ended(1).says(&["does not exist yet"]);
    assert!(!folder.path().join("copy.db").exists());
}

#[test]
fn completions_and_manual_pages_are_made_for_every_command() {
    let folder = installation();
    let at = folder.path();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(run(at, &["completions", shell]).ended(0).stdout.contains("retry"), "{shell}");
    }
    let page = run(at, &["man", "campaign", "launch"]).ended(0).stdout;
    assert!(page.starts_with(".ie") && page.contains("volley\\-campaign\\-launch"), "{page}");
    run(at, &["man", "campain"]).ended(2).says(&["unknown command \"campain\""]);
}
