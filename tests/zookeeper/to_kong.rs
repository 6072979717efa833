//! What is registered in a real ZooKeeper stands in Kong.

use causeway::config::ZookeeperLayout;

use crate::conformance::Harness;
use crate::end_to_end::{self, Words};
use crate::harness::{Writes, ZookeeperHarness};

/// As a user writes it who says nothing of layouts; what the type can hold is then what Spring Cloud's entries can.
#[tokio::test(flavor = "multi_thread")]
async fn from_zookeeper_to_groups_in_kong() {
    let harness = ZookeeperHarness::shared(Writes::SpringCloud, ZookeeperLayout::SpringCloud).await;
    let can = harness.route().await.source.capabilities();
    let registry = format!("type: zookeeper, addresses: [\"{}{}\"]", harness.address, harness.chroot);
    end_to_end::from_a_registry_to_groups_in_kong(&harness, can, &registry, Words::USUAL).await;
}

/// Providers of an interface; their versions would be services of their own, so groups are made of something else.
#[tokio::test(flavor = "multi_thread")]
async fn from_dubbos_interfaces_to_groups_in_kong() {
    let harness = ZookeeperHarness::shared(Writes::Dubbo, ZookeeperLayout::Dubbo).await;
    let can = harness.route().await.source.capabilities();
    let registry = format!("type: zookeeper, addresses: [\"{}{}\"]", harness.address, harness.chroot);
    let words = Words { service: "providers:lab.orders::", key: "lane" };
    end_to_end::from_a_registry_to_groups_in_kong(&harness, can, &registry, words).await;
}
