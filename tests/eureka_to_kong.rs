//! What is registered in a real Eureka stands in Kong.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

#[path = "common/causeway.rs"]
mod causeway;
mod conformance;
#[path = "conformance/end_to_end.rs"]
mod end_to_end;
mod eureka_harness;

use causeway_test_support::eureka::EurekaOptions;
use conformance::Harness;
use eureka_harness::EurekaHarness;

#[tokio::test(flavor = "multi_thread")]
async fn from_eureka_to_groups_in_kong() {
    let harness = EurekaHarness::start(EurekaOptions::default()).await;
    let can = harness.route().await.source.capabilities();
    let registry = format!("type: eureka, poll_interval: 300ms, addresses: [\"{}\"]", harness.address);
    end_to_end::from_a_registry_to_groups_in_kong(&harness, can, &registry, end_to_end::Words::USUAL).await;
}
