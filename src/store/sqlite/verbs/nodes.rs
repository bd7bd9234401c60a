//! Implements [`Nodes`].

use super::super::identity::OpenDatabase;
use super::super::{Sqlite, leases, nodes};
use crate::base::domain::Timestamp;
use crate::store::{
    Beat, KeptGap, LaneState, Latest, Lease, LinkState, Node, NodeStart, Nodes, Result, Started, TurnedAway, Unwritable,
};

#[async_trait::async_trait]
impl Nodes for Sqlite {
    async fn lease(&self) -> Result<Lease> {
        self.read("read the lease", move |c| Box::pin(leases::read_lease(c))).await
    }

    async fn latest(&self) -> Result<Latest> {
        self.check_file()?;
        self.poll("read the latest decision and the epoch", move |c| Box::pin(leases::read_latest(c))).await
    }

    async fn start_node(&self, start: NodeStart) -> Result<Option<Started>> {
        let started = self.write("start a node", move |c| Box::pin(nodes::start(c, start))).await?;
        if started.is_some() {
            self.serve_file.begin(self.file.as_ref().and_then(OpenDatabase::id))?;
            self.file.iter().for_each(OpenDatabase::watch_content);
        }
        Ok(started)
    }

    async fn renew(&self, node: i64, now: Timestamp) -> Result<()> {
        self.write("renew the lease", move |c| Box::pin(leases::renew(c, node, now))).await
    }

    async fn beat(&self, beat: Beat) -> Result<()> {
        self.write("record a heartbeat", move |c| Box::pin(nodes::beat(c, beat))).await?;
        self.serve_file.keep_locked();
        Ok(())
    }

    async fn stop_node(&self, node: i64, listening_until: Timestamp) -> Result<()> {
        self.write_to_the_end("stop a node", move |c| Box::pin(nodes::stop(c, node, listening_until))).await?;
        self.serve_file.end();
        Ok(())
    }

    async fn turned_away(&self) -> Result<Vec<TurnedAway>> {
        self.read("read what was turned away", move |c| Box::pin(nodes::turned_away(c))).await
    }

    async fn keep_gap(&self, gap: KeptGap, forget: Timestamp) -> Result<()> {
        self.write("record a gap", move |c| Box::pin(nodes::keep_gap(c, gap, forget))).await
    }

    async fn gaps(&self) -> Result<Vec<KeptGap>> {
        self.read("read gaps", move |c| Box::pin(nodes::gaps(c))).await
    }

    async fn links(&self) -> Result<Vec<LinkState>> {
        self.read("read links", move |c| Box::pin(nodes::links(c))).await
    }

    async fn nodes(&self, since: Timestamp) -> Result<Vec<Node>> {
        self.read("list nodes", move |c| Box::pin(nodes::live(c, since))).await
    }

    async fn lane_states(&self, since: Timestamp) -> Result<Vec<LaneState>> {
        self.read("read the states of lanes", move |c| Box::pin(nodes::lane_states(c, since))).await
    }

    async fn unwritable(&self, since: Timestamp) -> Result<Option<Unwritable>> {
        Ok(self.serve_file.trouble(since))
    }
}
