//! Tasks that go for good. What they have left in gateways is retired like that of a task none of whose services is wanted any more, by
//! the same flows and so by the same rules. Copies in registries are removed wherever they bear our mark.

pub(super) mod copies;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use causeway_gateways::{Listed, Marks, tags};
pub use copies::LeftCopies;

use super::build::Adapters;
use super::flow::Flow;
use super::gateway::GatewayHandle;
use super::metrics::Metrics;
use super::permit::{Alone, Permits};
use super::source::SourceHandle;
use crate::config::{self, Config, Destination, Dialect, Registry, RegistryKind, Task};
use crate::guard::Rules;

/// Whose things go.
pub enum Leaves<'a> {
    /// Everything of one task, whether it is configured or not.
    Task(&'a str),
    /// What tasks have left that are not configured any more, and copies that configured ones carry no more.
    Unconfigured(&'a Config),
}

impl Leaves<'_> {
    /// Whether everything of a task goes.
    fn takes(&self, task: &str) -> bool {
        match self {
            Self::Task(name) => task == *name,
            Self::Unconfigured(config) => config.task(task).is_none(),
        }
    }

    /// Whether copies have to be looked for: a task that is configured to fill a gateway has none.
    fn may_have_copies(&self, config: &Config) -> bool {
        match self {
            Self::Task(name) => {
                let task = config.task(name);
                !task.is_some_and(|task| matches!(task.destination, Destination::Gateway(_)))
            }
            Self::Unconfigured(_) => true,
        }
    }
}

/// What some tasks have left at the configured ends, and how it goes.
#[derive(Default)]
pub struct Leaving {
    /// The gateways, each read whole.
    pub gateways: Vec<Arc<GatewayHandle>>,
    /// One for each of the tasks and each registry for which it wrote, in each gateway. They want nothing.
    pub flows: Vec<Arc<Flow>>,
    /// Copies in registries.
    pub copies: Vec<LeftCopies>,
    /// The names of the tasks of which anything stands, and all of that goes.
    pub tasks: BTreeSet<String>,
    /// Gateways and registries that cannot be read, for people.
    pub unread: Vec<String>,
    /// Objects that no flow can retire, for people.
    pub unassigned: Vec<String>,
}

/// Reads every configured gateway, and every registry that can be written to, and finds what stands there under our owner and goes.
pub async fn leaving(config: &Config, adapters: &dyn Adapters, leaves: &Leaves<'_>) -> Leaving {
    let mut leaving = Leaving::default();
    for gateway in config.gateways.values() {
        match read(config, gateway, adapters).await {
            Ok(handle) => leaving.add(config, handle, leaves),
            Err(error) => {
                leaving.unread.push(format!("gateway {} cannot be read: {error}", gateway.name));
            }
        }
    }
    if leaves.may_have_copies(config) {
        let found = copies::find(config, adapters, leaves).await;
        leaving.tasks.extend(copies::tasks(&found.copies, leaves));
        leaving.copies = found.copies;
        leaving.unread.extend(found.unread);
    }
    leaving
}

async fn read(
    config: &Config,
    gateway: &config::Gateway,
    adapters: &dyn Adapters,
) -> Result<Arc<GatewayHandle>, String> {
    let client = adapters.gateway(gateway, &config.owner)?;
    let handle = GatewayHandle::new(gateway.clone(), client, &config.owner, Listed::default());
    handle.read_all().await.map_err(|error| error.to_string())?;
    handle.mark_ready();
    Ok(handle)
}

impl Leaving {
    fn add(&mut self, config: &Config, handle: Arc<GatewayHandle>, leaves: &Leaves<'_>) {
        let owner = tags::owner_tag(&config.owner);
        let (mut sources, mut unassigned) = (BTreeSet::new(), BTreeSet::new());
        for marks in handle.world().all_tags().filter(|tags| tags.contains(&owner)).map(Marks::read) {
            let Some(task) = marks.task.filter(|task| leaves.takes(task)) else { continue };
            match (marks.registry, marks.namespace, marks.service) {
                (Some(registry), Some(_), Some(_)) => drop(sources.insert((task.clone(), registry))),
                _ => drop(unassigned.insert(task.clone())),
            }
            self.tasks.insert(task);
        }
        self.unassigned.extend(unassigned.into_iter().map(|task| {
            format!(
                "gateway {}: something bears the mark of task {task}, but not of the service that it was made for; \
                 `causeway uninstall --task {task} --hand-over` untags it",
                handle.config.name
            )
        }));
        let flows = sources.into_iter().map(|(task, registry)| flow(config, &handle, task, registry));
        self.flows.extend(flows);
        self.gateways.push(handle);
    }
}

/// A flow of a task that matches nothing. Its registry is not asked, and need not be configured any more.
fn flow(config: &Config, handle: &Arc<GatewayHandle>, task: String, registry: String) -> Arc<Flow> {
    let bare = || Registry::bare(registry.clone(), RegistryKind::File);
    let source = config.registries.get(&registry).cloned().unwrap_or_else(bare);
    let rules = Rules {
        hold: Duration::ZERO,
        max_shrink: 1.0,
        release_after: None,
        trust_first_reading: true,
        absence_is_intent: true,
    };
    let destination = Destination::Gateway(handle.config.name.clone());
    let task = Task::bare(task, registry, destination, Duration::ZERO, Dialect::Native);
    let permits: Arc<dyn Permits> = Arc::new(Alone);
    let source = SourceHandle::new(&source, rules);
    Flow::new(Arc::new(task), source, Arc::clone(handle), permits, Metrics::default())
}
