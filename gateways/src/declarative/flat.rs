//! Between documents as people and nodes write them and the one form in which a node's is kept here.
//!
//! A node answers flat lists, every default written out, and refers to others by id. Here targets stand inside their
//! upstreams, routes and plugins refer to services by name, and what is ours is as short as it was sent.

use std::collections::{BTreeMap, BTreeSet};

use super::defaults;
use super::document::Document;
use super::node::Node;
use super::ours::{bears, insert_target};
use super::view::{list, name, reference};
use crate::Kind;

/// A key of decK's that a node does not know.
const DECK_ONLY: &str = "_info";

impl Document {
    /// An empty one for a node.
    pub(crate) fn for_an_empty_node() -> Self {
        let mut document = Self { root: Node::map(), gives_ids: true };
        document.root.set("_format_version", Node::text(super::document::FORMAT));
        document.root.set("_transform", Node::of(&false.into()));
        document
    }

    /// The form in which a node's document is kept here.
    pub(crate) fn for_nodes(mut self, owner: &str) -> Self {
        self.gives_ids = true;
        self.root.unset(DECK_ONLY);
        self.nest_targets();
        self.refer_by_name();
        for (list, kind) in
            [("upstreams", Kind::Upstream), ("services", Kind::Service), ("routes", Kind::Route)]
        {
            let ours = self.items(list).into_iter().flatten().filter(|entity| bears(entity, owner));
            ours.for_each(|entity| {
                defaults::leave_out(kind, entity);
                // A node quotes what it answers in its own way: as we would write it, the text is the one that we sent.
                *entity = Node::of(&entity.value());
            });
        }
        for upstream in self.items("upstreams").into_iter().flatten() {
            let targets = upstream.get_mut("targets").and_then(Node::items_mut).into_iter().flatten();
            for target in targets.filter(|target| bears(target, owner)) {
                defaults::leave_out(Kind::Target, target);
                // Nothing refers to a target, and a document is long enough without.
                target.unset("id");
            }
        }
        self
    }

    fn nest_targets(&mut self) {
        let names = self.names("upstreams");
        let flat = self.items("targets").map(std::mem::take).unwrap_or_default();
        let mut astray = Vec::new();
        for mut target in flat {
            let upstream = reference(&target, "upstream").and_then(|to| names.get(to));
            match upstream.and_then(|name| self.named("upstreams", name)) {
                Some(upstream) => {
                    target.unset("upstream");
                    insert_target(upstream, target);
                }
                None => astray.push(target),
            }
        }
        if astray.is_empty() {
            self.root.unset("targets");
        } else {
            self.root.set("targets", Node::list(astray));
        }
    }

    /// Puts names in the place of the ids of services and routes.
    fn refer_by_name(&mut self) {
        for (field, to) in [("service", "services"), ("route", "routes")] {
            let names = self.names(to);
            for kind in ["routes", "plugins"] {
                for entity in self.items(kind).into_iter().flatten() {
                    if let Some(name) = reference(entity, field).and_then(|id| names.get(id)) {
                        entity.set(field, Node::text(name));
                    }
                }
            }
        }
    }

    /// The names of a kind, by id and by name.
    fn names(&self, kind: &str) -> BTreeMap<String, String> {
        let mut names = BTreeMap::new();
        for entity in list(&self.root, kind) {
            let (Some(name), id) = (name(entity), entity.field("id")) else { continue };
            names.insert(name.to_owned(), name.to_owned());
            names.extend(id.map(|id| (id.to_owned(), name.to_owned())));
        }
        names
    }

    /// What a node takes: without the routes and plugins that refer to a service or route that is not there
    /// (yet), for which a node would refuse all. Those are named in the second part.
    pub(crate) fn loadable(&self) -> (Self, BTreeSet<String>) {
        let mut waiting = BTreeSet::new();
        let mut document = self.clone();
        for (kind, field, to) in [
            ("routes", "service", "services"),
            ("plugins", "service", "services"),
            ("plugins", "route", "routes"),
        ] {
            let there = document.declared(to);
            document.retain(kind, |entity| {
                match reference(entity, field).filter(|to| !there.contains(*to)) {
                    Some(to) => {
                        let called = name(entity).unwrap_or("without a name");
                        let one = kind.trim_end_matches('s');
                        waiting.insert(format!("{one} {called} of {field} {to}"));
                        false
                    }
                    None => true,
                }
            });
        }
        (document, waiting)
    }

    /// Whether it holds no entity at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.root.entries().iter().all(|(_, list)| list.items().is_empty())
    }

    /// The ids and names of everything of a kind, nested routes included.
    fn declared(&self, kind: &str) -> BTreeSet<String> {
        let nested = list(&self.root, "services").filter(|_| kind == "routes");
        let all = list(&self.root, kind).chain(nested.flat_map(|service| list(service, "routes")));
        all.flat_map(|entity| [entity.field("name"), entity.field("id")])
            .flatten()
            .map(str::to_owned)
            .collect()
    }
}
