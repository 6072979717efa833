use proptest::prelude::*;

use super::*;

const KINDS: [(RegistryKind, &str); 6] = [
    (RegistryKind::Nacos, "empty_ns"),
    (RegistryKind::Polaris, "default"),
    (RegistryKind::Consul, "default"),
    (RegistryKind::Eureka, "default"),
    (RegistryKind::Zookeeper, "default"),
    (RegistryKind::ServiceCenter, "default"),
];

fn words(kind: RegistryKind) -> Words {
    let namespace = KINDS.iter().find(|(other, _)| *other == kind).map(|(_, name)| *name).unwrap();
    Words { kind, namespace: namespace.to_owned(), keep_case: false }
}

fn names(from: RegistryKind, to: RegistryKind) -> Names {
    Names::new(words(from), words(to), BTreeMap::new(), None)
}

fn default_of(kind: RegistryKind, service: &str) -> ServiceKey {
    ServiceKey::new(words(kind).namespace, service)
}

#[test]
fn simple_names_stay_between_all_pairs_and_lead_back() {
    for (from, _) in KINDS {
        for (to, _) in KINDS {
            let names = names(from, to);
            for service in ["orders", "trade__orders", "orders-v2.prod", "cpu_x86"] {
                let (here, there) = (default_of(from, service), default_of(to, service));
                assert_eq!(names.there(&here).as_ref(), Ok(&there), "{from:?} to {to:?}");
                assert_eq!(names.back(&there), Ok(here), "{to:?} back to {from:?}");
            }
        }
    }
}

#[test]
fn a_dubbo_interface_keeps_the_name_that_dubbo_s_own_registries_read() {
    let interface = "providers:com.foo.Bar:1.0.0:g1";
    for (from, to) in [
        (RegistryKind::Zookeeper, RegistryKind::Nacos),
        (RegistryKind::Nacos, RegistryKind::Zookeeper),
        (RegistryKind::Nacos, RegistryKind::Polaris),
    ] {
        assert_eq!(names(from, to).there(&default_of(from, interface)), Ok(default_of(to, interface)));
    }
    let escaped = default_of(RegistryKind::ServiceCenter, "providers_x3acom.foo.Bar_x3a_x3a");
    let bare = default_of(RegistryKind::Nacos, "providers:com.foo.Bar::");
    let names = names(RegistryKind::Nacos, RegistryKind::ServiceCenter);
    assert_eq!(names.there(&bare).as_ref(), Ok(&escaped));
    assert_eq!(names.back(&escaped), Ok(bare));
}

#[test]
fn a_group_is_given_and_taken_back() {
    let names = Names::new(
        words(RegistryKind::Eureka),
        words(RegistryKind::Nacos),
        BTreeMap::new(),
        Some("TRADE".to_owned()),
    );
    let there = |service: &str| names.there(&default_of(RegistryKind::Eureka, service)).unwrap().service;
    let back = |service: &str| names.back(&default_of(RegistryKind::Nacos, service)).map(|key| key.service);
    assert_eq!(there("orders"), "TRADE__orders");
    assert_eq!(there("pay__orders"), "pay__orders");
    assert_eq!(back("TRADE__orders"), Ok("orders".to_owned()));
    assert_eq!(back("PAY__orders"), Ok("pay__orders".to_owned()), "Eureka's names are in lower case");
    assert_eq!(back("orders"), Err(Unnamed::NoWayBack), "its place is that of TRADE__orders");
}

#[test]
fn namespaces_are_one_to_one() {
    let map = BTreeMap::from([("prod".to_owned(), "live".to_owned())]);
    let names = Names::new(words(RegistryKind::Nacos), words(RegistryKind::Polaris), map, None);
    let there = |namespace: &str| names.there(&ServiceKey::new(namespace, "s")).map(|key| key.namespace);
    let back = |namespace: &str| names.back(&ServiceKey::new(namespace, "s")).map(|key| key.namespace);
    let taken = |namespace: &str| Err(Unnamed::TakenNamespace { namespace: namespace.to_owned() });
    assert_eq!(there("prod"), Ok("live".to_owned()));
    assert_eq!(there("test"), Ok("test".to_owned()));
    assert_eq!(there("public"), Ok("default".to_owned()));
    assert_eq!(there("live"), taken("live"));
    assert_eq!(there("default"), taken("default"), "that is where the default one goes");
    assert_eq!(back("live"), Ok("prod".to_owned()));
    assert_eq!(back("default"), Ok("empty_ns".to_owned()));
    assert_eq!(back("prod"), Err(Unnamed::NoWayBack));
}

#[test]
fn a_registry_without_namespaces_has_room_for_one() {
    let single = names(RegistryKind::Nacos, RegistryKind::Consul);
    let told = single.there(&ServiceKey::new("prod", "s")).unwrap_err();
    assert!(told.to_string().contains("namespace_map: { prod: default }"), "{told}");
    let map = BTreeMap::from([("prod".to_owned(), "default".to_owned())]);
    let mapped = Names::new(words(RegistryKind::Nacos), words(RegistryKind::Consul), map, None);
    let there = |namespace: &str| mapped.there(&ServiceKey::new(namespace, "s")).map(|key| key.namespace);
    assert_eq!(there("prod"), Ok("default".to_owned()));
    assert!(there("empty_ns").is_err(), "its place is taken");
}

#[test]
fn too_long_is_told() {
    let name = "x".repeat(129);
    let names = names(RegistryKind::Nacos, RegistryKind::ServiceCenter);
    let told = names.there(&default_of(RegistryKind::Nacos, &name)).unwrap_err();
    assert_eq!(told, Unnamed::TooLong { name, longest: 128 });
}

/// Registries whose names keep their capitals.
const CASED: [RegistryKind; 5] = [
    RegistryKind::Nacos,
    RegistryKind::Polaris,
    RegistryKind::Consul,
    RegistryKind::Zookeeper,
    RegistryKind::ServiceCenter,
];

proptest! {
    /// What a registry can hold natively is found again after the way there and back.
    #[test]
    fn every_name_leads_back(from in 0..5_usize, to in 0..5_usize, name in "[a-z](_x|_|[a-zA-Z0-9:./ @-]|_x3a|空){0,12}[a-z]") {
        let (from, to) = (CASED[from], CASED[to]);
        let native = words(from).services().written(&name);
        let names = names(from, to);
        let here = default_of(from, &native);
        let there = names.there(&here).unwrap();
        let again = words(to).services().written(&words(to).services().read(&there.service));
        prop_assert_eq!(&again, &there.service);
        prop_assert_eq!(names.back(&there), Ok(here));
    }

    /// Two names are never one at the destination.
    #[test]
    fn no_two_names_become_one(to in 0..5_usize, one in "(_x3a|_x5f|[a:_x3f]){1,6}", other in "(_x3a|_x5f|[a:_x3f]){1,6}") {
        let grammar = words(CASED[to]).services();
        prop_assert_eq!(grammar.written(&one) == grammar.written(&other), one == other);
    }
}
