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

/// As Dubbo's Nacos registry names them from 2.7.10 on.
#[test]
fn a_nested_interface_of_dubbo_s_has_a_name_of_its_own_in_a_nacos() {
    let (zookeeper, nacos) = (RegistryKind::Zookeeper, RegistryKind::Nacos);
    for group in [None, Some("TRADE")] {
        let names = Names::new(words(zookeeper), words(nacos), BTreeMap::new(), group.map(str::to_owned));
        let in_group = group.map(|group| format!("{group}__")).unwrap_or_default();
        for (interface, there) in [
            ("providers:lab.Outer$Inner:1.0.0:", "providers:lab.Outer___Inner:1.0.0:"),
            ("providers:lab.Two__Words::", "providers:lab.Two__Words::"),
        ] {
            let (here, there) =
                (default_of(zookeeper, interface), default_of(nacos, &format!("{in_group}{there}")));
            assert_eq!(names.there(&here).as_ref(), Ok(&there));
            assert_eq!(names.back(&there), Ok(here));
        }
    }
    let told =
        |from, to, service: &str| names(from, to).there(&default_of(from, service)).unwrap_err().to_string();
    assert_eq!(
        told(nacos, zookeeper, "providers:lab.Outer$Inner::"),
        "the name `providers:lab.Outer$Inner::` is that of `providers:lab.Outer___Inner::` at the destination"
    );
    assert_eq!(
        told(zookeeper, nacos, "providers:lab.Outer___Inner::"),
        "the name `providers:lab.Outer___Inner::` is that of `providers:lab.Outer$Inner::` at the destination"
    );
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
fn a_group_of_the_source_is_lost_on_the_way_and_found_again() {
    let group = Some("TRADE".to_owned());
    let names = Names::new(words(RegistryKind::Nacos), words(RegistryKind::Polaris), BTreeMap::new(), group);
    let there = |service: &str| names.there(&default_of(RegistryKind::Nacos, service)).map(|key| key.service);
    let back = |service: &str| names.back(&default_of(RegistryKind::Polaris, service)).map(|key| key.service);
    assert_eq!(there("TRADE__orders"), Ok("orders".to_owned()));
    assert_eq!(there("PAY__orders"), Ok("PAY__orders".to_owned()));
    assert_eq!(back("orders"), Ok("TRADE__orders".to_owned()));
    assert_eq!(back("PAY__orders"), Ok("PAY__orders".to_owned()));
    assert_eq!(back("TRADE__orders"), Err(Unnamed::NoWayBack), "in the Nacos it would be that of `orders`");
    assert_eq!(
        there("orders").unwrap_err().to_string(),
        "the name `orders` is that of `TRADE__orders` at the destination"
    );
}

#[test]
fn of_two_that_would_have_one_name_one_is_carried() {
    let group = Some("TRADE".to_owned());
    let names = Names::new(words(RegistryKind::Polaris), words(RegistryKind::Nacos), BTreeMap::new(), group);
    let there =
        |service: &str| names.there(&default_of(RegistryKind::Polaris, service)).map(|key| key.service);
    let taken = Unnamed::TakenName { name: "TRADE__orders".to_owned(), of: "orders".to_owned() };
    assert_eq!(there("orders"), Ok("TRADE__orders".to_owned()));
    assert_eq!(there("TRADE__orders"), Err(taken));
}

#[test]
fn what_says_that_it_is_in_the_default_group_is_not_confused_with_what_is() {
    for group in [None, Some("DEFAULT_GROUP".to_owned())] {
        let names =
            Names::new(words(RegistryKind::Polaris), words(RegistryKind::Nacos), BTreeMap::new(), group);
        for (service, there) in [
            ("orders", "orders"),
            ("DEFAULT_GROUP__orders", "_x44EFAULT_GROUP__orders"),
            ("DEFAULT_GROUP__a__b", "DEFAULT_GROUP__a__b"),
        ] {
            let (here, there) =
                (default_of(RegistryKind::Polaris, service), default_of(RegistryKind::Nacos, there));
            assert_eq!(names.there(&here).as_ref(), Ok(&there));
            assert_eq!(names.back(&there), Ok(here));
        }
    }
}

fn rule(from: &str, to: &str) -> Rename {
    Rename { from: from.to_owned(), to: to.to_owned() }
}

#[test]
fn the_first_rename_that_fits_is_taken_and_the_new_name_is_no_one_elses() {
    let rules = [rule("old-keep", "old-keep"), rule("old-*", "new-*"), rule("*.v1", "v1.*"), rule("a", "b")];
    let names = names(RegistryKind::Consul, RegistryKind::Nacos).renamed(&rules);
    let there =
        |service: &str| names.there(&default_of(RegistryKind::Consul, service)).map(|key| key.service);
    let back = |service: &str| names.back(&default_of(RegistryKind::Nacos, service)).map(|key| key.service);
    for (service, renamed) in [
        ("old-orders", "new-orders"),
        ("old-keep", "old-keep"),
        ("old-pay.v1", "new-pay.v1"),
        ("pay.v1", "v1.pay"),
        ("old-", "new-"),
        ("a", "b"),
        ("aa", "aa"),
    ] {
        assert_eq!(there(service).as_deref(), Ok(renamed));
        assert_eq!(back(renamed).as_deref(), Ok(service));
    }
    assert_eq!(back("old-orders"), Err(Unnamed::NoWayBack), "no service of that name goes there");
    let told = there("new-orders").unwrap_err();
    assert_eq!(told, Unnamed::TakenName { name: "new-orders".to_owned(), of: "old-orders".to_owned() });
    assert!(there("b").is_err());
}

#[test]
fn what_is_renamed_gets_its_group_after_that_and_escapes_last() {
    let group = Some("TRADE".to_owned());
    let rules = [rule("pay-*", "PAY__*"), rule("old-*", "new *"), rule("own-*", "TRADE__*")];
    let names = Names::new(words(RegistryKind::Consul), words(RegistryKind::Nacos), BTreeMap::new(), group)
        .renamed(&rules);
    for (service, there) in [("old-a", "TRADE__new_x20a"), ("pay-a", "PAY__a"), ("own-a", "TRADE__a")] {
        let (here, there) =
            (default_of(RegistryKind::Consul, service), default_of(RegistryKind::Nacos, there));
        assert_eq!(names.there(&here).as_ref(), Ok(&there));
        assert_eq!(names.back(&there), Ok(here));
    }
    let told = names.there(&default_of(RegistryKind::Consul, "a")).unwrap_err();
    assert_eq!(told, Unnamed::TakenName { name: "TRADE__a".to_owned(), of: "own-a".to_owned() });
}

#[test]
fn renames_are_in_the_letters_that_a_eureka_has() {
    for (keep_case, shown) in [(false, ["old-pay", "new-pay"]), (true, ["OLD-PAY", "NEW-PAY"])] {
        let eureka = Words { keep_case, ..words(RegistryKind::Eureka) };
        let nacos = words(RegistryKind::Nacos);
        let from = Names::new(eureka.clone(), nacos.clone(), BTreeMap::new(), None)
            .renamed(&[rule("Old-Pay", "New-Pay")]);
        let (here, there) =
            (default_of(RegistryKind::Eureka, shown[0]), default_of(RegistryKind::Nacos, "New-Pay"));
        assert_eq!(from.there(&here).as_ref(), Ok(&there));
        assert_eq!(from.back(&there), Ok(here));
        let to = Names::new(nacos, eureka, BTreeMap::new(), None).renamed(&[rule("Old-Pay", "New-Pay")]);
        let (here, there) =
            (default_of(RegistryKind::Nacos, "Old-Pay"), default_of(RegistryKind::Eureka, shown[1]));
        assert_eq!(to.there(&here).as_ref(), Ok(&there));
        assert_eq!(to.back(&there), Ok(here));
    }
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
    let elsewhere = BTreeMap::from([("prod".to_owned(), "live".to_owned())]);
    let elsewhere = Names::new(words(RegistryKind::Nacos), words(RegistryKind::Consul), elsewhere, None);
    let told = elsewhere.namespace_there("prod").unwrap_err();
    assert!(matches!(told, Unnamed::OneNamespace { .. }), "{told}");
}

#[test]
fn into_a_registry_without_namespaces_one_is_carried_back() {
    let key = ServiceKey::new("prod", "s");
    let told = names(RegistryKind::Consul, RegistryKind::Polaris).back(&key).unwrap_err();
    assert!(told.to_string().contains("namespace_map: { default: prod }"), "{told}");
    let map = BTreeMap::from([("default".to_owned(), "prod".to_owned())]);
    let mapped = Names::new(words(RegistryKind::Consul), words(RegistryKind::Polaris), map, None);
    assert_eq!(mapped.back(&key), Ok(ServiceKey::new("default", "s")));
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

fn renaming() -> impl Strategy<Value = Rename> {
    let part = "(a|b|G__|:){0,2}";
    prop_oneof![
        (part, part, part, part).prop_map(|(a, b, c, d)| rule(&format!("{a}*{b}"), &format!("{c}*{d}"))),
        ("(a|b|__){1,3}", "(a|b|__){1,3}").prop_map(|(from, to)| rule(&from, &to)),
    ]
}

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

    /// Also where services are renamed and given a group: of two names one at most becomes a third, and that one leads back.
    #[test]
    fn renamed_and_grouped_names_lead_back_and_are_never_one(
        from in 0..5_usize,
        to in 0..5_usize,
        rules in prop::collection::vec(renaming(), 0..4),
        group in prop::option::of(Just("G".to_owned())),
        services in prop::collection::vec("(a|b|_x3a|__|G__|:|/| ){1,5}", 2),
    ) {
        let (from, to) = (CASED[from], CASED[to]);
        let names = Names::new(words(from), words(to), BTreeMap::new(), group).renamed(&rules);
        let grammar = words(from).services();
        let shown = |service: &String| default_of(from, &grammar.written(service));
        let there: Vec<_> = services.iter().map(|service| names.there(&shown(service))).collect();
        for (service, there) in services.iter().zip(&there) {
            if let Ok(there) = there {
                prop_assert_eq!(names.back(there), Ok(shown(service)));
            }
        }
        if services[0] != services[1] && there.iter().all(Result::is_ok) {
            prop_assert_ne!(&there[0], &there[1]);
        }
    }

    /// What has a way back has a way there, and comes to the same name.
    #[test]
    fn what_leads_back_leads_there(
        from in 0..5_usize,
        to in 0..5_usize,
        rules in prop::collection::vec(renaming(), 0..4),
        group in prop::option::of(Just("G".to_owned())),
        service in "(a|b|_x3a|__|G__|:|/| ){1,5}",
    ) {
        let (from, to) = (CASED[from], CASED[to]);
        let names = Names::new(words(from), words(to), BTreeMap::new(), group).renamed(&rules);
        let there = default_of(to, &words(to).services().written(&service));
        if let Ok(here) = names.back(&there) {
            prop_assert_eq!(names.there(&here), Ok(there));
        }
    }

    /// Nested interfaces too, but for those that Dubbo itself takes for others in a Nacos.
    #[test]
    fn interfaces_of_dubbo_s_lead_back(
        from in 0..5_usize,
        to in 0..5_usize,
        service in "(G__|DEFAULT_GROUP__)?providers(:|_x3a)(a|[$]|_|_x5f|空){0,6}(::)?",
        group in prop::option::of(Just("G".to_owned())),
    ) {
        let (from, to) = (CASED[from], CASED[to]);
        let names = Names::new(words(from), words(to), BTreeMap::new(), group);
        let here = default_of(from, &service);
        if let Ok(there) = names.there(&here) {
            prop_assert_eq!(names.back(&there), Ok(here));
        }
        if let Ok(here) = names.back(&default_of(to, &service)) {
            prop_assert_eq!(names.there(&here), Ok(default_of(to, &service)));
        }
    }

    /// A Eureka shows names in capitals, escapes too, or they are read in small letters.
    #[test]
    fn a_eureka_s_names_lead_back_but_for_their_case(
        keep_case in any::<bool>(),
        name in "[a-z](_x|_X|_|[a-zA-Z0-9:./ @-]|_x3a|_X2F|空){0,8}[a-z]",
    ) {
        let eureka = Words { keep_case, ..words(RegistryKind::Eureka) };
        let names = Names::new(words(RegistryKind::Consul), eureka, BTreeMap::new(), None);
        let there = names.there(&default_of(RegistryKind::Consul, &name)).unwrap();
        let cased = |name: &str| if keep_case { name.to_ascii_uppercase() } else { name.to_ascii_lowercase() };
        prop_assert_eq!(&there.service, &cased(&there.service));
        let back = names.back(&there).unwrap();
        prop_assert_eq!(&back.service, &cased(&name));
        prop_assert_eq!(names.there(&back), Ok(there));
    }

    /// Two names are never one at the destination.
    #[test]
    fn no_two_names_become_one(to in 0..5_usize, one in "(_x3a|_x5f|[a:_x3f]){1,6}", other in "(_x3a|_x5f|[a:_x3f]){1,6}") {
        let grammar = words(CASED[to]).services();
        prop_assert_eq!(grammar.written(&one) == grammar.written(&other), one == other);
    }
}
