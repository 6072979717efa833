//! A service's instances as Nacos shows them, and the snapshot that they make.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::names::ServiceName;
use crate::model::{Address, Instance, Metadata, ServiceKey, Snapshot, Weight};
use crate::registries::metadata::pair;

/// One instance as pushed or listed.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Host {
    pub(super) ip: String,
    pub(super) port: i64,
    #[serde(default = "one")]
    pub(super) weight: f64,
    #[serde(default = "yes")]
    pub(super) healthy: bool,
    #[serde(default = "yes")]
    pub(super) enabled: bool,
    #[serde(default = "yes")]
    pub(super) ephemeral: bool,
    #[serde(default)]
    pub(super) cluster_name: Option<String>,
    #[serde(default)]
    pub(super) metadata: Option<BTreeMap<String, Value>>,
}

fn one() -> f64 {
    1.0
}

fn yes() -> bool {
    true
}

impl Host {
    /// `None` for a port that no socket has.
    pub(super) fn address(&self) -> Option<Address> {
        Some(Address::new(self.ip.clone(), u16::try_from(self.port).ok()?))
    }

    /// `None` as for the address.
    pub(super) fn instance(&self) -> Option<Instance> {
        let mut attributes = Metadata::new();
        if let Some(cluster) = &self.cluster_name {
            attributes.insert("cluster".to_owned(), cluster.clone());
        }
        if !self.ephemeral {
            attributes.insert("ephemeral".to_owned(), "false".to_owned());
        }
        Some(Instance {
            weight: Weight::from_ratio(self.weight),
            healthy: self.healthy,
            enabled: self.enabled,
            metadata: self.metadata.iter().flatten().filter_map(pair).collect(),
            attributes,
            ..Instance::new(self.address()?)
        })
    }
}

/// All instances of a service at one moment.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceInfo {
    pub(super) name: String,
    #[serde(default)]
    pub(super) group_name: Option<String>,
    #[serde(default)]
    pub(super) hosts: Vec<Host>,
    /// The server's clock when this was made, in milliseconds.
    #[serde(default)]
    pub(super) last_ref_time: i64,
    /// Too few are healthy, so the server calls all of them so.
    #[serde(default)]
    pub(super) reach_protection_threshold: bool,
}

impl ServiceInfo {
    /// Whose they are.
    pub(super) fn service(&self) -> ServiceName {
        ServiceName::from_answer(self.group_name.as_deref().unwrap_or_default(), &self.name)
    }

    /// Whether the full listing may tell more than this: an instance shown before is not, which may have been switched
    /// off, or health isn't told as it is.
    pub(super) fn leaves_open(&self, previous: Option<&Snapshot>) -> bool {
        let shown: BTreeSet<Address> = self.hosts.iter().filter_map(Host::address).collect();
        let misses = previous.is_some_and(|old| old.instances.keys().any(|address| !shown.contains(address)));
        misses || self.reach_protection_threshold
    }

    /// Whether what this doesn't show is gone or switched off in the full listing too. A listing made by another server may
    /// be behind.
    pub(super) fn agrees_with(&self, listed: &[Host]) -> bool {
        let shown: BTreeSet<Option<Address>> = self.hosts.iter().map(Host::address).collect();
        listed.iter().all(|host| !host.enabled || shown.contains(&host.address()))
    }

    /// Takes over from the full listing what a push can't tell: instances that are switched off, and under the protection
    /// threshold everyone's health.
    pub(super) fn completed(mut self, listed: &[Host]) -> Self {
        let shown: BTreeSet<Option<Address>> = self.hosts.iter().map(Host::address).collect();
        if self.reach_protection_threshold {
            for host in &mut self.hosts {
                let same = |other: &&Host| {
                    other.address() == host.address() && other.cluster_name == host.cluster_name
                };
                host.healthy = listed.iter().find(same).map_or(host.healthy, |told| told.healthy);
            }
            self.reach_protection_threshold = false;
        }
        let off = listed.iter().filter(|host| !host.enabled && !shown.contains(&host.address()));
        self.hosts.extend(off.cloned());
        self
    }

    /// The snapshot. Each host:port stands once, a usable one first, whatever order the server chose. Health under the protection threshold is what it was.
    pub(super) fn snapshot(&self, key: ServiceKey, previous: Option<&Snapshot>) -> Snapshot {
        let mut hosts: Vec<&Host> = self.hosts.iter().collect();
        hosts.sort_by_cached_key(|host| {
            let pairs = host.metadata.iter().flatten().map(|(key, value)| (key.clone(), value.to_string()));
            let rest =
                (host.ephemeral, host.cluster_name.clone(), pairs.collect::<Vec<_>>(), host.weight.to_bits());
            (!host.enabled, !host.healthy, rest)
        });
        let instances = hosts.into_iter().filter_map(Host::instance).map(|mut instance| {
            if self.reach_protection_threshold {
                let before = previous.and_then(|old| old.instances.get(&instance.address));
                instance.healthy = before.map_or(instance.healthy, |before| before.healthy);
            }
            instance
        });
        Snapshot::new(key, instances)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::model::marks::is_copy;

    fn host(ip: &str, more: Value) -> Host {
        let mut body = json!({ "ip": ip, "port": 80, "clusterName": "DEFAULT" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(body).unwrap()
    }

    fn info(hosts: Vec<Host>) -> ServiceInfo {
        ServiceInfo {
            name: "orders".into(),
            group_name: Some("DEFAULT_GROUP".into()),
            hosts,
            last_ref_time: 1,
            reach_protection_threshold: false,
        }
    }

    fn key() -> ServiceKey {
        ServiceKey::new("empty_ns", "orders")
    }

    #[test]
    fn every_field_is_carried() {
        let told = json!({ "weight": 0.3, "healthy": false, "ephemeral": false, "clusterName": "bj",
            "metadata": { "version": "1.0.0", "none": null, "n": 1 } });
        let snapshot =
            info(vec![host("::1", told), host("x", json!({ "port": 70000 }))]).snapshot(key(), None);
        let instance = &snapshot.instances[&Address::new("::1", 80)];
        assert_eq!(snapshot.instances.len(), 1, "no socket has port 70000");
        assert_eq!(instance.weight, Weight::from_ratio(0.3));
        assert!(!instance.healthy && instance.enabled);
        let pairs = |map: &Metadata| map.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>();
        assert_eq!(pairs(&instance.metadata), ["n=1", "version=1.0.0"]);
        assert_eq!(pairs(&instance.attributes), ["cluster=bj", "ephemeral=false"]);
    }

    #[test]
    fn a_service_without_hosts_or_with_nulls_is_read() {
        let read: ServiceInfo = serde_json::from_value(json!({
            "name": "TRADE@@orders", "groupName": null, "hosts": [{ "ip": "a", "port": 1, "metadata": null }], "new": 1,
        }))
        .unwrap();
        assert_eq!(read.service().to_string(), "TRADE@@orders");
        assert!(read.hosts[0].healthy && read.hosts[0].enabled);
    }

    #[test]
    fn under_the_threshold_health_is_the_listings_or_the_last_known() {
        let sick = info(vec![host("a", json!({ "healthy": false }))]).snapshot(key(), None);
        let mut protected = info(vec![host("a", json!({})), host("b", json!({}))]);
        protected.reach_protection_threshold = true;
        let kept = protected.snapshot(key(), Some(&sick));
        let healthy =
            |snapshot: &Snapshot| snapshot.instances.values().map(|i| i.healthy).collect::<Vec<_>>();
        assert_eq!(healthy(&kept), [false, true]);
        assert!(protected.leaves_open(Some(&kept)));
        let listed = [host("a", json!({})), host("b", json!({ "healthy": false }))];
        assert_eq!(healthy(&protected.completed(&listed).snapshot(key(), Some(&sick))), [true, false]);
    }

    #[test]
    fn what_is_missing_may_be_switched_off() {
        let before = info(vec![host("a", json!({})), host("b", json!({}))]).snapshot(key(), None);
        let pushed = info(vec![host("a", json!({}))]);
        assert!(pushed.leaves_open(Some(&before)) && !pushed.leaves_open(None));
        let off = host("b", json!({ "enabled": false }));
        let shown = pushed.clone().completed(&[host("a", json!({})), off]).snapshot(key(), Some(&before));
        assert!(!shown.instances[&Address::new("b", 80)].enabled);
        let gone = pushed.completed(&[host("a", json!({}))]).snapshot(key(), Some(&before));
        assert_eq!(gone.instances.len(), 1);
    }

    fn any_host() -> impl Strategy<Value = Host> {
        let mark = prop_oneof![
            Just(None),
            Just(Some("causeway-origin")),
            Just(Some("sourceClusterId")),
            Just(Some("v"))
        ];
        ("[ab]", any::<bool>(), any::<bool>(), mark, 0..3u8).prop_map(
            |(ip, healthy, enabled, mark, weight)| {
                let metadata: BTreeMap<String, String> =
                    mark.map(|m| (m.to_owned(), "x".to_owned())).into_iter().collect();
                host(
                    &ip,
                    json!({ "healthy": healthy, "enabled": enabled, "metadata": metadata, "weight": weight }),
                )
            },
        )
    }

    proptest! {
        #[test]
        fn the_servers_order_makes_no_difference_and_the_native_wins(hosts in proptest::collection::vec(any_host(), 0..6), turn in 0usize..6) {
            let snapshot = info(hosts.clone()).snapshot(key(), None);
            let mut turned = hosts.clone();
            turned.rotate_left(turn.min(hosts.len()));
            prop_assert_eq!(&snapshot, &info(turned).snapshot(key(), None));
            for (address, shown) in &snapshot.instances {
                let copy = is_copy(&shown.metadata);
                let native_there = hosts.iter().filter_map(Host::instance).any(|h| h.address == *address && !is_copy(&h.metadata));
                prop_assert_eq!(copy, !native_there);
            }
        }
    }
}
