//! Everything that is read of one ZooKeeper, as last read: its roots and the places under them. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::layout::{Form, Root, Spot, roots};
use super::place::Place;
use super::settings::Checked;
use super::{ZookeeperError, dubbo};
use crate::config::ZookeeperLayout;
use crate::model::ServiceKey;
use crate::registries::{Beginning, Interest};

/// Something to read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Work {
    /// The children of this root.
    Root(usize),
    /// The place at this path.
    Place(String),
}

/// A root, and how its last listing went.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) root: Root,
    pub(super) trouble: Option<ZookeeperError>,
    /// The node of each child that has a place.
    places: BTreeMap<String, String>,
}

/// The roots and places of one ZooKeeper.
#[derive(Debug)]
pub(super) struct Tree {
    layout: ZookeeperLayout,
    namespace: String,
    pub(super) roots: Vec<Listed>,
    pub(super) places: BTreeMap<String, Place>,
}

impl Tree {
    pub(super) fn new(settings: &Checked) -> Self {
        let listed = |root: Root| Listed { root, trouble: None, places: BTreeMap::new() };
        let roots = roots(settings.layout, settings.root.as_deref()).into_iter().map(listed).collect();
        let (layout, namespace) = (settings.layout, settings.namespace.clone());
        Self { layout, namespace, roots, places: BTreeMap::new() }
    }

    pub(super) fn layout(&self) -> ZookeeperLayout {
        self.layout
    }

    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Takes in a root's children. Returns the places that are wanted there, and those that are gone.
    pub(super) fn list(
        &mut self,
        root: usize,
        children: &[String],
        interest: &dyn Interest,
    ) -> (Vec<String>, Vec<(String, Place)>) {
        let listed = &mut self.roots[root];
        listed.trouble = None;
        let before = std::mem::take(&mut listed.places);
        let Some(form) = listed.root.form else { return (Vec::new(), Vec::new()) };
        let beginnings = interest.beginnings();
        for child in children {
            let wanted = match form {
                Form::Entries => entry(child, &self.namespace, interest),
                Form::Dubbo => interface(child, &beginnings),
            };
            let Some(name) = wanted else { continue };
            let path = listed.root.place(child);
            self.places.entry(path.clone()).or_insert_with(|| Place::new(form, name));
            listed.places.insert(child.clone(), path);
        }
        let gone = before.into_iter().filter(|(child, _)| !listed.places.contains_key(child));
        let gone = gone.filter_map(|(_, path)| self.places.remove_entry(&path)).collect();
        (listed.places.values().cloned().collect(), gone)
    }

    /// What has to be read after an event at `path`. An entry whose data may have changed is noted at its place.
    pub(super) fn affected(&mut self, path: &str, children_changed: bool) -> Vec<Work> {
        let mut work = Vec::new();
        for (index, listed) in self.roots.iter().enumerate() {
            let (child, entry) = match listed.root.locate(path, children_changed) {
                None => continue,
                Some(Spot::Children) => {
                    work.push(Work::Root(index));
                    continue;
                }
                Some(Spot::Place(child)) => (child, None),
                Some(Spot::Entry(child, entry)) => (child, Some(entry)),
            };
            let Some(path) = listed.places.get(&child) else { continue };
            if let (Some(place), Some(entry)) = (self.places.get_mut(path), entry) {
                place.doubt(entry);
            }
            work.push(Work::Place(path.clone()));
        }
        work
    }

    /// Why the list of services can't be read at present.
    pub(super) fn trouble(&self) -> Option<&ZookeeperError> {
        self.roots.iter().find_map(|listed| listed.trouble.as_ref())
    }

    /// A place that hides the names of its services, and why it does.
    pub(super) fn hidden(&self) -> Option<(&Place, &ZookeeperError)> {
        let hidden = self.places.values().filter(|place| place.hides_names());
        hidden.filter_map(|place| Some((place, place.trouble.as_ref()?))).next()
    }

    /// All wanted services.
    pub(super) fn names(&self, interest: &dyn Interest) -> BTreeSet<String> {
        let all = self.places.values().flat_map(|place| place.services(self.layout));
        let wanted = |service: &&str| interest.wants(&ServiceKey::new(&self.namespace, *service));
        all.filter(wanted).map(str::to_owned).collect()
    }

    /// What to read after `last` when everything is to be read in turn.
    pub(super) fn next_work(&self, last: &Work) -> Option<Work> {
        let roots = || (0..self.roots.len()).map(Work::Root);
        let places = || self.places.keys().cloned().map(Work::Place);
        let after = match last {
            Work::Root(index) if index + 1 < self.roots.len() => Some(Work::Root(index + 1)),
            Work::Root(_) => places().next(),
            Work::Place(path) => {
                let after = (std::ops::Bound::Excluded(path), std::ops::Bound::Unbounded);
                self.places.range::<String, _>(after).next().map(|(path, _)| Work::Place(path.clone()))
            }
        };
        after.or_else(|| roots().next())
    }
}

/// The name of the service that a root's child stands for, when it is wanted.
fn entry(child: &str, namespace: &str, interest: &dyn Interest) -> Option<String> {
    interest.wants(&ServiceKey::new(namespace, child)).then(|| child.to_owned())
}

/// The name of the interface that a root's child stands for, when a wanted service can be there.
fn interface(child: &str, beginnings: &BTreeSet<Beginning>) -> Option<String> {
    let interface = dubbo::interface(child)?;
    let own = dubbo::beginning(&interface);
    let fits = |beginning: &Beginning| match beginning {
        Beginning::Whole(name) => name.starts_with(&own),
        Beginning::Part(part) => part.starts_with(&own) || own.starts_with(part.as_str()),
    };
    beginnings.iter().any(fits).then_some(interface)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registries::zookeeper::ZookeeperSettings;

    struct Wants(&'static str);

    impl Interest for Wants {
        fn namespaces(&self) -> Option<BTreeSet<String>> {
            None
        }

        fn wants(&self, key: &ServiceKey) -> bool {
            key.service.starts_with(self.0)
        }

        fn beginnings(&self) -> BTreeSet<Beginning> {
            BTreeSet::from([Beginning::Part(self.0.to_owned())])
        }
    }

    fn tree(layout: ZookeeperLayout) -> Tree {
        let addresses = vec!["h".to_owned()];
        let settings = ZookeeperSettings { addresses, layout, ..ZookeeperSettings::default() };
        Tree::new(&settings.check().unwrap())
    }

    fn texts(of: &[&str]) -> Vec<String> {
        of.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn only_what_may_hold_wanted_services_is_read() {
        let mut tree = tree(ZookeeperLayout::Auto);
        let interfaces = texts(&["com.a.X", "com.b.Y", "mapping"]);
        assert_eq!(
            tree.list(0, &interfaces, &Wants("providers:com.a.X:1.0")).0,
            ["/dubbo/com.a.X/providers"]
        );
        assert_eq!(tree.list(0, &interfaces, &Wants("providers:com.")).0.len(), 2);
        let (wanted, gone) = tree.list(0, &interfaces, &Wants("orders"));
        assert_eq!((wanted.len(), gone.len()), (0, 2));
        assert_eq!(tree.list(1, &texts(&["orders", "books"]), &Wants("orders")).0, ["/services/orders"]);
        assert_eq!(tree.names(&Wants("")), BTreeSet::from(["orders".to_owned()]));
    }

    #[test]
    fn events_lead_to_what_they_are_about() {
        let mut tree = tree(ZookeeperLayout::Auto);
        tree.list(0, &texts(&["a.B"]), &Wants(""));
        tree.list(1, &texts(&["orders"]), &Wants(""));
        let place = |path: &str| vec![Work::Place(path.to_owned())];
        for (path, work) in [
            ("/dubbo/a.B/providers/x", place("/dubbo/a.B/providers")),
            ("/services/orders/1", place("/services/orders")),
            ("/services/unknown/1", vec![]),
            ("/services/books", vec![Work::Root(1)]),
            ("/dubbo", vec![Work::Root(0)]),
        ] {
            assert_eq!(tree.affected(path, false), work, "{path}");
        }
    }

    #[test]
    fn an_unreadable_interface_hides_names_and_an_unreadable_service_does_not() {
        let mut tree = tree(ZookeeperLayout::Auto);
        tree.list(0, &texts(&["a.B"]), &Wants(""));
        tree.list(1, &texts(&["orders"]), &Wants(""));
        for place in tree.places.values_mut() {
            place.trouble = Some(ZookeeperError::Denied("/x".to_owned()));
        }
        assert_eq!(tree.hidden().map(|(place, _)| place.name.as_str()), Some("a.B"));
        assert_eq!(tree.names(&Wants("")), BTreeSet::from(["orders".to_owned()]));
        for place in tree.places.values_mut() {
            place.take(None);
            place.trouble = Some(ZookeeperError::Denied("/x".to_owned()));
        }
        assert!(tree.hidden().is_none(), "it was read once, so its names are known");
    }

    #[test]
    fn everything_is_read_in_turn() {
        let mut tree = tree(ZookeeperLayout::Auto);
        assert_eq!(tree.next_work(&Work::Root(1)), Some(Work::Root(0)));
        tree.list(1, &texts(&["a", "b"]), &Wants(""));
        let mut work = Work::Root(0);
        let mut turn = Vec::new();
        for _ in 0..4 {
            work = tree.next_work(&work).unwrap();
            turn.push(work.clone());
        }
        let place = |path: &str| Work::Place(path.to_owned());
        assert_eq!(turn, [Work::Root(1), place("/services/a"), place("/services/b"), Work::Root(0)]);
    }
}
