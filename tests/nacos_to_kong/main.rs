//! What is registered in a real Nacos stands in Kong: the main job, told from the outside with the real binary.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

#[path = "../common/causeway.rs"]
mod causeway;
#[path = "../conformance/mod.rs"]
mod conformance;
mod document;
#[path = "../conformance/end_to_end.rs"]
mod end_to_end;
#[path = "../nacos_harness/mod.rs"]
mod nacos_harness;
#[path = "../conformance/polaris_sync.rs"]
mod polaris_sync;
mod restarts;

use std::time::Duration;

use ::causeway::registries::nacos::NacosSettings;
use causeway_test_support::kong::KongStandIn;
use causeway_test_support::nacos::{NacosHttp, NacosOptions, NacosServer, Registration};
use conformance::Harness;
use tokio::sync::{Mutex, MutexGuard};

/// A patience that a busy machine needs; nothing waits for it when all is well.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server of the test's own. Held by its guard, since two servers that start at once on a small machine time each other out.
async fn nacos() -> (MutexGuard<'static, ()>, NacosServer) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());
    let alone = ONE_AT_A_TIME.lock().await;
    (alone, NacosServer::start(NacosOptions::default()).await.unwrap())
}

async fn register(http: &NacosHttp, service: &str, host: u8, version: &str) -> Registration {
    let instance = Registration::new("", service, &format!("10.0.0.{host}"), 8080).with("version", version);
    http.register(&instance).await.unwrap();
    instance
}
