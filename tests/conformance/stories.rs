//! What is more than a list of steps.

use std::time::Duration;

use causeway::registries::ViewEvent;
use futures::stream::{self, StreamExt};

use super::{Harness, Inst, Patterns, Running};

const SERVICES: usize = 600;
const INSTANCES: usize = 4;

fn fleet() -> Vec<Inst> {
    let instance = |service: usize, n: usize| {
        Inst::new(&format!("fleet-{service}"), &format!("10.1.{n}.{}", service % 250), 80)
    };
    (0..SERVICES).flat_map(|service| (0..INSTANCES).map(move |n| instance(service, n))).collect()
}

async fn put_all(harness: &dyn Harness, namespace: &str, instances: &[Inst]) {
    stream::iter(instances).for_each_concurrent(16, |instance| harness.put(namespace, instance)).await;
}

/// 600 services of 4 instances: the first view is complete, nothing is told twice, and one change is one wake.
pub async fn a_fleet(harness: &dyn Harness) {
    let namespace = harness.namespace().await;
    let fleet = fleet();
    put_all(harness, &namespace, &fleet).await;
    // Registries cache what they list; what was accepted is listed by then.
    tokio::time::sleep(Duration::from_secs(2)).await;
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
    let mut first = Vec::new();
    while let Ok(event) = events.try_recv() {
        first.push(event);
    }
    let told = first.iter().filter(|event| matches!(event, ViewEvent::Service(_))).count();
    assert_eq!(told, SERVICES, "each service is told once");

    let change = fleet[17].clone().weight(5.0);
    harness.put(&namespace, &change).await;
    let service = change.service.clone();
    let mut shown: Vec<Inst> =
        fleet.iter().filter(|i| i.service == service && i.host != change.host).cloned().collect();
    shown.push(change);
    running.shows(harness, &service, &shown).await;
    let mut woken = Vec::new();
    while let Ok(event) = events.try_recv() {
        woken.push(event);
    }
    assert_eq!(woken, [ViewEvent::Service(running.key(&service))]);
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
    let mut doubted = false;
    while let Ok(event) = events.try_recv() {
        doubted |= matches!(event, ViewEvent::Known(_) | ViewEvent::Reset(_));
    }
    assert!(doubted, "the guard hears that the source was away");
    running.end().await;
}

/// A registry whose server the tests may stop.
#[async_trait::async_trait]
pub trait Restarts: Harness {
    async fn stop_server(&self);
    /// `wipe`: with nothing of what it knew.
    async fn start_server(&self, wipe: bool);
}
