//! Which part of a document is this deployment's, and bringing it into another document.
//!
//! An entity of ours comes with everything that stands inside it; in an upstream of somebody else's only the
//! targets that bear our tag are ours.

use std::collections::BTreeSet;

use super::document::Document;
use super::node::Node;
use super::view::{address_of, list, name};

impl Document {
    /// Takes out what bears the owner's tag: of a document that is to hold the parts of others.
    pub(super) fn without_ours(mut self, owner: &str) -> Self {
        for kind in ["upstreams", "services", "routes"] {
            self.retain(kind, |entity| !bears(entity, owner));
        }
        for upstream in self.items("upstreams").into_iter().flatten() {
            if let Some(targets) = upstream.get_mut("targets").and_then(Node::items_mut) {
                targets.retain(|target| !bears(target, owner));
            }
        }
        self
    }

    /// Puts in what bears the owner's tag in another document and is not here yet.
    pub(crate) fn take_ours(&mut self, from: &Self, owner: &str) {
        for upstream in list(&from.root, "upstreams") {
            self.take_upstream(upstream, owner);
        }
        for kind in ["services", "routes"] {
            for entity in list(&from.root, kind).filter(|entity| bears(entity, owner)) {
                let stands = name(entity).is_some_and(|name| self.holds(kind, name));
                if !stands {
                    self.insert(kind, entity.clone());
                }
            }
        }
    }

    fn take_upstream(&mut self, upstream: &Node, owner: &str) {
        let ours = bears(upstream, owner);
        let stands = name(upstream).and_then(|name| self.named("upstreams", name));
        let Some(stands) = stands else {
            if ours {
                self.insert("upstreams", upstream.clone());
            }
            return;
        };
        if ours && !bears(stands, owner) {
            // Somebody else has taken the name: to put our targets in would fill what is not to be filled.
            return;
        }
        let present: BTreeSet<_> = list(stands, "targets").filter_map(address_of).collect();
        let missing = list(upstream, "targets")
            .filter(|target| bears(target, owner))
            .filter(|target| address_of(target).is_some_and(|address| !present.contains(&address)));
        for target in missing {
            insert_target(stands, target.clone());
        }
    }

    /// Whether an entity of this name stands in a list at the top, or a route inside a service.
    fn holds(&self, kind: &str, wanted: &str) -> bool {
        let nested = list(&self.root, "services").filter(|_| kind == "routes");
        list(&self.root, kind)
            .chain(nested.flat_map(|service| list(service, "routes")))
            .any(|entity| name(entity) == Some(wanted))
    }
}

pub(super) fn bears(entity: &Node, owner: &str) -> bool {
    list(entity, "tags").filter_map(Node::scalar).any(|tag| tag == owner)
}

/// Puts a target where it belongs by its address, so that the same targets give the same text.
pub(super) fn insert_target(upstream: &mut Node, target: Node) {
    let targets = upstream.list_mut("targets");
    let at = targets.partition_point(|other| other.field("target") < target.field("target"));
    targets.insert(at, target);
}
