//! The story that every registry tells in the end: what is registered there stands in Kong, by instance groups. It is told by the
//! real binary, with the registry as a user writes it.

use std::collections::BTreeMap;
use std::time::Duration;

use causeway::registries::Capabilities;
use causeway_test_support::kong::KongStandIn;

use crate::causeway::{Causeway, RunningCauseway};
use crate::conformance::{Harness, Inst};

/// A patience that a busy machine needs; nothing waits for it when all is well.
const PATIENCE: Duration = Duration::from_secs(90);
/// What Kong's default weight is.
const KONG_WEIGHT: f64 = 100.0;

/// What the story calls things in a registry.
#[derive(Clone, Copy)]
pub struct Words {
    pub service: &'static str,
    /// The metadata key that groups are made of.
    pub key: &'static str,
}

impl Words {
    pub const USUAL: Self = Self { service: "orders", key: "version" };
}

/// A registry and the way to Kong.
struct Stage<'a> {
    harness: &'a dyn Harness,
    namespace: String,
    can: &'static Capabilities,
    words: Words,
    kong: KongStandIn,
}

impl Stage<'_> {
    fn document(&self, registry: &str) -> String {
        let (namespace, kong, Words { service, key }) = (&self.namespace, self.kong.admin_url(), self.words);
        format!(
            r#"
version: 1
admin: {{ listen: "127.0.0.1:0" }}
registries: [ {{ name: source, {registry} }} ]
gateways: [ {{ name: kong, type: kong, addresses: ["{kong}"] }} ]
tasks:
  - name: t
    source: source
    destination: kong
    match:
      - namespace: "{namespace}"
        service: "{service}"
        groups: [ {{ name: v1, metadata: {{ {key}: "1" }} }}, {{ name: v2, metadata: {{ {key}: "2" }} }} ]
"#
        )
    }

    async fn put(&self, instance: &Inst) {
        self.harness.put(&self.namespace, instance).await;
    }

    /// What each group holds in Kong, whatever its namespace and service are written as; there is no other service.
    fn groups(&self) -> BTreeMap<&'static str, BTreeMap<String, i64>> {
        let upstreams = self.kong.upstreams();
        let named = |group: &str| {
            let mut names = upstreams.iter().filter_map(|upstream| upstream["name"].as_str());
            names.find(|name| name.ends_with(&format!(".{group}")))
        };
        let held = |group: &str| named(group).map(|name| self.kong.weights(name)).unwrap_or_default();
        ["default", "v1", "v2"].map(|group| (group, held(group))).into()
    }

    /// What they should hold.
    #[allow(clippy::cast_possible_truncation, reason = "the story has small weights")]
    fn wanted(&self, instances: &[Inst]) -> BTreeMap<&'static str, BTreeMap<String, i64>> {
        let weight =
            |instance: &Inst| (self.can.weight.nearest(instance.weight) * KONG_WEIGHT).round() as i64;
        let members = |version: Option<&str>| {
            let fits = |i: &&Inst| {
                version.is_none_or(|v| i.metadata.get(self.words.key).is_some_and(|own| own == v))
            };
            instances.iter().filter(fits).map(|i| (format!("{}:{}", i.host, i.port), weight(i))).collect()
        };
        [("default", members(None)), ("v1", members(Some("1"))), ("v2", members(Some("2")))].into()
    }

    async fn shows(&self, running: &RunningCauseway, instances: &[Inst]) {
        let wanted = self.wanted(instances);
        let stands = self.kong.wait_until(PATIENCE, |_| self.groups() == wanted).await;
        assert!(stands, "Kong holds {:#?}\nnot {wanted:#?}\n{}", self.groups(), running.log());
    }
}

/// Register, change weight and version, deregister; then a second start finds nothing to do. `registry` is the registry as it is
/// written in a configuration, but for its name.
pub async fn from_a_registry_to_groups_in_kong(
    harness: &dyn Harness,
    can: &'static Capabilities,
    registry: &str,
    words: Words,
) {
    let (namespace, kong) = (harness.namespace().await, KongStandIn::start().await);
    let stage = Stage { harness, namespace, can, words, kong };
    let version = |host: &str, version: &str| Inst::new(words.service, host, 8080).with(words.key, version);
    let mut orders = [version("10.0.0.1", "1"), version("10.0.0.2", "1"), version("10.0.0.3", "2")];
    for instance in &orders {
        stage.put(instance).await;
    }
    let causeway = Causeway::with(&stage.document(registry));
    let mut running = causeway.run();
    stage.shows(&running, &orders).await;

    orders[0].weight = 3.0;
    stage.put(&orders[0]).await;
    stage.shows(&running, &orders).await;

    orders[1] = version("10.0.0.2", "2");
    stage.put(&orders[1]).await;
    stage.shows(&running, &orders).await;

    harness.remove(&stage.namespace, &orders[2]).await;
    stage.shows(&running, &orders[..2]).await;

    assert!(running.terminate().await.success(), "{}", running.log());
    let (code, plan, errors) = causeway.call(&["plan", "--exit-code"]).await;
    assert_eq!(code, 0, "nothing is left to do: {plan}{errors}");
}
