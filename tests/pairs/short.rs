//! The short story of each ordered pair of types: what happens to a service of one registry while it is carried into another, both
//! ways at once.

use std::sync::Arc;
use std::time::Duration;

use crate::conformance::Inst;
use crate::deployment::{Deployment, document};
use crate::site::{self, Entry, OWNER, Site};
use crate::stage::{LANE, Story, address, at, is_native, tell_all};
use crate::watch::Watch;

/// As long as removals are held: longer than it takes a registry to show a change in two steps.
const HOLD: Duration = Duration::from_secs(2);

/// From one site to another, in a task of its own.
struct Pair {
    a: Arc<Site>,
    b: Arc<Site>,
    /// The name of task and service.
    name: String,
    service: String,
}

impl Pair {
    fn of(a: &Arc<Site>, b: &Arc<Site>) -> Self {
        let name = format!("{}-to-{}", a.name, b.name);
        Self { a: Arc::clone(a), b: Arc::clone(b), service: name.clone(), name }
    }

    /// The same for a service of Dubbo's.
    fn of_dubbo(a: &Arc<Site>, b: &Arc<Site>) -> Self {
        let pair = Self::of(a, b);
        Self { service: format!("providers:lab.{}::", pair.name), ..pair }
    }

    fn task(&self) -> String {
        let Self { a, b, name, service } = self;
        let (a, b) = (&a.name, &b.name);
        format!(
            "{{ name: {name}, source: {a}, destination: {b}, mode: bidirectional, match: [ {{ service: \"{service}\" }} ] }}"
        )
    }

    fn limit(&self) -> Duration {
        self.a.registry.limit() + self.b.registry.limit()
    }

    /// Whether this is exactly the copy of an instance, and nothing beside it.
    fn is_copy_of(&self, entries: &[Entry], instance: &Inst, (from, to): (&Site, &Site)) -> bool {
        let [entry] = &at(entries, instance)[..] else { return false };
        entry.mark() == Some([&from.name, OWNER, &self.name])
            && entry.metadata.get(LANE) == instance.metadata.get(LANE)
            && entry.healthy == instance.healthy
            && (entry.weight - to.weight_of(instance, from)).abs() < 1e-9
    }

    /// Waits until B shows the copy of an instance of A.
    async fn carries(&self, what: &str, instance: &Inst) {
        let ends = (&*self.a, &*self.b);
        let is_there = |entries: &[Entry]| self.is_copy_of(entries, instance, ends);
        self.b.until(&self.service, what, self.limit(), is_there).await;
    }

    async fn story(&self, deployment: &Deployment) {
        let _witness = deployment.witness(&self.service);
        let first = Inst::new(&self.service, "10.0.0.1", 8080).with(LANE, "blue").weight(2.0);
        let second = Inst::new(&self.service, "10.0.0.2", 8080).with(LANE, "red");
        for instance in [&first, &second] {
            self.a.register(instance).await;
        }
        for instance in [&first, &second] {
            self.carries("the copy appears with its mark", instance).await;
        }
        let first = self.changes_in_place(first, &second).await;
        self.gets_ill_and_well(&first).await;
        self.one_leaves(&first, &second).await;
        self.nothing_echoes(&first, deployment).await;
        self.the_application_moves(first).await;
    }

    /// Weight and metadata change, and neither copy is ever absent.
    async fn changes_in_place(&self, first: Inst, second: &Inst) -> Inst {
        let watch = Watch::start(&self.b, &self.service, vec![address(&first), address(second)]);
        let changed = first.weight(4.0).with(LANE, "green");
        self.a.register(&changed).await;
        self.carries("weight and metadata follow", &changed).await;
        watch.ends_without_absence("an instance changes").await;
        changed
    }

    async fn gets_ill_and_well(&self, first: &Inst) {
        if !self.a.can.unhealthy {
            return;
        }
        let ill = first.clone().unhealthy();
        for (what, instance) in [("it is ill", &ill), ("it is well again", first)] {
            self.a.register(instance).await;
            self.carries(what, instance).await;
        }
    }

    async fn one_leaves(&self, first: &Inst, second: &Inst) {
        self.a.deregister(second).await;
        let gone = |entries: &[Entry]| at(entries, second).is_empty();
        self.b.until(&self.service, "the copy of what has left goes", self.limit(), gone).await;
        self.carries("the other one stays", first).await;
    }

    /// Nothing of the copy comes back to A, and nothing is written any more.
    async fn nothing_echoes(&self, first: &Inst, deployment: &Deployment) {
        let before =
            (self.a.entries(&self.service).await.unwrap(), self.b.entries(&self.service).await.unwrap());
        deployment.is_quiet(&self.service).await;
        let after =
            (self.a.entries(&self.service).await.unwrap(), self.b.entries(&self.service).await.unwrap());
        assert_eq!(after, before, "{}: settled", self.name);
        let [native] = &after.0[..] else { panic!("{}: {:?}", self.name, after.0) };
        assert!(native.address == address(first) && !native.is_copy(), "{native:?}");
    }

    /// It registers at B under the same host and port, and then leaves A.
    async fn the_application_moves(&self, first: Inst) {
        let watch = Watch::start(&self.b, &self.service, vec![address(&first)]);
        let moved = first.clone().with(LANE, "moved");
        self.b.register(&moved).await;
        let alone = |entries: &[Entry]| is_native(entries, &moved);
        self.b.until(&self.service, "the copy gives way to the native one", self.limit(), alone).await;
        self.a.deregister(&first).await;
        let back = |entries: &[Entry]| self.is_copy_of(entries, &moved, (&self.b, &self.a));
        self.a.until(&self.service, "the moved one is carried back", self.limit(), back).await;
        watch.ends_without_absence("an application moves").await;
        assert!(is_native(&self.b.entries(&self.service).await.unwrap(), &moved), "{}", self.name);
        self.b.deregister(&moved).await;
        for site in [&self.a, &self.b] {
            site.until(&self.service, "nothing is left", self.limit(), <[Entry]>::is_empty).await;
        }
    }
}

/// Two servers of each type, of which the first is the source of pairs, and the second their destination.
async fn sites() -> (Vec<Arc<Site>>, Vec<Arc<Site>>) {
    let mut ends = (Vec::new(), Vec::new());
    // The machines of Java start one after the other, since they take all that a small machine has.
    for (side, into) in [("a", &mut ends.0), ("b", &mut ends.1)] {
        let name = |kind: &str| format!("{kind}-{side}");
        into.push(site::nacos(&name("nacos")).await);
        into.push(site::eureka(&name("eureka")).await);
        into.push(site::curator(&name("zookeeper")).await);
        into.push(site::consul(&name("consul")).await);
        into.push(site::servicecenter(&name("servicecenter")).await);
        into.push(site::polaris(&name("polaris")).await);
    }
    let shared = |sites: Vec<Site>| sites.into_iter().map(Arc::new).collect();
    (shared(ends.0), shared(ends.1))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_ordered_pair_of_types() {
    let (sources, destinations) = sites().await;
    let dubbo = Arc::new(site::dubbo("dubbo").await);
    let mut pairs: Vec<Pair> =
        sources.iter().flat_map(|a| destinations.iter().map(|b| Pair::of(a, b))).collect();
    pairs.push(Pair::of_dubbo(&sources[0], &dubbo));
    pairs.push(Pair::of_dubbo(&dubbo, &destinations[0]));
    let all: Vec<String> =
        sources.iter().chain(&destinations).chain([&dubbo]).map(|site| site.written(HOLD, 1.0)).collect();
    let tasks: Vec<String> = pairs.iter().map(Pair::task).collect();
    let deployment = Arc::new(Deployment::start(&document(&all, &tasks)).await);
    let story = |pair: Pair| {
        let deployment = Arc::clone(&deployment);
        let (name, story) = (pair.name.clone(), async move { pair.story(&deployment).await });
        (name, Box::pin(story) as Story)
    };
    tell_all(pairs.into_iter().map(story).collect()).await;
    Arc::into_inner(deployment).unwrap().stop().await;
}
