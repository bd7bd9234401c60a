//! A reader of a whole campaign who stops in the middle. Whatever happens meanwhile, they see the campaign as it was
//! when they began.

use tokio::sync::watch;

use super::world::World;
use crate::base::domain::{BatchId, Loaded};
use crate::store::{Copied, Scope, Walk};

pub(super) struct Reader {
    walk: Walk,
    batch: BatchId,
    at_start: Vec<Loaded>,
}

impl World {
    /// Begins to read a campaign, or reads the begun one to its end.
    pub(super) async fn read(&mut self, which: usize) {
        if self.reader.is_some() {
            return self.read_on().await;
        }
        let Some(batch) = self.invariants.batches().nth(which) else { return };
        let copied = watch::channel(Copied::default()).0;
        let walk = self.store.walk(batch, Scope::Facts, copied).await.unwrap().unwrap();
        let of_it = self.invariants.messages().map(|message| message.key).filter(|key| key.batch == batch).collect();
        let at_start = self.store.load(of_it).await.unwrap();
        self.reader = Some(Reader { walk, batch, at_start });
    }

    pub(super) async fn read_on(&mut self) {
        let Some(Reader { mut walk, batch, at_start }) = self.reader.take() else { return };
        let mut read = Vec::new();
        while let Some(page) = walk.next().await.unwrap() {
            read.extend(page);
        }
        assert_eq!(read.len(), at_start.len(), "a reader of {batch:?} missed some messages");
        for (whole, known) in read.iter().zip(at_start) {
            let seen = (whole.message.key, whole.message.version, whole.message.present);
            assert_eq!(seen, (known.key, known.version, known.present), "a reader has seen a later state");
        }
    }
}
