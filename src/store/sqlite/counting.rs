//! Counting the people of portfolios anew, in pieces, where nobody has counted them meanwhile.

use std::collections::BTreeMap;

use super::{Sqlite, tiers};
use crate::domain::{LaneId, Timestamp};
use crate::store::Result;

impl Sqlite {
    /// All of them in one walk: there may be a thousand, and each is in any batch.
    pub(super) async fn count_people(
        &self,
        mut portfolios: BTreeMap<String, Vec<LaneId>>,
        since: Timestamp,
    ) -> Result<()> {
        let verb = "count the people of tiers";
        let counted = self.read(verb, |c| Box::pin(tiers::counted(c))).await?;
        portfolios.retain(|portfolio, _| !counted.contains(portfolio));
        if portfolios.is_empty() {
            return Ok(());
        }
        let owners = tiers::owners(&portfolios);
        for (batch, messages) in self.read(verb, move |c| Box::pin(tiers::to_count(c, since))).await? {
            let mut from = 0;
            while from <= messages {
                let (owners, until) = (owners.clone(), from.saturating_add(tiers::COUNTED_AT_ONCE));
                let piece = tiers::Piece { batch, from, until, since };
                self.write(verb, move |c| Box::pin(async move { tiers::count(c, owners, piece).await })).await?;
                from = until;
            }
        }
        let names: Vec<String> = portfolios.into_keys().collect();
        self.write(verb, move |c| Box::pin(async move { tiers::set_counted(c, &names, true).await })).await
    }

    pub(super) async fn stop_counting_people(&self, portfolios: Vec<String>) -> Result<()> {
        let verb = "stop counting tiers";
        let counted = self.read(verb, |c| Box::pin(tiers::counted(c))).await?;
        if !portfolios.iter().any(|portfolio| counted.contains(portfolio)) {
            return Ok(());
        }
        self.write(verb, move |c| Box::pin(async move { tiers::set_counted(c, &portfolios, false).await })).await
    }
}
