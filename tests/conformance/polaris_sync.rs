//! polaris-sync's published example for Kong, told by the real binary down to the single request.

use std::collections::BTreeMap;
use std::time::Duration;

use causeway_test_support::kong::KongStandIn;
use serde_json::Value;
use tokio::time::Instant;

use crate::causeway::{Causeway, RunningCauseway};
use crate::conformance::{Harness, Inst};

/// What a busy machine may need; nothing waits for it when all is well.
const PATIENCE: Duration = Duration::from_secs(60);
const NOTHING: &str = "plan: 0 to create, 0 to change, 0 to remove; 0 held, 0 conflicts";
const GROUPS: [&str; 3] = ["default", "version-1", "version-2"];

/// A configuration with one service in the groups `version-1` and `version-2`, by the metadata `version`.
pub struct Told<'a> {
    pub document: String,
    /// The service, as it stands in keys.
    pub namespace: &'a str,
    pub service: &'a str,
    /// How names in Kong begin.
    pub registry: &'a str,
    /// The names of the task, and of who owns what it writes.
    pub task: &'a str,
    pub kong: &'a KongStandIn,
}

/// Planned, created, filled by groups, followed through a change of weight, a switching off and a departure, and the same to
/// a second start.
pub async fn the_story(harness: &dyn Harness, told: &Told<'_>) {
    let (kong, namespace) = (told.kong, told.namespace);
    let instance = |host: u8, version: &str| {
        Inst::new(told.service, &format!("10.0.0.{host}"), 8080).with("version", version)
    };
    let all = [instance(1, "1.0.0"), instance(2, "1.0.0"), instance(3, "2.0.0")];
    for instance in &all {
        harness.put(namespace, instance).await;
    }
    let causeway = Causeway::with(&told.document);
    told.comes_to_plan(&causeway, 3, "plan: 10 to create, 0 to change, 0 to remove; 0 held, 0 conflicts")
        .await;
    assert_eq!(kong.writes(), 0, "a plan touches nothing");

    let mut running = causeway.run();
    told.becomes(&running, [3, 2, 1]).await;
    assert!(kong.wait_until(PATIENCE, |kong| kong.services().len() == 1).await, "{}", running.log());
    told.is_marked();

    told.take_writes();
    harness.remove(namespace, &all[0]).await;
    told.becomes(&running, [2, 1, 1]).await;
    let deleted = told.take_writes();
    assert_eq!(methods(&deleted), ["DELETE", "DELETE"], "one for each upstream that held it: {deleted:?}");

    harness.put(namespace, &all[1].clone().weight(0.5)).await;
    let halved = |group: &str| told.targets(group).get("10.0.0.2:8080") == Some(&50);
    let both = |_: &KongStandIn| halved("default") && halved("version-1");
    if harness.route().await.source.capabilities().weight.nearest(0.5) == 0.5 {
        assert!(kong.wait_until(PATIENCE, both).await, "{}", running.log());
        let patched = told.take_writes();
        assert_eq!(methods(&patched), ["PATCH", "PATCH"], "one for each upstream that holds it: {patched:?}");
    }
    assert!(running.terminate().await.success());
    let (code, plan, errors) = plan(&causeway).await;
    assert!(code == 0 && plan.contains(NOTHING), "{plan}{errors}");

    harness.remove(namespace, &all[2]).await;
    told.comes_to_plan(&causeway, 3, "- target 10.0.0.3:8080 of upstream").await;
    harness.put(namespace, &all[2]).await;
    told.comes_to_plan(&causeway, 0, NOTHING).await;
    a_second_start(harness, told, &causeway, &all[2]).await;
}

async fn a_second_start(harness: &dyn Harness, told: &Told<'_>, causeway: &Causeway, last: &Inst) {
    told.take_writes();
    let mut again = causeway.run();
    assert!(told.kong.wait_until(PATIENCE, |kong| kong.reads() > 5).await, "{}", again.log());
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(told.take_writes(), [], "a second start writes nothing");
    if harness.route().await.source.capabilities().isolation {
        harness.put(told.namespace, &last.clone().disabled()).await;
        told.becomes(&again, [1, 1, 0]).await;
        harness.put(told.namespace, last).await;
        told.becomes(&again, [2, 1, 1]).await;
    }
    assert!(again.terminate().await.success());
}

impl Told<'_> {
    fn targets(&self, group: &str) -> BTreeMap<String, i64> {
        let Self { registry, namespace, service, .. } = self;
        let upstreams = self.kong.upstreams();
        let name = format!("{registry}.{namespace}.{service}.{group}");
        let alike = |upstream: &&Value| unescaped(upstream["name"].as_str().unwrap()) == name;
        upstreams
            .iter()
            .find(alike)
            .map_or_else(BTreeMap::new, |upstream| self.kong.weights(upstream["name"].as_str().unwrap()))
    }

    async fn becomes(&self, running: &RunningCauseway, sizes: [usize; 3]) {
        let now = || GROUPS.map(|group| self.targets(group).len());
        let came = self.kong.wait_until(PATIENCE, |_| now() == sizes).await;
        assert!(came, "{:?} instead of {sizes:?}:\n{}", now(), running.log());
    }

    /// Waits until this is planned: what a registry has accepted it shows after a moment.
    async fn comes_to_plan(&self, causeway: &Causeway, exit_code: i32, holds: &str) {
        let until = Instant::now() + PATIENCE;
        loop {
            let (code, plan, errors) = plan(causeway).await;
            if code == exit_code && plan.contains(holds) {
                return;
            }
            assert!(Instant::now() < until, "{code}, not {exit_code} and {holds}: {plan}{errors}");
        }
    }

    /// Method and path without the query of every write that reached Kong since the last call.
    fn take_writes(&self) -> Vec<(String, String)> {
        let requests = self.kong.requests();
        self.kong.reset_counts();
        let writes = requests.into_iter().filter(|request| request.method != "GET");
        writes.map(|request| (request.method, request.path)).collect()
    }

    /// Every object bears the marks of its owner and task.
    fn is_marked(&self) {
        let all = [self.kong.services(), self.kong.upstreams(), self.kong.all_targets()].concat();
        assert_eq!(all.len(), 1 + 3 + 6);
        let (task, service) =
            (format!("causeway.task:{}", self.task), format!("causeway.service:{}", self.service));
        for object in all {
            let tags: Vec<&str> =
                object["tags"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            for tag in ["causeway", "causeway.owner:causeway", &task, &service] {
                assert!(tags.contains(&tag), "{tag} is missing: {object}");
            }
        }
    }
}

async fn plan(causeway: &Causeway) -> (i32, String, String) {
    causeway.call(&["plan", "--exit-code"]).await
}

/// A name in Kong with what was escaped in it.
fn unescaped(name: &str) -> String {
    let mut parts = name.split("_x");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = u8::from_str_radix(part.get(..2).unwrap_or_default(), 16).unwrap_or(b'?');
        plain.push(char::from(code));
        plain.push_str(part.get(2..).unwrap_or_default());
    }
    plain
}

fn methods(writes: &[(String, String)]) -> Vec<&str> {
    writes.iter().map(|(method, _)| method.as_str()).collect()
}
