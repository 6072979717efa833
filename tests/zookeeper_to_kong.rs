//! What is registered in a real ZooKeeper stands in Kong.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

#[path = "common/causeway.rs"]
mod causeway;
mod conformance;
#[path = "conformance/end_to_end.rs"]
mod end_to_end;
mod zookeeper_harness;

use ::causeway::config::ZookeeperLayout;
use conformance::Harness;
use end_to_end::Words;
use zookeeper_harness::{Writes, ZookeeperHarness};

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
