//! Targets whose ports the instances' metadata says.

use std::collections::BTreeSet;

use causeway::model::{Address, Instance};
use causeway::project::Projected;
use serde_json::json;

use super::{config, orders, run, service_fields, told, with};

fn targets(projected: &Projected) -> Vec<(String, Vec<String>)> {
    let targets = &projected.desired.upstreams["r.prod.TRADE__orders.default"].targets;
    let marks = |tags: &BTreeSet<String>| {
        tags.iter().filter(|tag| tag.starts_with("causeway.port")).cloned().collect()
    };
    targets.iter().map(|(address, target)| (address.to_string(), marks(&target.tags))).collect()
}

#[test]
fn a_port_from_metadata_is_the_targets() {
    let config = config("kong: { service: { port: { metadata: gRPC_port } } }");
    let shown = [
        with("10.0.0.1", &[("gRPC_port", "9090")]),
        with("10.0.0.2", &[("gRPC_port", "8080")]),
        with("10.0.0.3", &[("gRPC_port", "abc")]),
        with("10.0.0.4", &[]),
        Instance { address: Address::new("10.0.0.5", 0), ..with("", &[("gRPC_port", "9090")]) },
    ];
    let projected = run(&config, &orders(), &shown);
    let moved = |address: &str, from: &str| (address.to_owned(), vec![format!("causeway.port:{from}")]);
    let stays = |address: &str| (address.to_owned(), vec![]);
    assert_eq!(
        targets(&projected),
        [
            moved("10.0.0.1:9090", "8080"),
            stays("10.0.0.2:8080"),
            stays("10.0.0.3:8080"),
            stays("10.0.0.4:8080"),
            moved("10.0.0.5:9090", "0"),
        ]
    );
    assert_eq!(
        service_fields(&projected),
        json!({}),
        "their ports differ, and Kong looks at the targets' only"
    );
    assert_eq!(told(&projected).len(), 1);
    assert!(
        told(&projected)[0].contains("`abc`, but port takes a whole number from 0 to 65535"),
        "{:?}",
        told(&projected)
    );
    let agreed = run(&config, &orders(), &shown[..1]);
    assert_eq!((service_fields(&agreed), told(&agreed)), (json!({ "port": 9090 }), vec![]));
}

#[test]
fn of_two_instances_at_one_target_the_second_is_left_out_and_told() {
    let config = config("kong: { service: { port: { metadata: p, else: 9090 } } }");
    let second = Instance { address: Address::new("10.0.0.1", 8081), ..with("", &[]) };
    let projected = run(&config, &orders(), &[second, with("10.0.0.1", &[])]);
    assert_eq!(targets(&projected), [("10.0.0.1:9090".to_owned(), vec!["causeway.port:8080".to_owned()])]);
    let skipped: Vec<String> =
        projected.skipped.iter().map(|it| format!("{}: {}", it.address, it.reason)).collect();
    assert_eq!(skipped, ["10.0.0.1:8081: instance 10.0.0.1:8080 has the same host and port in Kong"]);
    assert!(projected.skipped[0].reason.is_mistake());
}
