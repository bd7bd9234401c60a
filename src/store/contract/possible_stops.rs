//! Tests messages from recipients that may be opt-outs: they are listed until an operator decides.

use super::inbound::{start, stop, wrote};
use super::*;
use crate::base::domain::{Channel, ChannelUser, OptOutSource};
use crate::store::{Cursor, Inbound, InboundOf, OptOut, WebhookGroup};

for_every_store!(what_may_be_an_opt_out_is_listed_until_somebody_decides);

async fn what_may_be_an_opt_out_is_listed_until_somebody_decides(desk: Desk) {
    let of_id =
        Inbound { msisdn: None, called: Some("U1".to_owned()), channel: Some(Channel::Line), ..wrote("d", 4, 4, None) };
    let all = [wrote("a", 1, 1, None), wrote("b", 2, 2, None), wrote("c", 3, 3, None), of_id];
    let take = async |written: &[Inbound]| {
        let possible_stops = ["a", "b", "d"].map(str::to_owned).into();
        let taken = WebhookGroup { written: written.to_vec(), possible_stops, ..WebhookGroup::default() };
        desk.take(taken).await.unwrap().is_first_possible_stop
    };
    let listed = async || {
        let ids = |all: Vec<(Cursor, Inbound)>| all.into_iter().map(|(_, reply)| reply.umid).collect::<Vec<_>>();
        let upward = ids(desk.inbound(InboundOf::PossibleStops, Cursor::START, 9).await.unwrap());
        let downward = ids(desk.inbound_before(InboundOf::PossibleStops, None, 9).await.unwrap());
        assert!(upward.iter().eq(downward.iter().rev()), "{upward:?} {downward:?}");
        upward
    };
    assert_eq!((take(&all[2..3]).await, listed().await.len()), (false, 0));
    assert_eq!([take(&all[..1]).await, take(&all[1..]).await], [true, false], "only the first one is new to operators");
    assert_eq!(listed().await, ["a", "b", "d"]);
    assert_eq!(desk.possible_stop("b".to_owned()).await.unwrap().map(|reply| reply.umid).as_deref(), Some("b"));
    assert_eq!(desk.possible_stop("c".to_owned()).await.unwrap(), None);
    assert!(desk.decide_possible_stop("a".to_owned()).await.unwrap());
    assert!(!desk.decide_possible_stop("a".to_owned()).await.unwrap(), "it is decided once");
    // The provider repeats what was decided.
    take(&all).await;
    assert_eq!(listed().await, ["b", "d"]);
    // Whoever opts out by themselves leaves nothing to decide.
    desk.opt_out(vec![stop(2, 9, OptOutSource::Recipient)]).await.unwrap();
    assert_eq!(listed().await, ["d"]);
    // Their next wish is theirs alone.
    desk.opt_in(vec![start(2, 10, OptOutSource::Recipient)]).await.unwrap();
    assert_eq!(listed().await, ["d"]);
    let user = ChannelUser { channel: Channel::Line, id: "U1".to_owned() };
    let by_id = OptOut { address: user.into(), ..stop(2, 9, OptOutSource::Operator) };
    desk.opt_out(vec![by_id]).await.unwrap();
    assert!(listed().await.is_empty());
    let later = wrote("a2", 1, 20, None);
    let taken =
        WebhookGroup { written: vec![later], possible_stops: ["a2".to_owned()].into(), ..WebhookGroup::default() };
    assert!(desk.take(taken).await.unwrap().is_first_possible_stop, "nothing waited for a decision");
}
