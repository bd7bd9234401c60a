//! The recipients of a stored audience: all of them as rows of a table, or some of them.

use std::collections::VecDeque;

use super::outputs::BEFORE;
use crate::base::domain::Recipient;
use crate::store::{Audience, AudiencePart, Audiences, Error, Result};

/// Recipients that one store call reads.
const PAGE: u32 = 5_000;

/// The rows of a table that can be imported, page by page. No transaction is open between two pages.
#[derive(Debug)]
pub struct AudienceRows {
    parts: VecDeque<AudiencePart>,
    /// The next recipient of the first part.
    from: u32,
}

impl AudienceRows {
    pub fn of(audience: &Audience) -> Self {
        Self { parts: audience.parts.iter().cloned().collect(), from: 0 }
    }

    /// The names of the columns: the number and the country, and then those of the file.
    pub fn header(audience: &Audience) -> Vec<String> {
        BEFORE.into_iter().map(str::to_owned).chain(audience.columns.iter().cloned()).collect()
    }

    /// The next rows, in the order of the files; `None` after the last.
    pub async fn next(&mut self, store: &dyn Audiences) -> Result<Option<Vec<Vec<String>>>> {
        while let Some(part) = self.parts.front() {
            let page = store.recipients(part.id, self.from, PAGE).await?;
            if !page.is_empty() {
                self.from = self.from.saturating_add(PAGE);
                return page.iter().map(row).collect::<Result<_>>().map(Some);
            }
            self.parts.pop_front();
            self.from = 0;
        }
        Ok(None)
    }
}

fn row(recipient: &Recipient) -> Result<Vec<String>> {
    let damaged = |_| Error::InvalidRow { what: "the fields of a recipient".to_owned(), place: "recipient".to_owned() };
    let fields = recipient.fields.unpack().map_err(damaged)?;
    let address = recipient.address.as_ref().map(ToString::to_string).unwrap_or_default();
    let own = [address, recipient.country.to_string()];
    Ok(own.into_iter().chain(fields.into_iter().map(Into::into)).collect())
}

/// Reads recipients at even distances through the whole audience, at most `number`.
pub async fn sample(store: &dyn Audiences, audience: &Audience, number: u32) -> Result<Vec<Recipient>> {
    let all = audience.recipients();
    let number = number.min(all);
    let mut some = Vec::new();
    for nth in 0..number {
        let index = u64::from(nth) * u64::from(all) / u64::from(number);
        let mut index = u32::try_from(index).unwrap_or(u32::MAX);
        for part in &audience.parts {
            if index < part.recipients {
                some.extend(store.recipients(part.id, index, 1).await?);
                break;
            }
            index -= part.recipients;
        }
    }
    Ok(some)
}
