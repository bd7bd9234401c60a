//! Somebody who looks at all of a campaign and stops in the middle: whatever happens meanwhile, they see it as it stood
//! when they began.

use tokio::sync::watch;

use super::world::World;
use crate::domain::{BatchId, Loaded};
use crate::store::{Copied, Scope, Walk};

pub(super) struct Reader {
    walk: Walk,
    batch: BatchId,
    stood: Vec<Loaded>,
}

impl World {
    /// Begins to read a campaign, or reads on to the end of the one that was begun.
    pub(super) async fn read(&mut self, which: usize) {
        if self.reader.is_some() {
            return self.read_on().await;
        }
        let Some(batch) = self.holds.batches().nth(which) else { return };
        let copied = watch::channel(Copied::default()).0;
        let walk = self.store.walk(batch, Scope::Facts, copied).await.unwrap().unwrap();
        let of_it = self.holds.messages().map(|message| message.key).filter(|key| key.batch == batch).collect();
        let stood = self.store.load(of_it).await.unwrap();
        self.reader = Some(Reader { walk, batch, stood });
    }

    pub(super) async fn read_on(&mut self) {
        let Some(Reader { mut walk, batch, stood }) = self.reader.take() else { return };
        let mut read = Vec::new();
        while let Some(page) = walk.next().await.unwrap() {
            read.extend(page);
        }
        assert_eq!(read.len(), stood.len(), "a reader of {batch:?} has missed some");
        for (whole, stood) in read.iter().zip(stood) {
            let seen = (whole.message.key, whole.message.version, whole.message.present);
            assert_eq!(seen, (stood.key, stood.version, stood.present), "a reader has seen what came after");
        }
    }
}
