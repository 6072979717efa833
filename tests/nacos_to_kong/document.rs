//! A document of polaris-sync's form, against a real Nacos.

use super::nacos_harness::NacosHarness;
use super::polaris_sync::{Told, the_story};
use super::*;

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
    let ((_alone, nacos), kong) = (nacos().await, KongStandIn::start().await);
    let harness =
        NacosHarness { ports: nacos.ports(), http: nacos.http(), settings: NacosSettings::default() };
    let told = Told {
        document: document(&nacos.address(), &kong.addr().to_string()),
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
    let (_alone, nacos) = nacos().await;
    let harness =
        NacosHarness { ports: nacos.ports(), http: nacos.http(), settings: NacosSettings::default() };
    let can = harness.route().await.source.capabilities();
    let registry = format!("type: nacos, addresses: [\"{}\"]", nacos.address());
    end_to_end::from_a_registry_to_groups_in_kong(&harness, can, &registry, end_to_end::Words::USUAL).await;
}
