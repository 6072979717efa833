//! What is more than a list of steps.

use std::time::Duration;

use causeway::registries::ViewEvent;
use causeway_test_support::proxy::{Mode, Proxy, Rests};
use futures::stream::{self, StreamExt};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep};

use super::{Harness, Inst, Patterns, Route, Running};

const SERVICES: usize = 600;
const INSTANCES: usize = 4;

/// So many services of 4 instances.
pub fn fleet(services: usize) -> Vec<Inst> {
    let instance = |service: usize, n: usize| {
        Inst::new(&format!("fleet-{service}"), &format!("10.1.{n}.{}", service % 250), 80)
    };
    (0..services).flat_map(|service| (0..INSTANCES).map(move |n| instance(service, n))).collect()
}

pub async fn put_all(harness: &dyn Harness, namespace: &str, instances: &[Inst]) {
    stream::iter(instances).for_each_concurrent(16, |instance| harness.put(namespace, instance)).await;
    harness.settled().await;
}

/// Waits until everybody is shown the whole fleet: some registries list only after a moment what they have accepted.
async fn until_listed(harness: &dyn Harness, namespace: &str, fleet: &[Inst]) {
    let running = Running::start(harness.route().await, Patterns::of(namespace, &["fleet-*"]), namespace);
    running.complete(harness.limit() * 3).await;
    for instances in fleet.chunks(INSTANCES) {
        running.shows(harness, &instances[0].service, instances).await;
    }
    running.end().await;
}

/// 600 services of 4 instances: the first view is complete, nothing is told twice, and one change is one wake.
pub async fn a_fleet(harness: &dyn Harness) {
    let namespace = harness.namespace().await;
    let fleet = fleet(SERVICES);
    put_all(harness, &namespace, &fleet).await;
    until_listed(harness, &namespace, &fleet).await;
    let running = Running::start(harness.route().await, Patterns::of(&namespace, &["fleet-*"]), &namespace);
    let mut events = running.view.subscribe();
    running.complete(harness.limit() * 3).await;
    for service in 0..SERVICES {
        let reading = running
            .view
            .reading(&running.key(&format!("fleet-{service}")))
            .expect("a complete view holds it");
        assert_eq!(reading.snapshot.instances.len(), INSTANCES, "fleet-{service}");
    }
    let first = drain(&mut events);
    let told = first.iter().filter(|event| matches!(event, ViewEvent::Service(_))).count();
    assert_eq!(told, SERVICES, "each service is told once");

    // Some types of registry have no weights.
    let change = fleet[17].clone().weight(5.0).with("lane", "blue");
    harness.put(&namespace, &change).await;
    let service = change.service.clone();
    let mut shown: Vec<Inst> =
        fleet.iter().filter(|i| i.service == service && i.host != change.host).cloned().collect();
    shown.push(change);
    running.shows(harness, &service, &shown).await;
    assert_eq!(drain(&mut events), [ViewEvent::Service(running.key(&service))]);
    running.end().await;
}

/// The server goes and comes back. Its clients' registrations are put again where it forgets them.
pub async fn a_restart(harness: &dyn Restarts, keep: bool) {
    let namespace = harness.namespace().await;
    let orders: Vec<Inst> = (1..=3).map(|n| Inst::new("orders", &format!("10.0.0.{n}"), 8080)).collect();
    put_all(harness, &namespace, &orders).await;
    let running = Running::start(harness.route().await, Patterns::of(&namespace, &["*"]), &namespace);
    running.complete(harness.limit()).await;
    let mut events = running.view.subscribe();
    harness.stop_server().await;
    running.is_unknown(harness.limit(), true).await;
    running.shows(harness, "orders", &orders).await;
    harness.start_server(!keep).await;
    let (again, changed) = (&orders[..2], orders[2].clone().weight(4.0));
    put_all(harness, &namespace, again).await;
    harness.put(&namespace, &changed).await;
    running.shows(harness, "orders", &[again[0].clone(), again[1].clone(), changed]).await;
    running.is_unknown(harness.limit(), false).await;
    assert!(doubted(&drain(&mut events)), "the guard hears that the source was away");
    running.end().await;
}

/// The server is another one from one question to the next, and knows less: that is doubted before it is missed.
pub async fn a_restart_between_two_questions(harness: &dyn Restarts) {
    let namespace = harness.namespace().await;
    let orders: Vec<Inst> = (1..=3).map(|n| Inst::new("orders", &format!("10.0.0.{n}"), 8080)).collect();
    put_all(harness, &namespace, &orders).await;
    let running = Running::start(harness.route().await, Patterns::of(&namespace, &["*"]), &namespace);
    running.complete(harness.limit()).await;
    for proxy in &running.proxies {
        harness.cut_so_that_it_is_noticed(proxy).await;
    }
    let mut events = running.view.subscribe();
    // Whoever was waiting for an answer knows at once.
    let unknown = !running.view.unknowns().is_empty();
    harness.start_server(true).await;
    put_all(harness, &namespace, &orders[..2]).await;
    running.proxies.iter().for_each(|proxy| proxy.set(Mode::Pass));
    running.shows(harness, "orders", &orders[..2]).await;
    let told = drain(&mut events);
    let shown = told.iter().position(|event| matches!(event, ViewEvent::Service(_))).expect("it is shown");
    let doubts = |event: &ViewEvent| matches!(event, ViewEvent::Reset(_) | ViewEvent::Unknown(_));
    assert!(unknown || told[..shown].iter().any(doubts), "the guard hears of it first: {told:?}");
    running.is_unknown(harness.limit(), false).await;
    running.end().await;
}

/// Ends all connections when nothing has been carried for so long, and keeps back what comes after.
pub async fn cut_after(proxy: &Proxy, rest: Duration) {
    loop {
        proxy.rests(rest).await;
        proxy.set(Mode::Pause);
        if proxy.rest() >= rest {
            return proxy.cut();
        }
        proxy.set(Mode::Pass);
    }
}

/// A source that has been answered so often on its connections is used to them.
const USED_TO: usize = 25;

/// Ends the connections of a source that asks again and again, while it rests, and keeps back what comes after.
///
/// It misses a connection that it was used to only when it has not rested for twice as long as ever before: where this process stood
/// still meanwhile nothing can be told, and all begins anew.
pub async fn cut_at_rest(proxy: &Proxy, limit: Duration) {
    loop {
        until_used_to(proxy, limit).await;
        let before = proxy.ever_open();
        // While a question is under way its failure tells.
        cut_after(proxy, Duration::from_millis(100)).await;
        until(limit, "the source connects anew", || proxy.ever_open() > before).await;
        let Rests { now, before } = proxy.last_opened();
        if now * 3 < before * 5 {
            return;
        }
        proxy.set(Mode::Pass);
    }
}

async fn until_used_to(proxy: &Proxy, limit: Duration) {
    loop {
        let (connections, answers) = (proxy.ever_open(), proxy.answered());
        until(limit * 5, "the source is answered", || proxy.answered() >= answers + USED_TO).await;
        if proxy.ever_open() == connections {
            return;
        }
    }
}

async fn until(limit: Duration, what: &str, holds: impl Fn() -> bool) {
    let until = Instant::now() + limit;
    while !holds() {
        assert!(Instant::now() < until, "{what}: not within {limit:?}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// The server is gone for a minute: what it last showed is in force and the status says why; then it is back with its data.
pub async fn a_minute_without_the_server(harness: &dyn Restarts) {
    let namespace = harness.namespace().await;
    let orders: Vec<Inst> = (1..=2).map(|n| Inst::new("orders", &format!("10.0.0.{n}"), 8080)).collect();
    put_all(harness, &namespace, &orders).await;
    let running = Running::start(harness.route().await, Patterns::of(&namespace, &["*"]), &namespace);
    running.complete(harness.limit()).await;
    let mut events = running.view.subscribe();
    harness.stop_server().await;
    let minute = Instant::now() + Duration::from_secs(60);
    running.is_unknown(harness.limit(), true).await;
    while Instant::now() < minute {
        let unknown = running.view.unknown(&running.key("orders"));
        assert!(unknown.is_some_and(|unknown| !unknown.reason.is_empty()), "the status says why");
        running.shows(harness, "orders", &orders).await;
        sleep(Duration::from_secs(1)).await;
    }
    let told = drain(&mut events);
    let shown = told.iter().filter(|event| !matches!(event, ViewEvent::Unknown(_))).count();
    assert_eq!(shown, 0, "nothing is told but that it is away: {told:?}");

    harness.start_server(false).await;
    let changed = orders[0].clone().weight(4.0);
    put_all(harness, &namespace, &[changed.clone(), orders[1].clone()]).await;
    running.shows(harness, "orders", &[changed, orders[1].clone()]).await;
    running.is_unknown(harness.limit(), false).await;
    assert!(doubted(&drain(&mut events)), "the guard hears that the source was away");
    running.end().await;
}

/// Packets vanish on the way, so no connection ends: it is noticed, and a change made meanwhile arrives.
pub async fn a_path_that_swallows_everything(harness: &dyn Harness) {
    let namespace = harness.namespace().await;
    let orders = [Inst::new("orders", "10.0.0.1", 80)];
    put_all(harness, &namespace, &orders).await;
    let running = Running::start(harness.route().await, Patterns::of(&namespace, &["*"]), &namespace);
    running.complete(harness.limit()).await;
    running.proxies.iter().for_each(|proxy: &Proxy| proxy.set(Mode::Pause));
    running.is_unknown(harness.limit(), true).await;
    running.shows(harness, "orders", &orders).await;
    let changed = [orders[0].clone().weight(9.0)];
    harness.put(&namespace, &changed[0]).await;
    running.proxies.iter().for_each(|proxy| proxy.set(Mode::Pass));
    running.shows(harness, "orders", &changed).await;
    running.is_unknown(harness.limit(), false).await;
    running.end().await;
}

/// Credentials that are wrong, then put right, then revoked while the source runs: each is told once, and nothing is lost.
pub async fn credentials_wrong_then_right_then_revoked(harness: &dyn Guarded) {
    let namespace = harness.namespace().await;
    let orders = [Inst::new("orders", "10.0.0.1", 80), Inst::new("orders", "10.0.0.2", 80)];
    put_all(harness, &namespace, &orders).await;
    let Stranger { route, secret, told } = harness.stranger(&namespace).await;
    let running = Running::start(route, Patterns::of(&namespace, &["*"]), &namespace);
    let reasons = running.is_unknown(harness.limit(), true).await;
    assert!(reasons[0].contains(told), "{reasons:?}");
    assert!(!reasons[0].contains(secret), "a secret is never told: {reasons:?}");
    assert!(running.view.reading(&running.key("orders")).is_none(), "unknown is not empty");

    harness.admit(&namespace).await;
    running.complete(harness.limit()).await;
    running.is_unknown(harness.limit(), false).await;
    running.shows(harness, "orders", &orders).await;

    let mut events = running.view.subscribe();
    harness.expel(&namespace).await;
    running.is_unknown(harness.limit(), true).await;
    sleep(Duration::from_secs(5)).await;
    running.shows(harness, "orders", &orders).await;
    let told = drain(&mut events);
    assert!(matches!(told.as_slice(), [ViewEvent::Unknown(_)]), "told once, and nothing else: {told:?}");

    harness.admit(&namespace).await;
    running.is_unknown(harness.limit(), false).await;
    running.shows(harness, "orders", &orders).await;
    running.end().await;
}

fn drain(events: &mut UnboundedReceiver<ViewEvent>) -> Vec<ViewEvent> {
    std::iter::from_fn(|| events.try_recv().ok()).collect()
}

fn doubted(events: &[ViewEvent]) -> bool {
    events.iter().any(|event| matches!(event, ViewEvent::Known(_) | ViewEvent::Reset(_)))
}

/// A registry whose server the tests may stop.
#[async_trait::async_trait]
pub trait Restarts: Harness {
    async fn stop_server(&self);
    /// `wipe`: with nothing of what it knew.
    async fn start_server(&self, wipe: bool);
    /// Ends the connections of a source at a moment at which that can't pass for anything else, and keeps back what comes after.
    async fn cut_so_that_it_is_noticed(&self, proxy: &Proxy) {
        cut_after(proxy, Duration::ZERO).await;
    }
}

/// A registry that asks who is there.
#[async_trait::async_trait]
pub trait Guarded: Harness {
    /// A source whose credentials the registry doesn't accept yet.
    async fn stranger(&self, namespace: &str) -> Stranger;
    /// The registry accepts them from now on.
    async fn admit(&self, namespace: &str);
    /// It doesn't accept them any more.
    async fn expel(&self, namespace: &str);
}

/// A source that the registry doesn't let in yet.
pub struct Stranger {
    pub route: Route,
    /// A part of its credentials that must stay secret.
    pub secret: &'static str,
    /// What the reason must say.
    pub told: &'static str,
}
