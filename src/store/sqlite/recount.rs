//! Recounts the recipients of portfolios for which no tier was counted for a time, in pieces.

use std::collections::{BTreeMap, BTreeSet};

use super::{Sqlite, tiers};
use crate::base::domain::{LaneId, MessageKey, Timestamp};
use crate::store::Result;

/// Pieces that one call counts. The caller has other work to do between calls.
const PIECES: u32 = 8;

type Pairs = BTreeSet<(String, LaneId)>;

impl Sqlite {
    /// Counts some pieces, from `from` on, for all portfolios and lanes that are not counted yet. Returns where to
    /// continue; `None` at the end.
    ///
    /// One walk over the batches serves all portfolios: there may be a thousand, and any batch may have messages of each.
    pub(super) async fn recount_tiers(
        &self,
        portfolios: BTreeMap<String, Vec<LaneId>>,
        since: Timestamp,
        from: Option<MessageKey>,
    ) -> Result<Option<MessageKey>> {
        let verb = "count the recipients of tiers";
        let counted = self.read(verb, |c| Box::pin(tiers::counted(c))).await?;
        let new: Pairs = pairs(portfolios).difference(&counted).cloned().collect();
        if new.is_empty() {
            return Ok(None);
        }
        let mut pieces = PIECES;
        for (batch, last) in self.read(verb, move |c| Box::pin(tiers::to_count(c, since))).await? {
            let mut n = match from {
                Some(from) if batch < from.batch => continue,
                Some(from) if batch == from.batch => from.n,
                Some(_) | None => 0,
            };
            while n <= last {
                if pieces == 0 {
                    return Ok(Some(MessageKey { batch, n }));
                }
                pieces -= 1;
                let (new, until) = (new.clone(), n.saturating_add(tiers::COUNTED_AT_ONCE));
                let piece = tiers::Piece { batch, from: n, until, since };
                self.write(verb, move |c| Box::pin(async move { tiers::count(c, &new, piece).await })).await?;
                n = until;
            }
        }
        self.write(verb, move |c| Box::pin(async move { tiers::set_counted(c, &new, true).await })).await?;
        Ok(None)
    }

    /// Marks all portfolios and lanes but these as no longer counted.
    pub(super) async fn stop_counting_others(&self, portfolios: BTreeMap<String, Vec<LaneId>>) -> Result<()> {
        let verb = "stop counting tiers";
        let counted = self.read(verb, |c| Box::pin(tiers::counted(c))).await?;
        let others: Pairs = counted.difference(&pairs(portfolios)).cloned().collect();
        if others.is_empty() {
            return Ok(());
        }
        self.write(verb, move |c| Box::pin(async move { tiers::set_counted(c, &others, false).await })).await
    }
}

fn pairs(portfolios: BTreeMap<String, Vec<LaneId>>) -> Pairs {
    let of = |(portfolio, lanes): (String, Vec<LaneId>)| lanes.into_iter().map(move |lane| (portfolio.clone(), lane));
    portfolios.into_iter().flat_map(of).collect()
}
