//! What is registered in a real Nacos stands in Kong: the main job, told from the outside with the real binary.

use causeway_test_support::kong::KongStandIn;

use crate::conformance::Harness;
use crate::end_to_end;
use crate::harness::{NacosHarness, shared_server};
use crate::polaris_sync::{Told, the_story};

/// polaris-sync's published example for Kong with `type: nacos` and `namespace: empty_ns`.
fn document(nacos: &str, kong: &str) -> String {
    let example = include_str!("../data/examples/polaris-sync-kong.json");
    let document = example
        .replace("\"type\": \"polaris\"", "\"type\": \"nacos\"")
        .replace("\"namespace\": \"default\"", "\"namespace\": \"empty_ns\"")
        .replace("127.0.0.1:8090", nacos)
        .replace("127.0.0.1:8001", kong);
    assert_ne!(document, example);
    document
}

#[tokio::test(flavor = "multi_thread")]
async fn polaris_syncs_document_on_a_real_nacos() {
    let (harness, kong) = (NacosHarness::shared().await, KongStandIn::start().await);
    let nacos = shared_server().await.address();
    let told = Told {
        document: document(&nacos, &kong.addr().to_string()),
        namespace: "empty_ns",
        service: "test.service.3",
        registry: "ins-3ad0f6e6",
        task: "polaris1",
        kong: &kong,
    };
    the_story(&harness, &told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_nacos_to_groups_in_kong() {
    let harness = NacosHarness::shared().await;
    let can = harness.route().await.source.capabilities();
    let registry = format!("type: nacos, addresses: [\"{}\"]", shared_server().await.address());
    end_to_end::from_a_registry_to_groups_in_kong(&harness, can, &registry, end_to_end::Words::USUAL).await;
}
