//! State shared by the lanes of one server.

use super::*;
use crate::provider::client::Reach;
use crate::sending::dispatch::Fleet;

async fn reads(desks: &[Desk]) -> u32 {
    let fleet = Fleet::default();
    desks.iter().for_each(|desk| desk.reads_take_a_moment.store(true, Ordering::Relaxed));
    let probe = futures_util::future::join_all(desks.iter().map(|desk| fleet.reach(&desk.lane)));
    // Time passes while the first read waits for its answer.
    let goes_by = async { desks.iter().for_each(|desk| desk.clock.advance(Span::from_millis(1))) };
    let (reached, ()) = tokio::join!(probe, goes_by);
    assert!(reached.iter().all(|reach| matches!(reach, Reach::Proven)), "{reached:?}");
    desks.iter().map(|desk| *desk.reads.lock()).sum()
}

#[tokio::test]
async fn lanes_of_one_subaccount_share_the_read_of_the_provider() {
    let acme = || Desk::new("", "", 200, "");
    assert_eq!(reads(&[acme().await, acme().await, acme().await]).await, 1);
    let other = Desk::new("sub_account = \"other\"", "", 200, "").await;
    assert_eq!(reads(&[acme().await, other]).await, 2);
}
