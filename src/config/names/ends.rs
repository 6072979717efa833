//! The names of registries and gateways.

use std::collections::BTreeMap;

use super::{Item, items, shown};
use crate::config::{
    mistakes::{Findings, Path},
    model::RegistryKind,
    tree::{Node, Source},
    words::did_you_mean,
};

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndKind {
    Registry,
    Gateway,
}

#[derive(Debug)]
struct End<'t> {
    kind: EndKind,
    node: &'t Node,
    /// The name as the file has it.
    shown: String,
}

/// The registries and gateways of a document by name, those written inline included.
#[derive(Debug)]
pub(crate) struct Ends<'t> {
    ends: BTreeMap<&'t str, End<'t>>,
    source: &'t Source<'t>,
}

/// One end of a task as far as it is known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known<'t> {
    pub(crate) name: &'t str,
    pub(crate) kind: EndKind,
    pub(crate) node: &'t Node,
}

impl<'t> Known<'t> {
    /// The name as the file has it.
    pub(crate) fn shown(&self) -> String {
        self.node.get("name").map_or_else(String::new, shown)
    }

    /// The type of a registry.
    pub(crate) fn registry(&self) -> Option<RegistryKind> {
        let word = self.node.get("type")?.text()?;
        RegistryKind::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// What its services are in that are in no other namespace.
    pub(crate) fn default_namespace(&self) -> Option<&'t str> {
        let kind = self.registry()?;
        let label = self.node.get("namespaces").and_then(|namespaces| namespaces.items().first()?.text());
        Some(label.filter(|_| kind.has_one_namespace()).unwrap_or(kind.default_namespace()))
    }
}

impl<'t> Ends<'t> {
    /// Gathers the names of a native document and tells of each that is taken.
    pub(crate) fn gather(root: &'t Node, source: &'t Source<'t>, findings: &mut Findings) -> Self {
        let mut gathered = Self { ends: BTreeMap::new(), source };
        let top = Path::default();
        for (list, kind) in [("registries", EndKind::Registry), ("gateways", EndKind::Gateway)] {
            for (path, node) in items(root, list, &top) {
                gathered.add_listed(node, kind, &path, findings);
            }
        }
        gathered.gather_inline(&items(root, "tasks", &top), findings);
        gathered
    }

    /// Gathers only what tasks write inline.
    pub(crate) fn inline(tasks: &[Item<'t>], source: &'t Source<'t>, findings: &mut Findings) -> Self {
        let mut gathered = Self { ends: BTreeMap::new(), source };
        gathered.gather_inline(tasks, findings);
        gathered
    }

    fn gather_inline(&mut self, tasks: &[Item<'t>], findings: &mut Findings) {
        for (path, task) in tasks {
            for end in ["source", "destination"] {
                if let Some(node) = task.get(end).filter(|node| node.as_scalar().is_none()) {
                    self.add_inline(node, &path.key(end), findings);
                }
            }
        }
    }

    fn add_listed(&mut self, node: &'t Node, kind: EndKind, path: &Path, findings: &mut Findings) {
        let Some((name, at)) = node.get("name").and_then(|name| Some((name.text()?, name))) else { return };
        if self.ends.contains_key(name) {
            let message = format!("the name `{}` is taken", shown(at));
            findings.mistake(at.at, &path.key("name"), message);
            return;
        }
        self.ends.insert(name, End { kind, node, shown: shown(at) });
    }

    /// The same name may be written out again, as long as it says the same.
    fn add_inline(&mut self, node: &'t Node, path: &Path, findings: &mut Findings) {
        let Some((name, at)) = node.get("name").and_then(|name| Some((name.text()?, name))) else { return };
        let is_gateway = node.get("type").and_then(Node::text).is_some_and(|kind| kind.starts_with("kong"));
        let kind = if is_gateway { EndKind::Gateway } else { EndKind::Registry };
        match self.ends.get(name) {
            None => {
                self.ends.insert(name, End { kind, node, shown: shown(at) });
            }
            Some(earlier) if earlier.node.says_the_same(node) => {}
            Some(earlier) => {
                let (line, _) = self.source.place(earlier.node.at);
                let message =
                    format!("the name `{}` is taken by another definition in line {line}", shown(at));
                findings.mistake(at.at, &path.key("name"), message);
            }
        }
    }

    /// What stands at one end of a task, when its name is known.
    pub(crate) fn find(&self, task: &'t Node, end: &str) -> Option<Known<'t>> {
        let name = name_at(task, end)?;
        let (name, end) = self.ends.get_key_value(name)?;
        Some(Known { name, kind: end.kind, node: end.node })
    }

    /// As [`Ends::find`], telling when the name is unknown.
    pub(crate) fn resolve(
        &self,
        task: &'t Node,
        end: &str,
        path: &Path,
        findings: &mut Findings,
    ) -> Option<Known<'t>> {
        let found = self.find(task, end);
        if found.is_none() && name_at(task, end).is_some() {
            let node = task.get(end)?;
            let hint = did_you_mean(&shown(node), self.ends.values().map(|end| end.shown.as_str()));
            let message = format!("no registry or gateway is named `{}`{hint}", shown(node));
            findings.mistake(node.at, &path.key(end), message);
        }
        found
    }
}

/// The name at one end of a task, called or written inline.
fn name_at<'t>(task: &'t Node, end: &str) -> Option<&'t str> {
    let node = task.get(end)?;
    if node.as_scalar().is_some() { node.text() } else { node.get("name")?.text() }
}
