//! What the tests against the stand-in for Kong share.

use std::collections::BTreeMap;
use std::time::Duration;

use causeway_gateways::{KongGateway, KongSettings};
use causeway_test_support::kong::{KongStandIn, Recorded};
use reqwest::Method;
use serde_json::Value;

pub(crate) fn settings(kong: &KongStandIn) -> KongSettings {
    KongSettings { addresses: vec![kong.admin_url()], ..KongSettings::default() }
}

pub(crate) fn gateway(kong: &KongStandIn) -> KongGateway {
    KongGateway::new(settings(kong)).unwrap()
}

/// Everything that stands there, without what changes by itself.
pub(crate) fn everything_in(kong: &KongStandIn) -> Vec<Value> {
    [kong.services(), kong.routes(), kong.upstreams(), kong.all_targets()].concat()
}

/// How many services, upstreams and targets stand there.
pub(crate) fn counts(kong: &KongStandIn) -> (usize, usize, usize) {
    (kong.services().len(), kong.upstreams().len(), kong.all_targets().len())
}

/// One without a database, which needs no rest between documents.
pub(crate) fn without_database<'a>(nodes: impl IntoIterator<Item = &'a KongStandIn>) -> KongSettings {
    KongSettings {
        addresses: nodes.into_iter().map(KongStandIn::admin_url).collect(),
        document_interval: Duration::ZERO,
        ..KongSettings::default()
    }
}

/// The documents that were sent to a node, in their order.
pub(crate) fn documents(kong: &KongStandIn) -> Vec<Recorded> {
    kong.requests().into_iter().filter(|request| request.path.contains("/config?")).collect()
}

/// Loads a document into a node as somebody else would.
pub(crate) fn load(kong: &KongStandIn, document: &Value) {
    let (status, answer) = kong.direct(&Method::POST, "/config", document);
    assert_eq!(status, 201, "{answer}");
}

/// Everything that a node holds and that bears no mark of Causeway, by kind and id, without the times.
pub(crate) fn foreign(kong: &KongStandIn) -> BTreeMap<String, Value> {
    let (_, answer) = kong.direct(&Method::GET, "/config", &Value::Null);
    let held: BTreeMap<String, Value> = serde_saphyr::from_str(answer["config"].as_str().unwrap()).unwrap();
    let mut all = BTreeMap::new();
    for (kind, entities) in held {
        let Value::Array(entities) = entities else { continue };
        for mut entity in entities {
            let tags = entity["tags"].as_array();
            if tags.into_iter().flatten().any(|tag| tag.as_str().unwrap().starts_with("causeway")) {
                continue;
            }
            let fields = entity.as_object_mut().unwrap();
            fields.retain(|field, _| !field.ends_with("_at"));
            all.insert(format!("{kind} {}", fields["id"]), entity);
        }
    }
    all
}
