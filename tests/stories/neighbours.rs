//! Several Causeways on one Kong leave each other's objects alone.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::registry::ModelRegistry;
use crate::stage::{Deployment, Stage, instance};
use causeway::model::ServiceKey;

fn document(owner: &str, task: &str, registry: &str, service: &str) -> String {
    format!(
        r#"
version: 1
owner: {owner}
registries: [ {{ name: {registry}, type: nacos, addresses: ["127.0.0.1:1"], protect: {{ hold: 100ms }} }} ]
gateways: [ {{ name: kong, type: kong, addresses: ["KONG"], retire_after: 100ms }} ]
tasks:
  - {{ name: {task}, source: {registry}, destination: kong, match: [ {{ namespace: default, service: "{service}" }} ] }}
methods: [ {{ type: watch, enable: true }}, {{ type: pull, enable: true, interval: 300ms }} ]
health_check: {{ enable: false }}
"#
    )
}

fn registry_with(services: &[&str]) -> ModelRegistry {
    let registry = ModelRegistry::default();
    registry.change(|content| {
        for service in services {
            let key = ServiceKey::new("default", *service);
            content.services.insert(key, vec![instance("10.0.0.1"), instance("10.0.0.2")]);
        }
    });
    registry
}

/// Everything under one task's mark, by id.
fn owned(stage: &Stage, owner: &str, task: &str) -> BTreeMap<String, Value> {
    let kong = &stage.kong;
    let all = [kong.services(), kong.upstreams(), kong.all_targets()].concat();
    let marks = [format!("causeway.owner:{owner}"), format!("causeway.task:{task}")];
    let ours = all.into_iter().filter(|entity| {
        marks.iter().all(|mark| entity["tags"].as_array().unwrap().contains(&mark.as_str().into()))
    });
    ours.map(|entity| (entity["id"].as_str().unwrap().to_owned(), entity)).collect()
}

/// The second of two neighbours loses everything; the first one's objects stay as they are.
async fn the_first_outlives(
    stage: &Stage,
    first: &Deployment,
    second: &Deployment,
    marks: [[&str; 2]; 2],
    its: &ModelRegistry,
) {
    let [[owner, task], [other, its_task]] = marks;
    let before = owned(stage, owner, task);
    assert!(!before.is_empty() && !owned(stage, other, its_task).is_empty(), "{}", stage.dump());
    its.change(|content| content.services.clear());
    second.until("all is lost at once", |status| status.registries[0].breaker.open).await;
    second.supervisor.flows[0].source.release();
    stage.until("the second one's are gone", |_| owned(stage, other, its_task).is_empty()).await;
    first.after_audits(2).await;
    second.after_audits(2).await;
    assert_eq!(owned(stage, owner, task), before);
}

#[tokio::test]
async fn two_deployments_with_registries_of_their_own() {
    let stage = Stage::new().await;
    let registries = [registry_with(&["orders", "stock"]), registry_with(&["orders", "stock"])];
    let first = stage.deploy_on(&document("a", "t", "ra", "*"), &registries[0]);
    let second = stage.deploy_on(&document("b", "t", "rb", "*"), &registries[1]);
    first.until_ready().await;
    second.until_ready().await;
    assert!(first.conflicts().is_empty() && second.conflicts().is_empty());
    the_first_outlives(&stage, &first, &second, [["a", "t"], ["b", "t"]], &registries[1]).await;
    first.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn two_deployments_that_want_the_same_names() {
    let stage = Stage::new().await;
    let registries = [registry_with(&["orders", "stock"]), registry_with(&["orders", "stock", "users"])];
    let first = stage.deploy_on(&document("a", "t", "r", "*"), &registries[0]);
    first.until_ready().await;
    let second = stage.deploy_on(&document("b", "t", "r", "*"), &registries[1]);
    second.until_ready().await;
    let told = second.conflicts();
    assert_eq!(told.len(), 4, "{told:#?}");
    assert!(told.values().all(|reason| reason.contains("another deployment, a")), "{told:#?}");
    the_first_outlives(&stage, &first, &second, [["a", "t"], ["b", "t"]], &registries[1]).await;
    second.until("nothing is in its way", |status| status.tasks[0].conflicts.is_empty()).await;
    first.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn two_tasks_of_one_owner_in_two_processes() {
    let stage = Stage::new().await;
    let registries = [registry_with(&["orders", "shared"]), registry_with(&["stock", "shared"])];
    let first = stage.deploy_on(&document("a", "t1", "r", "*"), &registries[0]);
    first.until_ready().await;
    let second = stage.deploy_on(&document("a", "t2", "r", "*"), &registries[1]);
    second.until_ready().await;
    let told = second.conflicts();
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(told.values().all(|reason| reason.contains("task t1 of this deployment")), "{told:#?}");
    first.after_audits(1).await;
    let leftovers = |deployment: &Deployment| deployment.status().gateways[0].leftovers.clone();
    assert_eq!((leftovers(&first), leftovers(&second)), (vec!["t2".to_owned()], vec!["t1".to_owned()]));
    the_first_outlives(&stage, &first, &second, [["a", "t1"], ["a", "t2"]], &registries[1]).await;
    first.stop().await;
    second.stop().await;
}
