//! Where services stand among the nodes, and what an event's path is about. Pure.
//!
//! ```text
//!  /dubbo/{interface}/providers/{URL}      Form::Dubbo     a place for each interface
//!  /services/{service}/{entry}             Form::Entries   a place for each service
//! ```

use super::dubbo;
use crate::config::ZookeeperLayout;

/// Where Dubbo keeps its interfaces.
pub(super) const DUBBO_ROOT: &str = "/dubbo";
/// Where Curator's discovery keeps its services.
pub(super) const ENTRIES_ROOT: &str = "/services";

/// How the nodes under a root are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Children are interfaces of Dubbo's, whose providers are names of nodes.
    Dubbo,
    /// Children are services, whose entries are data of nodes.
    Entries,
}

/// A node under which services stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Root {
    pub(super) path: String,
    /// `None` until something is found there that tells.
    pub(super) form: Option<Form>,
}

/// What an event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Spot {
    /// The list of a root's children.
    Children,
    /// What stands at the place of this child.
    Place(String),
    /// The data of one entry at that place.
    Entry(String, String),
}

/// The roots to read: those that are named, or the layout's own.
pub(super) fn roots(layout: ZookeeperLayout, root: Option<&str>) -> Vec<Root> {
    let at = |own: &str, form: Form| vec![Root { path: root.unwrap_or(own).to_owned(), form: Some(form) }];
    match (layout, root) {
        (ZookeeperLayout::Dubbo, _) => at(DUBBO_ROOT, Form::Dubbo),
        (ZookeeperLayout::Auto, Some(root)) => vec![Root { path: root.to_owned(), form: None }],
        (ZookeeperLayout::Auto, None) => {
            [at(DUBBO_ROOT, Form::Dubbo), at(ENTRIES_ROOT, Form::Entries)].concat()
        }
        _ => at(ENTRIES_ROOT, Form::Entries),
    }
}

/// What the children of a root's child tell about the root. An empty child tells nothing.
pub(super) fn form_of(children: &[String]) -> Option<Form> {
    let first = children.first()?;
    let category = |child: &String| dubbo::CATEGORIES.contains(&child.as_str());
    Some(if category(first) || children.iter().any(category) { Form::Dubbo } else { Form::Entries })
}

/// The path of a node's child.
pub(super) fn join(parent: &str, child: &str) -> String {
    if parent == "/" { format!("/{child}") } else { format!("{parent}/{child}") }
}

impl Root {
    /// The node whose children are the instances of `child`'s services.
    pub(super) fn place(&self, child: &str) -> String {
        let node = join(&self.path, child);
        if self.form == Some(Form::Dubbo) { join(&node, dubbo::PROVIDERS) } else { node }
    }

    /// What an event at `path` is about, if it is about anything here. `children_changed`: the event says that the node's
    /// children did, which only one-shot watches tell so.
    pub(super) fn locate(&self, path: &str, children_changed: bool) -> Option<Spot> {
        let below = path.strip_prefix(self.path.trim_end_matches('/'))?;
        let parts: Vec<&str> = below.split('/').skip(1).filter(|part| !part.is_empty()).collect();
        if !(below.is_empty() || below.starts_with('/')) {
            return None;
        }
        let place = |child: &str| Some(Spot::Place(child.to_owned()));
        match (self.form, parts.as_slice()) {
            (None, _) | (_, []) => Some(Spot::Children),
            (Some(Form::Entries), [child]) if children_changed => place(child),
            (_, [_]) => Some(Spot::Children),
            (Some(Form::Dubbo), [child, dubbo::PROVIDERS] | [child, dubbo::PROVIDERS, _]) => place(child),
            (Some(Form::Entries), [child, entry]) => {
                Some(Spot::Entry((*child).to_owned(), (*entry).to_owned()))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(path: &str, form: Option<Form>) -> Root {
        Root { path: path.to_owned(), form }
    }

    #[test]
    fn a_layout_has_roots_of_its_own_unless_one_is_named() {
        use ZookeeperLayout::{Auto, Curator, Dubbo, DubboApp, SpringCloud};
        let (dubbo, entries) = (Some(Form::Dubbo), Some(Form::Entries));
        for (layout, named, expected) in [
            (Auto, None, vec![root("/dubbo", dubbo), root("/services", entries)]),
            (Auto, Some("/x"), vec![root("/x", None)]),
            (Dubbo, None, vec![root("/dubbo", dubbo)]),
            (Dubbo, Some("/x"), vec![root("/x", dubbo)]),
            (DubboApp, None, vec![root("/services", entries)]),
            (Curator, Some("/"), vec![root("/", entries)]),
            (SpringCloud, None, vec![root("/services", entries)]),
        ] {
            assert_eq!(roots(layout, named), expected, "{layout:?} {named:?}");
        }
    }

    #[test]
    fn the_first_child_that_holds_something_tells_the_form() {
        let form = |children: &[&str]| {
            form_of(&children.iter().map(|child| (*child).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(form(&[]), None);
        assert_eq!(form(&["consumers"]), Some(Form::Dubbo));
        assert_eq!(form(&["configurators", "providers"]), Some(Form::Dubbo));
        assert_eq!(form(&["10.0.0.1:80"]), Some(Form::Entries));
    }

    #[test]
    fn events_are_about_lists_places_or_entries() {
        let place = |child: &str| Some(Spot::Place(child.to_owned()));
        let entry = |child: &str, entry: &str| Some(Spot::Entry(child.to_owned(), entry.to_owned()));
        let dubbo = root("/dubbo", Some(Form::Dubbo));
        for (path, spot) in [
            ("/dubbo", Some(Spot::Children)),
            ("/dubbo/a.B", Some(Spot::Children)),
            ("/dubbo/a.B/providers", place("a.B")),
            ("/dubbo/a.B/providers/dubbo%3A%2F%2F", place("a.B")),
            ("/dubbo/a.B/consumers/x", None),
            ("/dubbo/metadata/a.B/1.0/provider/app", None),
            ("/dubbo2/a.B", None),
            ("/services/orders", None),
        ] {
            assert_eq!(dubbo.locate(path, false), spot, "{path}");
        }
        let entries = root("/services", Some(Form::Entries));
        for (path, children_changed, spot) in [
            ("/services", true, Some(Spot::Children)),
            ("/services/orders", false, Some(Spot::Children)),
            ("/services/orders", true, place("orders")),
            ("/services/orders/1", false, entry("orders", "1")),
            ("/services/orders/1/2", false, None),
        ] {
            assert_eq!(entries.locate(path, children_changed), spot, "{path}");
        }
        assert_eq!(root("/", Some(Form::Entries)).locate("/orders/1", false), entry("orders", "1"));
        assert_eq!(root("/x", None).locate("/x/y/z", false), Some(Spot::Children));
    }

    #[test]
    fn places_are_where_instances_stand() {
        assert_eq!(root("/dubbo", Some(Form::Dubbo)).place("a.B"), "/dubbo/a.B/providers");
        assert_eq!(root("/", Some(Form::Entries)).place("orders"), "/orders");
    }
}
