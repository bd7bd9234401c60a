//! Counting the people of a portfolio anew, in pieces, where nobody has counted them meanwhile.

use super::{Sqlite, tiers};
use crate::domain::{LaneId, Timestamp};
use crate::store::Result;

impl Sqlite {
    pub(super) async fn count_people(&self, portfolio: &str, lanes: Vec<LaneId>, since: Timestamp) -> Result<()> {
        let verb = "count the people of a tier";
        let name = portfolio.to_owned();
        if self.read(verb, move |c| Box::pin(async move { tiers::is_counted(c, &name).await })).await? {
            return Ok(());
        }
        for (batch, messages) in self.read(verb, move |c| Box::pin(tiers::to_count(c, since))).await? {
            let mut from = 0;
            while from <= messages {
                let (name, lanes, until) =
                    (portfolio.to_owned(), lanes.clone(), from.saturating_add(tiers::COUNTED_AT_ONCE));
                let piece = tiers::Piece { batch, from, until, since };
                self.write(verb, move |c| Box::pin(async move { tiers::count(c, &name, &lanes, piece).await })).await?;
                from = until;
            }
        }
        let name = portfolio.to_owned();
        self.write(verb, move |c| Box::pin(async move { tiers::set_counted(c, &name, true).await })).await
    }

    pub(super) async fn stop_counting_people(&self, portfolio: &str) -> Result<()> {
        let (verb, name) = ("stop counting a tier", portfolio.to_owned());
        if !self
            .read(verb, {
                let name = name.clone();
                move |c| Box::pin(async move { tiers::is_counted(c, &name).await })
            })
            .await?
        {
            return Ok(());
        }
        self.write(verb, move |c| Box::pin(async move { tiers::set_counted(c, &name, false).await })).await
    }
}
