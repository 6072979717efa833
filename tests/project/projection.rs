//! From a registry's view of one service to what a gateway should hold.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use causeway::config::{
    Copying, Destination, Dialect, Group, KongTemplates, MatchEntry, Mode, Pattern, Policy, RegistryKind,
    Selector, Setting, Task, Upkeep,
};
use causeway::model::{Address, Instance, ServiceKey, Snapshot, Weight};
use causeway::project::matcher::{Decision, decide};
use causeway::project::{Incumbents, Projected, Projection, Reason, project};
use causeway_gateways::{Existence, Tags, TargetAddress, Upstream};
use proptest::prelude::*;
use serde_json::json;

fn selector(namespace: &str, service: &str) -> Selector {
    Selector { namespace: Pattern::glob(namespace), service: Pattern::glob(service) }
}

fn group(name: &str, pairs: &[(&str, &str)]) -> Group {
    let metadata = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Group { name: name.to_owned(), metadata, upstream_name: None }
}

fn entry(select: Selector, groups: Vec<Group>) -> MatchEntry {
    let hold = Duration::from_secs(60);
    let kong = KongTemplates::default();
    MatchEntry { select, exclude: Vec::new(), groups, kong, route: None, hold, group_by: None, split: None }
}

/// Settings that are values.
fn values(fields: serde_json::Value) -> BTreeMap<String, Setting> {
    let fields = fields.as_object().unwrap().clone();
    fields.into_iter().map(|(name, value)| (name, Setting::Value(value))).collect()
}

fn task(matches: Vec<MatchEntry>) -> Task {
    Task {
        name: "nacos-to-kong".to_owned(),
        enable: true,
        policy: Policy::Own,
        delete: true,
        weight: Upkeep::default(),
        source: "nacos-a".to_owned(),
        destination: Destination::Gateway("kong".to_owned()),
        mode: Mode::Unidirectional,
        matches,
        excludes: Vec::new(),
        hold: Duration::from_secs(60),
        dialect: Dialect::Native,
        copying: Copying::default(),
    }
}

fn orders(instances: Vec<Instance>) -> Snapshot {
    Snapshot::new(ServiceKey::new("prod", "TRADE__orders"), instances)
}

fn at(host: &str, version: &str) -> Instance {
    let metadata = BTreeMap::from([("version".to_owned(), version.to_owned())]);
    Instance { metadata, ..Instance::new(Address::new(host, 80)) }
}

fn versions() -> Vec<Group> {
    vec![group("v1", &[("version", "1")]), group("v2", &[("version", "2")])]
}

fn run(task: &Task, snapshot: &Snapshot) -> Projected {
    let entry = task.matches.first().unwrap();
    let incumbents = &Incumbents::default();
    let request = Projection { owner: "causeway", task, source_kind: RegistryKind::Nacos, entry, incumbents };
    project(&request, snapshot)
}

fn orders_task() -> Task {
    task(vec![entry(selector("prod", "*"), versions())])
}

fn targets(upstream: &Upstream) -> Vec<(&str, u32)> {
    upstream.targets.iter().map(|(address, target)| (address.as_str(), target.weight)).collect()
}

fn tags(list: &[&str]) -> Tags {
    list.iter().map(|tag| (*tag).to_owned()).collect()
}

#[test]
fn one_service_an_upstream_for_each_group_and_a_target_for_each_instance() {
    let half = Instance { weight: Weight::from_ratio(0.5), ..at("10.0.0.3", "2") };
    let shown = orders(vec![at("10.0.0.1", "1"), at("10.0.0.2", "1"), half]);
    let desired = run(&orders_task(), &shown).desired;

    let all = &desired.upstreams["nacos-a.prod.TRADE__orders.default"];
    assert_eq!(targets(all), [("10.0.0.1:80", 100), ("10.0.0.2:80", 100), ("10.0.0.3:80", 50)]);
    let v1 = &desired.upstreams["nacos-a.prod.TRADE__orders.v1"];
    assert_eq!(targets(v1), [("10.0.0.1:80", 100), ("10.0.0.2:80", 100)]);
    assert_eq!(targets(&desired.upstreams["nacos-a.prod.TRADE__orders.v2"]), [("10.0.0.3:80", 50)]);
    assert_eq!(desired.upstreams.len(), 3);
    assert_eq!(desired.services.len(), 1);
    let service = &desired.services["nacos-a.prod.TRADE__orders"];
    assert_eq!(service.host, "nacos-a.prod.TRADE__orders.default");
    assert!(desired.routes.is_empty());
}

/// An upgrade must change nothing by itself, so these never change.
#[test]
fn golden_tags() {
    let mut task = orders_task();
    task.name = "a,b/c%".to_owned();
    task.matches[0].kong.tags = vec!["edge".to_owned()];
    let shown = Snapshot::new(ServiceKey::new("", "订单\u{7}"), [at("10.0.0.1", "1")]);
    let desired = run(&task, &shown).desired;
    let service = [
        "causeway",
        "causeway.owner:causeway",
        "causeway.task:a%2Cb%2Fc%25",
        "causeway.registry:nacos-a",
        "causeway.namespace:",
        "causeway.service:订单%07",
    ];
    let upstream = &desired.upstreams["nacos-a._x._xe8_xae_xa2_xe5_x8d_x95_x07.v1"];
    let group = [&service[..], &["causeway.group:v1"]].concat();
    assert_eq!(desired.services.values().next().unwrap().tags, tags(&[&service[..], &["edge"]].concat()));
    assert_eq!(upstream.tags, tags(&[&group[..], &["edge"]].concat()));
    assert_eq!(upstream.targets.values().next().unwrap().tags, Arc::new(tags(&group)));
}

#[test]
fn templates_name_fields_of_services_and_upstreams() {
    let mut task = orders_task();
    task.matches[0].kong.service = values(json!({ "retries": 2 }));
    task.matches[0].kong.upstream = values(json!({ "slots": 1000 }));
    let desired = run(&task, &orders(vec![])).desired;
    assert!(desired.services.values().all(|s| json!(s.fields) == json!({"retries": 2})));
    assert!(desired.upstreams.values().all(|u| json!(u.fields) == json!({"slots": 1000})));
}

#[test]
fn a_service_without_instances_keeps_its_objects() {
    let desired = run(&orders_task(), &orders(vec![])).desired;
    assert_eq!((desired.services.len(), desired.upstreams.len()), (1, 3));
    assert!(desired.upstreams.values().all(|upstream| upstream.targets.is_empty()));
}

#[test]
fn what_is_not_fit_for_traffic_is_no_target() {
    let disabled = Instance { enabled: false, ..at("10.0.0.2", "1") };
    let isolated = Instance { isolated: true, ..at("10.0.0.3", "1") };
    let unhealthy = Instance { healthy: false, ..at("10.0.0.4", "1") };
    let projected = run(&orders_task(), &orders(vec![at("10.0.0.1", "1"), disabled, isolated, unhealthy]));
    for name in ["default", "v1"] {
        let upstream = &projected.desired.upstreams[&format!("nacos-a.prod.TRADE__orders.{name}")];
        assert_eq!(targets(upstream), [("10.0.0.1:80", 100)]);
    }
    let reasons: Vec<_> = projected.skipped.iter().map(|s| &s.reason).collect();
    assert_eq!(reasons, [&Reason::Disabled, &Reason::Isolated, &Reason::Unhealthy]);
    assert!(!projected.all_unhealthy && !projected.skipped.iter().any(|s| s.reason.is_mistake()));
}

#[test]
fn when_all_are_unhealthy_all_are_kept_but_those_taken_out_by_hand() {
    let unhealthy = |host| Instance { healthy: false, ..at(host, "1") };
    let isolated = Instance { isolated: true, ..at("10.0.0.3", "1") };
    let projected =
        run(&orders_task(), &orders(vec![unhealthy("10.0.0.1"), unhealthy("10.0.0.2"), isolated]));
    let all = &projected.desired.upstreams["nacos-a.prod.TRADE__orders.default"];
    assert_eq!(targets(all), [("10.0.0.1:80", 100), ("10.0.0.2:80", 100)]);
    assert!(projected.all_unhealthy);
    assert_eq!(projected.skipped.len(), 1);
}

#[test]
fn host_names_and_ipv6_are_targets_and_impossible_addresses_are_told() {
    let plain = |host, port| Instance::new(Address::new(host, port));
    let shown = orders(vec![
        plain("db.local", 3306),
        plain("::1", 80),
        plain("fe80::1%eth0", 80),
        plain("300.0.0.1", 80),
        plain("10.0.0.1", 0),
    ]);
    let projected = run(&orders_task(), &shown);
    let all = &projected.desired.upstreams["nacos-a.prod.TRADE__orders.default"];
    let ipv6 = "[0000:0000:0000:0000:0000:0000:0000:0001]:80";
    assert_eq!(targets(all), [(ipv6, 100), ("db.local:3306", 100)]);
    let told: Vec<String> =
        projected.skipped.iter().map(|s| format!("{}: {}", s.address, s.reason)).collect();
    assert_eq!(
        told,
        [
            "10.0.0.1:0: it is registered without a port",
            "300.0.0.1:80: `300.0.0.1:80` is not a valid host name or IP address for a Kong target",
            "[fe80::1%eth0]:80: `fe80::1%eth0:80` is not a valid host name or IP address for a Kong target",
        ]
    );
    assert!(projected.skipped.iter().all(|s| s.reason.is_mistake()));
}

#[test]
fn all_pairs_of_a_group_have_to_be_equal() {
    let groups = vec![group("gray", &[("version", "1"), ("zone", "a")]), group("every", &[])];
    let task = task(vec![entry(selector("*", "*"), groups)]);
    let mut in_zone = at("10.0.0.2", "1");
    in_zone.metadata.insert("zone".to_owned(), "a".to_owned());
    let desired = run(&task, &orders(vec![at("10.0.0.1", "1"), in_zone])).desired;
    assert_eq!(targets(&desired.upstreams["nacos-a.prod.TRADE__orders.gray"]), [("10.0.0.2:80", 100)]);
    assert_eq!(desired.upstreams["nacos-a.prod.TRADE__orders.every"].targets.len(), 2);
}

#[test]
fn an_upstream_of_the_users_own_name_is_only_filled() {
    let mut task = orders_task();
    task.matches[0].groups[1].upstream_name = Some("my-own-upstream".to_owned());
    task.matches[0].kong.upstream = values(json!({ "slots": 1000 }));
    let desired = run(&task, &orders(vec![at("10.0.0.1", "2")])).desired;
    let filled = &desired.upstreams["my-own-upstream"];
    assert_eq!(filled.existence, Existence::Filled);
    assert!(filled.tags.is_empty() && filled.fields.is_empty(), "its own fields and tags stay the user's");
    assert!(filled.targets.values().all(|target| target.tags.contains("causeway.task:nacos-to-kong")));
    assert!(!desired.upstreams.contains_key("nacos-a.prod.TRADE__orders.v2"));
}

#[test]
fn a_group_whose_upstream_is_another_groups_is_left_out_and_told() {
    let mut task = orders_task();
    task.matches[0].groups[1].upstream_name = Some("nacos-a.prod.TRADE__orders.default".to_owned());
    let projected = run(&task, &orders(vec![at("10.0.0.1", "1"), at("10.0.0.2", "2")]));
    assert_eq!(projected.desired.upstreams["nacos-a.prod.TRADE__orders.default"].targets.len(), 2);
    let taken: Vec<bool> = projected.groups.iter().map(|g| g.name_taken).collect();
    assert_eq!(taken, [false, false, true]);
}

#[test]
fn upstreams_of_polaris_syncs_users_may_be_filled() {
    let owned =
        |task: &Task| run(task, &orders(vec![])).desired.upstreams["nacos-a.prod.TRADE__orders.v1"].clone();
    let theirs = Task { dialect: Dialect::PolarisSync, ..orders_task() };
    assert_eq!(owned(&theirs).existence, Existence::Owned { fillable: tags(&["NACOS"]) });
    assert_eq!(owned(&orders_task()).existence, Existence::Owned { fillable: Tags::new() });
}

#[test]
fn polaris_syncs_default_group_may_have_a_filter() {
    let mut task = orders_task();
    task.matches[0].groups.push(group("default", &[("version", "2")]));
    let projected = run(&task, &orders(vec![at("10.0.0.1", "1"), at("10.0.0.2", "2")]));
    let names: Vec<&str> = projected.groups.iter().map(|g| g.name.as_str()).collect();
    assert_eq!(names, ["default", "v1", "v2"]);
    let default = &projected.desired.upstreams["nacos-a.prod.TRADE__orders.default"];
    assert_eq!(targets(default), [("10.0.0.2:80", 100)]);
}

#[test]
fn the_first_entry_that_fits_wins_and_excludes_are_told() {
    let mut first = entry(selector("prod", "TRADE__*"), vec![]);
    first.exclude = vec![selector("*", "*-v1")];
    let mut task = task(vec![first, entry(selector("prod", "TRADE__o*"), vec![])]);
    task.excludes = vec![selector("*", "PAY__*")];
    let decide = |service: &str| decide(&task, &ServiceKey::new("prod", service));

    assert!(matches!(decide("TRADE__orders"), Decision::Matched { index: 0, .. }));
    assert!(matches!(decide("TRADE__orders-v1"), Decision::Matched { index: 1, .. }));
    assert_eq!(decide("PAY__x"), Decision::Excluded(&task.excludes[0]));
    assert_eq!(decide("TRADE__x-v1"), Decision::NoEntry(vec![(0, &task.matches[0].exclude[0])]));
    assert_eq!(decide("OTHER__x"), Decision::NoEntry(vec![]));
    for service in ["TRADE__orders", "TRADE__orders-v1", "PAY__x", "TRADE__x-v1", "OTHER__x"] {
        let matched = match decide(service) {
            Decision::Matched { entry, .. } => Some(entry),
            _ => None,
        };
        assert_eq!(matched, task.entry_for("prod", service), "{service}");
    }
}

fn instance() -> impl Strategy<Value = Instance> {
    let host =
        prop_oneof!["10\\.0\\.0\\.[1-9]", "host-[a-c]", Just("::1".to_owned()), Just("a b".to_owned())];
    let flags = (prop::bool::weighted(0.7), prop::bool::weighted(0.8), prop::bool::weighted(0.2));
    (host, 0_u16..4, 0.0_f64..3.0, flags, "[123]").prop_map(|(host, port, ratio, flags, version)| {
        let (healthy, enabled, isolated) = flags;
        let weight = Weight::from_ratio(ratio);
        Instance {
            address: Address::new(host.clone(), port),
            weight,
            healthy,
            enabled,
            isolated,
            ..at(&host, &version)
        }
    })
}

/// Each address once, in two orders.
fn shown_in_two_orders() -> impl Strategy<Value = (Vec<Instance>, Vec<Instance>)> {
    let once = prop::collection::vec(instance(), 0..12).prop_map(|instances| {
        let by_address: BTreeMap<_, _> = instances.into_iter().map(|i| (i.address.clone(), i)).collect();
        by_address.into_values().collect::<Vec<_>>()
    });
    once.prop_flat_map(|instances| (Just(instances.clone()), Just(instances).prop_shuffle()))
}

proptest! {
    #[test]
    fn the_order_of_instances_makes_no_difference((one, other) in shown_in_two_orders()) {
        let task = orders_task();
        prop_assert_eq!(run(&task, &orders(one)), run(&task, &orders(other)));
    }

    #[test]
    fn the_order_of_configured_groups_makes_no_difference_to_what_is_wanted(
        (instances, _) in shown_in_two_orders(), groups in Just(versions()).prop_shuffle(),
    ) {
        let shuffled = task(vec![entry(selector("*", "*"), groups)]);
        let snapshot = orders(instances);
        prop_assert_eq!(run(&shuffled, &snapshot).desired, run(&orders_task(), &snapshot).desired);
    }

    #[test]
    fn each_instance_is_a_target_of_default_or_told_and_groups_are_parts_of_default(
        (instances, _) in shown_in_two_orders(),
    ) {
        let snapshot = orders(instances);
        let projected = run(&orders_task(), &snapshot);
        let all = &projected.desired.upstreams["nacos-a.prod.TRADE__orders.default"].targets;
        prop_assert_eq!(all.len() + projected.skipped.len(), snapshot.instances.len());
        for group in &projected.groups {
            let upstream = &projected.desired.upstreams[&group.upstream];
            prop_assert_eq!(&upstream.targets.keys().cloned().collect::<BTreeSet<_>>(), &group.targets);
            for (address, target) in &upstream.targets {
                prop_assert_eq!(all.get(address).map(|t| t.weight), Some(target.weight));
            }
        }
    }

    #[test]
    fn a_group_holds_the_targets_whose_instances_fit_and_no_others((instances, _) in shown_in_two_orders()) {
        let snapshot = orders(instances);
        let projected = run(&orders_task(), &snapshot);
        let skipped: BTreeSet<_> = projected.skipped.iter().map(|s| &s.address).collect();
        let wanted: BTreeSet<TargetAddress> = snapshot
            .instances
            .values()
            .filter(|i| !skipped.contains(&i.address) && i.metadata["version"] == "1")
            .map(|i| TargetAddress::new(&i.address.host, i.address.port).unwrap())
            .collect();
        prop_assert_eq!(&projected.groups[1].targets, &wanted);
    }

    #[test]
    fn a_service_that_its_operators_want_is_never_without_targets_by_health_alone(
        (instances, _) in shown_in_two_orders(),
    ) {
        let usable_address = |i: &Instance| i.address.port > 0 && i.address.host != "a b";
        let snapshot = orders(instances.into_iter().filter(usable_address).collect());
        let projected = run(&orders_task(), &snapshot);
        let wanted = snapshot.instances.values().any(Instance::wanted);
        prop_assert_eq!(!projected.groups[0].targets.is_empty(), wanted);
    }
}
