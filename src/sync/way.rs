//! One direction of a task between two registries: what it carries, and what that is called at either end.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::names::{Names, Unnamed, Words};
use crate::config::{MatchEntry, Mode, Registry, RegistryKind, Task};
use crate::model::ServiceKey;

/// From a task's source to its destination, or back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// From source to destination.
    There,
    /// From destination to source.
    Back,
}

impl Direction {
    /// Those in which a task runs.
    pub fn running(task: &Task) -> Vec<Self> {
        let directions = task.copying.directions;
        let runs = |direction: &Self| match direction {
            Self::There => task.mode == Mode::Unidirectional || directions.there,
            Self::Back => directions.back,
        };
        Self::possible(task).into_iter().filter(runs).collect()
    }

    /// Those in which a task could run, whether they are switched on or not.
    pub fn possible(task: &Task) -> Vec<Self> {
        match task.mode {
            Mode::Unidirectional => vec![Self::There],
            Mode::Bidirectional => vec![Self::There, Self::Back],
        }
    }
}

/// One direction of a task. One of the task's two ends is read, the other one is written.
#[derive(Clone, Debug)]
pub struct Way {
    task: Arc<Task>,
    direction: Direction,
    names: Names,
    read: String,
    written: String,
    written_kind: RegistryKind,
}

impl Way {
    /// The directions in which a task between these two registries runs, in the order of the task.
    pub fn of(task: &Arc<Task>, source: &Registry, destination: &Registry) -> impl Iterator<Item = Self> {
        let directions = Direction::running(task).into_iter();
        directions.map(move |direction| Self::new(Arc::clone(task), direction, source, destination))
    }

    /// A direction of a task between these two registries, in the order of the task.
    pub fn new(task: Arc<Task>, direction: Direction, source: &Registry, destination: &Registry) -> Self {
        let copying = &task.copying;
        let names = Names::new(
            Words::of(source),
            Words::of(destination),
            copying.namespace_map.clone(),
            copying.group.clone(),
        )
        .renamed(&copying.rename);
        let (read, written) = match direction {
            Direction::There => (source, destination),
            Direction::Back => (destination, source),
        };
        Self {
            task,
            direction,
            names,
            read: read.name.clone(),
            written: written.name.clone(),
            written_kind: written.kind,
        }
    }

    /// The task.
    pub fn task(&self) -> &Arc<Task> {
        &self.task
    }

    /// Which of its directions.
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// The registry that is read, by its configured name.
    pub fn read(&self) -> &str {
        &self.read
    }

    /// The registry that is written to, by its configured name.
    pub fn written(&self) -> &str {
        &self.written
    }

    /// What a service of the registry that is read is called in the one that is written.
    ///
    /// # Errors
    /// It can't be carried.
    pub fn there(&self, key: &ServiceKey) -> Result<ServiceKey, Unnamed> {
        match self.direction {
            Direction::There => self.names.there(key),
            Direction::Back => self.names.back(key),
        }
    }

    /// What a service of the registry that is written is called in the one that is read, as far as its name tells.
    ///
    /// # Errors
    /// It is none that could have been carried.
    pub fn back(&self, key: &ServiceKey) -> Result<ServiceKey, Unnamed> {
        match self.direction {
            Direction::There => self.names.back(key),
            Direction::Back => self.names.there(key),
        }
    }

    /// The entry of the task that fits a service of the registry that is read. Entries speak the words of the task's source, both ways;
    /// what has no name there is asked for by its own.
    pub fn entry(&self, key: &ServiceKey) -> Option<&MatchEntry> {
        match self.direction {
            Direction::There => self.task.entry_for(&key.namespace, &key.service),
            Direction::Back => {
                let key = self.names.back_as_asked(key);
                self.task.entry_for(&key.namespace, &key.service)
            }
        }
    }

    /// Whether a service of the registry that is written may hold copies of this way's.
    pub fn may_hold(&self, key: &ServiceKey) -> bool {
        // The names of this type's services have lost their capitals, on which an entry may insist.
        let folded = self.written_kind == RegistryKind::Eureka;
        self.back(key).is_ok_and(|key| folded || self.entry(&key).is_some())
    }

    /// The namespaces of the registry that is read that can hold a service that is carried; `None` when a pattern may fit any.
    pub fn namespaces_read(&self) -> Option<BTreeSet<String>> {
        match self.direction {
            Direction::There => self.task.namespaces(),
            Direction::Back => self.namespaces_of_destination(),
        }
    }

    /// As [`Way::namespaces_read`], in the registry that is written.
    pub fn namespaces_written(&self) -> Option<BTreeSet<String>> {
        match self.direction {
            Direction::There => self.namespaces_of_destination(),
            Direction::Back => self.task.namespaces(),
        }
    }

    fn namespaces_of_destination(&self) -> Option<BTreeSet<String>> {
        let names = self.task.namespaces()?;
        Some(names.iter().filter_map(|name| self.names.namespace_there(name).ok()).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::{Destination, Dialect, Pattern, Selector};

    fn way(direction: Direction, service: &str) -> Way {
        let (nacos, eureka) = (
            Registry::bare("a".into(), RegistryKind::Nacos),
            Registry::bare("b".into(), RegistryKind::Eureka),
        );
        let destination = Destination::Registry("b".to_owned());
        let mut task = Task::bare("t".into(), "a".into(), destination, Duration::ZERO, Dialect::Native);
        let select = Selector { namespace: Pattern::literal("empty_ns"), service: Pattern::glob(service) };
        task.matches.push(MatchEntry::of(select, Duration::ZERO));
        Way::new(Arc::new(task), direction, &nacos, &eureka)
    }

    #[test]
    fn entries_speak_the_sources_words_both_ways() {
        let (there, back) = (way(Direction::There, "orders*"), way(Direction::Back, "orders*"));
        let (at_source, at_destination) =
            (ServiceKey::new("empty_ns", "orders"), ServiceKey::new("default", "orders"));
        assert!(there.entry(&at_source).is_some() && there.entry(&at_destination).is_none());
        assert!(back.entry(&at_destination).is_some());
        assert!(back.entry(&ServiceKey::new("default", "books")).is_none());
        assert_eq!(there.there(&at_source).unwrap(), at_destination);
        assert_eq!(back.there(&at_destination).unwrap(), at_source);
        assert_eq!((there.read(), back.read()), ("a", "b"));
        assert_eq!(there.namespaces_written(), Some(BTreeSet::from(["default".to_owned()])));
        assert_eq!(back.namespaces_written(), Some(BTreeSet::from(["empty_ns".to_owned()])));
    }

    #[test]
    fn what_has_no_name_there_is_asked_for_by_its_own() {
        let mut way = way(Direction::Back, "old-*");
        way.names = way.names.renamed(&[crate::config::Rename { from: "old-*".into(), to: "new-*".into() }]);
        let (stuck, led_back) =
            (ServiceKey::new("default", "old-orders"), ServiceKey::new("default", "new-orders"));
        assert!(way.entry(&stuck).is_some() && way.entry(&led_back).is_some());
        assert_eq!(way.there(&stuck), Err(Unnamed::NoWayBack));
        assert!(way.entry(&ServiceKey::new("default", "books")).is_none());
    }

    #[test]
    fn copies_are_looked_for_where_capitals_were_lost() {
        let folded = ServiceKey::new("default", "orders");
        assert!(way(Direction::There, "Orders").may_hold(&folded));
        assert!(!way(Direction::Back, "Orders").may_hold(&ServiceKey::new("empty_ns", "orders")));
    }
}
