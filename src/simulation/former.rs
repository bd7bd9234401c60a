//! Two servers on one store. A superseded server is not dead: it soon learns of its successor, completes its requests
//! in flight, and records their answers late.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;

use super::act;
use super::fate::Fate;
use super::world::World;
use crate::base::clock::Clock;
use crate::base::domain::{Span, Timestamp};
use crate::node::ByHand;

/// How long a server must give no sign before another may take over its lease.
const LAPSED: Span = Span::from_secs(5);
/// How long a superseded server may still send.
const KNOWS_WITHIN: Span = Span::from_millis(250);
/// How often a server itself checks whether it was superseded.
const LOOKS_EACH: Span = Span::from_millis(100);

/// A superseded server.
pub(super) struct Former {
    pub(super) life: usize,
    pub(super) node: ByHand,
    pub(super) hands: FuturesUnordered<BoxFuture<'static, ()>>,
    pub(super) fate: Arc<Fate>,
    looked: Timestamp,
}

impl World {
    /// Starts another server on the same store.
    pub(super) async fn supersede(&mut self, was_stopped: bool) {
        self.end_former();
        if was_stopped {
            self.wait(LAPSED);
        }
        let Some(node) = self.node.take() else { return };
        // Both have the same disk, and the successor has just written to it.
        self.fate.set_failing(false);
        let (hands, fate, looked) = (std::mem::take(&mut self.hands), Arc::clone(&self.fate), self.clock.now());
        self.invariants.supersede(self.life, self.clock.now() + if was_stopped { Span::ZERO } else { KNOWS_WITHIN });
        self.former = Some(Former { life: self.life, node, hands, fate, looked });
        self.start().await;
    }

    /// Does what the superseded server does by itself meanwhile.
    pub(super) async fn former_checks(&mut self) {
        let now = self.clock.now();
        if let Some(former) = self.former.as_mut().filter(|former| now.since(former.looked) >= LOOKS_EACH) {
            former.node.look_for_successor().await;
            former.looked = now;
        }
    }

    pub(super) async fn act_of_former(&mut self, act: act::Former) {
        self.former_checks().await;
        let net = Arc::clone(&self.net);
        let Some(former) = &mut self.former else { return };
        let Former { life, node, hands, fate, .. } = former;
        let lives = match act {
            act::Former::Claim(lane) => fate.outlive(node.claim_at_once(lane)).await.map(drop),
            act::Former::HandOver(lane) => {
                let has_begun = net.has_begun();
                let handing_over = async {
                    let Some(hand) = node.next_at_once(lane).await else { return };
                    hands.push(hand);
                    while hands.len() > net.held_by(*life) {
                        tokio::select! {
                            biased;
                            _ = hands.next() => {}
                            () = has_begun.notified() => {}
                        }
                    }
                };
                fate.outlive(handing_over).await
            }
            act::Former::Record => fate.outlive(node.record()).await.map(drop),
            act::Former::Watch => fate.outlive(node.watch()).await,
            act::Former::GoOnStarting => fate.outlive(node.go_on_starting()).await.map(drop),
            act::Former::End => None,
        };
        if lives.is_none() {
            self.end_former();
        }
    }

    /// Takes the answer to one of its requests.
    pub(super) async fn answer_former(&mut self, life: usize) {
        let Some(former) = self.former.as_mut().filter(|former| former.life == life) else { return };
        let _ = former.fate.outlive(former.hands.next()).await;
    }

    fn end_former(&mut self) {
        if let Some(former) = self.former.take() {
            self.net.hang_up(former.life);
        }
    }

    /// Completes its requests in flight and ends it.
    pub(super) async fn finish_former(&mut self) {
        let Some(former) = &self.former else { return };
        former.fate.set_failing(false);
        former.fate.die_at_write(0, false);
        let life = former.life;
        // Answers arrive only while a server runs. If its successor has died, it dies with its requests in flight.
        while self.node.is_some() && self.net.held_by(life) > 0 {
            self.go(act::Act::Answer(0), None).await;
        }
        self.go(act::Act::Former(act::Former::Record), None).await;
        self.go(act::Act::Former(act::Former::End), None).await;
    }
}
