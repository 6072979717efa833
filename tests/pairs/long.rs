//! The long story of each type that is written to: what its consumers see while an application changes and moves, while Causeway is
//! killed, and while the server itself is restarted.

use std::fs;
use std::sync::Arc;
use std::thread::panicking;
use std::time::Duration;

use futures::future::join_all;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::causeway::{Causeway, RunningCauseway};
use crate::conformance::Inst;
use crate::deployment::{AUDIT, document};
use crate::site::{self, Entry, OWNER, Site};
use crate::stage::{self, LANE, address, at, is_native, say, tell_all};
use crate::watch::Watch;

/// As long as removals are held: longer than it takes on a busy machine to deregister everything.
const HOLD: Duration = Duration::from_secs(5);
/// Longer than any server takes to show what it has accepted.
const SHOWN: Duration = Duration::from_secs(3);
const TASK: &str = "move";

/// One story: from A, which is whatever is quick, to B, which it is about.
struct Story {
    a: Arc<Site>,
    b: Arc<Site>,
    causeway: Causeway,
    /// The service that most is told of, and another one, since the breaker wants two.
    service: String,
    other: String,
}

impl Story {
    fn new(a: Site, b: Site, names: fn(&str) -> String) -> Self {
        let task = format!(
            "{{ name: {TASK}, source: {}, destination: {}, mode: bidirectional, match: [ {{ service: \"{}\" }} ] }}",
            a.name,
            b.name,
            names("*")
        );
        let document = document(&[a.written(HOLD, 0.3), b.written(HOLD, 1.0)], &[task]);
        let (service, other) = (names("orders"), names("books"));
        Self { a: Arc::new(a), b: Arc::new(b), causeway: Causeway::with(&document), service, other }
    }

    fn limit(&self) -> Duration {
        self.a.registry.limit() + self.b.registry.limit()
    }

    fn instance(&self, host: u8) -> Inst {
        Inst::new(&self.service, &format!("10.0.0.{host}"), 8080).with(LANE, "blue")
    }

    /// Waits until B shows exactly the copy of an instance of A at its address.
    async fn carries(&self, what: &str, instance: &Inst) {
        let is_copy = |entries: &[Entry]| {
            let [entry] = &at(entries, instance)[..] else { return false };
            entry.mark() == Some([&self.a.name, OWNER, TASK])
                && entry.metadata.get(LANE) == instance.metadata.get(LANE)
                && (entry.weight - self.b.weight_of(instance, &self.a)).abs() < 1e-9
        };
        self.b.until(&instance.service, what, self.limit(), is_copy).await;
    }

    async fn carries_all(&self, what: &str, instances: &[Inst]) {
        for instance in instances {
            self.carries(what, instance).await;
        }
    }

    /// Native at B, and a copy of another owner there.
    fn neighbours(&self) -> [Inst; 2] {
        let theirs = |host: u8| self.instance(host).with(LANE, "theirs");
        let marks =
            [("causeway-origin", "elsewhere"), ("causeway-owner", "somebody-else"), ("causeway-task", TASK)];
        [theirs(8), marks.iter().fold(theirs(9), |instance, (key, value)| instance.with(key, value))]
    }

    async fn tell(&self) {
        let neighbours = self.neighbours();
        for neighbour in &neighbours {
            self.b.register(neighbour).await;
        }
        let mut all: Vec<Inst> = (1..=3).map(|host| self.instance(host)).collect();
        let others = [1, 2].map(|host| Inst { service: self.other.clone(), ..self.instance(host) });
        for instance in all.iter().chain(&others) {
            self.a.register(instance).await;
        }
        let running = self.causeway.run();
        self.carries_all("copies appear", &all).await;
        self.carries_all("copies appear", &others).await;
        self.neighbours_stay(&neighbours).await;

        let watch = Watch::start(&self.b, &self.service, all.iter().map(address).collect());
        all[0] = all[0].clone().weight(3.0).with(LANE, "green");
        self.a.register(&all[0]).await;
        self.carries("an instance changes", &all[0]).await;
        let running = self.is_killed_and_starts_again(running, &mut all[1]).await;
        self.one_moves(all.pop().unwrap()).await;
        self.a_copy_is_changed_by_hand(&all[0]).await;
        watch.ends_without_absence(&self.b.name).await;

        self.b_restarts(&neighbours[0], &all, &others).await;
        self.a_empties(running, &all, &others).await;
    }

    /// What stands at the addresses of B's own.
    async fn standing(&self, neighbours: &[Inst; 2]) -> Vec<Entry> {
        let entries = self.b.entries(&self.service).await.unwrap();
        let theirs = |entry: &Entry| neighbours.iter().any(|inst| address(inst) == entry.address);
        entries.into_iter().filter(theirs).collect()
    }

    /// Neither is changed nor removed, though A has instances at their addresses, and leaves with them.
    async fn neighbours_stay(&self, neighbours: &[Inst; 2]) {
        let before = self.standing(neighbours).await;
        assert_eq!(before.len(), neighbours.len(), "{before:?}");
        let rivals = [8, 9].map(|host| self.instance(host).with(LANE, "rival"));
        for rival in &rivals {
            self.a.register(rival).await;
        }
        let witness = self.instance(10);
        self.a.register(&witness).await;
        self.carries("what came after the rivals", &witness).await;
        sleep(AUDIT * 2).await;
        assert_eq!(self.standing(neighbours).await, before, "{}: rivals came", self.b.name);
        for rival in rivals.iter().chain([&witness]) {
            self.a.deregister(rival).await;
        }
        let gone = |entries: &[Entry]| at(entries, &witness).is_empty();
        self.b.until(&self.service, "the copy of what left with the rivals goes", self.limit(), gone).await;
        assert_eq!(self.standing(neighbours).await, before, "{}: rivals left", self.b.name);
        let is_back = |entries: &[Entry]| {
            let [entry] = &at(entries, &neighbours[0])[..] else { return false };
            entry.mark() == Some([&self.b.name, OWNER, TASK])
        };
        let back =
            self.a.until(&self.service, "the native one of B is carried to A", self.limit(), is_back).await;
        assert!(at(&back, &neighbours[1]).is_empty(), "a copy of another owner is never carried: {back:?}");
    }

    /// Killed, and started again when an instance has changed; longer than copies live without renewal nothing is missing.
    async fn is_killed_and_starts_again(
        &self,
        running: RunningCauseway,
        second: &mut Inst,
    ) -> RunningCauseway {
        let killed = Instant::now();
        running.kill().await;
        *second = second.clone().with(LANE, "green");
        self.a.register(second).await;
        let running = self.causeway.run();
        assert!(killed.elapsed() < Duration::from_secs(10), "{:?}", killed.elapsed());
        self.carries("what changed while nobody ran", second).await;
        sleep_until(killed + self.b.registry.lease()).await;
        running
    }

    /// The application registers at B under the same host and port, and leaves A.
    async fn one_moves(&self, instance: Inst) {
        let moved = instance.clone().with(LANE, "moved");
        self.b.register(&moved).await;
        let alone = |entries: &[Entry]| is_native(entries, &moved);
        self.b.until(&self.service, "the copy gives way", self.limit(), alone).await;
        self.a.deregister(&instance).await;
        let back = |entries: &[Entry]| matches!(&at(entries, &moved)[..], [entry] if entry.mark() == Some([&self.b.name, OWNER, TASK]));
        self.a.until(&self.service, "the moved one is carried back", self.limit(), back).await;
        assert!(is_native(&self.b.entries(&self.service).await.unwrap(), &moved));
    }

    async fn a_copy_is_changed_by_hand(&self, instance: &Inst) {
        let copy = self.b.at(&self.service, &address(instance)).await.remove(0);
        self.b.registry.meddle(&self.service, &copy, LANE, "by-hand").await;
        let changed = |entries: &[Entry]| matches!(&at(entries, instance)[..], [entry] if entry.metadata[LANE] == "by-hand");
        // It may be put right before anybody has seen it; after this time it is no old reading that looks right.
        let _ = timeout(SHOWN, self.b.until(&self.service, "it is changed", self.limit(), changed)).await;
        self.carries("what was changed by hand is put right", instance).await;
    }

    /// With its data, and without. What an application registered it registers again, as clients do.
    async fn b_restarts(&self, native: &Inst, all: &[Inst], others: &[Inst]) {
        for wipe in [false, true] {
            self.b.registry.stop_server().await;
            self.b.registry.start_server(wipe).await;
            self.b.register(native).await;
            let what = if wipe { "after a restart without data" } else { "after a restart with its data" };
            self.carries_all(what, all).await;
            self.carries_all(what, others).await;
            let alone = |entries: &[Entry]| is_native(entries, native);
            self.b.until(&self.service, what, self.limit(), alone).await;
        }
    }

    /// Everything vanishes from A at once: that is no reason to remove anything at B.
    async fn a_empties(&self, mut running: RunningCauseway, all: &[Inst], others: &[Inst]) {
        running.until_ready().await;
        join_all(all.iter().chain(others).map(|instance| self.a.deregister(instance))).await;
        let gone = |entries: &[Entry]| entries.iter().all(Entry::is_copy);
        self.a.until(&self.service, "A is empty", self.limit(), gone).await;
        sleep(HOLD * 2 + AUDIT).await;
        self.carries_all("the breaker keeps what A lost", all).await;
        self.carries_all("the breaker keeps what A lost", others).await;
        let status = running.status().await;
        let registries = status["registries"].as_array().unwrap();
        let lost = registries.iter().find(|registry| registry["name"] == self.a.name).unwrap();
        assert_eq!(lost["breaker"]["open"], true, "{status:#}");
        assert!(running.terminate().await.success(), "{}", running.log());
        self.carries_all("copies are kept when Causeway stops", all).await;
    }
}

impl Drop for Story {
    /// What Causeway said tells why a story went wrong.
    fn drop(&mut self) {
        if panicking() {
            let log = fs::read_to_string(self.causeway.folder().join("run.log"));
            say(&log.unwrap_or_else(|error| error.to_string()));
        }
    }
}

fn plain(name: &str) -> String {
    format!("long-{name}")
}

fn of_dubbo(name: &str) -> String {
    format!("providers:lab.{name}::")
}

async fn consul_to(b: Site) -> Story {
    Story::new(site::consul("a").await, b, plain)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_that_is_written_to() {
    let story = |kind: &'static str| {
        let story: stage::Story = Box::pin(async move { to(kind).await.tell().await });
        (kind.to_owned(), story)
    };
    let kinds = ["nacos", "eureka", "zookeeper", "dubbo", "servicecenter", "consul", "polaris"];
    tell_all(kinds.map(story).into()).await;
}

/// The story of one type, whose servers start now.
async fn to(kind: &str) -> Story {
    match kind {
        "nacos" => consul_to(site::nacos("b").await).await,
        "eureka" => consul_to(site::eureka("b").await).await,
        "zookeeper" => consul_to(site::curator("b").await).await,
        "servicecenter" => consul_to(site::servicecenter("b").await).await,
        "consul" => consul_to(site::consul("b").await).await,
        "polaris" => consul_to(site::polaris("b").await).await,
        // Of what else starts quickly, Polaris' names can hold colons.
        _ => Story::new(site::polaris("a").await, site::dubbo("b").await, of_dubbo),
    }
}
