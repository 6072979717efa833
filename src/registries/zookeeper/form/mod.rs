//! A copy as a node of its layout. Pure.
//!
//! ```text
//!  /dubbo/{interface}/providers/{URL}      Style::Dubbo
//!  /services/{service}/{id}                Style::Curator, Style::SpringCloud
//! ```
//!
//! What a reader is shown of a copy is what the source reads in this very node, so the two can't part.

mod curator;
mod dubbo;

use super::ZookeeperError;
use super::entry::Entry;
use super::layout::{DUBBO_ROOT, ENTRIES_ROOT, Form, Root, join};
use super::settings::Checked;
use super::{curator as entries, dubbo as providers};
use crate::config::ZookeeperLayout;
use crate::model::{Instance, ServiceKey};
use crate::registries::InstanceCopy;

/// A server takes no request of more than a mebibyte, and ends the connection instead of saying so.
const LARGEST: usize = (1 << 20) - (1 << 12);

/// How copies are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// Dubbo's interface level.
    Dubbo,
    /// Curator's discovery, with metadata as the payload's.
    Curator,
    /// The same as Spring Cloud writes it.
    SpringCloud,
}

/// Where copies stand and how they are written there.
#[derive(Clone, Debug)]
pub(super) struct Forms {
    layout: ZookeeperLayout,
    root: Option<String>,
    namespace: String,
    persistent: bool,
}

/// The node whose children are a service's instances, and how they are to be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Folder {
    pub(super) path: String,
    style: Style,
    /// The name of the service, and of Dubbo's interface.
    service: String,
    interface: String,
}

/// A copy's node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) folder: Folder,
    pub(super) name: String,
    pub(super) data: Vec<u8>,
}

impl Forms {
    /// # Errors
    /// The layout can't be written.
    pub(super) fn new(settings: &Checked) -> Result<Self, ZookeeperError> {
        let wrong = |why: &str| Err(ZookeeperError::Settings(why.to_owned()));
        match (settings.layout, &settings.root) {
            (ZookeeperLayout::DubboApp, _) => wrong(
                "copies of Dubbo's applications can't be written, since their metadata are not in the instances but in a \
                 metadata center; use `layout: dubbo` for its interfaces, or `curator` or `spring-cloud`",
            ),
            (ZookeeperLayout::Auto, Some(_)) => wrong(
                "how copies are to be written under a `root` of one's own has to be said: `layout: dubbo`, `curator` or \
                 `spring-cloud`",
            ),
            (layout, root) => Ok(Self {
                layout,
                root: root.clone(),
                namespace: settings.namespace.clone(),
                persistent: settings.persistent,
            }),
        }
    }

    /// Where the instances of a service stand.
    ///
    /// # Errors
    /// Why it can have none here.
    pub(super) fn folder(&self, key: &ServiceKey) -> Result<Folder, String> {
        if key.namespace != self.namespace {
            return Err(format!(
                "ZooKeeper has no place for {key}: it has no namespaces, so that all its services are in `{}`; map the \
                 namespace to that one",
                self.namespace
            ));
        }
        let style = self.style(key);
        let interface = match style {
            Style::Dubbo => dubbo::Parts::of(&key.service)?.interface.to_owned(),
            Style::Curator | Style::SpringCloud => String::new(),
        };
        let child = if style == Style::Dubbo { dubbo::encoded(&interface) } else { key.service.clone() };
        check_name(key, &child)?;
        let (own, form) =
            if style == Style::Dubbo { (DUBBO_ROOT, Form::Dubbo) } else { (ENTRIES_ROOT, Form::Entries) };
        let root = Root { path: self.root.as_deref().unwrap_or(own).to_owned(), form: Some(form) };
        Ok(Folder { path: root.place(&child), style, service: key.service.clone(), interface })
    }

    /// Where nothing is said, a name tells: Dubbo's interfaces are named as no other service is.
    fn style(&self, key: &ServiceKey) -> Style {
        match self.layout {
            ZookeeperLayout::Dubbo => Style::Dubbo,
            ZookeeperLayout::Auto if dubbo::Parts::of(&key.service).is_ok() => Style::Dubbo,
            ZookeeperLayout::SpringCloud => Style::SpringCloud,
            _ => Style::Curator,
        }
    }

    /// The copy's node.
    ///
    /// # Errors
    /// Why ZooKeeper can't hold it.
    pub(super) fn node(&self, copy: &InstanceCopy) -> Result<Node, String> {
        self.node_and_reading(copy).map(|(node, _)| node)
    }

    /// The copy's node, and what a source reads in it.
    fn node_and_reading(&self, copy: &InstanceCopy) -> Result<(Node, Instance), String> {
        let (key, instance) = (&copy.key, &copy.instance);
        let folder = self.folder(key)?;
        let id = copy.mark.id(key, &instance.address);
        let (name, data) = match folder.style {
            Style::Dubbo => {
                let parts = dubbo::Parts::of(&key.service)?;
                (dubbo::name(instance, parts, self.persistent), instance.address.host.clone().into_bytes())
            }
            Style::Curator => {
                let data = curator::data(&key.service, &id, instance, self.persistent);
                (id, data)
            }
            Style::SpringCloud => {
                let data = curator::data_of_spring_cloud(&key.service, &id, instance, self.persistent);
                (id, data)
            }
        };
        if name.len() + data.len() > LARGEST {
            return Err(format!(
                "ZooKeeper can't hold {key} at {}: it is larger than a mebibyte",
                instance.address
            ));
        }
        let node = Node { folder, name, data };
        match node.read() {
            Some(read) if read.address == instance.address => Ok((node, read)),
            _ => {
                Err(format!("ZooKeeper can't hold {key} at {}: its node could not be read", instance.address))
            }
        }
    }

    /// What a source shows of the copy. One that can't be held is shown as it is.
    pub(super) fn as_shown(&self, copy: &InstanceCopy) -> Instance {
        self.node_and_reading(copy).map_or_else(|_| copy.instance.clone(), |(_, read)| read)
    }
}

impl Folder {
    /// A child's path.
    pub(super) fn path_of(&self, child: &str) -> String {
        join(&self.path, child)
    }

    /// What a child is, if it is an instance of this service.
    pub(super) fn read(&self, child: &str, data: &[u8]) -> Option<Instance> {
        let read: Entry = match self.style {
            Style::Dubbo => providers::provider(&self.interface, child).ok()?,
            Style::Curator | Style::SpringCloud => entries::entry(&self.service, data).ok()?.1,
        };
        (read.service == self.service).then_some(read.instance)
    }

    /// Instances are in the nodes' data, and not in their names.
    pub(super) fn holds_data(&self) -> bool {
        self.style != Style::Dubbo
    }
}

impl Node {
    pub(super) fn path(&self) -> String {
        self.folder.path_of(&self.name)
    }

    fn read(&self) -> Option<Instance> {
        self.folder.read(&self.name, &self.data)
    }
}

fn check_name(key: &ServiceKey, name: &str) -> Result<(), String> {
    let forbidden =
        |c: char| c == '/' || c.is_control() || ('\u{e000}'..='\u{f8ff}').contains(&c) || c >= '\u{fff0}';
    if name.is_empty() || name == "." || name == ".." || name.contains(forbidden) {
        return Err(format!(
            "ZooKeeper has no place for {key}: no node can be named `{}`; map it to another name",
            name.escape_debug()
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
