//! The examples in conf/ are whole, say what their comments say, and work.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use causeway::config::{self, Config, Dialect, Loaded, RegistryKind};
use causeway::model::ServiceKey;
use causeway::project::matcher::{Decision, decide};
use causeway::project::{Incumbents, Projection, project};
use causeway::registries::{self, Interest, View};
use tokio_util::sync::CancellationToken;

fn read(name: &str) -> Loaded {
    let path = Path::new("conf").join(name);
    let env = |name: &str| (name == "CAUSEWAY_TOKEN").then(|| "from the environment".to_owned());
    let text = fs::read_to_string(&path).unwrap();
    config::parse(&text, name, &env).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn examples() -> BTreeMap<String, Loaded> {
    let files = fs::read_dir("conf").unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let others = ["schema.json", "quickstart-services.yaml"];
    files.filter(|name| !others.contains(&name.as_str())).map(|name| (name.clone(), read(&name))).collect()
}

#[test]
fn every_example_is_read_without_a_warning_and_names_files_that_are_there() {
    let examples = examples();
    assert!(examples.len() >= 5, "{:?}", examples.keys());
    for (name, Loaded { config, warnings }) in examples {
        assert!(config.tasks.iter().any(|task| task.enable), "{name}");
        for path in config.registries.values().filter_map(|registry| registry.path.as_ref()) {
            assert!(path.exists(), "{name}: {}", path.display());
        }
        let foreign = config.tasks.iter().all(|task| task.dialect != Dialect::Native);
        assert!(foreign || warnings.is_empty(), "{name}: {warnings:?}");
    }
}

#[test]
fn the_defaults_that_the_full_example_names_are_the_defaults() {
    let full = read("causeway.yaml").config;
    let bare = "version: 1
registries:
  - { name: nacos, type: nacos, addresses: ['127.0.0.1:8848'] }
  - { name: local, type: file, path: conf/quickstart-services.yaml }
gateways:
  - { name: kong, type: kong, addresses: ['http://127.0.0.1:8001'] }
  - { name: kong-yml, type: kong-file, path: target/kong.yml }
tasks:
  - { name: nacos-to-kong, source: nacos, destination: kong, match: [ { service: '*' } ] }";
    let bare = config::parse(bare, "bare.yaml", &|_| None).unwrap().config;
    let task = |config: &Config| {
        let task = config.task("nacos-to-kong").unwrap();
        (task.enable, task.policy, task.delete, task.weight, task.mode, task.hold)
    };
    assert_eq!(task(&full), task(&bare));
    let settings = |config: Config| Config { tasks: Vec::new(), report: bare.report.clone(), ..config };
    assert_eq!(full.report.interval, bare.report.interval);
    assert_eq!(settings(full), settings(bare.clone()));
}

#[test]
fn polaris_syncs_document_is_read_as_its_own() {
    let config = read("polaris-sync-nacos-to-kong.json").config;
    let task = config.task("nacos1").unwrap();
    assert_eq!(task.dialect, Dialect::PolarisSync);
    assert_eq!(config.registries[&task.source].kind, RegistryKind::Nacos);
    let Decision::Matched { entry, .. } = decide(task, &ServiceKey::new("empty_ns", "test.service.3")) else {
        panic!("it matches the service");
    };
    let groups: Vec<&str> = entry.groups.iter().map(|group| group.name.as_str()).collect();
    assert_eq!(groups, ["version-1", "version-2"]);
}

struct Everything;

impl Interest for Everything {
    fn namespaces(&self) -> Option<BTreeSet<String>> {
        None
    }

    fn wants(&self, _: &ServiceKey) -> bool {
        true
    }
}

/// What stands in quickstart-services.yaml, read by the registry that the configuration names.
async fn shown(config: &Config, name: &str) -> Arc<View> {
    let (source, view) = (registries::build(&config.registries[name]).unwrap(), View::new(name));
    let (its_view, stop) = (Arc::clone(&view), CancellationToken::new());
    let its_stop = stop.clone();
    let worker = tokio::spawn(async move { source.watch(Arc::new(Everything), its_view, its_stop).await });
    let mut progress = view.progress();
    let read = progress.wait_for(|progress| progress.complete);
    tokio::time::timeout(Duration::from_secs(20), read).await.unwrap().unwrap();
    stop.cancel();
    worker.await.unwrap();
    view
}

#[tokio::test]
async fn the_quickstart_has_two_services_in_three_versions() {
    let config = read("quickstart.yaml").config;
    let task = config.task("quickstart").unwrap();
    let view = shown(&config, &task.source).await;
    let targets = |service: &str| {
        let key = ServiceKey::new("default", service);
        let Decision::Matched { entry, .. } = decide(task, &key) else { panic!("{key} is matched") };
        let (source_kind, incumbents) = (RegistryKind::File, &Incumbents::default());
        let request = Projection { owner: &config.owner, task, source_kind, entry, incumbents };
        let projected = project(&request, &view.reading(&key).unwrap().snapshot);
        assert!(!projected.skipped.iter().any(|skipped| skipped.reason.is_mistake()));
        projected.groups.into_iter().map(|g| (g.name, g.targets.len())).collect::<Vec<_>>()
    };
    let counted = |groups: [(&str, usize); 4]| groups.map(|(name, n)| (name.to_owned(), n)).to_vec();
    assert_eq!(view.services().len(), 2);
    assert_eq!(targets("orders"), counted([("default", 4), ("v1-0", 2), ("v1-1", 1), ("v2-0", 1)]));
    assert_eq!(targets("payments"), counted([("default", 2), ("v1-0", 1), ("v1-1", 1), ("v2-0", 0)]));
}
