//! The `file` registry plays the suite that every registry plays: a folder of files stands in for the server.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use causeway::registries::file::FileRegistry;
use serde_json::json;
use tempfile::TempDir;

use crate::conformance::{Harness, Inst, Route, Step, play, scenarios, stories};
use crate::end_to_end;

/// A folder with a file for each service, written as careful programs write.
struct Folder {
    folder: TempDir,
    namespaces: AtomicUsize,
    services: Mutex<BTreeMap<(String, String), Vec<Inst>>>,
}

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("none.yaml"), "services: []").unwrap();
        Self { folder, namespaces: AtomicUsize::new(0), services: Mutex::default() }
    }

    fn change(&self, namespace: &str, instance: &Inst, registered: bool) {
        let mut services = self.services.lock().unwrap();
        let instances = services.entry((namespace.to_owned(), instance.service.clone())).or_default();
        instances.retain(|other| (&other.host, other.port) != (&instance.host, instance.port));
        if registered {
            instances.push(instance.clone());
        }
        let written = json!({ "services": [{
            "namespace": namespace,
            "service": instance.service,
            "instances": instances.iter().map(written).collect::<Vec<_>>(),
        }] });
        let file = self.folder.path().join(format!("{namespace}-{}.json", instance.service));
        let beside = file.with_extension("new");
        fs::write(&beside, written.to_string()).unwrap();
        fs::rename(beside, file).unwrap();
    }
}

fn written(instance: &Inst) -> serde_json::Value {
    json!({
        "host": instance.host,
        "port": instance.port,
        "weight": instance.weight * 100.0,
        "healthy": instance.healthy,
        "enabled": instance.enabled,
        "metadata": instance.metadata,
    })
}

#[async_trait]
impl Harness for Folder {
    async fn route(&self) -> Route {
        Route { source: Arc::new(FileRegistry::new(self.folder.path(), [])), proxies: Vec::new() }
    }

    async fn namespace(&self) -> String {
        format!("ns-{}", self.namespaces.fetch_add(1, Ordering::Relaxed))
    }

    async fn put(&self, namespace: &str, instance: &Inst) {
        self.change(namespace, instance, true);
    }

    async fn remove(&self, namespace: &str, instance: &Inst) {
        self.change(namespace, instance, false);
    }

    fn limit(&self) -> Duration {
        Duration::from_secs(60)
    }

    fn is_own_metadata(&self, _: &str) -> bool {
        false
    }
}

/// There is no connection to cut; what stands for it with files, an absent or broken one, is told in `on_disk.rs`.
#[tokio::test]
async fn every_scenario_without_a_connection() {
    let of_connections = |step: &Step| matches!(step, Step::Cut | Step::Close | Step::Open);
    let all = scenarios::all();
    let (cut, played): (Vec<_>, Vec<_>) =
        all.iter().partition(|scenario| scenario.steps.iter().any(of_connections));
    let cut: Vec<&str> = cut.into_iter().map(|scenario| scenario.name).collect();
    assert_eq!(cut, ["cut and healed", "away for a while", "put off and away"]);
    for scenario in played {
        play(&Folder::new(), scenario).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet() {
    stories::a_fleet(&Folder::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_files_to_groups_in_kong() {
    let harness = Folder::new();
    let can = harness.route().await.source.capabilities();
    let registry = format!("type: file, path: \"{}\"", harness.folder.path().display());
    end_to_end::from_a_registry_to_groups_in_kong(&harness, can, &registry, end_to_end::Words::USUAL).await;
}
