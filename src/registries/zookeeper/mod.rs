//! ZooKeeper 3.5 and later: services as Dubbo, Curator's discovery and Spring Cloud lay them out.
//!
//! ```text
//!  watcher    keeps a session, anew after each loss of its connection
//!    session    watches, then reads; what an event is about is read again ──names, snapshots──▶ View
//!      watches, reader     the I/O
//!      agenda              what to read next                         ┐
//!      layout, tree, place where services stand, and what was read   │ pure
//!      dubbo, curator, spring_cloud, dubbo_app   foreign bytes       ┘
//!
//!  writer     looks at a service's folder, finds out what a change needs, and does it
//!    writing_session, nodes    the I/O: one session that copies live with, and the nodes on it
//!      steps, session_copies   what a change needs, and what lives with a session   ┐
//!      form                    a copy as a node of its layout                       ┘ pure
//! ```
//!
//! A ZooKeeper has no namespaces: all its services are in one, whose name is configured.

mod agenda;
mod curator;
mod dubbo;
mod dubbo_app;
mod ensemble;
mod entry;
mod error;
mod form;
mod layout;
mod nodes;
mod place;
mod probe;
mod reader;
mod session;
mod session_copies;
mod settings;
mod spring_cloud;
mod steps;
mod tree;
mod watcher;
mod watches;
mod writer;
mod writing_session;

use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::{Capabilities, Interest, MetadataKeys, Source, View, Weights};
use crate::config::ZookeeperLayout;
use settings::Checked;
use watcher::Watcher;

pub use error::ZookeeperError;
pub use settings::ZookeeperSettings;
pub use writer::ZookeeperDestination;

/// Dubbo's interface level. Any weight is an exact share, though Dubbo itself counts in whole hundredths of its default.
const DUBBO: Capabilities = Capabilities {
    kind: "zookeeper",
    push: true,
    weight: Weights::Any,
    unhealthy: false,
    isolation: true,
    metadata: MetadataKeys::Any,
    empty_services: false,
    absence_is_intent: false,
};

/// Entries of Curator's discovery, whoever writes them.
const ENTRIES: Capabilities = Capabilities { weight: Weights::None, empty_services: true, ..DUBBO };

/// Those of the layout; where it is found out by itself, those of both that can be there.
fn capabilities(layout: ZookeeperLayout) -> &'static Capabilities {
    match layout {
        ZookeeperLayout::Auto | ZookeeperLayout::Dubbo => &DUBBO,
        ZookeeperLayout::DubboApp | ZookeeperLayout::Curator | ZookeeperLayout::SpringCloud => &ENTRIES,
    }
}

/// A ZooKeeper as a source.
pub struct Zookeeper {
    settings: Checked,
}

impl Zookeeper {
    /// A ZooKeeper that hasn't been connected to yet.
    ///
    /// # Errors
    /// What in the settings can't be used: addresses, half a pair of credentials, several namespaces.
    pub fn new(settings: &ZookeeperSettings) -> Result<Self, ZookeeperError> {
        Ok(Self { settings: settings.check()? })
    }
}

#[async_trait]
impl Source for Zookeeper {
    fn capabilities(&self) -> &'static Capabilities {
        capabilities(self.settings.layout)
    }

    async fn watch(&self, interest: Arc<dyn Interest>, view: Arc<View>, stop: CancellationToken) {
        let mut watcher = Watcher::new(self.settings.clone(), interest, view);
        stop.run_until_cancelled(watcher.run()).await;
        watcher.end().await;
    }
}
