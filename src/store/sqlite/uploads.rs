//! Stores which files were uploaded to the provider.

use serde_json::json;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::Work;
use super::facts::nonsense;
use super::rows::timestamp;
use crate::store::UploadedFile;

pub(super) async fn find(
    connection: &mut SqliteConnection,
    base_url: String,
    sub_account: String,
    digests: Vec<[u8; 32]>,
) -> Work<Vec<UploadedFile>> {
    let hex = |digest: &[u8; 32]| digest.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02X}"));
    let rows = sqlx::query(
        "SELECT digest, url, uploaded_at FROM uploaded_file
         WHERE base_url = ?1 AND sub_account = ?2 AND hex(digest) IN (SELECT value FROM json_each(?3))",
    )
    .bind(&base_url)
    .bind(&sub_account)
    .bind(json!(digests.iter().map(hex).collect::<Vec<_>>()).to_string())
    .fetch_all(connection)
    .await?;
    let file = |row: &SqliteRow| {
        let digest: Vec<u8> = row.try_get("digest")?;
        Ok(UploadedFile {
            base_url: base_url.clone(),
            sub_account: sub_account.clone(),
            digest: digest.try_into().map_err(|_| nonsense("uploaded_file.digest"))?,
            url: row.try_get("url")?,
            uploaded_at: timestamp(row, "uploaded_at")?,
        })
    };
    rows.iter().map(file).collect()
}

pub(super) async fn record(connection: &mut SqliteConnection, files: Vec<UploadedFile>) -> Work<()> {
    for file in files {
        sqlx::query(
            "INSERT INTO uploaded_file (base_url, sub_account, digest, url, uploaded_at) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO UPDATE SET url = excluded.url, uploaded_at = excluded.uploaded_at",
        )
        .bind(&file.base_url)
        .bind(&file.sub_account)
        .bind(&file.digest[..])
        .bind(&file.url)
        .bind(file.uploaded_at.millis())
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}
