//! From a running task between two registries to its migration board.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::board::{Board, Counts, Ends, Facts, board};
use super::copies::{CopyFlow, CopyStatus};
use super::source::SourceHandle;
use super::supervisor::Supervisor;
use crate::config::Mode;
use crate::model::{ServiceKey, Snapshot};
use crate::sync::{Direction, Outcome};

impl Supervisor {
    /// How far the applications of a task have come from its source to its destination.
    ///
    /// # Errors
    /// No task between two registries of that name runs; the message names those that do.
    pub fn migration(&self, task: &str) -> Result<Board, String> {
        let flows: Vec<&CopyFlow> =
            self.copies.iter().map(|flow| &**flow).filter(|flow| flow.way.task().name == task).collect();
        let Some(flow) = flows.first() else {
            let running: BTreeSet<&str> =
                self.copies.iter().map(|flow| flow.way.task().name.as_str()).collect();
            let running: Vec<&str> = running.into_iter().collect();
            let running = if running.is_empty() { "none".to_owned() } else { running.join(", ") };
            return Err(format!("no task `{task}` between two registries runs (there are: {running})"));
        };
        let task = flow.way.task();
        let ends = Ends {
            task: task.name.clone(),
            source: task.source.clone(),
            destination: task.destination.name().to_owned(),
            bidirectional: task.mode == Mode::Bidirectional && task.copying.directions.back,
        };
        let sides = Sides::of(flow);
        let there = flows.iter().find(|flow| flow.way.direction() == Direction::There);
        let obstacles = there.map(|flow| Obstacles::of(flow)).unwrap_or_default();
        let facts = sides.services().into_iter().map(|(key, name)| sides.facts(key, name, &obstacles));
        Ok(board(ends, facts, sides.doubts()))
    }
}

/// A task's two registries, whichever of its directions they are seen from.
struct Sides<'f> {
    flow: &'f CopyFlow,
    source: &'f Arc<SourceHandle>,
    destination: &'f Arc<SourceHandle>,
}

impl<'f> Sides<'f> {
    fn of(flow: &'f CopyFlow) -> Self {
        let (read, written) = (&flow.source, flow.destination.shown());
        let (source, destination) = match flow.way.direction() {
            Direction::There => (read, written),
            Direction::Back => (written, read),
        };
        Self { flow, source, destination }
    }

    /// Every service that an entry of the task fits, by its name at A, with its name at B.
    fn services(&self) -> BTreeMap<ServiceKey, Option<ServiceKey>> {
        let task = self.flow.way.task();
        let fits = |key: &ServiceKey| task.entry_for(&key.namespace, &key.service).is_some();
        let at_source = self.source.view().services().into_iter().filter(|key| fits(key));
        let mut services: BTreeMap<ServiceKey, Option<ServiceKey>> =
            at_source.map(|key| (key.clone(), self.name_at_destination(&key))).collect();
        let known: BTreeSet<ServiceKey> = services.values().flatten().cloned().collect();
        for name in self.destination.view().services() {
            let key = self.name_at_source(&name).filter(|key| !known.contains(&name) && fits(key));
            services.extend(key.map(|key| (key, Some(name))));
        }
        services
    }

    fn name_at_destination(&self, key: &ServiceKey) -> Option<ServiceKey> {
        let way = &self.flow.way;
        match way.direction() {
            Direction::There => way.there(key).ok(),
            Direction::Back => way.back(key).ok(),
        }
    }

    fn name_at_source(&self, key: &ServiceKey) -> Option<ServiceKey> {
        let way = &self.flow.way;
        match way.direction() {
            Direction::There => way.back(key).ok(),
            Direction::Back => way.there(key).ok(),
        }
    }

    fn facts(&self, key: ServiceKey, name: Option<ServiceKey>, obstacles: &Obstacles) -> Facts {
        let at_source = read(self.source, &key);
        let at_destination = match &name {
            Some(name) => read(self.destination, name),
            None => Ok(Arc::new(Snapshot::empty(key.clone()))),
        };
        let obstacle = obstacles.of_service(&key, name.as_ref());
        let facts = Facts {
            service: key.to_string(),
            name: name.map(|name| name.to_string()),
            obstacle,
            ..Facts::default()
        };
        match (at_source, at_destination) {
            (Ok(source), Ok(destination)) => {
                let entry = self.flow.way.task().entry_for(&key.namespace, &key.service);
                let groups = entry.map_or(&[][..], |entry| &entry.groups);
                Facts { counts: Counts::of(&source, &destination, self.flow.mark(), groups), ..facts }
            }
            (Err(reason), _) | (_, Err(reason)) => Facts { unknown: Some(reason), ..facts },
        }
    }

    /// Why nothing can be said for certain of all services together.
    fn doubts(&self) -> Vec<String> {
        let doubts = [self.source, self.destination].into_iter().flat_map(|registry| {
            let (name, view) = (&registry.name, registry.view());
            let unread = (!view.progress().borrow().settled)
                .then(|| format!("registry {name} has not been read completely yet"));
            let unknown = view.unknowns().into_iter();
            let unknown = unknown.map(|(scope, why)| format!("registry {name}, {scope}: {}", why.reason));
            let open = registry.guard().breaker().open;
            let lost =
                open.then(|| format!("registry {name} has lost many instances at once: its breaker is open"));
            unread.into_iter().chain(unknown).chain(lost).collect::<Vec<_>>()
        });
        doubts.collect()
    }
}

/// What a registry shows of a service, or why that isn't known.
fn read(registry: &SourceHandle, key: &ServiceKey) -> Result<Arc<Snapshot>, String> {
    let name = &registry.name;
    if let Some(unknown) = registry.view().unknown(key) {
        return Err(format!("{name} cannot be read: {}", unknown.reason));
    }
    registry.last_shown(key).ok_or_else(|| format!("{name} has not been read completely yet"))
}

/// Why services are not carried to the destination, or not wholly.
#[derive(Default)]
struct Obstacles {
    unnamed: BTreeMap<ServiceKey, String>,
    statuses: BTreeMap<ServiceKey, CopyStatus>,
}

impl Obstacles {
    fn of(flow: &CopyFlow) -> Self {
        Self { unnamed: flow.unnamed(), statuses: flow.statuses() }
    }

    fn of_service(&self, key: &ServiceKey, name: Option<&ServiceKey>) -> Option<String> {
        if let Some(reason) = self.unnamed.get(key) {
            return Some(format!("it is not carried, because {reason}"));
        }
        let status = self.statuses.get(name?)?;
        let left = status.outcomes.values().filter(|outcome| **outcome == Outcome::LeftToOther).count();
        let left =
            (left + status.taken.len() > 0).then(|| "somebody else's copies stand in the way".to_owned());
        let withheld = (!status.withheld.is_empty()).then(|| "the task's settings keep it back".to_owned());
        status.error.clone().or_else(|| status.waiting.clone()).or(left).or(withheld)
    }
}
