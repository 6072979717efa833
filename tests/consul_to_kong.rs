//! What is registered in a real Consul stands in Kong.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

#[path = "common/causeway.rs"]
mod causeway;
mod conformance;
mod consul_harness;
#[path = "conformance/end_to_end.rs"]
mod end_to_end;

use conformance::Harness;
use consul_harness::ConsulHarness;

#[tokio::test(flavor = "multi_thread")]
async fn from_consul_to_groups_in_kong() {
    let harness = ConsulHarness::plain().await;
    let can = harness.route().await.source.capabilities();
    let registry = format!("type: consul, addresses: [\"{}\"]", harness.address);
    end_to_end::from_a_registry_to_groups_in_kong(&harness, can, &registry, end_to_end::Words::USUAL).await;
}
