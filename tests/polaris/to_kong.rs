//! What is registered in Polaris stands in Kong, with the stand-ins for both.

use causeway_test_support::kong::KongStandIn;

use crate::conformance::Harness;
use crate::end_to_end;
use crate::harness::PolarisHarness;
use crate::polaris_sync::{Told, the_story};

#[tokio::test(flavor = "multi_thread")]
async fn from_polaris_to_groups_in_kong() {
    let harness = PolarisHarness::start().await;
    let can = harness.route().await.source.capabilities();
    let registry = format!("type: polaris, addresses: [\"{}\"]", harness.server.address());
    end_to_end::from_a_registry_to_groups_in_kong(&harness, can, &registry, end_to_end::Words::USUAL).await;
}

/// The published example, unchanged but for the ports of the two servers. Its token is sent to a server that asks for none.
#[tokio::test(flavor = "multi_thread")]
async fn polaris_syncs_example() {
    let (harness, kong) = (PolarisHarness::start().await, KongStandIn::start().await);
    let example = include_str!("../data/examples/polaris-sync-kong.json");
    let document = example
        .replace("127.0.0.1:8090", &harness.server.address())
        .replace("127.0.0.1:8001", &kong.addr().to_string());
    let told = Told {
        document,
        namespace: "default",
        service: "test.service.3",
        registry: "ins-3ad0f6e6",
        task: "polaris1",
        kong: &kong,
    };
    the_story(&harness, &told).await;
}
