//! After any sequence of changes, crashes and restarts the gateway comes to equal the projection of the registry's last state,
//! and nothing of anybody else's is touched. On virtual time; every seed is one story.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use causeway::admin::Backend;
use causeway::config::{Config, RegistryKind};
use causeway::model::{Address, Instance, ServiceKey, Snapshot, Weight};
use causeway::project::{self, Incumbents, Projection};
use causeway::reconcile::{Running, Supervisor};
use causeway_gateways::{
    Change, Desired, LiveObject, LiveTarget, LiveUpstream, Mark, ObjectKey, TargetAddress, World, Write,
};
use proptest::collection::vec;
use proptest::prelude::*;
use tokio::time::sleep;

use crate::common::gateway::ModelGateway;
use crate::common::registry::ModelRegistry;
use crate::common::{self, InMemory};

const CONFIG: &str = r#"
version: 1
owner: me
registries: [ { name: r, type: nacos, addresses: ["127.0.0.1:1"] } ]
gateways: [ { name: kong, type: kong, addresses: ["http://127.0.0.1:2"], retire_after: 15s } ]
tasks:
  - name: t
    source: r
    destination: kong
    match:
      - service: "s*"
        groups:
          - { name: v1, metadata: { version: "1" } }
          - { name: v2, metadata: { version: "2" } }
methods: [ { type: watch, enable: true }, { type: pull, enable: true, interval: 30s } ]
"#;

/// The same with a split, one of whose groups is that of a value.
fn splitting() -> String {
    let second = "          - { name: v2, metadata: { version: \"2\" } }\n";
    assert!(CONFIG.contains(second));
    CONFIG.replace(second, "        group_by: version\n        split: { v1: 70, \"2\": 30 }\n")
}

#[derive(Clone, Debug)]
enum Operation {
    /// The service's instances are these: (host, version, weight, healthy).
    Register(usize, Vec<(u8, u8, u32, bool)>),
    Deregister(usize),
    RegistryDown,
    RegistryUp,
    Wait(u64),
    Crash,
    GracefulRestart,
    /// Somebody deletes one of our targets, or changes its weight.
    Meddle(usize),
    FailEvery(usize),
}

fn operation() -> impl Strategy<Value = Operation> {
    let instance = (0..6_u8, 1..4_u8, 1..3_u32, prop::bool::weighted(0.85));
    prop_oneof![
        6 => (0..5_usize, vec(instance, 0..4)).prop_map(|(service, all)| Operation::Register(service, all)),
        1 => (0..5_usize).prop_map(Operation::Deregister),
        1 => Just(Operation::RegistryDown),
        1 => Just(Operation::RegistryUp),
        5 => (0..9_u32).prop_map(|power| Operation::Wait(4_u64.pow(power))),
        2 => Just(Operation::Crash),
        1 => Just(Operation::GracefulRestart),
        1 => (0..20_usize).prop_map(Operation::Meddle),
        1 => (0..6_usize).prop_map(|n| Operation::FailEvery(if n < 2 { 0 } else { n })),
    ]
}

fn key(service: usize) -> ServiceKey {
    ServiceKey::new("default", format!("s{service}"))
}

fn instance((host, version, weight, healthy): (u8, u8, u32, bool)) -> Instance {
    let mut instance = Instance::new(Address::new(format!("10.0.0.{host}"), 80));
    instance.metadata.insert("version".to_owned(), version.to_string());
    instance.weight = Weight::from_ratio(f64::from(weight));
    instance.healthy = healthy;
    instance
}

struct Story {
    config: Config,
    adapters: InMemory,
    supervisor: Arc<Supervisor>,
    running: Option<Running>,
}

impl Story {
    fn begin() -> Self {
        Self::begin_with(CONFIG)
    }

    fn begin_with(config: &str) -> Self {
        let gateway = Arc::new(ModelGateway::default());
        gateway.meddle(put_foreign);
        Self::on(config, InMemory { registry: ModelRegistry::default(), gateway })
    }

    fn on(config: &str, adapters: InMemory) -> Self {
        let config = common::config(config);
        let supervisor = Supervisor::with_adapters(&config, &adapters).unwrap();
        let running = Some(supervisor.start());
        Self { config, adapters, supervisor, running }
    }

    fn start_again(&mut self) {
        self.supervisor = Supervisor::with_adapters(&self.config, &self.adapters).unwrap();
        self.running = Some(self.supervisor.start());
    }

    async fn perform(&mut self, operation: &Operation) {
        let registry = &self.adapters.registry;
        match operation {
            Operation::Register(service, all) => {
                let instances = all.iter().copied().map(instance).collect();
                registry.change(|content| content.services.insert(key(*service), instances));
            }
            Operation::Deregister(service) => {
                registry.change(|content| content.services.remove(&key(*service)));
            }
            Operation::RegistryDown => registry.change(|content| content.down = true),
            Operation::RegistryUp => registry.change(|content| content.down = false),
            Operation::Wait(millis) => sleep(Duration::from_millis(*millis)).await,
            Operation::Crash => {
                drop(self.running.take());
                self.start_again();
            }
            Operation::GracefulRestart => {
                self.running.take().unwrap().stop(Duration::from_secs(10)).await;
                self.start_again();
            }
            Operation::Meddle(n) => self.adapters.gateway.meddle(|world| meddle(world, *n)),
            Operation::FailEvery(n) => self.adapters.gateway.fail_every(*n),
        }
    }

    /// Everything works again, and enough time passes for all that is held.
    async fn settle(&self) {
        self.adapters.gateway.fail_every(0);
        self.adapters.registry.change(|content| content.down = false);
        sleep(Duration::from_secs(200)).await;
        self.supervisor.release("r").unwrap();
        sleep(Duration::from_secs(200)).await;
    }

    fn expected(&self) -> Desired {
        let mut all = Desired::default();
        let task = &self.config.tasks[0];
        for (key, instances) in self.adapters.registry.content().services {
            let entry = task.entry_for(&key.namespace, &key.service).unwrap();
            let incumbents = &Incumbents::default();
            let request =
                Projection { owner: "me", task, source_kind: RegistryKind::Nacos, entry, incumbents };
            let desired = project::project(&request, &Snapshot::new(key, instances)).desired;
            all.upstreams.extend(desired.upstreams);
            all.services.extend(desired.services);
        }
        all
    }

    fn check(&self) {
        let world = self.adapters.gateway.world();
        assert_eq!(ours(&world), plain(&self.expected()));
        assert_foreign(&world);
    }

    /// Three audits in which nothing is written.
    async fn check_quiet(&self) {
        let before = self.adapters.gateway.writes();
        sleep(Duration::from_secs(100)).await;
        assert_eq!(self.adapters.gateway.writes(), before, "{:?}", self.adapters.gateway.take_log());
    }
}

/// Upstreams with (target, weight), and services with their hosts.
type Plain = (BTreeMap<String, BTreeSet<(String, u32)>>, BTreeMap<String, String>);

fn plain(desired: &Desired) -> Plain {
    let targets = |(name, upstream): (&String, &causeway_gateways::Upstream)| {
        let targets = upstream.targets.iter().map(|(address, target)| (address.to_string(), target.weight));
        (name.clone(), targets.collect())
    };
    let services = desired.services.iter().map(|(name, service)| (name.clone(), service.host.clone()));
    (desired.upstreams.iter().map(targets).collect(), services.collect())
}

fn ours(world: &World) -> Plain {
    let mark = Mark::new("me", "t");
    let upstreams = world.upstreams().iter().filter(|(_, upstream)| mark.owns(&upstream.object.tags));
    let upstreams = upstreams.map(|(name, upstream)| {
        let targets = upstream.targets.iter().flatten().map(|(address, t)| (address.to_string(), t.weight));
        (name.clone(), targets.collect())
    });
    let services = world.services().iter().filter(|(_, service)| mark.owns(&service.tags));
    let services = services.map(|(name, service)| (name.clone(), service.leads_to.clone().unwrap()));
    (upstreams.collect(), services.collect())
}

fn put_foreign(world: &mut World) {
    let target = LiveTarget { id: "f-1".to_owned(), weight: 7, tags: Arc::default() };
    let targets = Some(BTreeMap::from([(TargetAddress::new("10.9.9.9", 1).unwrap(), target)]));
    world.insert_upstream("foreign", LiveUpstream { object: LiveObject::default(), targets });
    let leads_to = Some("foreign".to_owned());
    world.insert_service("foreign", LiveObject { leads_to, ..LiveObject::default() });
}

fn assert_foreign(world: &World) {
    let mut before = World::default();
    put_foreign(&mut before);
    assert_eq!(world.upstream("foreign"), before.upstream("foreign"));
    assert_eq!(world.service("foreign"), before.service("foreign"));
}

fn meddle(world: &mut World, n: usize) {
    let ours = world.upstreams().iter().filter(|(name, _)| *name != "foreign");
    let targets =
        ours.flat_map(|(name, u)| u.targets.iter().flatten().map(move |(a, _)| (name.clone(), a.clone())));
    let all: Vec<_> = targets.collect();
    let Some((name, address)) = all.get(n % all.len().max(1)).cloned() else { return };
    let mut upstream = world.upstream(&name).unwrap().clone();
    let targets = upstream.targets.as_mut().unwrap();
    if n.is_multiple_of(2) {
        targets.remove(&address);
    } else if let Some(target) = targets.get_mut(&address) {
        target.weight = 0;
    }
    world.insert_upstream(&name, upstream);
}

/// The story of a task that worked without limits before it got these settings; `check` sees what stood then, and all
/// writes since.
fn within_limits(settings: &str, operations: &[Operation], check: impl Fn(&World, &[Change])) {
    on_virtual_time(async {
        let mut story = Story::begin();
        story.adapters.registry.change(|content| {
            content.services = (0..3).map(|s| (key(s), vec![instance((9, 1, 1, true))])).collect();
        });
        sleep(Duration::from_secs(1)).await;
        drop(story.running.take());
        story.adapters.gateway.take_log();
        let before = story.adapters.gateway.world();
        story.config = common::config(&CONFIG.replace("source: r\n", &format!("source: r\n{settings}")));
        story.start_again();
        for operation in operations {
            story.perform(operation).await;
        }
        story.settle().await;
        check(&before, &story.adapters.gateway.take_log());
        assert_foreign(&story.adapters.gateway.world());
    });
}

fn on_virtual_time(story: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.unwrap().block_on(story);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, max_shrink_iters: 200, ..ProptestConfig::default() })]
    #[test]
    fn any_sequence_converges(operations in vec(operation(), 1..14)) {
        on_virtual_time(async {
            let mut story = Story::begin();
            for operation in &operations {
                story.perform(operation).await;
            }
            story.settle().await;
            story.check();
            story.check_quiet().await;
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, max_shrink_iters: 200, ..ProptestConfig::default() })]

    /// Groups of values come and go, and weights depend on who else is there.
    #[test]
    fn any_sequence_converges_to_shares(operations in vec(operation(), 1..14)) {
        on_virtual_time(async {
            let mut story = Story::begin_with(&splitting());
            for operation in &operations {
                story.perform(operation).await;
            }
            story.settle().await;
            story.check();
            story.check_quiet().await;
        });
    }

    /// Whatever happens, a task that observes writes nothing at all.
    #[test]
    fn observing_writes_nothing_whatever_happens(operations in vec(operation(), 1..14)) {
        within_limits("    policy: observe\n", &operations, |_, log| assert_eq!(log, []));
    }

    #[test]
    fn filling_writes_targets_of_upstreams_that_stand(operations in vec(operation(), 1..14)) {
        within_limits("    policy: fill\n", &operations, |before, log| for change in log {
            let ObjectKey::Target(upstream, _) = &change.key else { panic!("{change:?}") };
            assert!(before.upstream(upstream).is_some(), "{change:?}");
        });
    }

    #[test]
    fn without_delete_nothing_is_ever_removed(operations in vec(operation(), 1..14)) {
        within_limits("    delete: false\n", &operations, |_, log| {
            assert!(!log.iter().any(|change| matches!(change.write, Write::Delete { .. })), "{log:?}");
        });
    }
}

/// A first pass, a change of everything and a retirement, with a crash after each of 200 numbers of milliseconds.
#[test]
fn two_hundred_crash_points() {
    for point in 0..200_u64 {
        on_virtual_time(async {
            let mut story = Story::begin();
            let fleet =
                |version: u8| (0..3).map(|host| instance((host, version, 1, true))).collect::<Vec<_>>();
            let everything = |version| (0..5).map(|s| (key(s), fleet(version))).collect::<BTreeMap<_, _>>();
            story.adapters.registry.change(|content| content.services = everything(1));
            sleep(Duration::from_millis(point)).await;
            story.perform(&Operation::Crash).await;
            sleep(Duration::from_secs(70)).await;
            story.check();
            story.adapters.registry.change(|content| {
                content.services = everything(2);
                content.services.remove(&key(4));
            });
            sleep(Duration::from_millis(100 + point)).await;
            story.perform(&Operation::Crash).await;
            story.settle().await;
            story.check();
            story.check_quiet().await;
        });
    }
}
