//! What polaris-sync itself would refuse, what Causeway can't do, and where the two behave differently.

use super::{DEFAULT_GROUP, length};
use crate::config::{
    formats::{Address, Form, KongUrl},
    mistakes::{Findings, Path},
    names::{Ends, Item, check_claims, check_groups, is, items, shown, tell_repeated_entries, unique_names},
    tree::{Node, Source},
};

pub(super) fn verify(root: &Node, source: &Source<'_>, findings: &mut Findings) {
    let tasks = items(root, "tasks", &Path::default());
    let (enabled, disabled): (Vec<Item<'_>>, Vec<Item<'_>>) =
        tasks.into_iter().partition(|(_, task)| is(task, "enable", true));
    for (path, task) in disabled.iter().filter(|(_, task)| task.get("enable").is_none()) {
        findings.warning(
            task.at,
            path,
            "without `enable: true` polaris-sync leaves a task out; so it is here",
        );
    }
    unique_names(&enabled, "task", findings);
    for (path, task) in &enabled {
        verify_task(task, path, findings);
    }
    let ends = Ends::inline(&enabled, source, findings);
    check_claims(&enabled, &ends, findings);
    verify_methods(root, !enabled.is_empty(), findings);
    tell_of_reports(root, findings);
}

fn verify_task(task: &Node, path: &Path, findings: &mut Findings) {
    required(task, "name", path, findings);
    for end in ["source", "destination"] {
        match task.get(end) {
            Some(node) => verify_endpoint(node, end == "source", &path.key(end), findings),
            None => findings.mistake(task.at, path, format!("`{end}` is missing")),
        }
    }
    let entries = items(task, "match", path);
    for (path, entry) in &entries {
        verify_entry(entry, path, findings);
    }
    tell_repeated_entries(&entries, findings);
    tell_of_creations(task, path, findings);
    tell_of_upstreams(task, &entries, findings);
}

/// Tells when a text is missing or blank.
fn required(table: &Node, key: &str, path: &Path, findings: &mut Findings) {
    match table.get(key) {
        Some(node) if node.text().is_some_and(|text| text.trim().is_empty()) => {
            findings.mistake(node.at, &path.key(key), "must not be empty");
        }
        Some(_) => {}
        None => findings.mistake(table.at, path, format!("`{key}` is missing")),
    }
}

fn verify_endpoint(endpoint: &Node, is_source: bool, path: &Path, findings: &mut Findings) {
    required(endpoint, "name", path, findings);
    let addresses = items(endpoint, "addresses", path);
    if addresses.is_empty() {
        findings.mistake(endpoint.at, path, "`addresses` is missing");
    }
    let kind = endpoint.get("type").and_then(Node::text).unwrap_or("unknown");
    for (path, address) in addresses {
        let Some(text) = address.text() else { continue };
        let parsed = if kind == "kong" { KongUrl::parse(text) } else { Address::parse(text) };
        if let Err(why) = parsed {
            findings.mistake(address.at, &path, format!("this address {why}"));
        }
    }
    let (at, path) =
        endpoint.get("type").map_or((endpoint.at, path.clone()), |node| (node.at, path.key("type")));
    match kind {
        "unknown" => findings.mistake(at, &path, "the `type` of registry is missing"),
        "kubernetes" => findings.mistake(at, &path, "Causeway has no registry of type `kubernetes`"),
        "kong" if is_source => findings.mistake(at, &path, "`kong` is a gateway: a source is a registry"),
        _ => {}
    }
}

fn verify_entry(entry: &Node, path: &Path, findings: &mut Findings) {
    let blank = |key: &str| entry.get(key).and_then(Node::text).is_none_or(|text| text.trim().is_empty());
    let groups = items(entry, "groups", path);
    if blank("namespace") && blank("service") && groups.is_empty() {
        findings.warning(entry.at, path, "an empty entry is skipped");
        return;
    }
    for key in ["namespace", "service"] {
        required(entry, key, path, findings);
        let pattern = entry.get(key).filter(|node| node.text().is_some_and(|text| text.contains(['*', '?'])));
        if let Some(node) = pattern {
            let message =
                format!("`{}` is an exact name to polaris-sync, and no pattern here either", shown(node));
            findings.warning(node.at, &path.key(key), message);
        }
    }
    check_groups(entry, path, &[], findings);
    for (path, group) in groups {
        verify_group(group, &path, findings);
    }
}

fn verify_group(group: &Node, path: &Path, findings: &mut Findings) {
    required(group, "name", path, findings);
    let metadata = group.get("metadata").map_or(&[][..], Node::entries);
    let path = path.key("metadata");
    for pair in metadata {
        let blank = pair.value.text().is_some_and(|text| text.trim().is_empty());
        if pair.key.trim().is_empty() || blank {
            findings.mistake(pair.key_at, &path.key(&pair.key), "an empty key or value matches no instance");
        }
    }
    if let Some(name) =
        group.get("name").filter(|name| name.text() == Some(DEFAULT_GROUP) && !metadata.is_empty())
    {
        let message = "this `default` group holds a part of the instances only, as in polaris-sync; a native \
                       document has no such thing";
        findings.warning(name.at, &path, message);
    }
}

/// polaris-sync stopped creating Kong's services and upstreams in February 2023, though its README says that
/// it does.
fn tell_of_creations(task: &Node, path: &Path, findings: &mut Findings) {
    let destination = task.get("destination");
    let kind = destination.and_then(|destination| destination.get("type"));
    if let Some(kind) = kind.filter(|kind| kind.text() == Some("kong")) {
        let message = "Causeway makes the service and upstreams that Kong lacks, as polaris-sync's README says; \
                       its releases since 2023 fill existing upstreams only";
        findings.warning(kind.at, &path.key("destination").key("type"), message);
    }
}

/// A group's upstream means something at a Kong only; polaris-sync passes over it elsewhere.
fn tell_of_upstreams(task: &Node, entries: &[Item<'_>], findings: &mut Findings) {
    let kind = task.get("destination").and_then(|destination| destination.get("type")).and_then(Node::text);
    if kind == Some("kong") {
        return;
    }
    for (path, entry) in entries {
        for (path, group) in items(entry, "groups", path) {
            let upstream = group.get("upstreamName");
            if let Some(node) = upstream.filter(|node| node.text().is_some_and(|text| !text.is_empty())) {
                let message = "the destination is a registry, which has no upstreams: this says nothing";
                findings.warning(node.at, &path.key("upstreamName"), message);
            }
        }
    }
}

fn verify_methods(root: &Node, has_tasks: bool, findings: &mut Findings) {
    let methods = items(root, "methods", &Path::default());
    let mut seen: Vec<&str> = Vec::new();
    for (path, method) in &methods {
        let kind = method.get("type").and_then(Node::text).unwrap_or("unknown");
        if kind == "unknown" {
            findings.mistake(method.at, path, "the `type` of method is missing (watch or pull)");
        } else if seen.contains(&kind) {
            findings.mistake(method.at, path, format!("`{kind}` is listed already"));
        }
        seen.push(kind);
        if let Some(interval) = method.get("interval").filter(|_| kind == "pull") {
            tell_of_interval(interval, &path.key("interval"), findings);
        }
    }
    if has_tasks && !methods.iter().any(|(_, method)| is(method, "enable", true)) {
        let at = root.get("methods").map_or(root.at, |methods| methods.at);
        findings.mistake(
            at,
            &Path::default().key("methods"),
            "no method is enabled: no task would carry anything",
        );
    }
}

fn tell_of_interval(interval: &Node, path: &Path, findings: &mut Findings) {
    if interval.text().is_some_and(|text| !text.is_empty() && length(text).is_none()) {
        let message =
            format!("`{}` is no duration that polaris-sync knows: five minutes, as there", shown(interval));
        findings.warning(interval.at, path, message);
    }
}

fn tell_of_reports(root: &Node, findings: &mut Findings) {
    let path = Path::default().key("report");
    let Some(report) = root.get("report") else { return };
    for (path, target) in items(report, "targets", &path) {
        let Some(kind) = target.get("type").filter(|_| is(target, "enable", true)) else { continue };
        match kind.text() {
            Some("prometheus") => {
                let message = "there is no such report: Prometheus reads `/metrics` of the admin address";
                findings.warning(kind.at, &path.key("type"), message);
            }
            Some("balad") => {
                findings.warning(kind.at, &path.key("type"), "Causeway has no such report; it is left out");
            }
            Some("unknown") => {
                findings.mistake(kind.at, &path.key("type"), "the `type` of target is missing")
            }
            _ => {}
        }
    }
}
