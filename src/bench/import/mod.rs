//! The import of a recipient file, from its bytes until every row is on disk. The limits only read the file, or only
//! write the same rows.

mod recipients;

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use calamine::{Reader, Xlsx};
use futures_util::stream::{FuturesUnordered, TryStreamExt};

pub use recipients::{From, write_csv, write_xlsx};

use super::{Begun, Error, Run};
use crate::base::clock::Clock;
use crate::base::domain::Recipient;
use crate::recipients::audience::{
    self, Halt, Keep, Options, Outputs, STORING, SeenRecipients, Sink, Source, SourceFilter,
};
use crate::store::{self, KnownAs, NewAudience};

/// Reads a file with the csv crate, and nothing else.
pub async fn csv_alone(file: PathBuf, clock: &dyn Clock) -> Result<Run, Error> {
    let begun = Begun::now(clock);
    let reading = tokio::task::spawn_blocking(move || {
        let mut csv = csv::Reader::from_path(file)?;
        let (mut record, mut rows) = (csv::ByteRecord::new(), 0);
        while csv.read_byte_record(&mut record)? {
            rows += 1;
        }
        Ok::<_, Error>(rows)
    });
    let rows = reading.await??;
    Ok(Run::since(begun, rows, clock))
}

/// Reads every cell of a sheet with the calamine crate, and nothing else.
pub async fn sheet_alone(file: PathBuf, clock: &dyn Clock) -> Result<Run, Error> {
    let begun = Begun::now(clock);
    let reading = tokio::task::spawn_blocking(move || {
        let mut book = Xlsx::new(BufReader::new(File::open(file)?))?;
        let sheet = book.sheet_names().first().cloned().ok_or("the file has no sheet")?;
        let mut cells = book.worksheet_cells_reader(&sheet)?;
        let mut last = 0;
        while let Some(cell) = cells.next_cell()? {
            last = cell.get_position().0;
        }
        // Rows are counted from zero, and the first is the header.
        Ok::<_, Error>(u64::from(last))
    });
    let rows = reading.await??;
    Ok(Run::since(begun, rows, clock))
}

/// Does what `volley audience check` does with a file.
pub async fn check(file: PathBuf, clock: &dyn Clock) -> Result<Run, Error> {
    let begun = Begun::now(clock);
    let reading = tokio::task::spawn_blocking(move || {
        audience::read(&file, &Options::default(), &|_| false, &mut SeenRecipients::default(), &mut Outputs::default())
    });
    let summary = reading.await??;
    Ok(Run::since(begun, summary.rows, clock))
}

/// Reads a file, then measures storing its recipients as the import stores them.
pub async fn bulk_insert(file: PathBuf, database: &Path, clock: Arc<dyn Clock>) -> Result<Run, Error> {
    /// Collects the recipients in the pieces that the import makes.
    #[derive(Default)]
    struct AllRecipients(Vec<Vec<Recipient>>);

    impl Sink for AllRecipients {
        fn accepted(&mut self, recipients: Vec<Recipient>) -> Result<(), Halt> {
            self.0.push(recipients);
            Ok(())
        }
    }

    let reading = tokio::task::spawn_blocking(move || {
        let mut all = AllRecipients::default();
        audience::read(&file, &Options::default(), &|_| false, &mut SeenRecipients::default(), &mut all)
            .map(|summary| (summary, all.0))
    });
    let (summary, pieces) = reading.await??;
    let store = store::open(&format!("sqlite://{}", database.display()), Arc::clone(&clock)).await?;
    let columns = summary.columns;
    let now = clock.now();

    let begun = Begun::now(clock.as_ref());
    let new = NewAudience { known_as: KnownAs::Name("bench".to_owned()), source: "bench".to_owned(), columns, now };
    let audience = store.begin_audience(new).await?;
    let mut first = 0;
    let mut storing = FuturesUnordered::new();
    for piece in pieces {
        let next = first + u32::try_from(piece.len())?;
        storing.push(store.add_recipients(audience, first, piece));
        if storing.len() == STORING {
            storing.try_next().await?;
        }
        first = next;
    }
    while storing.try_next().await?.is_some() {}
    store.publish_audience(audience, first, "{}".to_owned()).await?;
    let run = Run::since(begun, u64::from(first), clock.as_ref());
    store.close().await;
    Ok(run)
}

/// Does what `volley audience import` does with a file.
pub async fn import(file: PathBuf, database: &Path, clock: Arc<dyn Clock>) -> Result<Run, Error> {
    let store = store::open(&format!("sqlite://{}", database.display()), Arc::clone(&clock)).await?;
    let begun = Begun::now(clock.as_ref());
    let (keep, options, filter) = (Keep::Named("bench"), Options::default(), SourceFilter::default());
    let imported =
        audience::import(store.as_ref(), clock.as_ref(), Source::File(file), keep, options, filter, None).await?;
    // Only stored rows count, because the limit has no others.
    let run = Run::since(begun, imported.summary.valid, clock.as_ref());
    store.close().await;
    Ok(run)
}
