//! What is registered in a real Eureka stands in Kong.

use causeway_test_support::eureka::EurekaOptions;

use crate::conformance::Harness;
use crate::end_to_end;
use crate::harness::EurekaHarness;

#[tokio::test(flavor = "multi_thread")]
async fn from_eureka_to_groups_in_kong() {
    let harness = EurekaHarness::start(EurekaOptions::default()).await;
    let can = harness.route().await.source.capabilities();
    let registry = format!("type: eureka, poll_interval: 300ms, addresses: [\"{}\"]", harness.address);
    end_to_end::from_a_registry_to_groups_in_kong(&harness, can, &registry, end_to_end::Words::USUAL).await;
}
