//! A declarative document of Kong's, as decK writes them: services with their routes, upstreams with their
//! targets.
//!
//! What is somebody else's in it is kept in meaning; comments and the order of keys are not.

use serde_json::Value;

use super::emit::emit;
use super::node::{Kind, Node};
use super::ours::insert_target;
use super::parse::{Broken, parse};
use super::view::{self, address_of, is_marked, list, name, reference, service_host, tags_of};
use crate::kong::ids;
use crate::{ApplyError, Change, Effect, Fields, ObjectKey, ReadScope, Retry, TargetAddress, World, Write};

/// The newest format that Kong 3 and decK read.
pub(super) const FORMAT: &str = "3.0";

#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub(super) root: Node,
    /// Whether what is created gets an id: a node would otherwise make one up, and others refer to it by that.
    pub(super) gives_ids: bool,
}

impl Document {
    /// An empty one whose entities decK is to select by this tag.
    pub(super) fn new(select_tag: &str) -> Self {
        let mut root = Node::map();
        root.set("_format_version", Node::text(FORMAT));
        let mut info = Node::map();
        info.set("select_tags", Node::list([Node::text(select_tag)]));
        root.set("_info", info);
        Self { root, gives_ids: false }
    }

    /// Reads a document; none when the text holds no entity or setting at all.
    pub(crate) fn read(text: &str) -> Result<Option<Self>, Broken> {
        let mut root = parse(text)?;
        if !matches!(root.kind, Kind::Map(_)) {
            return Err(Broken::new(root.at, "a declarative document is a map, with `_format_version`"));
        }
        if root.entries().is_empty() {
            return Ok(None);
        }
        for kind in ["services", "upstreams", "routes", "plugins"] {
            check(&root, kind)?;
        }
        for upstream in list(&root, "upstreams") {
            check(upstream, "targets")?;
        }
        for service in list(&root, "services") {
            check(service, "routes")?;
        }
        if root.get("_format_version").is_none() {
            root.set("_format_version", Node::text(FORMAT));
        }
        for kind in ["services", "upstreams"] {
            sort(&mut root, kind)?;
        }
        Ok(Some(Self { root, gives_ids: false }))
    }

    /// Equal documents give equal texts.
    pub(crate) fn text(&self) -> String {
        emit(&self.root)
    }

    /// What a plan has to know within a scope.
    pub(super) fn world(&self, scope: &ReadScope) -> World {
        match scope {
            ReadScope::Names { upstreams, services, routes } => view::world(&self.root, &|key| match key {
                ObjectKey::Upstream(name) | ObjectKey::Target(name, _) => upstreams.contains(name),
                ObjectKey::Service(name) => services.contains(name),
                ObjectKey::Route(name) => routes.contains(name),
            }),
            ReadScope::All(_) | ReadScope::Audit { .. } | ReadScope::Uses { .. } => {
                view::world(&self.root, &|_| true)
            }
        }
    }

    /// Makes a change, unless what stands there is no longer what it was planned for.
    pub(super) fn apply(&mut self, change: &Change) -> Result<Effect, ApplyError> {
        match &change.write {
            Write::Create(fields) => self.create(&change.key, fields),
            Write::Patch { fields, before, .. } => self.patch(&change.key, fields, before),
            Write::Delete { .. } => self.delete(&change.key),
        }
    }

    fn create(&mut self, key: &ObjectKey, fields: &Fields) -> Result<Effect, ApplyError> {
        if self.find(key).is_some() {
            return Err(otherwise(key, "somebody else has put it there meanwhile"));
        }
        let mut node = Node::map();
        let (field, name) = match key {
            ObjectKey::Target(_, address) => ("target", address.as_str()),
            ObjectKey::Upstream(name) | ObjectKey::Service(name) | ObjectKey::Route(name) => {
                ("name", name.as_str())
            }
        };
        node.set(field, Node::text(name));
        if self.gives_ids && key.kind() != crate::Kind::Target {
            node.set("id", Node::text(&ids::hint(None, key).to_string()));
        }
        let parent = match key {
            ObjectKey::Upstream(_) | ObjectKey::Service(_) => {
                put(&mut node, key, fields, None);
                let effect = view::written(key, &node, None);
                self.insert(if key.kind() == crate::Kind::Upstream { "upstreams" } else { "services" }, node);
                return Ok(effect);
            }
            ObjectKey::Target(upstream, _) => self.named("upstreams", upstream).map(|it| (it, "targets")),
            ObjectKey::Route(_) => {
                let service = fields.get("service").and_then(Value::as_str).unwrap_or_default();
                self.named("services", service).map(|it| (it, "routes"))
            }
        };
        let Some((parent, list)) = parent else {
            return Err(otherwise(key, "what it belongs to has gone meanwhile"));
        };
        put(&mut node, key, fields, Some(parent));
        let effect = view::written(key, &node, Some(parent));
        match key {
            ObjectKey::Target(..) => insert_target(parent, node),
            _ => parent.list_mut(list).push(node),
        }
        Ok(effect)
    }

    /// What bears nobody's mark may only be given one, and only while its tags are those that were seen.
    fn patch(&mut self, key: &ObjectKey, fields: &Fields, before: &Fields) -> Result<Effect, ApplyError> {
        let seen = |node: &Node| before.get("tags").is_some_and(|tags| view::words(tags) == tags_of(node));
        if !self.find(key).is_some_and(|node| is_marked(node) || seen(node)) {
            return Err(otherwise(key, "it has gone meanwhile, or is no longer ours"));
        }
        if let (ObjectKey::Route(_), Some(to)) = (key, fields.get("service").and_then(Value::as_str)) {
            self.move_route(key, to)?;
        }
        let parent = match key {
            ObjectKey::Target(upstream, _) => {
                self.named("upstreams", upstream).map(|upstream| upstream.clone_without("targets"))
            }
            ObjectKey::Route(_) => {
                let service = self.route_service(key);
                service
                    .and_then(|service| self.named("services", &service))
                    .map(|it| it.clone_without("routes"))
            }
            ObjectKey::Upstream(_) | ObjectKey::Service(_) => None,
        };
        let Some(node) = self.find(key) else { return Err(otherwise(key, "it has gone meanwhile")) };
        put(node, key, fields, parent.as_ref());
        Ok(view::written(key, node, parent.as_ref()))
    }

    fn move_route(&mut self, key: &ObjectKey, to: &str) -> Result<(), ApplyError> {
        let route = self.find(key).cloned();
        let (Some(mut route), Some(_)) = (route, self.named("services", to)) else {
            return Err(otherwise(key, "the service that it is to lead to has gone meanwhile"));
        };
        self.remove(key);
        route.unset("service");
        if let Some(service) = self.named("services", to) {
            service.list_mut("routes").push(route);
        }
        Ok(())
    }

    fn delete(&mut self, key: &ObjectKey) -> Result<Effect, ApplyError> {
        match self.find(key) {
            None => return Ok(Effect::Deleted),
            Some(node) if !is_marked(node) => return Err(otherwise(key, "it is no longer ours")),
            Some(_) => {}
        }
        if self.is_used(key) {
            return Err(otherwise(key, "something leads to it, or stands on it, meanwhile"));
        }
        self.remove(key);
        Ok(Effect::Deleted)
    }

    /// Whether anything would lose what it leads to or stands on, were this deleted.
    fn is_used(&self, key: &ObjectKey) -> bool {
        let leads = |kind: &str, field: &str, to: &str| {
            list(&self.root, kind).any(|it| reference(it, field) == Some(to))
        };
        let bears = |it: &Node| ["routes", "plugins"].iter().any(|inner| list(it, inner).next().is_some());
        match key {
            ObjectKey::Target(..) => false,
            ObjectKey::Upstream(name) => {
                list(&self.root, "services").any(|service| service_host(service).as_ref() == Some(name))
            }
            ObjectKey::Service(name) => {
                list(&self.root, "services").any(|service| is(service, key) && bears(service))
                    || leads("routes", "service", name)
                    || leads("plugins", "service", name)
            }
            ObjectKey::Route(name) => leads("plugins", "route", name),
        }
    }

    fn find(&mut self, key: &ObjectKey) -> Option<&mut Node> {
        match key {
            ObjectKey::Upstream(name) => self.named("upstreams", name),
            ObjectKey::Service(name) => self.named("services", name),
            ObjectKey::Target(upstream, _) => {
                let upstream = self.named("upstreams", upstream)?;
                items_mut(upstream, "targets").find(|node| is(node, key))
            }
            ObjectKey::Route(_) => {
                let nested = self.route_service(key).map(|service| (service, "routes"));
                match nested {
                    Some((service, list)) => {
                        items_mut(self.named("services", &service)?, list).find(|node| is(node, key))
                    }
                    None => items_mut(&mut self.root, "routes").find(|node| is(node, key)),
                }
            }
        }
    }

    /// The service in which a route stands.
    fn route_service(&self, key: &ObjectKey) -> Option<String> {
        let holds = |service: &&Node| list(service, "routes").any(|route| is(route, key));
        list(&self.root, "services").find(holds).and_then(name).map(str::to_owned)
    }

    /// An entity of a list at the top, which is sorted by name.
    pub(super) fn named(&mut self, kind: &str, wanted: &str) -> Option<&mut Node> {
        let items = self.items(kind)?;
        let at = items.binary_search_by_key(&Some(wanted), |node| name(node)).ok()?;
        items.get_mut(at)
    }

    pub(super) fn items(&mut self, kind: &str) -> Option<&mut Vec<Node>> {
        self.root.get_mut(kind).and_then(Node::items_mut)
    }

    pub(super) fn insert(&mut self, kind: &str, node: Node) {
        let items = self.root.list_mut(kind);
        let at = items.partition_point(|item| name(item) < name(&node));
        items.insert(at, node);
    }

    /// Keeps of a list at the top what is wanted.
    pub(super) fn retain(&mut self, kind: &str, wanted: impl FnMut(&Node) -> bool) {
        if let Some(items) = self.items(kind) {
            items.retain(wanted);
        }
    }

    fn remove(&mut self, key: &ObjectKey) {
        let list = match key {
            ObjectKey::Upstream(_) => self.items("upstreams"),
            ObjectKey::Service(_) => self.items("services"),
            ObjectKey::Target(upstream, _) => {
                self.named("upstreams", upstream).and_then(|it| it.get_mut("targets")?.items_mut())
            }
            ObjectKey::Route(_) => match self.route_service(key) {
                Some(service) => {
                    self.named("services", &service).and_then(|it| it.get_mut("routes")?.items_mut())
                }
                None => self.items("routes"),
            },
        };
        if let Some(list) = list {
            list.retain(|node| !is(node, key));
        }
    }
}

fn items_mut<'a>(node: &'a mut Node, field: &str) -> impl Iterator<Item = &'a mut Node> + use<'a> {
    node.get_mut(field).and_then(Node::items_mut).into_iter().flatten()
}

fn is(node: &Node, key: &ObjectKey) -> bool {
    match key {
        ObjectKey::Target(_, address) => node.field("target").is_some_and(|text| {
            // What is written as Kong would write it needs no closer look.
            text == address.as_str()
                || (!TargetAddress::is_stored(text) && address_of(node).as_ref() == Some(address))
        }),
        ObjectKey::Upstream(wanted) | ObjectKey::Service(wanted) | ObjectKey::Route(wanted) => {
            name(node) == Some(wanted)
        }
    }
}

/// Every entry of a list of entities must be a map, so that none is overlooked.
fn check(node: &Node, field: &str) -> Result<(), Broken> {
    let Some(list) = node.get(field).filter(|list| !list.is_null()) else { return Ok(()) };
    if !matches!(list.kind, Kind::List(_)) {
        return Err(Broken::new(list.at, format!("`{field}` must be a list")));
    }
    match list.items().iter().find(|item| !matches!(item.kind, Kind::Map(_))) {
        Some(item) => Err(Broken::new(item.at, format!("each of `{field}` must be a map"))),
        None => Ok(()),
    }
}

/// Sorts entities by name, which no two of a kind may share.
fn sort(root: &mut Node, kind: &str) -> Result<(), Broken> {
    let Some(items) = root.get_mut(kind).and_then(Node::items_mut) else { return Ok(()) };
    items.sort_by(|a, b| name(a).cmp(&name(b)));
    match items.windows(2).find(|pair| name(&pair[0]).is_some() && name(&pair[0]) == name(&pair[1])) {
        Some(pair) => {
            let name = name(&pair[1]).unwrap_or_default();
            Err(Broken::new(pair[1].at, format!("`{name}` stands twice among `{kind}`")))
        }
        None => Ok(()),
    }
}

/// Sets fields. A nested route's service is told by its place, and most of a target's tags by its upstream.
fn put(node: &mut Node, key: &ObjectKey, fields: &Fields, parent: Option<&Node>) {
    for (field, value) in fields {
        match (key, field.as_str(), parent) {
            (ObjectKey::Route(_), "service", _) => {}
            (_, "tags", _) if value.is_null() => node.unset(field),
            (ObjectKey::Target(..), "tags", Some(upstream)) => {
                let tags = view::abbreviated(view::words(value), &tags_of(upstream));
                node.set(field, Node::list(tags.iter().map(|tag| Node::text(tag))));
            }
            _ => node.set(field, Node::of(value)),
        }
    }
}

fn otherwise(key: &ObjectKey, why: &str) -> ApplyError {
    ApplyError { message: format!("{key}: {why}; it is read and planned again"), retry: Retry::ReadAgain }
}
