//! The places of connections: whose connection makes room for a new one when all are taken.
//!
//! - A connection makes room only while it waits for its client: the oldest without a finished head, else the oldest whose
//!   request has not arrived completely, else the one whose client has not read its answer for longest. A connection whose
//!   request is being answered keeps its place.
//! - The address with the most connections makes room first, and a trusted proxy last.
//! - An address may have [`Places::share`] connections. For a further one, the oldest of its own that waits for its client
//!   makes room, however young; if none does, the new one is refused.
//!   A trusted proxy may have all, because it forwards the requests of many clients.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::connection::{Occupancy, Waits};
use super::limit_tally::{Holder, LimitTally};
use crate::base::clock::Clock;
use crate::base::domain::{IpNetwork, Span, Timestamp};

/// How long each connection keeps its place at least, so that a client that sends at once is heard.
pub(super) const GRACE: Span = Span::from_millis(100);

/// The other end of a connection, as it counts for the share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Source {
    network: IpNetwork,
    is_proxy: bool,
}

impl Source {
    pub(super) fn new(address: IpAddr, is_proxy: bool) -> Self {
        Self { network: IpNetwork::of_client(address), is_proxy }
    }
}

#[derive(Debug)]
pub(super) struct Places {
    most: u32,
    /// The connections that one address may have.
    share: u32,
    clock: Arc<dyn Clock>,
    taken: Mutex<Taken>,
    /// Notified when a place is freed.
    freed: Notify,
}

#[derive(Debug, Default)]
struct Taken {
    next: u64,
    held: BTreeMap<u64, Held>,
    tally: LimitTally,
}

#[derive(Debug)]
struct Held {
    source: Source,
    occupancy: Arc<Occupancy>,
    /// Cancelled when the connection makes room.
    closing: CancellationToken,
    /// When that was. It may take a moment until it is gone.
    closed_at: Option<Timestamp>,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    id: u64,
    pub(super) occupancy: Arc<Occupancy>,
    /// Cancelled when the connection is to be closed.
    pub(super) closing: CancellationToken,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken.lock().held.remove(&self.id);
        self.places.freed.notify_one();
    }
}

/// What a look for a place found.
enum Look {
    Place(Place),
    Refused,
    /// None is free until then, unless one is freed before.
    None(Timestamp),
}

impl Places {
    pub(super) fn new(most: u32, share: u32, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { most, share, clock, taken: Mutex::default(), freed: Notify::new() })
    }

    pub(super) fn taken(&self) -> u32 {
        self.taken.lock().all()
    }

    /// The connections that made room or were refused.
    pub(super) fn tally(&self) -> LimitTally {
        self.taken.lock().tally.clone()
    }

    /// Waits for a place. `None` if the share of the address is taken by connections that keep their places.
    ///
    /// - Only one task may wait. It never waits for connections of one address while others have room.
    /// - `cut` closes every connection.
    pub(super) async fn take(self: &Arc<Self>, source: Source, cut: &CancellationToken) -> Option<Place> {
        loop {
            match self.look(source, cut) {
                Look::Place(place) => return Some(place),
                Look::Refused => return None,
                Look::None(until) => tokio::select! {
                    () = self.freed.notified() => {}
                    () = self.clock.sleep_until(until) => {}
                },
            }
        }
    }

    /// Takes a place, or closes the connection that makes room.
    fn look(self: &Arc<Self>, source: Source, cut: &CancellationToken) -> Look {
        let (mut taken, now) = (self.taken.lock(), self.clock.now());
        if !source.is_proxy && taken.of(source.network) >= self.share {
            let Some((id, _)) = taken.makes_room(Some(source.network), now) else {
                taken.count(source.network);
                return Look::Refused;
            };
            taken.close(id, now);
        }
        if taken.all() < self.most {
            return Look::Place(self.place(&mut taken, source, cut, now));
        }
        if let Some(at) = taken.closed_at().filter(|at| now < *at + GRACE) {
            return Look::None(at + GRACE);
        }
        match taken.makes_room(None, now) {
            Some((_, from)) if now < from => Look::None(from),
            Some((id, _)) => {
                taken.close(id, now);
                Look::None(now + GRACE)
            }
            None => Look::None(now + GRACE),
        }
    }

    fn place(self: &Arc<Self>, taken: &mut Taken, source: Source, cut: &CancellationToken, now: Timestamp) -> Place {
        let (id, occupancy, closing) = (taken.next, Arc::new(Occupancy::since(now)), cut.child_token());
        taken.next += 1;
        taken
            .held
            .insert(id, Held { source, occupancy: Arc::clone(&occupancy), closing: closing.clone(), closed_at: None });
        Place { places: Arc::clone(self), id, occupancy, closing }
    }
}

impl Taken {
    fn all(&self) -> u32 {
        count_of(self.held.len())
    }

    /// The connections of an address that are not being closed.
    fn of(&self, network: IpNetwork) -> u32 {
        let is_of = |held: &&Held| held.source.network == network && held.closed_at.is_none();
        count_of(self.held.values().filter(is_of).count())
    }

    /// When the last connection was closed whose place is not free yet.
    fn closed_at(&self) -> Option<Timestamp> {
        self.held.values().filter_map(|held| held.closed_at).max()
    }

    /// The connection that makes room next, among those of one address if it is given, and when its grace is over. `None` if
    /// all keep their places.
    ///
    /// Those that had their grace are compared first: each new one waits for its head for a moment, and would be the first of
    /// all to make room. If none had it, the oldest is next.
    fn makes_room(&self, only: Option<IpNetwork>, now: Timestamp) -> Option<(u64, Timestamp)> {
        let mut counts: HashMap<IpNetwork, usize> = HashMap::new();
        for held in self.held.values().filter(|held| held.closed_at.is_none()) {
            *counts.entry(held.source.network).or_default() += 1;
        }
        let (mut first, mut young) = (None, None);
        for (id, held) in self.held.iter().filter(|(_, held)| held.closed_at.is_none()) {
            let Source { network, is_proxy } = held.source;
            if only.is_some_and(|only| only != network) {
                continue;
            }
            let (stage, since) = match held.occupancy.waits() {
                Some(Waits::Head(since)) => (0, since),
                Some(Waits::Body(since)) => (1, since),
                Some(Waits::Reader(since)) => (2, since),
                None => continue,
            };
            let over = since + GRACE;
            if over <= now {
                let rank = (is_proxy, stage, Reverse(counts.get(&network).copied()), since, *id);
                first = first.filter(|(first, _)| *first < rank).or(Some((rank, over)));
            } else {
                young = young.filter(|young| *young < (over, *id)).or(Some((over, *id)));
            }
        }
        let first = first.map(|((.., id), over)| (id, over));
        first.or(young.map(|(over, id)| (id, over)))
    }

    fn close(&mut self, id: u64, now: Timestamp) {
        let Some(held) = self.held.get(&id) else { return };
        let network = held.source.network;
        held.closing.cancel();
        self.count(network);
        if let Some(held) = self.held.get_mut(&id) {
            held.closed_at = Some(now);
        }
    }

    /// Counts a connection of an address that makes room, or is refused.
    fn count(&mut self, network: IpNetwork) {
        let name = network.host().map_or_else(|| network.to_string(), |address| address.to_string());
        self.tally.count(Some(Holder { name, held: self.of(network) }));
    }
}

fn count_of(places: usize) -> u32 {
    u32::try_from(places).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::ManualClock;

    /// Places, and the connections that hold them.
    struct Crowd {
        places: Arc<Places>,
        clock: Arc<ManualClock>,
        held: Vec<(u8, Place)>,
    }

    impl Crowd {
        /// Eight places, five of them for one address. 192.0.2.9 is a trusted proxy.
        fn new() -> Self {
            let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
            Self { places: Places::new(8, 5, Arc::clone(&clock) as Arc<dyn Clock>), clock, held: Vec::new() }
        }

        fn look(&self, last: u8) -> Look {
            let source = Source::new([192, 0, 2, last].into(), last == 9);
            self.places.look(source, &CancellationToken::new())
        }

        fn take(&mut self, last: u8) -> &Occupancy {
            let Look::Place(place) = self.look(last) else { panic!("{last} gets no place") };
            self.held.push((last, place));
            self.clock.advance(Span::from_millis(1));
            &self.held.last().unwrap().1.occupancy
        }

        /// Takes a place for each of these addresses, which then send nothing.
        fn fill(&mut self, addresses: &[u8]) {
            for last in addresses {
                self.take(*last);
            }
        }

        /// Which connection makes room for a new one, by its number.
        fn makes_room_to(&mut self, last: u8) -> Option<usize> {
            let before: Vec<bool> = self.closing();
            assert!(!matches!(self.look(last), Look::Place(_)), "{last} gets a place");
            // No other is closed until this one had time to go.
            self.clock.advance(GRACE);
            self.closing().iter().zip(before).position(|(is, was)| *is && !was)
        }

        fn closing(&self) -> Vec<bool> {
            self.held.iter().map(|(_, place)| place.closing.is_cancelled()).collect()
        }
    }

    #[test]
    fn the_oldest_without_a_head_makes_room_once_it_had_its_grace() {
        let mut crowd = Crowd::new();
        crowd.take(1).begin(None);
        crowd.fill(&[1, 1, 2, 2, 3, 3]);
        let newest = crowd.clock.now();
        crowd.take(4);
        let Look::None(until) = crowd.look(5) else { panic!("nothing had its grace yet") };
        assert_eq!(until, newest - Span::from_millis(6) + GRACE, "until the oldest of the address with the most has");
        crowd.clock.advance(GRACE);
        assert_eq!(crowd.makes_room_to(5), Some(1), "the first one is being answered");
        crowd.held.remove(1);
        crowd.fill(&[5]);
        let Holder { name, held } = crowd.places.tally().latest.unwrap();
        assert_eq!((name.as_str(), held, crowd.places.tally().count), ("192.0.2.1", 3, 1));
    }

    #[test]
    fn the_address_with_the_most_makes_room_and_a_proxy_last() {
        let mut crowd = Crowd::new();
        crowd.fill(&[2, 9, 9, 9, 9, 9, 1, 1]);
        crowd.clock.advance(GRACE);
        assert_eq!(crowd.makes_room_to(9), Some(6), "the older of the two");
        assert_eq!(crowd.makes_room_to(3), Some(0), "one each, and this one is older");
        assert_eq!(crowd.makes_room_to(3), Some(7));
        assert_eq!(crowd.makes_room_to(3), Some(1), "no other is left");
    }

    #[test]
    fn a_request_that_does_not_arrive_makes_room_after_all_heads() {
        let mut crowd = Crowd::new();
        let now = crowd.clock.now();
        crowd.take(1).begin(Some(now));
        crowd.take(1).begin(Some(now));
        crowd.fill(&[2, 3, 4, 5, 6]);
        crowd.take(7).begin(None);
        crowd.clock.advance(GRACE);
        crowd.held[1].1.occupancy.keep_place();
        let order: Vec<_> = std::iter::from_fn(|| crowd.makes_room_to(8)).collect();
        assert_eq!(order, [2, 3, 4, 5, 6, 0], "an upload and an answer keep their places");
    }

    #[test]
    fn a_new_connection_delays_no_older_one_that_makes_room() {
        let mut crowd = Crowd::new();
        let now = crowd.clock.now();
        for address in [1, 1, 1, 2, 2, 2] {
            crowd.take(address).begin(Some(now));
        }
        crowd.clock.advance(GRACE);
        crowd.fill(&[4, 5]);
        assert_eq!(crowd.makes_room_to(6), Some(0), "the newest two have not had their grace");
    }

    #[test]
    fn a_client_that_reads_nothing_makes_room_last() {
        let mut crowd = Crowd::new();
        let now = crowd.clock.now();
        for address in [1, 1, 1, 1, 2, 2] {
            crowd.take(address).begin(None);
        }
        crowd.take(2).begin(Some(now));
        crowd.take(3);
        crowd.held[4].1.occupancy.note_stalled(Some(now));
        crowd.clock.advance(GRACE);
        let order: Vec<_> = std::iter::from_fn(|| crowd.makes_room_to(4)).collect();
        assert_eq!(order, [7, 6, 4], "those that are being answered keep their places");
    }

    #[test]
    fn an_address_has_its_share_and_no_more() {
        let mut crowd = Crowd::new();
        let start = crowd.clock.now();
        crowd.fill(&[1, 1, 1, 1]);
        crowd.take(1).begin(None);
        crowd.take(1);
        let first = [true, false, false, false, false, false];
        assert_eq!(crowd.closing(), first, "one of its own, although others are free");
        // The newest has sent no head yet, but it had no time for that.
        for (_, place) in &crowd.held[1..4] {
            place.occupancy.begin(Some(start));
        }
        crowd.take(1);
        assert!(crowd.closing()[1] && !crowd.closing()[5], "the oldest of the others");
        for (_, place) in &crowd.held {
            place.occupancy.begin(None);
        }
        assert!(matches!(crowd.look(1), Look::Refused), "all are being answered");
        assert_eq!(crowd.places.tally().count, 3);
    }
}
