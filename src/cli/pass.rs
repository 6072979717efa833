//! One look at everything, for the commands that don't keep running.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::{CancellationToken, DropGuard};

use super::Failed;
use crate::config::Config;
use crate::model::ServiceKey;
use crate::reconcile::{CopyFlow, Flow, Supervisor};

/// How long a registry may take for its first complete reading.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a command is limited to.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Selection {
    /// Only this task
    #[arg(long)]
    task: Option<String>,

    /// Only this service: `service`, or `namespace/service`
    #[arg(long)]
    service: Option<String>,
}

/// Registries and gateways, read once. The watches end when it is dropped.
pub(super) struct Pass {
    pub(super) supervisor: Arc<Supervisor>,
    _watching: DropGuard,
}

impl Pass {
    /// Reads everything that the selected tasks need.
    pub(super) async fn read(mut config: Config, selection: &Selection) -> Result<Self, Failed> {
        if let Some(wanted) = &selection.task {
            let names: Vec<String> = config.tasks.iter().map(|task| task.name.clone()).collect();
            config.tasks.retain(|task| task.name == *wanted);
            if config.tasks.is_empty() {
                let names = names.join(", ");
                return Err(Failed::usage(format!("no task is named `{wanted}` (there are: {names})")));
            }
        }
        let supervisor = Supervisor::for_one_pass(&config, None).map_err(Failed::work)?;
        let stop = CancellationToken::new();
        supervisor.read_once(PATIENCE, &stop).await.map_err(Failed::work)?;
        Ok(Self { supervisor, _watching: stop.drop_guard() })
    }

    /// Reads besides every service of a name, whether a task wants it or not. A gateway that cannot be read says so itself.
    pub(super) async fn read_for(config: &Config, service: &str) -> Result<Self, Failed> {
        let supervisor = Supervisor::for_one_pass(config, Some(service.to_owned())).map_err(Failed::work)?;
        let stop = CancellationToken::new();
        supervisor.watch_once(PATIENCE, &stop).await;
        supervisor.read_gateways().await;
        Ok(Self { supervisor, _watching: stop.drop_guard() })
    }

    /// The registries' scopes that cannot be read, for people.
    pub(super) fn unknown(&self) -> Vec<String> {
        let slow = self.supervisor.sources().filter(|source| !source.view().progress().borrow().settled);
        let slow =
            slow.map(|source| format!("registry {}: not read completely within {PATIENCE:?}", source.name));
        self.supervisor.unread().into_iter().chain(slow).collect()
    }

    /// Tasks that could not be looked at.
    pub(super) fn refused(&self) -> impl Iterator<Item = String> + '_ {
        self.supervisor.refused.iter().map(|(task, reason)| format!("task {task}: {reason}"))
    }
}

impl Selection {
    /// Whether a service is selected.
    pub(super) fn wants(&self, key: &ServiceKey) -> bool {
        self.service.as_ref().is_none_or(|wanted| key.is_named(wanted))
    }

    /// The services of a flow that are selected.
    pub(super) fn keys(&self, flow: &Flow) -> BTreeSet<ServiceKey> {
        let mut keys = flow.all_keys();
        keys.retain(|key| self.wants(key));
        keys
    }

    /// The services of a direction between two registries that are selected, by their names at the destination.
    pub(super) fn copied_keys(&self, flow: &CopyFlow) -> BTreeSet<ServiceKey> {
        let mut keys = flow.all_keys();
        keys.retain(|key| self.service.as_ref().is_none_or(|wanted| flow.is_named(key, wanted)));
        keys
    }
}
