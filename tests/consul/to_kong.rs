//! What is registered in a real Consul stands in Kong.

use crate::conformance::Harness;
use crate::end_to_end;
use crate::harness::ConsulHarness;

#[tokio::test(flavor = "multi_thread")]
async fn from_consul_to_groups_in_kong() {
    let harness = ConsulHarness::plain().await;
    let can = harness.route().await.source.capabilities();
    let registry = format!("type: consul, addresses: [\"{}\"]", harness.address);
    end_to_end::from_a_registry_to_groups_in_kong(&harness, can, &registry, end_to_end::Words::USUAL).await;
}
