//! The figures of campaigns over time.

use super::{Desk, at, for_every_store};
use crate::base::domain::{BatchId, BatchState, Span};
use crate::base::events::Origin;
use crate::store::BatchFigures;

for_every_store!(figures_are_noted_and_forgotten_by_batch_and_time, a_removed_draft_keeps_no_figures);

pub(super) fn figures(batch: BatchId, second: i64) -> BatchFigures {
    let at = at(second);
    BatchFigures { batch, at, submitted: second, reached: 1, ended: 2, open: 3, fell_back: 4, allowed: 80_000 }
}

async fn figures_are_noted_and_forgotten_by_batch_and_time(desk: Desk) {
    let (one, other) = (BatchId(1), BatchId(2));
    let noted: Vec<BatchFigures> = [3, 1, 2].map(|second| figures(one, second)).into();
    desk.note_figures(noted, Vec::new()).await.unwrap();
    desk.note_figures(vec![figures(other, 1)], Vec::new()).await.unwrap();
    assert_eq!(desk.figures(one).await.unwrap(), [1, 2, 3].map(|second| figures(one, second)));
    // The same time again, and two that are forgotten; one of them was never noted.
    let changed = BatchFigures { reached: 9, ..figures(one, 3) };
    desk.note_figures(vec![changed], vec![(one, at(2)), (one, at(7))]).await.unwrap();
    assert_eq!(desk.figures(one).await.unwrap(), [figures(one, 1), changed]);
    desk.note_figures(Vec::new(), vec![(one, at(1)), (one, at(3))]).await.unwrap();
    assert!(desk.figures(one).await.unwrap().is_empty());
    assert_eq!(desk.figures(other).await.unwrap(), [figures(other, 1)]);
}

async fn a_removed_draft_keeps_no_figures(desk: Desk) {
    let audience = desk.audience(None, 1).await;
    let batch = desk.begin_batch_of(Some("draft"), audience).await;
    desk.publish_batch(batch, BatchState::Draft, Origin::SERVER, desk.now()).await.unwrap();
    desk.note_figures(vec![figures(batch, 1)], Vec::new()).await.unwrap();
    assert!(desk.remove_draft(batch, Origin::SERVER, desk.now() + Span::from_secs(1)).await.unwrap());
    assert!(desk.figures(batch).await.unwrap().is_empty());
}
