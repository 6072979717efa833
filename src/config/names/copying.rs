//! Tasks between two registries: what only they have, and what they don't.

use super::{EndKind, Ends, ends::Known, is, items, place_of, shown};
use crate::config::{
    check::quoted,
    mistakes::{Findings, Path},
    model::RegistryKind,
    tree::{Entry, Node},
};

/// Keys that only such a task has.
const OWN: [&str; 5] = ["group", "namespace_map", "rename", "on_stop", "directions"];
/// Keys of a task or an entry that are about a gateway.
const OF_GATEWAYS: [&str; 5] = ["kong", "route", "group_by", "max_groups", "split"];

/// Tells a gateway's task of keys that it can't have.
pub(super) fn tell_of_keys<'t>(task: &'t Node, path: &Path, ends: &Ends<'t>, findings: &mut Findings) {
    let Some(gateway) = ends.find(task, "destination").filter(|end| end.kind == EndKind::Gateway) else {
        return;
    };
    for key in OWN {
        if let Some(at) = place_of(task, key) {
            let message =
                format!("`{}` is a gateway: `{key}` is for tasks between two registries", gateway.shown());
            findings.mistake(at, &path.key(key), message);
        }
    }
}

/// Checks a task whose destination is a registry.
pub(super) fn check<'t>(task: &'t Node, path: &Path, ends: &Ends<'t>, findings: &mut Findings) {
    let Some(destination) = ends.find(task, "destination") else { return };
    let source = ends.find(task, "source").filter(|source| source.kind == EndKind::Registry);
    let both_ways = task.get("mode").and_then(Node::text) == Some("bidirectional");
    let registry = destination.shown();
    tell_of_gateways_keys(task, path, &registry, findings);
    tell(task, path, "fields", &for_gateways(&registry, "fields"), findings);
    for (path, entry) in items(task, "match", path) {
        tell_of_gateways_keys(entry, &path, &registry, findings);
        for (path, group) in items(entry, "groups", &path) {
            tell(group, &path, "upstreamName", &for_gateways(&registry, "upstreamName"), findings);
        }
    }
    if let Some(policy) = task.get("policy").filter(|policy| policy.text() == Some("fill")) {
        let message =
            format!("`{registry}` is a registry: there are no upstreams to fill (`observe` or `own`)");
        findings.mistake(policy.at, &path.key("policy"), message);
    }
    if source.is_none_or(|source| source.name != destination.name) {
        check_written(destination, task, "destination", path, findings);
        if let Some(source) = source.filter(|_| both_ways) {
            check_written(source, task, "source", path, findings);
        }
    }
    check_group(task, path, source.filter(|_| both_ways), destination, findings);
    check_directions(task, path, both_ways, findings);
    check_renames(task, path, findings);
    if let Some(source) = source {
        check_namespaces(task, path, [source, destination], findings);
    }
}

fn tell_of_gateways_keys(table: &Node, path: &Path, registry: &str, findings: &mut Findings) {
    for key in OF_GATEWAYS {
        tell(table, path, key, &for_gateways(registry, key), findings);
    }
}

fn for_gateways(registry: &str, key: &str) -> String {
    format!("`{registry}` is a registry: `{key}` is for gateways")
}

/// Tells of a key that should not be there.
fn tell(table: &Node, path: &Path, key: &str, message: &str, findings: &mut Findings) {
    if let Some(at) = place_of(table, key) {
        findings.mistake(at, &path.key(key), message);
    }
}

/// Whether an end can be written to.
fn check_written(end: Known<'_>, task: &Node, key: &str, path: &Path, findings: &mut Findings) {
    let layout = end.node.get("layout").and_then(Node::text);
    let message = match end.registry() {
        Some(RegistryKind::File) => "is a file: it is read, and nothing is ever written to it",
        Some(RegistryKind::Zookeeper) if layout == Some("dubbo-app") => {
            "has the layout `dubbo-app`, which can be read only: what consumers need besides is in Dubbo's metadata center"
        }
        _ => return,
    };
    let at = task.get(key).map_or(task.at, |node| node.at);
    findings.mistake(at, &path.key(key), format!("`{}` {message}", end.shown()));
}

/// Only Nacos has groups. `source` is given where it is written to as well.
fn check_group(
    task: &Node,
    path: &Path,
    source: Option<Known<'_>>,
    destination: Known<'_>,
    findings: &mut Findings,
) {
    let is_nacos = |end: Known<'_>| end.registry() == Some(RegistryKind::Nacos);
    if is_nacos(destination) || source.is_some_and(is_nacos) {
        return;
    }
    let message = match source {
        Some(source) => format!("neither `{}` nor `{}` is a Nacos", source.shown(), destination.shown()),
        None => format!("`{}` is no Nacos", destination.shown()),
    };
    tell(task, path, "group", &format!("{message}: no other registry has groups"), findings);
}

fn check_directions(task: &Node, path: &Path, both_ways: bool, findings: &mut Findings) {
    let Some(directions) = task.get("directions") else { return };
    if !both_ways {
        tell(task, path, "directions", "only with `mode: bidirectional` has a task two directions", findings);
    } else if is(directions, "there", false) && is(directions, "back", false) {
        let message = "neither direction is on: `enable: false` switches a task off";
        findings.mistake(directions.at, &path.key("directions"), message);
    }
}

fn check_renames(task: &Node, path: &Path, findings: &mut Findings) {
    let (mut froms, mut tos): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    for (path, entry) in items(task, "rename", path) {
        let (Some(from), Some(to)) = (entry.get("from"), entry.get("to")) else { continue };
        let (Some(from_text), Some(to_text)) = (from.text(), to.text()) else { continue };
        if from_text.contains('*') != to_text.contains('*') {
            let message = "`from` and `to` have a `*` each, for the same characters, or neither has";
            findings.mistake(to.at, &path.key("to"), message);
        }
        if froms.contains(&from_text) {
            let message = format!("`{}` is renamed by an earlier entry, which wins", shown(from));
            findings.mistake(from.at, &path.key("from"), message);
        } else if tos.contains(&to_text) {
            let message =
                format!("an earlier entry gives the name `{}`: two services would become one", shown(to));
            findings.mistake(to.at, &path.key("to"), message);
        }
        froms.push(from_text);
        tos.push(to_text);
    }
}

/// One end's namespaces.
struct Namespaces<'t> {
    kind: RegistryKind,
    end: Known<'t>,
    default: &'t str,
}

impl<'t> Namespaces<'t> {
    fn of(end: Known<'t>) -> Option<Self> {
        Some(Self { kind: end.registry()?, end, default: end.default_namespace()? })
    }

    /// Whether two ways of writing it are about one namespace.
    fn same(&self, one: &str, other: &str) -> bool {
        self.kind.namespace(one) == self.kind.namespace(other)
    }

    /// What is wrong with this name of one, as the rest of a sentence that begins with it.
    fn problem(&self, namespace: &str) -> Option<String> {
        if namespace.is_empty() {
            return Some("must not be empty".to_owned());
        }
        if namespace.contains(['*', '?']) {
            return Some("is a pattern: namespaces are mapped one by one".to_owned());
        }
        let other = self.kind.has_one_namespace() && !self.same(namespace, self.default);
        other.then(|| {
            let end = self.end.shown();
            format!("is no namespace of `{end}`: all its services are in one, called `default` unless its `namespaces` says otherwise")
        })
    }
}

fn check_namespaces(task: &Node, path: &Path, ends: [Known<'_>; 2], findings: &mut Findings) {
    let Some(map) = task.get("namespace_map") else { return };
    let [Some(from), Some(to)] = ends.map(Namespaces::of) else { return };
    let map_path = path.key("namespace_map");
    let mut earlier: Vec<&Entry> = Vec::new();
    for pair in map.entries() {
        let Some(value) = pair.value.text() else { continue };
        let path = map_path.key(&pair.key);
        let taken = |other: &&&Entry| other.value.text().is_some_and(|text| to.same(text, value));
        if let Some(problem) = from.problem(&pair.key) {
            findings.mistake(pair.key_at, &path, format!("`{}` {problem}", quoted(&pair.key)));
        } else if let Some(other) = earlier.iter().find(|other| from.same(&other.key, &pair.key)) {
            let message =
                format!("`{}` is the same namespace as `{}`", quoted(&pair.key), quoted(&other.key));
            findings.mistake(pair.key_at, &path, message);
        }
        if let Some(problem) = to.problem(value) {
            findings.mistake(pair.value.at, &path, format!("`{}` {problem}", shown(&pair.value)));
        } else if let Some(other) = earlier.iter().find(taken) {
            let message = format!(
                "`{}` is carried into `{}` already: namespaces are mapped one to one",
                quoted(&other.key),
                shown(&pair.value)
            );
            findings.mistake(pair.value.at, &path, message);
        }
        earlier.push(pair);
    }
    for (path, entry) in items(task, "match", path) {
        check_unmapped(entry, &path, &earlier, [&from, &to], findings);
    }
}

/// What isn't mapped keeps its name, unless others are carried into that.
fn check_unmapped(
    entry: &Node,
    path: &Path,
    map: &[&Entry],
    [from, to]: [&Namespaces<'_>; 2],
    findings: &mut Findings,
) {
    let Some((node, namespace)) = entry.get("namespace").and_then(|node| Some((node, node.text()?))) else {
        return;
    };
    if namespace.contains(['*', '?']) || map.iter().any(|pair| from.same(&pair.key, namespace)) {
        return;
    }
    let there = if from.same(namespace, from.default) { to.default } else { namespace };
    let taken = map.iter().find(|pair| pair.value.text().is_some_and(|text| to.same(text, there)));
    if let Some(pair) = taken {
        let message = format!(
            "`{}` can't be carried: `{}` is mapped onto its name at the destination, `{}`",
            shown(node),
            quoted(&pair.key),
            shown(&pair.value)
        );
        findings.mistake(node.at, &path.key("namespace"), message);
    }
}
