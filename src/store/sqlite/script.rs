//! Runs several statements in one call to the database.
//!
//! A call costs two thread switches, to the database's thread and back: more than the work of many statements. So
//! statements go together if none needs the result of another.

use futures_util::TryStreamExt;
use sqlx::sqlite::{SqliteArguments, SqliteQueryResult, SqliteRow};
use sqlx::{Arguments, AssertSqlSafe, Either, Encode, Executor, Row, Sqlite, SqliteConnection, Type};

use super::Work;

/// Statements in one call. Each combination of statements is prepared and cached, so their number has to stay small.
const PIECE: usize = 3;

#[derive(Debug, Default)]
pub(super) struct Script {
    pieces: Vec<Piece>,
    statements: usize,
    failed: Option<sqlx::error::BoxDynError>,
}

#[derive(Debug, Default)]
struct Piece {
    text: String,
    arguments: SqliteArguments,
    statements: usize,
}

impl Script {
    /// Adds a statement. Its values `?1`, `?2`, … are bound after it.
    pub(super) fn statement(&mut self, text: &str) -> &mut Self {
        if self.pieces.last().is_none_or(|piece| piece.statements == PIECE) {
            self.pieces.push(Piece::default());
        }
        if let Some(piece) = self.pieces.last_mut() {
            piece.add(text);
        }
        self.statements += 1;
        self
    }

    pub(super) fn bind<'q, T: Encode<'q, Sqlite> + Type<Sqlite>>(&mut self, value: T) -> &mut Self {
        if let Some(piece) = self.pieces.last_mut()
            && let Err(error) = piece.arguments.add(value)
        {
            self.failed = Some(error);
        }
        self
    }

    /// The number of statements so far.
    pub(super) fn len(&self) -> usize {
        self.statements
    }

    /// Runs the statements in order until one fails. Returns how many rows each has changed; a statement that cannot
    /// change rows repeats its predecessor's number.
    pub(super) async fn run(self, connection: &mut SqliteConnection) -> Work<Vec<u64>> {
        let mut changed = Vec::with_capacity(self.statements);
        self.run_with(connection, |result| {
            if let Either::Left(done) = result {
                changed.push(done.rows_affected());
            }
            Ok(())
        })
        .await?;
        Ok(changed)
    }

    /// Runs statements that each return one row with one text, and returns the texts.
    pub(super) async fn texts(self, connection: &mut SqliteConnection) -> Work<Vec<String>> {
        let mut texts = Vec::with_capacity(self.statements);
        self.run_with(connection, |result| {
            if let Either::Right(row) = result {
                texts.push(row.try_get::<Option<String>, _>(0)?.unwrap_or_default());
            }
            Ok(())
        })
        .await?;
        Ok(texts)
    }

    /// Runs statements of which some return rows, and returns the rows of all.
    pub(super) async fn rows(self, connection: &mut SqliteConnection) -> Work<Vec<SqliteRow>> {
        let mut rows = Vec::new();
        self.run_with(connection, |result| {
            rows.extend(result.right());
            Ok(())
        })
        .await?;
        Ok(rows)
    }

    async fn run_with(
        self,
        connection: &mut SqliteConnection,
        mut take: impl FnMut(Either<SqliteQueryResult, SqliteRow>) -> Work<()>,
    ) -> Work<()> {
        if let Some(error) = self.failed {
            return Err(sqlx::Error::Encode(error).into());
        }
        for piece in self.pieces {
            let query = sqlx::query_with(AssertSqlSafe(piece.text), piece.arguments);
            let mut results = (&mut *connection).fetch_many(query);
            while let Some(result) = results.try_next().await? {
                take(result)?;
            }
        }
        Ok(())
    }
}

impl Piece {
    /// Adds a statement. Values are numbered across the piece and named `$1`, `$2`, …: with names, SQLite allocates for
    /// each statement only the values that it uses.
    fn add(&mut self, text: &str) {
        let before = self.arguments.len();
        let mut parts = text.split('?');
        self.text.push_str(parts.next().unwrap_or_default());
        for part in parts {
            let digits = part.bytes().take_while(u8::is_ascii_digit).count();
            let number = part[..digits].parse::<usize>().unwrap_or_default() + before;
            self.text.push('$');
            self.text.push_str(&number.to_string());
            self.text.push_str(&part[digits..]);
        }
        self.text.push_str(";\n");
        self.statements += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::Connection;

    #[tokio::test]
    async fn statements_of_one_call_keep_values_apart_and_report_changed_rows() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let mut script = Script::default();
        script.statement("CREATE TABLE t (a INTEGER, b TEXT)");
        for n in 0..10_i64 {
            script.statement("INSERT INTO t VALUES (?1, ?2), (?1 + 100, ?2)").bind(n).bind(format!("row {n}"));
        }
        let first = script.len();
        script.statement("UPDATE t SET b = ?2 WHERE a >= ?1").bind(105_i64).bind("late".to_owned());
        script.statement("DELETE FROM t WHERE a = ?1").bind(3_i64);
        let changed = script.run(&mut connection).await.unwrap();
        assert_eq!(changed[first..], [5, 1]);
        let row = sqlx::query("SELECT count(*) AS n, sum(a) AS sum, max(b) AS b FROM t WHERE b <> 'late'");
        let row = row.fetch_one(&mut connection).await.unwrap();
        assert_eq!((row.get::<i64, _>("n"), row.get::<i64, _>("sum"), row.get::<&str, _>("b")), (14, 552, "row 9"));
        let mut wrong = Script::default();
        wrong.statement("DELETE FROM t").statement("NONSENSE").statement("DROP TABLE t");
        assert!(wrong.run(&mut connection).await.is_err());
        assert!(sqlx::query("SELECT count(*) FROM t").fetch_one(&mut connection).await.is_ok());
    }
}
