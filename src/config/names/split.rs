//! Splits: whose shares they are, and whether they come to anything.

use super::{Item, items};
use crate::config::{
    check::quoted,
    mistakes::{Findings, Path},
    tree::{Entry, Node},
    words::did_you_mean,
};

/// What a split says wherever it stands, in defaults, a task or an entry.
pub(super) fn check_shares(table: &Node, path: &Path, findings: &mut Findings) {
    let Some(split) = table.get("split") else { return };
    let path = path.key("split");
    for share in split.entries() {
        let problem = match share.key.as_str() {
            "default" => "`default` holds every instance: only other groups can share the traffic",
            "split" => "`split` is the split itself, and no group",
            _ => continue,
        };
        findings.mistake(share.key_at, &path.key(&share.key), problem);
    }
    let shares: Option<Vec<f64>> = split.entries().iter().map(|share| number(&share.value)).collect();
    if shares.is_some_and(|shares| !shares.is_empty() && shares.iter().all(|share| *share == 0.0)) {
        findings.mistake(split.at, &path, "the shares are 0 together: nobody would be sent anything");
    }
}

/// Whether an entry has the groups that share its traffic. The farther layers are the defaults and the task.
pub(super) fn check_groups_of(
    entry: &Node,
    path: &Path,
    [defaults, task]: [Option<&Node>; 2],
    findings: &mut Findings,
) {
    let layers = [Some(entry), task, defaults];
    let by_value = nearest(layers, "group_by").and_then(Node::text).is_some_and(|key| !key.is_empty());
    let Some(split) = nearest(layers, "split").filter(|_| !by_value) else { return };
    let groups: Vec<&str> =
        items(entry, "groups", path).iter().filter_map(|(_, group)| group.get("name")?.text()).collect();
    let unknown = |share: &&Entry| {
        !["default", "split"].contains(&share.key.as_str()) && !groups.contains(&share.key.as_str())
    };
    for share in split.entries().iter().filter(unknown) {
        let hint = did_you_mean(&share.key, groups.iter().copied());
        let message = format!(
            "no group of this entry is named `{}`{hint}: shares are of its `groups`, or of values of `group_by`",
            quoted(&share.key)
        );
        // An inherited split is told of where it does not fit.
        let (at, path) = match entry.get("split") {
            Some(_) => (share.key_at, path.key("split").key(&share.key)),
            None => (entry.at, path.clone()),
        };
        findings.mistake(at, &path, message);
    }
}

/// A share of traffic is kept by weights, so they cannot be a person's.
pub(super) fn check_weights(
    task: &Node,
    path: &Path,
    entries: &[Item<'_>],
    defaults: Option<&Node>,
    findings: &mut Findings,
) {
    let weight = task.get("fields").and_then(|fields| fields.get("weight"));
    let Some(weight) = weight.filter(|weight| weight.text() == Some("create-only")) else { return };
    let is_split = |entry: &Node| {
        let split = nearest([Some(entry), Some(task), defaults], "split");
        split.is_some_and(|split| !split.entries().is_empty())
    };
    if entries.iter().any(|(_, entry)| is_split(entry)) {
        let message =
            "a `split` of this task keeps its shares by the weights, so they cannot be left to people";
        findings.mistake(weight.at, &path.key("fields").key("weight"), message);
    }
}

/// What the nearest layer that says anything says under a key; the nearest comes first.
fn nearest<'t>(layers: [Option<&'t Node>; 3], key: &str) -> Option<&'t Node> {
    layers.into_iter().flatten().find_map(|table| table.get(key))
}

fn number(node: &Node) -> Option<f64> {
    node.text()?.parse().ok()
}
