//! Our copy of what a server holds, kept up to date by its deltas. Pure.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::answer::{Applications, Described};
use super::instance::to_instance;
use crate::model::Instance;

/// A server tells of a change for three minutes, and may answer from a cache of half a minute.
const MEMORY: Duration = Duration::from_secs(240);

/// What a delta says of an instance that is gone.
const DELETED: &str = "DELETED";

/// All that a server holds. Of applications that nobody wants only what the hash counts.
#[derive(Debug, Default)]
pub(super) struct LocalCopy {
    apps: BTreeMap<String, BTreeMap<String, Entry>>,
    /// When instances that are gone had changed last, so that an older answer doesn't bring them back.
    gone: BTreeMap<(String, String), Gone>,
}

#[derive(Debug)]
struct Entry {
    status: String,
    updated: u64,
    instance: Option<Instance>,
}

#[derive(Debug)]
struct Gone {
    updated: u64,
    at: Instant,
}

impl LocalCopy {
    /// Takes a complete answer.
    pub(super) fn replace(&mut self, all: Applications, wants: impl Fn(&str) -> bool, now: Instant) {
        let before = std::mem::take(&mut self.apps);
        self.gone.retain(|_, gone| now < gone.at + MEMORY);
        for described in all.instances {
            self.put(described, &wants);
        }
        for (app, entries) in before {
            let held = self.apps.get(&app);
            let lost = entries.into_iter().filter(|(id, _)| held.is_none_or(|held| !held.contains_key(id)));
            let gone = lost.map(|(id, entry)| ((app.clone(), id), Gone { updated: entry.updated, at: now }));
            self.gone.extend(gone);
        }
    }

    /// Takes a delta: what changed lately, again and again, so most of it is known. The applications that it touches.
    pub(super) fn amend(
        &mut self,
        delta: Applications,
        wants: impl Fn(&str) -> bool,
        now: Instant,
    ) -> BTreeSet<String> {
        let mut touched = BTreeSet::new();
        for described in delta.instances {
            let (app, updated) = (described.app.clone(), described.instance.last_updated_timestamp);
            if !self.is_news(&described) {
                continue;
            }
            if described.instance.action_type == DELETED {
                self.remove(&app, described.instance.id(), updated, now);
            } else {
                self.put(described, &wants);
            }
            touched.insert(app);
        }
        touched
    }

    /// Whether this is later than what we hold.
    fn is_news(&self, described: &Described) -> bool {
        let (app, info) = (&described.app, &described.instance);
        let updated = info.last_updated_timestamp;
        match self.apps.get(app).and_then(|entries| entries.get(info.id())) {
            // A deletion of an instance that has been registered anew since is no news, and a server notes one as a change.
            Some(entry) if info.action_type == DELETED => updated > entry.updated,
            Some(entry) => updated >= entry.updated,
            None if info.action_type == DELETED => false,
            None => {
                let gone = self.gone.get(&(app.clone(), info.id().to_owned()));
                gone.is_none_or(|gone| updated > gone.updated)
            }
        }
    }

    fn put(&mut self, described: Described, wants: &impl Fn(&str) -> bool) {
        let Described { app, instance: info } = described;
        let (id, status) = (info.id().to_owned(), info.status.clone());
        self.gone.remove(&(app.clone(), id.clone()));
        let updated = info.last_updated_timestamp;
        let instance = wants(&app).then(|| to_instance(info));
        self.apps.entry(app).or_default().insert(id, Entry { status, updated, instance });
    }

    fn remove(&mut self, app: &str, id: &str, updated: u64, now: Instant) {
        let Some(entries) = self.apps.get_mut(app) else { return };
        entries.remove(id);
        if entries.is_empty() {
            self.apps.remove(app);
        }
        self.gone.insert((app.to_owned(), id.to_owned()), Gone { updated, at: now });
    }

    /// What a server that holds the same calls its hash: the number of instances in each status.
    pub(super) fn hash(&self) -> String {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for entry in self.apps.values().flat_map(BTreeMap::values) {
            *counts.entry(&entry.status).or_default() += 1;
        }
        counts.into_iter().map(|(status, count)| format!("{status}_{count}_")).collect()
    }

    /// The applications with instances.
    pub(super) fn apps(&self) -> impl Iterator<Item = &str> {
        self.apps.keys().map(String::as_str)
    }

    /// An application's instances: of several at one address first the one that is up, or the last that changed.
    pub(super) fn instances(&self, app: &str) -> Vec<Instance> {
        let mut entries: Vec<(&Entry, &Instance)> = self
            .apps
            .get(app)
            .into_iter()
            .flat_map(BTreeMap::values)
            .filter_map(|entry| Some((entry, entry.instance.as_ref()?)))
            .collect();
        entries.sort_by_key(|(entry, instance)| (!instance.usable(), Reverse(entry.updated)));
        entries.into_iter().map(|(_, instance)| instance.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// `app id status action updated` by lines.
    fn answer(lines: &[&str]) -> Applications {
        let described = |line: &&str| {
            let words: Vec<&str> = line.split(' ').collect();
            let updated: u64 = words[4].parse().unwrap();
            let instance = json!({ "instanceId": words[1], "ipAddr": format!("10.0.0.{}", words[1]),
                "status": words[2], "actionType": words[3], "lastUpdatedTimestamp": updated,
                "port": { "$": 80, "@enabled": "true" } });
            Described { app: words[0].to_owned(), instance: serde_json::from_value(instance).unwrap() }
        };
        Applications { instances: lines.iter().map(described).collect(), ..Applications::default() }
    }

    fn copy_of(lines: &[&str], now: Instant) -> LocalCopy {
        let mut copy = LocalCopy::default();
        copy.replace(answer(lines), |_| true, now);
        copy
    }

    fn hosts(copy: &LocalCopy, app: &str) -> Vec<String> {
        copy.instances(app).into_iter().map(|instance| instance.address.host).collect()
    }

    #[test]
    fn deltas_are_taken_once_and_in_their_order() {
        let now = Instant::now();
        let mut copy = copy_of(&["A 1 UP ADDED 10", "A 2 UP ADDED 10", "B 3 DOWN ADDED 10"], now);
        assert_eq!(copy.hash(), "DOWN_1_UP_2_");
        let mut take = |lines: &[&str]| copy.amend(answer(lines), |_| true, now);
        assert_eq!(take(&["A 2 UP DELETED 20"]), ["A".to_owned()].into());
        assert_eq!(take(&["A 2 UP DELETED 20"]), BTreeSet::new(), "a delta says the same for minutes");
        assert_eq!(take(&["A 2 UP ADDED 10"]), BTreeSet::new(), "an older answer brings nothing back");
        assert_eq!(take(&["A 1 UP DELETED 10"]), BTreeSet::new(), "it was registered anew at that moment");
        assert_eq!(take(&["B 3 UP MODIFIED 30", "B 3 UP DELETED 25"]), ["B".to_owned()].into());
        assert_eq!(take(&["A 2 UP ADDED 40", "C 9 UP DELETED 40"]), ["A".to_owned()].into());
        assert_eq!(
            (copy.hash().as_str(), hosts(&copy, "A")),
            ("UP_3_", vec!["10.0.0.2".into(), "10.0.0.1".into()])
        );
        copy.amend(answer(&["B 3 UP DELETED 50"]), |_| true, now);
        assert_eq!(copy.apps().collect::<Vec<_>>(), ["A"]);
    }

    #[test]
    fn what_a_complete_answer_lacks_is_gone_for_older_deltas() {
        let now = Instant::now();
        let mut copy = copy_of(&["A 1 UP ADDED 10", "A 2 UP ADDED 10"], now);
        copy.replace(answer(&["A 1 UP ADDED 10"]), |_| true, now);
        let stale = || answer(&["A 2 UP ADDED 10"]);
        assert!(copy.amend(stale(), |_| true, now).is_empty());
        copy.replace(answer(&["A 1 UP ADDED 10"]), |_| true, now + MEMORY);
        assert_eq!(copy.amend(stale(), |_| true, now).len(), 1, "nothing is remembered for ever");
    }

    #[test]
    fn unwanted_applications_count_in_the_hash_alone() {
        let mut copy = LocalCopy::default();
        copy.replace(answer(&["A 1 UP ADDED 10", "B 2 UP ADDED 10"]), |app| app == "A", Instant::now());
        assert_eq!(
            (copy.hash().as_str(), copy.instances("B").len(), copy.instances("A").len()),
            ("UP_2_", 0, 1)
        );
    }

    #[test]
    fn of_two_at_one_address_the_one_that_is_up_counts() {
        let same = |id: &str, status: &str, updated: u64| {
            let instance = json!({ "instanceId": id, "ipAddr": "10.0.0.1", "status": status,
                "lastUpdatedTimestamp": updated, "port": { "$": 80, "@enabled": "true" } });
            Described { app: "A".to_owned(), instance: serde_json::from_value(instance).unwrap() }
        };
        let instances = vec![same("down", "DOWN", 20), same("old", "UP", 5), same("new", "UP", 10)];
        let mut copy = LocalCopy::default();
        copy.replace(Applications { instances, ..Applications::default() }, |_| true, Instant::now());
        let ids: Vec<String> =
            copy.instances("A").into_iter().map(|instance| instance.attributes["id"].clone()).collect();
        assert_eq!(ids, ["new", "old", "down"]);
    }
}
