//! A recipient file that is uploaded in parts, and imported.

use std::fs::File;
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use super::{config, prepare};
use crate::base::clock::{Chance, Clock};
use crate::base::domain::Span;
use crate::bench::http::Connection;
use crate::bench::served::{Sending, Server, from_another_process};
use crate::bench::{Begun, Error, Run};
use crate::store;

/// Bytes of one part.
const PART: u64 = 64 * 1_024 * 1_024;
/// How often the progress of the import is asked for.
const EVERY: Span = Span::from_millis(100);

/// A file to upload, and where to.
#[derive(Debug)]
pub struct Upload {
    pub address: SocketAddr,
    pub authorization: String,
    pub file: PathBuf,
    /// The rows of the file.
    pub rows: u32,
    /// Whether it is imported, too.
    pub is_imported: bool,
}

/// Serves `database` to a process that uploads `file`, and imports it as an audience if that is wanted.
pub async fn uploads(
    (file, is_imported): (&Path, bool),
    rows: u32,
    database: &Path,
    clock: Arc<dyn Clock>,
    chance: Arc<Chance>,
) -> Result<Run, Error> {
    let store = store::open(&format!("sqlite://{}", database.display()), Arc::clone(&clock)).await?;
    let authorization = prepare(&store, clock.as_ref()).await?;
    let server = Server::start(config()?, Arc::clone(&store), Arc::clone(&clock), chance).await?;
    let file = file.display().to_string();
    let rows_of_file = rows.to_string();
    let arguments = ["--authorization", &authorization, "--file", &file, "--rows", &rows_of_file];
    let imported = is_imported.then_some("--import");
    let arguments = arguments.into_iter().chain(imported).map(str::to_owned).collect();
    let sending = Sending { command: "upload", arguments, count: rows.into() };
    let measured = from_another_process(&sending, &server.address, clock.as_ref()).await?;
    server.stop().await?;
    store.close().await;
    if measured.messages != u64::from(rows) {
        return Err(format!("the file has {rows} rows, {} were imported", measured.messages).into());
    }
    Ok(measured)
}

#[derive(Deserialize)]
struct Begin {
    id: String,
}

#[derive(Deserialize)]
struct Progress {
    import: Import,
}

#[derive(Deserialize)]
struct Import {
    state: String,
    rows: u64,
}

/// Uploads a file, and waits until it is imported if that is wanted. Returns its rows, in the time of all that.
pub async fn upload(upload: Upload, clock: &dyn Clock) -> Result<Run, Error> {
    let Upload { address, authorization, file, rows, is_imported } = upload;
    let mut connection = Connection::open(address).await?;
    let mut file = File::open(file)?;
    let length = file.metadata()?.len();
    let begun = Begun::now(clock);
    let new = format!(r#"{{"name":"recipients.csv","length":{length}}}"#);
    let Begin { id } = serde_json::from_slice(connection.post("/v1/uploads", &authorization, new.as_bytes()).await?)?;
    let path = format!("/v1/uploads/{id}");
    let (mut offset, mut part) = (0, Vec::new());
    while offset < length {
        part.clear();
        let read = (&mut file).take(PART).read_to_end(&mut part)?;
        let headers = format!("content-type: application/offset+octet-stream\r\nupload-offset: {offset}");
        connection.send(["PATCH ", &path], &authorization, &headers, &part).await?;
        offset += read as u64;
    }
    if !is_imported {
        return Ok(Run::since(begun, rows.into(), clock));
    }
    let audience = format!(r#"{{"upload":"{id}","name":"uploaded"}}"#);
    connection.post("/v1/audiences", &authorization, audience.as_bytes()).await?;
    let credentials = format!("authorization: {authorization}");
    loop {
        let Progress { import } = serde_json::from_slice(connection.get(&path, &credentials).await?)?;
        match &*import.state {
            "done" => return Ok(Run::since(begun, import.rows, clock)),
            "failed" => return Err("the import of the uploaded file failed".into()),
            _ => clock.sleep_until(clock.now() + EVERY).await,
        }
    }
}
