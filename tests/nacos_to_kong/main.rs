//! What is registered in a real Nacos stands in Kong: the main job, told from the outside with the real binary.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

#[path = "../common/causeway.rs"]
mod causeway;
mod document;
mod restarts;

use std::collections::BTreeMap;
use std::time::Duration;

use causeway_test_support::kong::KongStandIn;
use causeway_test_support::nacos::{NacosHttp, NacosOptions, NacosServer, Registration};
use tokio::sync::{Mutex, MutexGuard};

/// A patience that a busy machine needs; nothing waits for it when all is well.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server of the test's own. Held by its guard, since two servers that start at once on a small machine time each other out.
async fn nacos() -> (MutexGuard<'static, ()>, NacosServer) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());
    let alone = ONE_AT_A_TIME.lock().await;
    (alone, NacosServer::start(NacosOptions::default()).await.unwrap())
}

/// The targets and weights that an upstream has in Kong.
fn targets(kong: &KongStandIn, upstream: &str) -> BTreeMap<String, i64> {
    kong.weights(upstream)
}

/// Method and path without the query of every write that reached Kong since the last call.
fn take_writes(kong: &KongStandIn) -> Vec<(String, String)> {
    let writes = kong.requests().into_iter().filter(|request| request.method != "GET");
    let writes = writes.map(|request| (request.method, request.path)).collect();
    kong.reset_counts();
    writes
}

async fn register(http: &NacosHttp, service: &str, host: u8, version: &str) -> Registration {
    let instance = Registration::new("", service, &format!("10.0.0.{host}"), 8080).with("version", version);
    http.register(&instance).await.unwrap();
    instance
}
