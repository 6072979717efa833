//! `GET /upstreams/{u}/health`: what a node's own balancer and health checkers know. Each configured address is asked by itself,
//! since nodes don't share it.

use std::collections::BTreeSet;

use futures::future::join_all;
use serde_json::Value;

use super::answer::Refusal;
use super::client::Client;
use crate::health::{NodeHealth, NodeView, TargetHealth};

impl Client {
    /// Every node's view of these upstreams, in the order of the configured addresses.
    pub(super) async fn health(&self, upstreams: &BTreeSet<String>) -> Vec<NodeHealth> {
        let nodes = (0..self.nodes()).map(|node| async move {
            let view = self.health_at(node, upstreams).await.map_err(|refusal| refusal.to_string());
            NodeHealth { address: self.address(node), view }
        });
        join_all(nodes).await
    }

    async fn health_at(&self, node: usize, upstreams: &BTreeSet<String>) -> Result<NodeView, Refusal> {
        let found = self.each(upstreams, |name| self.upstream_health(node, name)).await?;
        let mut view = NodeView::default();
        for (name, seen) in found {
            if let Some((node_id, targets)) = seen {
                view.node_id = view.node_id.or(node_id);
                view.upstreams.insert(name, targets);
            }
        }
        Ok(view)
    }

    /// The node's id and the targets of one upstream; none where the node knows no such upstream.
    async fn upstream_health(
        &self,
        node: usize,
        upstream: &str,
    ) -> Result<Option<(Option<String>, Vec<TargetHealth>)>, Refusal> {
        let (mut node_id, mut targets) = (None, Vec::new());
        let path = ["upstreams", upstream, "health"];
        let read = self.pages(Some(node), &path, |page| {
            node_id = page["node_id"].as_str().map(str::to_owned).or(node_id.take());
            targets.extend(page["data"].as_array()?.iter().filter_map(target));
            Some(())
        });
        match read.await {
            Ok(()) => {
                targets.sort_by(|one, other| one.target.cmp(&other.target));
                Ok(Some((node_id, targets)))
            }
            Err(refusal) if refusal.status() == Some(404) => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }
}

fn target(row: &Value) -> Option<TargetHealth> {
    let resolved = row["data"]["addresses"].as_array().is_some_and(|addresses| !addresses.is_empty());
    let dns = row["data"]["dns"].as_str().filter(|_| !resolved).map(str::to_owned);
    Some(TargetHealth {
        target: row["target"].as_str()?.to_owned(),
        weight: row["weight"].as_u64()?,
        health: row["health"].as_str()?.to_owned(),
        dns,
    })
}
