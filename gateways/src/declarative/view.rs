//! A document's entities as the model has them. Ids are those in the document, or else the names.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::defaults;
use super::node::Node;
use crate::{
    Effect, Fields, Kind, LiveObject, LiveTarget, LiveUpstream, Marks, ObjectKey, Tags, TargetAddress, World,
    tags,
};

/// What of an entity is kept elsewhere in the model.
const OF_UPSTREAM: &[&str] = &["targets"];
const OF_SERVICE: &[&str] = &["host", "routes", "plugins"];
const OF_ROUTE: &[&str] = &["service", "plugins"];

/// Everything that a plan has to know of what `asked` names.
pub(super) fn world(root: &Node, asked: &impl Fn(&ObjectKey) -> bool) -> World {
    let mut world = World::default();
    for upstream in list(root, "upstreams") {
        add_upstream(&mut world, upstream, asked);
    }
    for service in list(root, "services") {
        let name = called(service);
        for route in list(service, "routes") {
            add_route(&mut world, route, Some(&name), asked);
        }
        let key = ObjectKey::Service(name.clone());
        if asked(&key) {
            world.insert_service(&name, object(Kind::Service, service, service_host(service), OF_SERVICE));
            add_plugins(&mut world, &key, service);
        }
    }
    for route in list(root, "routes") {
        add_route(&mut world, route, reference(route, "service"), asked);
    }
    for plugin in list(root, "plugins") {
        let on = reference(plugin, "route").map(|name| ObjectKey::Route(name.to_owned()));
        let on = on.or_else(|| reference(plugin, "service").map(|name| ObjectKey::Service(name.to_owned())));
        if let Some(on) = on.filter(asked) {
            add_plugin(&mut world, on, plugin);
        }
    }
    world
}

fn add_upstream(world: &mut World, upstream: &Node, asked: &impl Fn(&ObjectKey) -> bool) {
    let name = called(upstream);
    if !asked(&ObjectKey::Upstream(name.clone())) {
        return;
    }
    let object = object(Kind::Upstream, upstream, None, OF_UPSTREAM);
    let marks = Arc::new(tags::only_marks(&object.tags));
    let targets: BTreeMap<TargetAddress, LiveTarget> =
        list(upstream, "targets").filter_map(|it| target(it, &marks)).collect();
    world.insert_upstream(&name, LiveUpstream { object, targets: Some(targets) });
}

fn add_route(world: &mut World, route: &Node, service: Option<&str>, asked: &impl Fn(&ObjectKey) -> bool) {
    let name = called(route);
    let key = ObjectKey::Route(name.clone());
    if asked(&key) {
        world.insert_route(&name, object(Kind::Route, route, service.map(str::to_owned), OF_ROUTE));
        add_plugins(world, &key, route);
    }
}

fn add_plugins(world: &mut World, on: &ObjectKey, node: &Node) {
    for plugin in list(node, "plugins") {
        add_plugin(world, on.clone(), plugin);
    }
}

fn add_plugin(world: &mut World, on: ObjectKey, plugin: &Node) {
    world.insert_plugin(on, plugin.field("name").unwrap_or("without a name"));
}

/// What a gateway answers to a write of this entity. `parent` is a target's upstream, and the service of a
/// route.
pub(super) fn written(key: &ObjectKey, node: &Node, parent: Option<&Node>) -> Effect {
    let object = match key {
        ObjectKey::Upstream(_) => object(Kind::Upstream, node, None, OF_UPSTREAM),
        ObjectKey::Target(..) => {
            let marks = parent.map(|upstream| tags::only_marks(&tags_of(upstream))).unwrap_or_default();
            target(node, &Arc::new(marks))
                .map(|(_, target)| LiveObject::of_target(&target))
                .unwrap_or_default()
        }
        ObjectKey::Service(_) => object(Kind::Service, node, service_host(node), OF_SERVICE),
        ObjectKey::Route(_) => {
            let service = parent.and_then(name).or_else(|| reference(node, "service"));
            object(Kind::Route, node, service.map(str::to_owned), OF_ROUTE)
        }
    };
    Effect::Written(Box::new(object))
}

/// The items of a list in a field.
pub(super) fn list<'a>(node: &'a Node, field: &str) -> impl Iterator<Item = &'a Node> + use<'a> {
    node.get(field).map(Node::items).unwrap_or_default().iter()
}

/// The name of an entity, or else its id.
pub(super) fn name(node: &Node) -> Option<&str> {
    node.field("name").or_else(|| node.field("id"))
}

/// What a field refers to: `service: name`, or `service: {name: …}` or `{id: …}`.
pub(super) fn reference<'a>(node: &'a Node, field: &str) -> Option<&'a str> {
    let to = node.get(field)?;
    to.scalar().or_else(|| name(to))
}

pub(super) fn tags_of(node: &Node) -> Tags {
    list(node, "tags").filter_map(Node::scalar).map(str::to_owned).collect()
}

/// Tags as a change has them.
pub(super) fn words(tags: &Value) -> Tags {
    tags.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Whether somebody's owner tag is on it: what bears none is nobody's to change.
pub(super) fn is_marked(node: &Node) -> bool {
    Marks::read(&tags_of(node)).owner.is_some()
}

/// What Kong would refuse stays as it is: it is nobody's but its author's.
pub(super) fn address_of(node: &Node) -> Option<TargetAddress> {
    let text = node.field("target")?;
    Some(TargetAddress::parse(text).unwrap_or_else(|_| TargetAddress::stored(text)))
}

/// A service's `host`, or that of the `url` that stands for several fields.
pub(super) fn service_host(node: &Node) -> Option<String> {
    let of_url = || url::Url::parse(node.field("url")?).ok()?.host_str().map(str::to_owned);
    node.field("host").map(str::to_owned).or_else(of_url)
}

/// The tags of a target as they are written: only the owner's where it bears the marks of its upstream and nothing
/// else, since documents grow long.
pub(super) fn abbreviated(tags: Tags, upstream: &Tags) -> Tags {
    let owner =
        tags.iter().find(|tag| tags::is_owner(tag)).filter(|_| tags == tags::only_marks(upstream)).cloned();
    owner.map_or(tags, |owner| Tags::from([owner]))
}

/// The reverse: a target with nothing but the tag of its upstream's owner has all of its upstream's `marks`.
fn in_full(tags: Tags, marks: &Arc<Tags>) -> Arc<Tags> {
    let is_abbreviated = tags.len() == 1 && tags.iter().all(|tag| tags::is_owner(tag) && marks.contains(tag));
    if is_abbreviated { marks.clone() } else { Arc::new(tags) }
}

/// One without a name is told by its place, since two of them must not be taken for one.
fn called(node: &Node) -> String {
    name(node).map_or_else(|| format!("without a name in line {}", node.at.line), str::to_owned)
}

fn object(kind: Kind, node: &Node, leads_to: Option<String>, elsewhere: &[&str]) -> LiveObject {
    let known = |field: &str| matches!(field, "name" | "id" | "tags") || elsewhere.contains(&field);
    let fields = node.entries().iter().filter(|(field, _)| !known(field));
    let fields: Fields = fields.map(|(field, node)| (field.clone(), node.value())).collect();
    let id = name_or_id(node).to_owned();
    LiveObject { id, tags: Arc::new(tags_of(node)), leads_to, fields: defaults::completed(kind, fields) }
}

fn name_or_id(node: &Node) -> &str {
    node.field("id").or_else(|| node.field("name")).unwrap_or_default()
}

fn target(node: &Node, marks: &Arc<Tags>) -> Option<(TargetAddress, LiveTarget)> {
    let address = address_of(node)?;
    let weight = node.field("weight").and_then(|weight| weight.parse().ok()).unwrap_or(100);
    let id = node.field("id").unwrap_or(address.as_str()).to_owned();
    Some((address, LiveTarget { id, weight, tags: in_full(tags_of(node), marks) }))
}
