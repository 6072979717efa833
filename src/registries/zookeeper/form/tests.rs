use proptest::prelude::*;

use super::*;
use crate::model::{Address, Metadata, Weight};
use crate::registries::zookeeper::ZookeeperSettings;

fn forms_of(layout: ZookeeperLayout, root: Option<&str>, persistent: bool) -> Result<Forms, ZookeeperError> {
    let settings = ZookeeperSettings {
        addresses: vec!["h".to_owned()],
        layout,
        root: root.map(str::to_owned),
        persistent,
        ..ZookeeperSettings::default()
    };
    Forms::new(&settings.check()?)
}

fn forms(layout: ZookeeperLayout) -> Forms {
    forms_of(layout, None, false).unwrap()
}

fn copy(service: &str, change: impl FnOnce(&mut Instance)) -> InstanceCopy {
    InstanceCopy::example("default", service).with(change)
}

fn owned(pairs: &[(&str, &str)]) -> Metadata {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn url(node: &Node) -> String {
    let escaped = node.name.replace('&', "%26").replace('=', "%3D");
    url::form_urlencoded::parse(escaped.as_bytes()).next().unwrap().0.into_owned()
}

#[test]
fn a_provider_is_where_dubbo_looks_for_it() {
    let copy = copy("providers:com.foo.Outer$Inner:1.0.0:g1", |instance| {
        instance.weight = Weight::from_ratio(0.5);
        instance.metadata.extend(owned(&[
            ("lane", "gray"),
            ("version", "other"),
            ("default.group", "h"),
            ("disabled", "true"),
        ]));
    });
    let node = forms(ZookeeperLayout::Dubbo).node(&copy).unwrap();
    assert_eq!(node.folder.path, "/dubbo/com.foo.Outer%24Inner/providers");
    assert_eq!(
        url(&node),
        "dubbo://10.0.0.1:80/com.foo.Outer$Inner?causeway-origin=elsewhere&causeway-owner=prod&causeway-task=move&dynamic=true\
         &group=g1&interface=com.foo.Outer$Inner&lane=gray&side=provider&version=1.0.0&weight=50"
    );
    let shown = forms(ZookeeperLayout::Dubbo).as_shown(&copy);
    assert!(shown.usable() && shown.weight == Weight::from_ratio(0.5));
    assert_eq!(shown.attributes, owned(&[("group", "g1"), ("protocol", "dubbo"), ("version", "1.0.0")]));
}

#[test]
fn a_provider_keeps_protocol_and_path_of_its_origin() {
    let copy = copy("providers:a.B::", |instance| {
        instance.healthy = false;
        instance.metadata.extend(owned(&[("protocol", "tri"), ("path", "ctx/a.B"), ("k", "x=y&z")]));
    });
    let forms = forms_of(ZookeeperLayout::Dubbo, Some("/rpc"), true).unwrap();
    let node = forms.node(&copy).unwrap();
    let shown = url(&node);
    assert!(
        shown.starts_with("tri://10.0.0.1:80/ctx/a.B?") && node.folder.path == "/rpc/a.B/providers",
        "{shown}"
    );
    assert!(
        shown.contains("disabled=true") && shown.contains("dynamic=false") && shown.contains("k=x=y%26z"),
        "{shown}"
    );
    let shown = forms.as_shown(&copy);
    assert_eq!((shown.enabled, shown.metadata["k"].as_str()), (false, "x=y&z"));
    assert_eq!(shown.attributes["ephemeral"], "false");
}

#[test]
fn entries_are_those_of_their_framework() {
    let copy = copy("orders", |instance| {
        instance.isolated = true;
        instance.attributes.extend(owned(&[("protocol", "https")]));
    });
    let json = |layout: ZookeeperLayout| -> serde_json::Value {
        let node = forms(layout).node(&copy).unwrap();
        let id = copy.mark.id(&copy.key, &copy.instance.address);
        assert_eq!(node.path(), format!("/services/orders/{id}"));
        serde_json::from_slice(&node.data).unwrap()
    };
    let curator = json(ZookeeperLayout::Curator);
    assert_eq!((curator["enabled"].as_bool(), curator["sslPort"].as_i64()), (Some(false), Some(80)));
    assert_eq!(curator["payload"]["metadata"]["causeway-task"], "move");
    assert!(curator["payload"]["@class"].is_null() && curator["port"].is_null());
    let spring = json(ZookeeperLayout::SpringCloud);
    assert_eq!(
        spring["payload"]["@class"],
        "org.springframework.cloud.zookeeper.discovery.ZookeeperInstance"
    );
    assert_eq!(spring["payload"]["metadata"]["instance_status"], "OUT_OF_SERVICE");
    let shown = forms(ZookeeperLayout::SpringCloud).as_shown(&copy);
    assert!(shown.enabled && shown.isolated && shown.attributes["protocol"] == "https");
    assert!(!forms(ZookeeperLayout::Curator).as_shown(&copy).enabled);
}

#[test]
fn where_no_layout_is_named_the_service_s_name_tells() {
    let path = |service: &str| forms(ZookeeperLayout::Auto).node(&copy(service, |_| {})).unwrap().folder.path;
    assert_eq!(path("providers:a.B:1:"), "/dubbo/a.B/providers");
    assert_eq!(path("orders"), "/services/orders");
}

#[test]
fn layouts_that_can_not_be_written_are_told() {
    for (layout, root, told) in [
        (ZookeeperLayout::DubboApp, None, "metadata center"),
        (ZookeeperLayout::Auto, Some("/x"), "has to be said"),
    ] {
        let error = forms_of(layout, root, false).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn what_can_not_be_held_is_told() {
    use ZookeeperLayout::{Curator, Dubbo};
    for (layout, namespace, service, told) in [
        (Dubbo, "default", "orders", "no interface of Dubbo's"),
        (Dubbo, "default", "providers:a.B", "no interface of Dubbo's"),
        (Dubbo, "default", "providers:metadata::", "no interface of Dubbo's"),
        (Dubbo, "default", "providers:..::", "no node can be named `..`"),
        (Curator, "prod", "orders", "in `default`"),
        (Curator, "default", "a/b", "no node can be named `a/b`"),
        (Curator, "default", "", "no node can be named"),
        (Curator, "default", "a\u{1}", "no node can be named"),
    ] {
        let copy = InstanceCopy { key: ServiceKey::new(namespace, service), ..copy("x", |_| {}) };
        let why = forms(layout).node(&copy).unwrap_err();
        assert!(why.contains(told), "{why}");
        assert_eq!(forms(layout).as_shown(&copy), copy.instance);
    }
    let without_port = copy("orders", |instance| instance.address.port = 0);
    assert!(forms(Curator).node(&without_port).unwrap_err().contains("10.0.0.1:0"));
    let large =
        copy("orders", |instance| drop(instance.metadata.insert("k".to_owned(), "v".repeat(1 << 20))));
    assert!(forms(Curator).node(&large).unwrap_err().contains("larger than a mebibyte"));
}

proptest! {
    #[test]
    fn what_is_shown_is_what_was_copied(
        hundredths in 1u32..100_000,
        usable: bool,
        metadata in prop::collection::btree_map("[ -~空&=%]{1,8}", "[ -~空&=%]{0,8}", 0..4),
        host in "[a-z0-9][a-z0-9.-]{0,20}",
    ) {
        use ZookeeperLayout::{Curator, Dubbo, SpringCloud};
        for (layout, service) in [(Dubbo, "providers:a.B:1:"), (Curator, "orders"), (SpringCloud, "orders")] {
            let copy = copy(service, |instance| {
                instance.weight = Weight::from_ratio(f64::from(hundredths) / 100.0);
                instance.enabled = usable;
                instance.address = Address::new(&host, 80);
                instance.metadata.extend(metadata.clone());
            });
            let shown = forms(layout).as_shown(&copy);
            prop_assert_eq!(shown.usable(), usable);
            prop_assert_eq!(&shown.address, &copy.instance.address);
            prop_assert_eq!(shown.weight, if layout == Dubbo { copy.instance.weight } else { Weight::DEFAULT });
            prop_assert!(metadata.iter().all(|(key, value)| shown.metadata.get(key) == Some(value)), "{:?}", shown);
            let again = InstanceCopy { instance: shown, ..copy.clone() };
            let node = forms(layout).node(&copy).unwrap();
            prop_assert_eq!(forms(layout).node(&again).unwrap(), node, "what is shown leads to its node");
        }
    }
}
