//! The migration board: how far the applications of a task have come from its source, A, to its destination, B. Pure.
//!
//! A service has moved when it is native at B alone, and no copy of it is kept at B for instances that A no longer shows. What is not
//! known for certain has not moved.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::config::Group;
use crate::model::{Instance, Snapshot};
use crate::sync::Mark;

/// Where a service's applications are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// One of the two registries does not tell at present.
    Unknown,
    /// Native at A alone, and some of its instances are not copied.
    AtSource,
    /// Native at A alone, with a copy of each at B.
    Copied,
    /// Some instances are native at A, and some at B.
    AtBoth,
    /// A shows none any more, and copies of what it showed are kept at B.
    Held,
    /// Native at B alone: A may go.
    AtDestination,
}

impl Place {
    /// All of them, in the order in which a service passes through them.
    pub const ALL: [Self; 6] =
        [Self::Unknown, Self::AtSource, Self::Copied, Self::AtBoth, Self::Held, Self::AtDestination];
}

/// What the two registries show of one service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Native instances at A that the task carries.
    pub native_at_source: usize,
    /// Those of them whose copy stands at B, or that are native there too.
    pub carried: usize,
    /// Copies of the task at B.
    pub copies_at_destination: usize,
    /// Native instances at B.
    pub native_at_destination: usize,
    /// Copies of the task at A, by the way back.
    pub copies_at_source: usize,
}

impl Counts {
    /// Counts both registries' entries. `groups` say what is carried; all where there are none.
    pub fn of(source: &Snapshot, destination: &Snapshot, mark: &Mark, groups: &[Group]) -> Self {
        let carries = |it: &&Instance| !it.is_copy() && Group::carry(groups, &it.metadata);
        let natives: Vec<&Instance> = source.instances.values().filter(carries).collect();
        let is_there = |it: &&&Instance| {
            let copies = destination.copies.get(&it.address).into_iter().flatten();
            destination.is_native(&it.address)
                || copies.into_iter().any(|copy| mark.owns(&destination.key, copy))
        };
        Self {
            carried: natives.iter().filter(is_there).count(),
            native_at_source: natives.len(),
            copies_at_destination: ours(mark, destination),
            native_at_destination: destination.instances.values().filter(|it| !it.is_copy()).count(),
            copies_at_source: ours(mark, source),
        }
    }

    fn place(&self) -> Option<Place> {
        match (self.native_at_source, self.native_at_destination) {
            (0, _) if self.copies_at_destination > 0 => Some(Place::Held),
            (0, 0) => None,
            (0, _) => Some(Place::AtDestination),
            (natives, 0) if self.carried == natives => Some(Place::Copied),
            (_, 0) => Some(Place::AtSource),
            _ => Some(Place::AtBoth),
        }
    }
}

fn ours(mark: &Mark, shown: &Snapshot) -> usize {
    shown.copies.values().filter(|copies| copies.iter().any(|copy| mark.owns(&shown.key, copy))).count()
}

/// What is known of one service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Its name at A, as `namespace/service`.
    pub service: String,
    /// Its name at B; none where it has none.
    pub name: Option<String>,
    /// What is shown.
    pub counts: Counts,
    /// Why one of the two does not tell at present.
    pub unknown: Option<String>,
    /// Why it is not carried, or not wholly.
    pub obstacle: Option<String>,
}

/// One service on the board.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Its name at A, as `namespace/service`.
    pub service: String,
    /// Its name at B; none where it has none.
    pub name: Option<String>,
    /// Where it is.
    pub place: Place,
    /// What is shown.
    #[serde(flatten)]
    pub counts: Counts,
    /// Why it is not known, not carried, or not wholly.
    pub reason: Option<String>,
}

/// How far a task has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Board {
    /// The task.
    pub task: String,
    /// A, by its configured name.
    pub source: String,
    /// B, by its configured name.
    pub destination: String,
    /// Whether what is native at B alone is copied to A.
    pub bidirectional: bool,
    /// Whether every service has moved: A may be switched off as far as this task goes.
    pub moved: bool,
    /// How many services are in each place.
    pub counts: BTreeMap<Place, usize>,
    /// Every service that is native anywhere, or of which copies stand, by its name at A.
    pub services: Vec<Row>,
    /// Why nothing can be said for certain.
    pub doubts: Vec<String>,
}

/// The two ends of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// The task.
    pub task: String,
    /// A.
    pub source: String,
    /// B.
    pub destination: String,
    /// Both ways run.
    pub bidirectional: bool,
}

/// The board of a task.
pub fn board(ends: Ends, facts: impl IntoIterator<Item = Facts>, doubts: Vec<String>) -> Board {
    let mut services: Vec<Row> = facts.into_iter().filter_map(row).collect();
    services.sort_by(|one, other| one.service.cmp(&other.service));
    let count = |place| services.iter().filter(|row| row.place == place).count();
    let counts: BTreeMap<Place, usize> = Place::ALL.into_iter().map(|place| (place, count(place))).collect();
    let all_moved = services.iter().all(|row| row.place == Place::AtDestination);
    let Ends { task, source, destination, bidirectional } = ends;
    let moved = all_moved && !services.is_empty() && doubts.is_empty();
    Board { task, source, destination, bidirectional, moved, counts, services, doubts }
}

fn row(facts: Facts) -> Option<Row> {
    let Facts { service, name, counts, unknown, obstacle } = facts;
    let place = if unknown.is_some() { Place::Unknown } else { counts.place()? };
    let obstacle = obstacle.filter(|_| matches!(place, Place::AtSource | Place::AtBoth));
    Some(Row { service, name, place, counts, reason: unknown.or(obstacle) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Address, ServiceKey};

    fn mark() -> Mark {
        Mark { origin: "a".into(), owner: "lab".into(), task: "move".into() }
    }

    /// Entries of a service: `n1` native at 10.0.0.1, `c1` our copy there, `o1` another task's.
    fn shown(words: &str) -> Snapshot {
        let entries = words.split_whitespace().map(|word| {
            let (kind, last) = word.split_at(1);
            let mut entry = Instance::new(Address::new(format!("10.0.0.{last}"), 80));
            match kind {
                "c" => mark().stamp(&mut entry.metadata),
                "o" => Mark { task: "other".into(), ..mark() }.stamp(&mut entry.metadata),
                _ => {}
            }
            entry
        });
        Snapshot::new(ServiceKey::new("n", "orders"), entries.collect::<Vec<_>>())
    }

    fn facts(service: &str, at_a: &str, at_b: &str) -> Facts {
        let counts = Counts::of(&shown(at_a), &shown(at_b), &mark(), &[]);
        Facts { service: service.to_owned(), name: Some(service.to_owned()), counts, ..Facts::default() }
    }

    #[test]
    fn each_service_is_in_its_place() {
        let rows = [
            ("n1 n2", "", Some(Place::AtSource)),
            ("n1 n2", "c1", Some(Place::AtSource)),
            ("n1", "o1", Some(Place::AtSource)),
            ("n1 n2", "c1 c2", Some(Place::Copied)),
            ("n1 n2", "c1 c2 o3", Some(Place::Copied)),
            ("n1 n2", "n1 c2", Some(Place::AtBoth)),
            ("n1", "n1", Some(Place::AtBoth)),
            ("n1 c2", "c1 n2", Some(Place::AtBoth)),
            ("", "c1", Some(Place::Held)),
            ("c2", "c1 n2", Some(Place::Held)),
            ("", "n1", Some(Place::AtDestination)),
            ("c1", "n1", Some(Place::AtDestination)),
            ("o1", "n1", Some(Place::AtDestination)),
            ("", "", None),
            ("o1", "o1", None),
            ("c1", "", None),
        ];
        for (at_a, at_b, place) in rows {
            let row = row(facts("s", at_a, at_b));
            assert_eq!(row.map(|row| row.place), place, "at A `{at_a}`, at B `{at_b}`");
        }
    }

    #[test]
    fn entries_are_counted_by_whose_they_are() {
        let counts = Counts::of(&shown("n1 n2 n3 c4 o5"), &shown("c1 n2 n4 o3"), &mark(), &[]);
        let expected = Counts {
            native_at_source: 3,
            carried: 2,
            copies_at_destination: 1,
            native_at_destination: 2,
            copies_at_source: 1,
        };
        assert_eq!(counts, expected);
        let group = Group {
            name: "v1".into(),
            metadata: [("version".to_owned(), "1".to_owned())].into(),
            upstream_name: None,
        };
        let counts = Counts::of(&shown("n1"), &shown(""), &mark(), &[group]);
        assert_eq!(counts.native_at_source, 0, "what the task does not carry does not hinder it");
    }

    fn told(facts: impl IntoIterator<Item = Facts>, doubts: &[&str]) -> Board {
        let ends =
            Ends { task: "move".into(), source: "a".into(), destination: "b".into(), bidirectional: true };
        board(ends, facts, doubts.iter().map(|doubt| (*doubt).to_owned()).collect())
    }

    #[test]
    fn all_have_moved_only_when_nothing_says_otherwise() {
        let there = || facts("y", "c1", "n1");
        assert!(told([facts("x", "", "n1"), there()], &[]).moved);
        assert!(!told([], &[]).moved, "nothing was seen to move");
        assert!(!told([there()], &["registry a cannot be read"]).moved);
        for (at_a, at_b) in [("n1", ""), ("n1", "c1"), ("n1", "n1"), ("", "c1")] {
            assert!(!told([facts("x", at_a, at_b), there()], &[]).moved, "{at_a}, {at_b}");
        }
        let unknown = Facts { unknown: Some("timed out".into()), ..there() };
        let board = told([unknown], &[]);
        assert!(!board.moved);
        assert_eq!(
            (board.services[0].place, board.services[0].reason.as_deref()),
            (Place::Unknown, Some("timed out"))
        );
    }

    #[test]
    fn places_are_counted_and_services_are_in_order() {
        let hindered = |facts: Facts| Facts { obstacle: Some("too long".into()), ..facts };
        let rows = [
            hindered(facts("d", "n1", "")),
            hindered(facts("c", "n1", "c1")),
            facts("b", "", "n1"),
            facts("a", "n1", ""),
            facts("e", "", ""),
        ];
        let board = told(rows, &[]);
        let counts: Vec<usize> = board.counts.values().copied().collect();
        assert_eq!(counts, [0, 2, 1, 0, 0, 1]);
        let rows = board.services.iter().map(|row| (row.service.as_str(), row.reason.as_deref()));
        let expected = [("a", None), ("b", None), ("c", None), ("d", Some("too long"))];
        assert_eq!(rows.collect::<Vec<_>>(), expected);
        let json = serde_json::to_value(&board).unwrap();
        assert_eq!(json["counts"]["at_source"], 2);
        assert_eq!(json["services"][0]["native_at_source"], 1);
        assert_eq!(serde_json::from_value::<Board>(json).unwrap(), board);
    }
}
