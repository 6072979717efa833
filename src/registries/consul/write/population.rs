//! Whether nodes are ours, and when they are empty.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{RwLock, RwLockReadGuard};

use super::node::{Node, Populated, parse};
use crate::registries::consul::ConsulError;
use crate::registries::consul::http::{Http, Query};
use crate::registries::http::path_segment;

/// What is known of our nodes.
#[derive(Default)]
pub(super) struct Population {
    /// At least so many services are on each node that was seen to be ours, unless another process removed some.
    known: Mutex<BTreeMap<String, usize>>,
    /// Services come while it is read; a node goes while it is written.
    gate: RwLock<()>,
}

impl Population {
    /// While it lives no node of ours is removed.
    pub(super) async fn stays(&self) -> RwLockReadGuard<'_, ()> {
        self.gate.read().await
    }

    /// Makes sure that a node's name is not somebody else's: an agent's, which would take our copies away and lose its address
    /// to us.
    ///
    /// # Errors
    /// It is, or the catalogue can't be read.
    pub(super) async fn claim(&self, http: &Http, node: &Node) -> Result<(), ConsulError> {
        if self.lock().contains_key(&node.name) {
            return Ok(());
        }
        let services = match read(http, node).await? {
            Some(found) if !node.is(&found.node) => {
                return Err(ConsulError::NodeTaken { node: node.name.clone() });
            }
            found => found.map_or(0, |found| found.services),
        };
        self.lock().insert(node.name.clone(), services);
        Ok(())
    }

    /// So many services have left a node. When that may have been all, it is looked at, and goes when it is empty.
    ///
    /// # Errors
    /// The catalogue can't be read or written. Then it is looked at again after the next that leaves.
    pub(super) async fn left(&self, http: &Http, node: &Node, services: usize) -> Result<(), ConsulError> {
        let left = {
            let mut known = self.lock();
            let left = known.get(&node.name).map_or(0, |before| before.saturating_sub(services));
            known.insert(node.name.clone(), left);
            left
        };
        if left > 0 { Ok(()) } else { self.tidy(http, node).await }
    }

    async fn tidy(&self, http: &Http, node: &Node) -> Result<(), ConsulError> {
        let _nobody_comes = self.gate.write().await;
        let found = read(http, node).await?;
        self.lock().remove(&node.name);
        match found {
            Some(found) if node.is(&found.node) && found.services > 0 => {
                self.lock().insert(node.name.clone(), found.services);
            }
            Some(found) if node.is(&found.node) => {
                // Refused when somebody has touched it since: then it stays.
                http.transact(&[&node.delete(found.node.modify_index)]).await?;
            }
            _ => {}
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, usize>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn read(http: &Http, node: &Node) -> Result<Option<Populated>, ConsulError> {
    let what = format!("the services of the node {}", node.name);
    let path = format!("/catalog/node-services/{}", path_segment(&node.name));
    let answer = http.get(&Query::at_once(what.clone(), path), None).await?;
    parse(&answer.body).map_err(|reason| ConsulError::Unreadable { server: answer.server, what, reason })
}
