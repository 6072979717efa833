//! A node whose children are the instances of one or more services, as last read. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::ZookeeperError;
use super::curator::{self, Framework};
use super::dubbo;
use super::entry::{Entry, snapshot};
use super::layout::Form;
use crate::config::ZookeeperLayout;
use crate::model::{ServiceKey, Snapshot};

/// What a place's children were when it was read: each with its data, where those were asked for.
pub(super) type Children = Vec<(String, Option<Vec<u8>>)>;

/// One interface of Dubbo's, or one service of Curator's discovery.
#[derive(Debug)]
pub(super) struct Place {
    form: Form,
    /// The interface's or service's name.
    pub(super) name: String,
    /// The node is there.
    exists: bool,
    children: BTreeMap<String, Child>,
    /// Children whose data may have changed since they were read.
    stale: BTreeSet<String>,
    /// It was read completely at some time.
    pub(super) read_once: bool,
    /// Why the last reading failed.
    pub(super) trouble: Option<ZookeeperError>,
}

#[derive(Debug)]
struct Child {
    /// What it was when it was last understood; `None`: it never was an instance, so it is none.
    instance: Option<(Framework, Entry)>,
    /// It can't be understood at present, which was told.
    garbled: bool,
}

impl Place {
    pub(super) fn new(form: Form, name: String) -> Self {
        Self {
            form,
            name,
            exists: false,
            children: BTreeMap::new(),
            stale: BTreeSet::new(),
            read_once: false,
            trouble: None,
        }
    }

    /// The data of this child may have changed.
    pub(super) fn doubt(&mut self, child: String) {
        self.stale.insert(child);
    }

    /// The data of any child may have changed.
    pub(super) fn doubt_all(&mut self) {
        self.stale.extend(self.children.keys().cloned());
    }

    /// The children whose data need not be read again; their reading begins now. `None` where children carry no data.
    pub(super) fn settled(&mut self) -> Option<BTreeSet<String>> {
        let stale = std::mem::take(&mut self.stale);
        let settled = self.children.keys().filter(|child| !stale.contains(*child)).cloned().collect();
        (self.form == Form::Entries).then_some(settled)
    }

    /// Takes in a complete reading; `None`: the node isn't there. What can't be understood is told, once.
    pub(super) fn take(&mut self, children: Option<Children>) -> Vec<String> {
        self.exists = children.is_some();
        (self.read_once, self.trouble) = (true, None);
        let mut before = std::mem::take(&mut self.children);
        let mut told = Vec::new();
        for (child, data) in children.into_iter().flatten() {
            let known = before.remove(&child);
            let now = match (known, self.form, data) {
                (Some(known), Form::Dubbo, _) | (Some(known), Form::Entries, None) => known,
                (known, _, data) => match self.understand(&child, &data.unwrap_or_default()) {
                    Ok(instance) => Child { instance: Some(instance), garbled: false },
                    Err(why) => garbled(known, &child, &why, &mut told),
                },
            };
            self.children.insert(child, now);
        }
        told
    }

    fn understand(&self, child: &str, data: &[u8]) -> Result<(Framework, Entry), String> {
        match self.form {
            Form::Dubbo => dubbo::provider(&self.name, child).map(|entry| (Framework::Dubbo, entry)),
            Form::Entries => curator::entry(&self.name, data),
        }
    }

    /// The snapshots of all services here that a layout reads.
    pub(super) fn snapshots(&self, layout: ZookeeperLayout, namespace: &str) -> BTreeMap<String, Snapshot> {
        let mut services: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
        if self.stands_empty() {
            services.insert(&self.name, Vec::new());
        }
        for (framework, entry) in self.instances() {
            if reads(layout, self.form, *framework) {
                services.entry(&entry.service).or_default().push(entry);
            }
        }
        let snapshots = services.into_iter().map(|(service, entries)| {
            (service.to_owned(), snapshot(ServiceKey::new(namespace, service), entries))
        });
        snapshots.collect()
    }

    /// A service of Curator's is listed when its last instance has left. Dubbo's name their version and group in their instances
    /// only, so they are gone with the last.
    fn stands_empty(&self) -> bool {
        self.form == Form::Entries && self.exists && self.instances().next().is_none()
    }

    fn instances(&self) -> impl Iterator<Item = &(Framework, Entry)> {
        self.children.values().filter_map(|child| child.instance.as_ref())
    }

    /// Services may stand here that can't be named, since it could never be read.
    pub(super) fn hides_names(&self) -> bool {
        self.form == Form::Dubbo && !self.read_once
    }

    /// The services that are known to stand here, read or not.
    pub(super) fn services(&self, layout: ZookeeperLayout) -> BTreeSet<&str> {
        let unread = self.form == Form::Entries && !self.read_once;
        let empty = (unread || self.stands_empty()).then_some(self.name.as_str());
        let instances = self.instances().filter(|(framework, _)| reads(layout, self.form, *framework));
        empty.into_iter().chain(instances.map(|(_, entry)| entry.service.as_str())).collect()
    }
}

/// What was an instance stays one as it was last understood, since it may only be badly written for a moment.
fn garbled(known: Option<Child>, child: &str, why: &str, told: &mut Vec<String>) -> Child {
    let was_told = known.as_ref().is_some_and(|known| known.garbled);
    let instance = known.and_then(|known| known.instance);
    if !was_told {
        let meanwhile =
            if instance.is_some() { "what it was before stays in force" } else { "it is left out" };
        told.push(format!("{child}: {why}; {meanwhile}"));
    }
    Child { instance, garbled: true }
}

fn reads(layout: ZookeeperLayout, form: Form, framework: Framework) -> bool {
    match layout {
        _ if form == Form::Dubbo => true,
        ZookeeperLayout::SpringCloud => framework == Framework::SpringCloud,
        ZookeeperLayout::DubboApp => framework == Framework::Dubbo,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn children(of: &[(&str, Option<&str>)]) -> Option<Children> {
        let pair = |(name, data): &(&str, Option<&str>)| {
            ((*name).to_owned(), data.map(|data| data.as_bytes().to_vec()))
        };
        Some(of.iter().map(pair).collect())
    }

    fn shown(place: &Place, layout: ZookeeperLayout) -> Vec<String> {
        let snapshots = place.snapshots(layout, "default").into_values();
        let line = |snapshot: Snapshot| {
            let addresses: Vec<String> = snapshot.instances.keys().map(ToString::to_string).collect();
            format!("{} {}", snapshot.key, addresses.join(" "))
        };
        snapshots.map(line).collect()
    }

    const ENTRY: &str = r#"{"address":"10.0.0.1","port":80}"#;
    const SPRING: &str = r#"{"address":"10.0.0.2","port":80,"payload":{"@class":"org.springframework.cloud.zookeeper.discovery.ZookeeperInstance"}}"#;

    #[test]
    fn an_interface_has_a_service_for_each_version_and_group() {
        let mut place = Place::new(Form::Dubbo, "a.B".to_owned());
        assert!(place.hides_names() && place.settled().is_none());
        let nodes = [
            ("dubbo://h1:1/a.B?version=1&timestamp=1", None),
            ("dubbo://h1:1/a.B?version=1&timestamp=2", None),
            ("tri://h2:1/a.B?version=1&group=g", None),
        ];
        assert_eq!(place.take(children(&nodes)), [""; 0]);
        assert!(!place.hides_names());
        assert_eq!(
            shown(&place, ZookeeperLayout::Dubbo),
            ["default/providers:a.B:1: h1:1", "default/providers:a.B:1:g h2:1"]
        );
        place.take(children(&nodes[1..]));
        assert_eq!(shown(&place, ZookeeperLayout::Dubbo).len(), 2, "its old node's end is no instance's end");
        place.take(children(&[]));
        assert_eq!(shown(&place, ZookeeperLayout::Dubbo), [""; 0]);
        place.take(None);
        assert!(place.services(ZookeeperLayout::Dubbo).is_empty());
    }

    #[test]
    fn a_layout_reads_the_entries_of_its_framework() {
        let mut place = Place::new(Form::Entries, "orders".to_owned());
        assert_eq!(place.services(ZookeeperLayout::Auto), BTreeSet::from(["orders"]));
        place.take(children(&[("1", Some(ENTRY)), ("2", Some(SPRING))]));
        for layout in [ZookeeperLayout::Auto, ZookeeperLayout::Curator] {
            assert_eq!(shown(&place, layout), ["default/orders 10.0.0.1:80 10.0.0.2:80"]);
        }
        assert_eq!(shown(&place, ZookeeperLayout::SpringCloud), ["default/orders 10.0.0.2:80"]);
        assert_eq!(shown(&place, ZookeeperLayout::DubboApp), [""; 0], "others' services are none of its");
        place.take(children(&[]));
        assert_eq!(shown(&place, ZookeeperLayout::DubboApp), ["default/orders "], "listed and empty");
        place.take(None);
        assert!(place.services(ZookeeperLayout::Auto).is_empty(), "gone with its node");
    }

    #[test]
    fn only_doubted_data_are_read_again() {
        let mut place = Place::new(Form::Entries, "orders".to_owned());
        place.take(children(&[("1", Some(ENTRY)), ("2", Some(SPRING))]));
        assert_eq!(place.settled().unwrap().len(), 2);
        place.doubt("1".to_owned());
        assert_eq!(place.settled(), Some(BTreeSet::from(["2".to_owned()])));
        assert_eq!(place.settled().unwrap().len(), 2, "once");
        place.doubt_all();
        assert_eq!(place.settled(), Some(BTreeSet::new()));
        place.take(children(&[("1", Some(SPRING)), ("2", None)]));
        assert_eq!(shown(&place, ZookeeperLayout::Auto), ["default/orders 10.0.0.2:80"]);
    }

    #[test]
    fn what_cannot_be_understood_is_told_once_and_ends_no_instance() {
        let mut place = Place::new(Form::Entries, "orders".to_owned());
        let told = place.take(children(&[("1", Some(ENTRY)), ("lock", Some(""))]));
        assert!(
            told.len() == 1 && told[0].starts_with("lock: ") && told[0].ends_with("left out"),
            "{told:?}"
        );
        let told = place.take(children(&[("1", Some("{")), ("lock", Some("still"))]));
        assert!(told.len() == 1 && told[0].ends_with("stays in force"), "{told:?}");
        assert_eq!(place.take(children(&[("1", Some("[")), ("lock", None)])), [""; 0]);
        assert_eq!(shown(&place, ZookeeperLayout::Auto), ["default/orders 10.0.0.1:80"]);
        place.take(children(&[("lock", None)]));
        assert_eq!(shown(&place, ZookeeperLayout::Auto), ["default/orders "]);
    }
}
