//! What the tests against the stand-in for Kong share.

use std::collections::BTreeMap;
use std::time::Duration;

use causeway_gateways::{Gateway, KongGateway, KongSettings};
use causeway_test_support::kong::{KongStandIn, Recorded};
use reqwest::Method;
use serde_json::Value;
use tokio::time::{sleep, timeout};

/// Far longer than anything takes, for a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

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

/// As long as the gateway is looked after.
pub(crate) async fn tended<T>(gateway: &dyn Gateway, work: impl Future<Output = T>) -> T {
    let tend = async {
        loop {
            gateway.tend().await;
        }
    };
    tokio::select! {
        done = timeout(LIMIT, work) => done.expect("it never came about"),
        () = tend => unreachable!(),
    }
}

pub(crate) async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        sleep(Duration::from_millis(20)).await;
    }
}

/// Documents never follow each other faster than a rest, nor faster than the last one took.
pub(crate) fn assert_paced(documents: &[Recorded], rest: Duration) {
    for pair in documents.windows(2) {
        let ended = pair[0].answered_at.unwrap();
        assert!(pair[1].at >= ended + (ended - pair[0].at).max(rest), "{:?} after it", pair[1].at - ended);
    }
}
