//! A group for each value of a metadata key, as values appear and go.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::groups::{DEFAULT_GROUP, Filter};
use super::split::SPLIT;
use crate::config::{GroupBy, MatchEntry};
use crate::model::Snapshot;

/// The groups of a service's values that have upstreams already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Incumbents {
    /// Their names.
    pub standing: BTreeSet<String>,
    /// Those among them in which something is kept that the registry does not show: they stay, whether their value is
    /// shown or not.
    pub kept: BTreeSet<String>,
}

/// One thing to know of the values that have no group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueNote {
    /// There are too many.
    BeyondMaxGroups {
        /// The key.
        key: String,
        /// `max_groups`.
        max_groups: usize,
        /// How many configured groups count among them.
        configured: usize,
        /// The values that are left out, in order.
        values: Vec<String>,
    },
    /// The name means something of its own.
    Reserved {
        /// The key.
        key: String,
        /// The value.
        value: String,
    },
    /// A configured group with another filter has that name.
    OtherGroup {
        /// The key.
        key: String,
        /// The value, and the group's name.
        value: String,
    },
}

/// How many of a list's entries are named.
const NAMED: usize = 10;

impl fmt::Display for ValueNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BeyondMaxGroups { key, max_groups, configured, values } => {
                let (named, more) = values.split_at(values.len().min(NAMED));
                let have = if values.len() == 1 { "value has" } else { "values have" };
                write!(f, "{} {have} no group by `{key}`, since `max_groups` is {max_groups}", values.len())?;
                if *configured > 0 {
                    write!(f, " with the {configured} configured")?;
                }
                write!(f, ": {}", named.join(", "))?;
                if more.is_empty() { Ok(()) } else { write!(f, " and {} more", more.len()) }
            }
            Self::Reserved { key, value } => {
                write!(f, "`{key}: {value}` has no group, since the group name `{value}` is reserved")
            }
            Self::OtherGroup { key, value } => write!(
                f,
                "`{key}: {value}` has no group of its own, since a configured group with another filter is named `{value}`"
            ),
        }
    }
}

/// Which values have groups, in order, and what is to be said of those that have none.
///
/// Configured groups come first, then values that the split names, then incumbents, then newcomers, each in the order of
/// their names; after `max_groups` no more are taken.
pub(super) fn values<'a>(
    entry: &'a MatchEntry,
    snapshot: &'a Snapshot,
    incumbents: &'a Incumbents,
) -> (Vec<Filter<'a>>, Vec<ValueNote>) {
    let Some(GroupBy { key, max_groups }) = &entry.group_by else { return (Vec::new(), Vec::new()) };
    let shown = snapshot.instances.values().filter_map(|instance| instance.metadata.get(key));
    let shown: BTreeSet<&str> = shown.map(String::as_str).filter(|value| !value.is_empty()).collect();
    let mut notes: Vec<ValueNote> = shown.iter().filter_map(|value| told_apart(entry, key, value)).collect();
    let kept = incumbents.kept.iter().map(String::as_str);
    let values: BTreeSet<&str> =
        shown.into_iter().chain(kept).filter(|value| !is_taken(entry, value)).collect();
    let mut ranked: Vec<&str> = values.into_iter().collect();
    let named = |value: &str| entry.split.as_ref().is_some_and(|shares| shares.contains_key(value));
    ranked.sort_by_key(|value| (!named(value), !incumbents.standing.contains(*value), *value));
    let configured = entry.groups.iter().filter(|group| group.name != DEFAULT_GROUP).count();
    let room = max_groups.saturating_sub(configured).min(ranked.len());
    let mut out: Vec<String> = ranked.split_off(room).into_iter().map(str::to_owned).collect();
    if !out.is_empty() {
        out.sort_unstable();
        let (key, max_groups) = (key.clone(), *max_groups);
        notes.push(ValueNote::BeyondMaxGroups { key, max_groups, configured, values: out });
    }
    ranked.sort_unstable();
    (ranked.into_iter().map(|value| Filter::of_value(key, value)).collect(), notes)
}

/// Whether a group of this name is there anyway, or means something of its own.
fn is_taken(entry: &MatchEntry, value: &str) -> bool {
    is_reserved(value) || entry.groups.iter().any(|group| group.name == value)
}

fn is_reserved(value: &str) -> bool {
    [DEFAULT_GROUP, SPLIT].contains(&value)
}

/// What is to be said of a value whose name is taken by something that isn't its group.
fn told_apart(entry: &MatchEntry, key: &str, value: &str) -> Option<ValueNote> {
    let (key, value) = (key.to_owned(), value.to_owned());
    if is_reserved(&value) {
        return Some(ValueNote::Reserved { key, value });
    }
    let group = entry.groups.iter().find(|group| group.name == value)?;
    let same = group.metadata == BTreeMap::from([(key.clone(), value.clone())]);
    (!same).then_some(ValueNote::OtherGroup { key, value })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::config::{Group, KongTemplates, Pattern, Selector};
    use crate::model::{Address, Instance, ServiceKey};

    fn entry(max_groups: usize, configured: &[&str], split: &[&str]) -> MatchEntry {
        let group =
            |name: &&str| Group { name: (*name).to_owned(), metadata: BTreeMap::new(), upstream_name: None };
        MatchEntry {
            select: Selector { namespace: Pattern::any(), service: Pattern::any() },
            exclude: Vec::new(),
            groups: configured.iter().map(group).collect(),
            kong: KongTemplates::default(),
            route: None,
            hold: Duration::ZERO,
            group_by: Some(GroupBy { key: "version".to_owned(), max_groups }),
            split: Some(split.iter().map(|name| ((*name).to_owned(), 1.0)).collect()),
        }
    }

    fn shown(values: &BTreeSet<String>) -> Snapshot {
        let instance = |(port, value): (u16, &String)| {
            let mut instance = Instance::new(Address::new("10.0.0.1", port));
            instance.metadata.insert("version".to_owned(), value.clone());
            instance
        };
        Snapshot::new(ServiceKey::new("n", "s"), (1..).zip(values).map(instance))
    }

    fn set(values: &[&str]) -> BTreeSet<String> {
        values.iter().map(|value| (*value).to_owned()).collect()
    }

    /// Who is in, and who is told to be out.
    fn ranked(
        entry: &MatchEntry,
        shows: &BTreeSet<String>,
        incumbents: &Incumbents,
    ) -> [BTreeSet<String>; 2] {
        let snapshot = shown(shows);
        let (filters, notes) = values(entry, &snapshot, incumbents);
        let out = notes.into_iter().find_map(|note| match note {
            ValueNote::BeyondMaxGroups { values, .. } => Some(values.into_iter().collect()),
            _ => None,
        });
        [filters.into_iter().map(|filter| filter.name.to_owned()).collect(), out.unwrap_or_default()]
    }

    #[test]
    fn configured_then_named_by_the_split_then_incumbents_then_newcomers() {
        let shows = set(&["a", "b", "c", "d", "e"]);
        let incumbents = Incumbents { standing: set(&["d", "e", "gone"]), kept: BTreeSet::new() };
        for (max_groups, configured, split, inside) in [
            (16, &["x", "y"][..], &[][..], &["a", "b", "c", "d", "e"][..]),
            (3, &[], &[], &["a", "d", "e"]),
            (2, &[], &[], &["d", "e"]),
            (1, &[], &[], &["d"]),
            (3, &["x"], &[], &["d", "e"]),
            (3, &["x", "y", "z", "w"], &[], &[]),
            (3, &[], &["c", "nobody"], &["c", "d", "e"]),
            (3, &["x", "c"], &["c"], &["d"]),
        ] {
            let entry = entry(max_groups, configured, split);
            let [found, _] = ranked(&entry, &shows, &incumbents);
            assert_eq!(found, set(inside), "{max_groups} {configured:?} {split:?}");
        }
    }

    #[test]
    fn a_value_in_which_something_is_kept_stays_though_it_is_not_shown() {
        let entry = entry(2, &["v1"], &[]);
        let kept = set(&["old", "default", "split", "v1"]);
        let incumbents = Incumbents { standing: kept.clone(), kept };
        assert_eq!(ranked(&entry, &set(&["new"]), &incumbents), [set(&["old"]), set(&["new"])]);
    }

    #[test]
    fn ten_of_those_that_are_out_are_named() {
        let values = |count: u8| ValueNote::BeyondMaxGroups {
            key: "version".to_owned(),
            max_groups: 16,
            configured: 0,
            values: (0..count).map(|n| n.to_string()).collect(),
        };
        let told = "version`, since `max_groups` is 16: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9";
        assert_eq!(values(10).to_string(), format!("10 values have no group by `{told}"));
        assert_eq!(values(14).to_string(), format!("14 values have no group by `{told} and 4 more"));
    }

    fn names() -> impl Strategy<Value = BTreeSet<String>> {
        prop::collection::btree_set("[a-h]", 0..8)
    }

    proptest! {
        #[test]
        fn nobody_is_out_while_somebody_behind_is_in(
            shows in names(), standing in names(), named in names(), max_groups in 1..9_usize,
        ) {
            let named: Vec<&str> = named.iter().map(String::as_str).collect();
            let entry = entry(max_groups, &["x"], &named);
            let incumbents = Incumbents { standing: standing.clone(), kept: BTreeSet::new() };
            let [inside, outside] = ranked(&entry, &shows, &incumbents);
            prop_assert_eq!(inside.len(), shows.len().min(max_groups - 1));
            prop_assert_eq!(&inside.union(&outside).cloned().collect::<BTreeSet<_>>(), &shows);
            let rank = |name: &String| (!named.contains(&name.as_str()), !standing.contains(name), name.clone());
            let last = inside.iter().map(rank).max();
            prop_assert!(outside.iter().map(rank).all(|out| last.as_ref().is_none_or(|last| *last < out)));
            // Who is in now is in when it is asked again.
            let again = Incumbents { standing: inside.clone(), kept: BTreeSet::new() };
            prop_assert_eq!(ranked(&entry, &shows, &again)[0].clone(), inside);
        }
    }
}
