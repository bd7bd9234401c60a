//! What a time in which no receipt could be taken has left behind: the same for everything that shows a campaign.

use serde::Serialize;

use super::words::{about, count, of};
use crate::ask;
use crate::domain::{AfterGap, BatchState, Count, Plan, Tallies, Timestamp};
use crate::store::{Result, Store};

/// Deadlines of a campaign that fell into such a time and decide nothing.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Waived {
    deadlines: i64,
    after_gap: AfterGap,
    /// How many the provider is asked about, those of other campaigns included, and how long that takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    to_ask: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds_left: Option<i64>,
    /// What keeps the provider from answering.
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
}

impl Waived {
    /// Nothing where every deadline decides.
    pub(super) async fn read(
        store: &dyn Store,
        plan: &Plan,
        tallies: &Tallies,
        now: Timestamp,
    ) -> Result<Option<Self>> {
        let deadlines = tallies.total(Count::Waived);
        if deadlines <= 0 {
            return Ok(None);
        }
        let mut waived = Self { deadlines, after_gap: plan.after_gap, to_ask: None, seconds_left: None, trouble: None };
        if plan.after_gap == AfterGap::Ask {
            let mut to_ask = 0;
            for batch in store.batches(Some(vec![BatchState::Running, BatchState::Finished])).await? {
                to_ask += store.tallies(batch.id).await?.total(Count::Waived);
            }
            let to_ask = to_ask.max(deadlines);
            waived.to_ask = Some(to_ask);
            waived.seconds_left = Some(ask::takes(to_ask.unsigned_abs()).millis() / 1_000);
            waived.trouble = store.asking().await?.iter().find_map(|asking| asking.trouble_now(now).map(str::to_owned));
        }
        Ok(Some(waived))
    }

    pub(super) fn sentence(&self) -> String {
        let fell = format!(
            "{} into a time in which no receipt could be taken",
            of(self.deadlines, "deadline fell", "deadlines fell")
        );
        match (self.after_gap, self.to_ask) {
            (AfterGap::Ask, Some(to_ask)) => {
                let left = about(ask::takes(to_ask.unsigned_abs()));
                let others = match to_ask - self.deadlines {
                    0 => String::new(),
                    others => format!(", with {} of other campaigns", count(others)),
                };
                let trouble = match &self.trouble {
                    Some(trouble) => format!("; it does not answer: {trouble}"),
                    None => String::new(),
                };
                format!("{fell}; the provider is asked, one a second: {left} left{others}{trouble}")
            }
            _ => format!("{fell}; they wait for the TTL or the receipt window"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_how_long_asking_takes() {
        let waived = |deadlines, to_ask, trouble: Option<&str>| Waived {
            deadlines,
            after_gap: AfterGap::Ask,
            to_ask: Some(to_ask),
            seconds_left: None,
            trouble: trouble.map(str::to_owned),
        };
        assert_eq!(
            waived(50_000, 50_000, None).sentence(),
            "50,000 deadlines fell into a time in which no receipt could be taken; the provider is asked, one a second: \
             14 h 10 min left"
        );
        assert_eq!(
            waived(1, 11, Some("HTTP status 500")).sentence(),
            "1 deadline fell into a time in which no receipt could be taken; the provider is asked, one a second: 12 s \
             left, with 10 of other campaigns; it does not answer: HTTP status 500"
        );
    }
}
