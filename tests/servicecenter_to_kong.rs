//! What is registered in a real service-center stands in Kong.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

#[path = "common/causeway.rs"]
mod causeway;
mod conformance;
#[path = "conformance/end_to_end.rs"]
mod end_to_end;
mod servicecenter_harness;

use conformance::Harness;
use servicecenter_harness::ServiceCenterHarness;

#[tokio::test(flavor = "multi_thread")]
async fn from_service_center_to_groups_in_kong() {
    let harness = ServiceCenterHarness::plain().await;
    let can = harness.route().await.source.capabilities();
    let registry = format!("type: servicecenter, addresses: [\"{}\"]", harness.address);
    end_to_end::from_a_registry_to_groups_in_kong(&harness, can, &registry, end_to_end::Words::USUAL).await;
}
