//! Copies that are to go for good, in every registry that can be written to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use futures::stream::{self, StreamExt};

use super::Leaves;
use crate::config::{self, Config};
use crate::model::{Instance, ServiceKey};
use crate::reconcile::build::Adapters;
use crate::reconcile::copies::{CopyState, CopyView, ServiceView};
use crate::registries::whole::read_whole;
use crate::registries::{Change, Destination, InstanceCopy, View, Written};
use crate::sync::{Direction, Mark, Outcome, Way};

/// How long a registry may take to be read whole.
const PATIENCE: Duration = Duration::from_secs(30);

/// What one task has left in one registry.
pub struct LeftCopies {
    /// The registry, by its configured name.
    pub registry: String,
    /// The mark of the copies.
    pub mark: Mark,
    /// Why they go, for people.
    pub reason: String,
    /// The copies by their services.
    pub services: BTreeMap<ServiceKey, Vec<InstanceCopy>>,
    form: Arc<dyn Destination>,
}

/// What stands in all registries.
#[derive(Default)]
pub(super) struct Found {
    pub(super) copies: Vec<LeftCopies>,
    /// Registries that cannot be read, for people.
    pub(super) unread: Vec<String>,
}

impl LeftCopies {
    /// What removing them comes to, as a plan shows it.
    pub fn views(&self) -> BTreeMap<ServiceKey, ServiceView> {
        let view = |copies: &Vec<InstanceCopy>| ServiceView {
            source: None,
            unread: false,
            waiting: None,
            copies: copies.iter().map(|copy| self.view(copy)).collect(),
        };
        self.services.iter().map(|(key, copies)| (key.clone(), view(copies))).collect()
    }

    fn view(&self, copy: &InstanceCopy) -> CopyView {
        CopyView {
            address: copy.instance.address.to_string(),
            outcome: Outcome::Retire,
            state: CopyState::Unwanted,
            reason: self.reason.clone(),
            stands: BTreeMap::new(),
            wanted: BTreeMap::new(),
            withheld_by: None,
            for_seconds: None,
            until_seconds: None,
        }
    }

    /// Removes them, each only if it still bears its mark; answers how many have gone, and what stays.
    pub async fn remove(&self) -> (usize, Vec<String>) {
        let writes = self.services.iter().map(|(key, copies)| async move {
            let removals: Vec<Change> = copies.iter().cloned().map(Change::remove).collect();
            (key, copies, self.form.write(key, &removals).await)
        });
        let outcomes: Vec<_> = stream::iter(writes).buffer_unordered(self.form.width()).collect().await;
        let (mut removed, mut stay) = (0, Vec::new());
        for (key, copies, results) in outcomes {
            for (copy, result) in copies.iter().zip(results) {
                let what = format!("{key}: copy {} in {}", copy.instance.address, self.registry);
                match result {
                    Ok(Written::Done) => removed += 1,
                    Ok(Written::Taken) => stay.push(format!("stays: {what}: it is not ours any more")),
                    Err(error) => stay.push(format!("failed: {what}: {error}")),
                }
            }
        }
        stay.sort();
        (removed, stay)
    }
}

/// Reads every registry that can be written to, and finds what is to go.
pub(super) async fn find(config: &Config, adapters: &dyn Adapters, leaves: &Leaves<'_>) -> Found {
    let ways = ways(config);
    let registries = config.registries.values().filter(|registry| !registry.is_read_only());
    let each = registries.map(|registry| find_in(config, registry, adapters, (leaves, &ways)));
    join_all(each).await.into_iter().fold(Found::default(), |mut found, one| {
        found.copies.extend(one.copies);
        found.unread.extend(one.unread);
        found
    })
}

/// What the configured tasks may write. A task that is switched off keeps what it has, both ways.
pub(in crate::reconcile) fn ways(config: &Config) -> Vec<Way> {
    let tasks = config.tasks.iter().filter_map(|task| {
        let ends = (config.registries.get(&task.source)?, config.registries.get(task.destination.name())?);
        Some((task, ends))
    });
    let ways = tasks.flat_map(|(task, (source, destination))| {
        let task = Arc::new(task.clone());
        let directions = if task.enable { Direction::running(&task) } else { Direction::possible(&task) };
        directions
            .into_iter()
            .map(move |direction| Way::new(Arc::clone(&task), direction, source, destination))
    });
    ways.collect()
}

async fn find_in(
    config: &Config,
    registry: &config::Registry,
    adapters: &dyn Adapters,
    (leaves, ways): (&Leaves<'_>, &[Way]),
) -> Found {
    let name = &registry.name;
    let built = adapters.source(registry).and_then(|source| Ok((source, adapters.destination(registry)?)));
    let (source, form) = match built {
        Ok(built) => built,
        Err(reason) => return Found { unread: vec![reason], ..Found::default() },
    };
    let whole = read_whole(name, source, PATIENCE).await;
    let mut unread: Vec<String> = whole
        .unknown
        .iter()
        .map(|(scope, why)| format!("registry {name}, {scope}: {}", why.reason))
        .collect();
    if !whole.settled {
        unread.push(format!("registry {name}: not read completely within {PATIENCE:?}"));
    }
    let of = Search { owner: &config.owner, leaves, ways, registry: name };
    let copies = of.found(&whole.view).into_iter().map(|((mark, reason), services)| LeftCopies {
        registry: name.clone(),
        mark,
        reason,
        services,
        form: Arc::clone(&form),
    });
    Found { copies: copies.collect(), unread }
}

/// What is looked for in one registry.
pub(in crate::reconcile) struct Search<'a> {
    pub(in crate::reconcile) owner: &'a str,
    pub(in crate::reconcile) leaves: &'a Leaves<'a>,
    pub(in crate::reconcile) ways: &'a [Way],
    pub(in crate::reconcile) registry: &'a str,
}

/// Copies by whose they are and why they go, and by their services.
type ByMark = BTreeMap<(Mark, String), BTreeMap<ServiceKey, Vec<InstanceCopy>>>;

impl Search<'_> {
    /// The copies in a view that go.
    pub(in crate::reconcile) fn found(&self, view: &View) -> ByMark {
        let mut found = ByMark::new();
        let readings = view.services().into_iter().filter_map(|key| view.reading(&key));
        for snapshot in readings.map(|reading| reading.snapshot) {
            for entry in snapshot.copies.values().flatten() {
                let Some((mark, reason)) = self.leaver(&snapshot.key, entry) else { continue };
                let copy = InstanceCopy::new(snapshot.key.clone(), mark.clone(), entry.clone());
                found.entry((mark, reason)).or_default().entry(snapshot.key.clone()).or_default().push(copy);
            }
        }
        found
    }

    /// Whose an entry is that goes, and why.
    fn leaver(&self, key: &ServiceKey, entry: &Instance) -> Option<(Mark, String)> {
        match self.leaves {
            Leaves::Task(task) => {
                let unread =
                    || Mark { origin: String::new(), owner: self.owner.to_owned(), task: (*task).to_owned() };
                let mark = Mark::read(&entry.metadata).unwrap_or_else(unread);
                let is_its = mark.owner == self.owner && mark.task == *task;
                (is_its && mark.owns(key, entry)).then(|| (mark, format!("it is task {task}'s")))
            }
            Leaves::Unconfigured(config) => {
                let mark = Mark::read(&entry.metadata).filter(|mark| mark.owner == self.owner)?;
                let why = if config.task(&mark.task).is_none() {
                    format!("task {} is not configured any more", mark.task)
                } else if self.is_carried(&mark.task, key) {
                    return None;
                } else {
                    format!("task {} does not carry this service here any more", mark.task)
                };
                Some((mark, why))
            }
        }
    }

    /// Whether a running direction of the task may have copies in this service.
    fn is_carried(&self, task: &str, key: &ServiceKey) -> bool {
        let mut ways =
            self.ways.iter().filter(|way| way.task().name == task && way.written() == self.registry);
        ways.any(|way| way.may_hold(key))
    }
}

/// The tasks all of whose copies go.
pub(super) fn tasks(copies: &[LeftCopies], leaves: &Leaves<'_>) -> BTreeSet<String> {
    let goes = |task: &String| leaves.takes(task);
    copies.iter().map(|left| left.mark.task.clone()).filter(goes).collect()
}
