//! Mistakes of meaning: what is well formed and yet can't be so. They are looked for in the tree, so that they
//! are told together with the mistakes of shape; what has no sound shape is passed over here.

mod copying;
mod ends;
mod lease;
mod rest;
mod route;
mod split;
mod tasks;

pub(crate) use ends::{EndKind, Ends};
pub(crate) use tasks::{check_claims, check_groups, tell_repeated_entries, unique_names};

use super::{
    check::quoted,
    mistakes::{Findings, Path},
    tree::{Node, Source},
};

/// Looks for every mistake of meaning in a native document.
pub(crate) fn check(root: &Node, source: &Source<'_>, findings: &mut Findings) {
    let ends = Ends::gather(root, source, findings);
    rest::check(root, findings);
    tasks::check(root, &ends, findings);
}

/// A table in a list, with its path.
pub(crate) type Item<'t> = (Path, &'t Node);

/// The items of the list under a key.
pub(crate) fn items<'t>(table: &'t Node, key: &str, path: &Path) -> Vec<Item<'t>> {
    let path = path.key(key);
    let items = table.get(key).map_or(&[][..], Node::items);
    items.iter().enumerate().map(|(index, item)| (path.index(index), item)).collect()
}

/// Where a key stands, when it says anything.
pub(crate) fn place_of(table: &Node, key: &str) -> Option<usize> {
    table
        .entries()
        .iter()
        .find(|entry| entry.key == key && !entry.value.is_nothing())
        .map(|entry| entry.key_at)
}

/// A scalar's text as the file has it, for a message.
pub(crate) fn shown(node: &Node) -> String {
    node.as_scalar().map_or_else(String::new, |scalar| quoted(&scalar.written))
}

/// Whether the truth value under a key is `expected`; what is absent or no truth value isn't.
pub(crate) fn is(table: &Node, key: &str, expected: bool) -> bool {
    table.get(key).and_then(Node::as_scalar).and_then(|scalar| scalar.as_bool()) == Some(expected)
}
