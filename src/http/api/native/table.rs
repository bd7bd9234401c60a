//! Tables of any length as an answer: CSV, or one JSON object a line.

use std::io;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream, StreamExt};
use serde::Deserialize;
use tokio::sync::Semaphore;
use utoipa::ToSchema;

use super::problem::{Answer, Kind, Problem};
use crate::base::domain::{Causes, Span};
use crate::campaigns::report::csv_text;
use crate::store;

/// Tables that are sent at a time. Each may hold a copy of a campaign on the disk.
const AT_ONCE: usize = 4;

/// The media type of CSV with a header.
pub(in crate::http::api) const CSV: &str = "text/csv; charset=utf-8; header=present";

/// Shows programs that a text is UTF-8.
pub(in crate::http::api) const BYTE_ORDER_MARK: &str = "\u{feff}";

/// The permits for tables.
#[derive(Debug)]
pub(in crate::http::api) struct Tables(Arc<Semaphore>);

impl Default for Tables {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

/// The format of a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::http::api) enum TableFormat {
    /// CSV with a header. A cell that a spreadsheet program would take for a formula gets a ' before it.
    #[default]
    Csv,
    /// One JSON object a line: each column with its text.
    Ndjson,
}

/// The rows of a page.
type Rows = Vec<Vec<String>>;

impl Tables {
    /// The answer with a table. Its pages are read as its caller takes them.
    ///
    /// If a page cannot be read, the connection is cut: a caller never takes a part of the table for the whole.
    pub(in crate::http::api) fn answer(
        &self,
        format: TableFormat,
        header: Vec<String>,
        pages: impl Stream<Item = store::Result<Rows>> + Send + 'static,
    ) -> Answer<Response> {
        self.marked(format, "", header, pages)
    }

    /// The same as a CSV file that begins with a byte order mark, without which Excel does not read UTF-8.
    pub(in crate::http::api) fn file(
        &self,
        header: Vec<String>,
        pages: impl Stream<Item = store::Result<Rows>> + Send + 'static,
    ) -> Answer<Response> {
        self.marked(TableFormat::Csv, BYTE_ORDER_MARK, header, pages)
    }

    fn marked(
        &self,
        format: TableFormat,
        mark: &'static str,
        header: Vec<String>,
        pages: impl Stream<Item = store::Result<Rows>> + Send + 'static,
    ) -> Answer<Response> {
        let permit = Arc::clone(&self.0).try_acquire_owned().map_err(|_| {
            let sentence = "too many exports at once; repeat the request later";
            Problem::new(Kind::Busy, sentence).retry_after(Span::from_secs(5))
        })?;
        let first = match format {
            TableFormat::Csv => csv_text(std::slice::from_ref(&header)),
            TableFormat::Ndjson => Ok(Vec::new()),
        };
        let rest = pages.map(move |page| {
            let _permit = &permit;
            let rows = page.map_err(|error| {
                tracing::error!(error = %Causes(&error), "an export of the API has failed");
                io::Error::other(error)
            })?;
            match format {
                TableFormat::Csv => csv_text(&rows),
                TableFormat::Ndjson => objects(&header, &rows),
            }
        });
        let media_type = match format {
            TableFormat::Csv => CSV,
            TableFormat::Ndjson => "application/x-ndjson",
        };
        let mark = stream::iter([Ok(mark.into())]);
        let body = Body::from_stream(mark.chain(stream::iter([first])).chain(rest).map(|text| text.map(Bytes::from)));
        Ok(([(header::CONTENT_TYPE, media_type)], body).into_response())
    }
}

/// Each row as an object on its own line, with its columns in order.
fn objects(header: &[String], rows: &Rows) -> io::Result<Vec<u8>> {
    struct Row<'a>(&'a [String], &'a [String]);

    impl serde::Serialize for Row<'_> {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map(self.0.iter().zip(self.1))
        }
    }

    let mut text = Vec::new();
    for cells in rows {
        serde_json::to_writer(&mut text, &Row(header, cells))?;
        text.push(b'\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;

    fn texts(all: &[&str]) -> Vec<String> {
        all.iter().map(|text| (*text).to_owned()).collect()
    }

    async fn text(format: TableFormat, pages: Vec<store::Result<Rows>>) -> Result<String, axum::Error> {
        let answer = Tables::default().answer(format, texts(&["b", "a"]), stream::iter(pages)).unwrap();
        let bytes = to_bytes(answer.into_body(), usize::MAX).await?;
        Ok(String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_table_is_csv_or_one_object_a_line() {
        let pages = || vec![Ok(vec![texts(&["=1", "x,y"])]), Ok(vec![texts(&["", "é"])])];
        assert_eq!(text(TableFormat::Csv, pages()).await.unwrap(), "b,a\n'=1,\"x,y\"\n,é\n");
        let objects = "{\"b\":\"=1\",\"a\":\"x,y\"}\n{\"b\":\"\",\"a\":\"é\"}\n";
        assert_eq!(text(TableFormat::Ndjson, pages()).await.unwrap(), objects);
    }

    #[tokio::test]
    async fn a_table_that_cannot_be_read_to_its_end_is_cut() {
        let closed = || store::Error::Closed { verb: "read recipients" };
        assert!(text(TableFormat::Csv, vec![Ok(vec![texts(&["1", "2"])]), Err(closed())]).await.is_err());
    }

    #[tokio::test]
    async fn too_many_tables_at_once_are_refused() {
        let tables = Tables::default();
        let table = || tables.answer(TableFormat::Csv, texts(&["a"]), stream::empty());
        let open: Vec<Response> = (0..AT_ONCE).map(|_| table().unwrap()).collect();
        assert_eq!(table().unwrap_err().kind, Kind::Busy);
        drop(open);
        assert!(table().is_ok());
    }
}
