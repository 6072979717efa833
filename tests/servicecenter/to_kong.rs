//! What is registered in a real service-center stands in Kong.

use crate::conformance::Harness;
use crate::end_to_end;
use crate::harness::ServiceCenterHarness;

#[tokio::test(flavor = "multi_thread")]
async fn from_service_center_to_groups_in_kong() {
    let harness = ServiceCenterHarness::plain().await;
    let can = harness.route().await.source.capabilities();
    let registry = format!("type: servicecenter, addresses: [\"{}\"]", harness.address);
    end_to_end::from_a_registry_to_groups_in_kong(&harness, can, &registry, end_to_end::Words::USUAL).await;
}
