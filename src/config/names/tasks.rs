//! Tasks: their ends, what they carry and the upstreams that they claim.

use std::collections::BTreeMap;

use super::{EndKind, Ends, Item, copying, ends::Known, is, items, route, shown, split};
use crate::config::{
    mistakes::{Findings, Path},
    model::RegistryKind,
    tree::Node,
};

/// Group names that mean something of their own.
const RESERVED: [&str; 2] = ["default", "split"];

pub(super) fn check(root: &Node, ends: &Ends<'_>, findings: &mut Findings) {
    let defaults = root.get("defaults");
    if let Some(defaults) = defaults {
        let path = Path::default().key("defaults");
        check_excludes(defaults, &path, findings);
        route::check(defaults, &path, findings);
        split::check_shares(defaults, &path, findings);
    }
    let tasks = items(root, "tasks", &Path::default());
    unique_names(&tasks, "task", findings);
    for (path, task) in &tasks {
        check_task(task, path, ends, findings);
        if ends.find(task, "destination").is_some_and(|end| end.kind == EndKind::Registry) {
            copying::check(task, path, ends, findings);
        } else {
            copying::tell_of_keys(task, path, ends, findings);
            check_for_gateway(task, path, defaults, findings);
            check_routes(task, path, defaults.unwrap_or(root), findings);
        }
    }
    let enabled: Vec<Item<'_>> = tasks.into_iter().filter(|(_, task)| !is(task, "enable", false)).collect();
    check_claims(&enabled, ends, findings);
}

/// Tells of every name in a list that stands there twice.
pub(crate) fn unique_names(items: &[Item<'_>], what: &str, findings: &mut Findings) {
    let mut seen: Vec<&str> = Vec::new();
    for (path, item) in items {
        let Some(name) = item.get("name") else { continue };
        let Some(text) = name.text() else { continue };
        if seen.contains(&text) {
            let message = format!("another {what} is named `{}` already", shown(name));
            findings.mistake(name.at, &path.key("name"), message);
        }
        seen.push(text);
    }
}

fn check_task<'t>(task: &'t Node, path: &Path, ends: &Ends<'t>, findings: &mut Findings) {
    check_ends(task, path, ends, findings);
    check_excludes(task, path, findings);
    let source = ends.find(task, "source");
    let entries = items(task, "match", path);
    for (path, entry) in &entries {
        check_entry(entry, path, source, findings);
    }
    tell_repeated_entries(&entries, findings);
}

/// The splits of a task and of its entries; `defaults` stands behind both.
fn check_for_gateway(task: &Node, path: &Path, defaults: Option<&Node>, findings: &mut Findings) {
    split::check_shares(task, path, findings);
    let entries = items(task, "match", path);
    for (path, entry) in &entries {
        split::check_shares(entry, path, findings);
        split::check_groups_of(entry, path, [defaults, Some(task)], findings);
    }
    split::check_weights(task, path, &entries, defaults, findings);
}

/// The routes of a task and of its entries; `defaults` stands behind both.
fn check_routes(task: &Node, path: &Path, defaults: &Node, findings: &mut Findings) {
    route::check(task, path, findings);
    for (entry_path, entry) in items(task, "match", path) {
        route::check(entry, &entry_path, findings);
        let is_exact = exact(entry).is_some();
        let farthest = (Path::default().key("defaults"), defaults);
        route::check_entry(&[(entry_path, entry), (path.clone(), task), farthest], is_exact, findings);
    }
}

fn check_ends<'t>(task: &'t Node, path: &Path, ends: &Ends<'t>, findings: &mut Findings) {
    let source = ends.resolve(task, "source", path, findings);
    let destination = ends.resolve(task, "destination", path, findings);
    let place = |end: &str| task.get(end).map_or(task.at, |node| node.at);
    if let Some(source) = source.filter(|source| source.kind == EndKind::Gateway) {
        let message = format!("`{}` is a gateway: a source is a registry", source.shown());
        findings.mistake(place("source"), &path.key("source"), message);
    }
    let Some(destination) = destination else { return };
    if source.is_some_and(|source| source.name == destination.name) {
        let message = format!("`{}` is the source as well", destination.shown());
        findings.mistake(place("destination"), &path.key("destination"), message);
    }
    let mode = task.get("mode").filter(|mode| mode.text() == Some("bidirectional"));
    if let (Some(mode), EndKind::Gateway) = (mode, destination.kind) {
        let message = format!(
            "`{}` is a gateway: only between two registries can a task go both ways",
            destination.shown()
        );
        findings.mistake(mode.at, &path.key("mode"), message);
    }
}

/// What selects services in an entry of `match` or `exclude`.
const SELECTING: [&str; 3] = ["namespace", "service", "service_pattern"];

fn check_excludes(table: &Node, path: &Path, findings: &mut Findings) {
    for (path, entry) in items(table, "exclude", path) {
        if !check_selection(entry, &path, findings) {
            findings.mistake(entry.at, &path, "an empty entry would exclude everything");
        }
    }
}

/// Whether an entry selects anything, telling what is wrong with how it does.
fn check_selection(entry: &Node, path: &Path, findings: &mut Findings) -> bool {
    if let (Some(_), Some(pattern)) = (entry.get("service"), entry.get("service_pattern")) {
        let message = "stands beside `service`: only one of them can hold";
        findings.mistake(pattern.at, &path.key("service_pattern"), message);
    }
    SELECTING.iter().any(|key| entry.get(key).is_some())
}

fn check_entry(entry: &Node, path: &Path, source: Option<Known<'_>>, findings: &mut Findings) {
    if !check_selection(entry, path, findings) {
        let message = "an empty entry: `namespace`, `service` or `service_pattern` says what it carries \
                       (`service: \"*\"` for all)";
        findings.mistake(entry.at, path, message);
    }
    check_excludes(entry, path, findings);
    check_groups(entry, path, &RESERVED, findings);
    let nacos = source.is_some_and(|source| source.registry() == Some(RegistryKind::Nacos));
    if let Some(namespace) = entry.get("namespace").filter(|node| nacos && node.text() == Some("public")) {
        findings.mistake(namespace.at, &path.key("namespace"), super::rest::PUBLIC);
    }
}

/// The names of an entry's groups and, where they claim an upstream, whether they may.
pub(crate) fn check_groups(entry: &Node, path: &Path, reserved: &[&str], findings: &mut Findings) {
    let groups = items(entry, "groups", path);
    unique_names(&groups, "group", findings);
    for (path, group) in groups {
        let is_reserved = |name: &&Node| name.text().is_some_and(|text| reserved.contains(&text));
        if let Some(name) = group.get("name").filter(is_reserved) {
            let message = format!("the group name `{}` is reserved", shown(name));
            findings.mistake(name.at, &path.key("name"), message);
        }
        if let Some(upstream) = group.get("upstreamName").filter(|_| exact(entry).is_none()) {
            let message = "only where namespace and service are exact, not patterns, can a group fill an \
                           upstream of its own";
            findings.mistake(upstream.at, &path.key("upstreamName"), message);
        }
    }
}

/// The one service that an entry is about.
fn exact(entry: &Node) -> Option<(&str, &str)> {
    let part = |key: &str| entry.get(key)?.text().filter(|text| !text.contains(['*', '?']));
    Some((part("namespace")?, part("service")?))
}

/// An upstream can be filled by one group only.
pub(crate) fn check_claims<'t>(tasks: &[Item<'t>], ends: &Ends<'t>, findings: &mut Findings) {
    let mut claims: BTreeMap<(&str, &str), String> = BTreeMap::new();
    for (path, task) in tasks {
        let Some(destination) = ends.find(task, "destination") else { continue };
        for (path, entry) in items(task, "match", path) {
            for (path, group) in items(entry, "groups", &path) {
                let Some(upstream) = group.get("upstreamName") else { continue };
                let Some(name) = upstream.text() else { continue };
                let path = path.key("upstreamName");
                if let Some(earlier) = claims.get(&(destination.name, name)) {
                    let message =
                        format!("the upstream `{}` is claimed by {earlier} already", shown(upstream));
                    findings.mistake(upstream.at, &path, message);
                } else {
                    claims.insert((destination.name, name), path.to_string());
                }
            }
        }
    }
}

/// Warns of entries that an earlier one hides: the first that fits wins.
pub(crate) fn tell_repeated_entries(entries: &[Item<'_>], findings: &mut Findings) {
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for (path, entry) in entries {
        let Some(service) = exact(entry) else { continue };
        if seen.contains(&service) {
            findings.warning(entry.at, path, "an earlier entry is about this service and wins");
        } else if entry.get("exclude").is_none() {
            seen.push(service);
        }
    }
}
