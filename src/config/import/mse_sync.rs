//! MSE Sync's documents by MSE Sync's rules: clusters become registries, each task carries the namespaces of
//! its source, and its pattern is one of Java's, matched against the whole name.

use std::collections::BTreeMap;

use super::{
    mse_written::{self as written, Carried, Cluster, ClusterType},
    read_as,
};
use crate::config::{
    compile::{AUDIT_INTERVAL, DEFAULT_LISTEN, Ends, PROBE_INTERVAL, PROBE_TIMEOUT, REPORT_INTERVAL},
    mistakes::{Findings, Path},
    model::{
        Admin, Config, Copying, Destination, Dialect, HealthCheck, MatchEntry, Mode, Registry, RegistryKind,
        Report, Selector, Task,
    },
    names::{is, items, shown},
    pattern::Pattern,
    tree::Node,
    words::did_you_mean,
};

/// Reads a document of MSE Sync's; what comes back counts only when no mistake was added.
pub(crate) fn read(root: &mut Node, findings: &mut Findings) -> Option<Config> {
    let document: written::Document = read_as(root, findings)?;
    verify(root, findings);
    let mut ends = Ends::default();
    for cluster in document.clusters {
        ends.add_registry(registry(cluster));
    }
    let mut tasks: Vec<Task> = Vec::new();
    for written in document.tasks {
        let name = free_name(&tasks, &format!("{}-to-{}", written.source, written.destination));
        tasks.push(compile_task(name, written, &ends));
    }
    for task in &tasks {
        read_what_is_carried(task, &mut ends);
    }
    Some(Config {
        owner: "causeway".to_owned(),
        admin: Admin { listen: DEFAULT_LISTEN, token: None },
        registries: ends.registries,
        gateways: ends.gateways,
        tasks,
        watch: true,
        audit_interval: Some(AUDIT_INTERVAL),
        health_check: HealthCheck { enable: true, interval: PROBE_INTERVAL, timeout: PROBE_TIMEOUT },
        report: Report { interval: REPORT_INTERVAL, targets: Vec::new() },
    })
}

fn registry(written: Cluster) -> Registry {
    let kind = match written.cluster_type {
        ClusterType::Nacos => RegistryKind::Nacos,
        ClusterType::Zookeeper => RegistryKind::Zookeeper,
        ClusterType::Eureka => RegistryKind::Eureka,
        ClusterType::Consul => RegistryKind::Consul,
    };
    Registry {
        addresses: written.connect_key_list.into_iter().map(|text| text.0).collect(),
        namespaces: namespaces(kind, written.namespace.as_deref().unwrap_or_default()),
        user: written.user_name,
        password: written.password,
        access_key: written.ak,
        secret_key: written.sk,
        ..Registry::bare(written.cluster_name, kind)
    }
}

fn namespaces(kind: RegistryKind, list: &str) -> Vec<String> {
    let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
    names.map(|name| kind.namespace(name).to_owned()).collect()
}

/// MSE Sync's tasks have no names, and ours stand in marks: the ends name them, numbered when they repeat.
fn free_name(tasks: &[Task], wanted: &str) -> String {
    let taken = |name: &str| tasks.iter().any(|task| task.name == name);
    let numbered = (2..).map(|number| format!("{wanted}-{number}"));
    std::iter::once(wanted.to_owned()).chain(numbered).find(|name| !taken(name)).unwrap_or_default()
}

fn compile_task(name: String, written: written::Task, ends: &Ends) -> Task {
    let hold = ends.hold_of(&written.source);
    let service = written.service_match_pattern.map_or_else(Pattern::any, |text| text.0);
    let of_source = ends.registries.get(&written.source).map_or(&[][..], |registry| &registry.namespaces[..]);
    let namespaces: Vec<Pattern> = match of_source {
        [] => vec![Pattern::any()],
        names => names.iter().map(Pattern::literal).collect(),
    };
    let entries = namespaces.into_iter();
    let matches = entries
        .map(|namespace| MatchEntry::of(Selector { namespace, service: service.clone() }, hold))
        .collect();
    let mode = match written.mode {
        written::Mode::Unidirectional => Mode::Unidirectional,
        written::Mode::Bidirectional => Mode::Bidirectional,
    };
    let destination = Destination::Registry(written.destination);
    let enable = written.r#type != Carried::Config;
    let of = |name: &str| ends.registries.get(name);
    let namespace_map =
        of(&written.source).zip(of(destination.name())).map(namespace_map).unwrap_or_default();
    let copying = Copying { namespace_map, ..Copying::default() };
    Task {
        enable,
        matches,
        mode,
        copying,
        ..Task::bare(name, written.source, destination, hold, Dialect::MseSync)
    }
}

/// Where one end has no namespaces, the only one that the other end lists is meant.
fn namespace_map((source, destination): (&Registry, &Registry)) -> BTreeMap<String, String> {
    let pair = match (source.kind.has_one_namespace(), destination.kind.has_one_namespace()) {
        (true, false) => only(destination).map(|there| (label(source), there)),
        (false, true) => only(source).map(|here| (here, label(destination))),
        _ => None,
    };
    pair.into_iter().collect()
}

fn only(registry: &Registry) -> Option<String> {
    let [one] = &registry.namespaces[..] else { return None };
    Some(one.clone())
}

/// What the services of a registry without namespaces are in.
fn label(registry: &Registry) -> String {
    registry.namespaces.first().map_or_else(|| registry.kind.default_namespace().to_owned(), Clone::clone)
}

/// A cluster's list says what is carried from it. Where it is a destination, what is carried into it is read as well.
fn read_what_is_carried(task: &Task, ends: &mut Ends) {
    let Some(source) = ends.registries.get(&task.source) else { return };
    let carried: Vec<String> = if source.kind.has_one_namespace() {
        let mapped = task.copying.namespace_map.values().next().cloned();
        vec![mapped.unwrap_or_else(|| RegistryKind::Nacos.default_namespace().to_owned())]
    } else {
        task.matches.iter().filter_map(|entry| entry.select.namespace.exact().map(str::to_owned)).collect()
    };
    let Some(destination) = ends.registries.get_mut(task.destination.name()) else { return };
    if destination.kind.has_one_namespace() || destination.namespaces.is_empty() {
        return;
    }
    if carried.is_empty() {
        destination.namespaces.clear();
    }
    for namespace in carried {
        if !destination.namespaces.contains(&namespace) {
            destination.namespaces.push(namespace);
        }
    }
}

fn verify(root: &Node, findings: &mut Findings) {
    let top = Path::default();
    let mut names: Vec<&Node> = Vec::new();
    for (path, cluster) in items(root, "clusters", &top) {
        let Some(name) = cluster.get("clusterName") else { continue };
        if names.iter().any(|earlier| earlier.text() == name.text()) {
            let message = format!("the name `{}` is taken", shown(name));
            findings.mistake(name.at, &path.key("clusterName"), message);
        }
        names.push(name);
    }
    for (path, task) in items(root, "tasks", &top) {
        for end in ["source", "destination"] {
            if let Some(node) = task.get(end) {
                verify_end(node, &names, &path.key(end), findings);
            }
        }
        let source = task.get("source").and_then(Node::text);
        if let Some(node) = task.get("destination").filter(|node| node.text() == source) {
            let message = format!("`{}` is the source as well", shown(node));
            findings.mistake(node.at, &path.key("destination"), message);
        }
        tell_of_differences(root, task, &path, findings);
    }
}

fn verify_end(end: &Node, names: &[&Node], path: &Path, findings: &mut Findings) {
    if end.text().is_none() || names.iter().any(|name| name.text() == end.text()) {
        return;
    }
    let known: Vec<String> = names.iter().map(|name| shown(name)).collect();
    let hint = did_you_mean(&shown(end), known.iter().map(String::as_str));
    findings.mistake(end.at, path, format!("no cluster is named `{}`{hint}", shown(end)));
}

fn tell_of_differences(root: &Node, task: &Node, path: &Path, findings: &mut Findings) {
    if let Some(kind) = task.get("type") {
        let message = match kind.text() {
            Some("Config") => Some("Causeway carries no configuration: this task does not run"),
            Some("All") => Some("Causeway carries no configuration: this task carries the services only"),
            _ => None,
        };
        if let Some(message) = message {
            findings.warning(kind.at, &path.key("type"), message);
        }
    }
    if is(task, "autoScanAndAddService", false) {
        let message = "Causeway always takes up new services; leave one out by its name";
        findings.warning(task.at, &path.key("autoScanAndAddService"), message);
    }
    tell_of_namespaces(root, task, path, findings);
}

/// A copy keeps its namespace, so a destination's own list says nothing unless it differs. Where one end has no namespaces, the only
/// one that the other lists is meant.
fn tell_of_namespaces(root: &Node, task: &Node, path: &Path, findings: &mut Findings) {
    let clusters = items(root, "clusters", &Path::default());
    let cluster = |end: &str| {
        let name = task.get(end)?.text()?;
        let named =
            |(_, cluster): &&(Path, &Node)| cluster.get("clusterName").and_then(Node::text) == Some(name);
        clusters.iter().find(named).map(|(_, cluster)| *cluster)
    };
    let (Some(source), Some(destination)) = (cluster("source"), cluster("destination")) else { return };
    let (carried, own) = (listed(source), listed(destination));
    let message = match (has_namespaces(source), has_namespaces(destination)) {
        (true, true) if !own.is_empty() && own != carried => {
            "services keep their namespaces at the destination, whatever its own `namespace` says"
        }
        (true, false) if carried.len() != 1 => {
            "this cluster has no namespaces: services of the default one alone are carried, unless the source's \
             `namespace` names a single other one"
        }
        (false, true) if own.len() > 1 => {
            "the source has no namespaces: its services are carried into the default one, since `namespace` names several"
        }
        _ => return,
    };
    let at = task.get("destination").map_or(task.at, |node| node.at);
    findings.warning(at, &path.key("destination"), message);
}

fn has_namespaces(cluster: &Node) -> bool {
    cluster.get("clusterType").and_then(Node::text) == Some("NACOS")
}

/// The namespaces of a Nacos that a cluster lists.
fn listed(cluster: &Node) -> Vec<String> {
    namespaces(RegistryKind::Nacos, cluster.get("namespace").and_then(Node::text).unwrap_or_default())
}
