//! `kill -9` at any moment, and the end is the same.

use std::time::Duration;

use causeway_test_support::kong::{Kind, KongStandIn};
use serde_json::json;

use crate::program::{Desk, Services, fleet, standing, upstreams};
use crate::stage::{LIMIT, foreign_of, note_orphans, until};

const SERVICES: usize = 200;
const KILLS: u64 = 10;

fn put_foreign(kong: &KongStandIn) {
    kong.seed(Kind::Upstreams, &json!({ "name": "shop.upstream" }));
    kong.seed_target("shop.upstream", &json!({ "target": "192.0.2.1:80", "weight": 7 }));
    kong.seed(Kind::Services, &json!({ "name": "shop", "host": "shop.upstream" }));
    kong.seed(Kind::Routes, &json!({ "name": "shop", "paths": ["/"], "service": { "name": "shop" } }));
}

/// Starts and kills it ten times, each time after some more writes than before.
async fn be_killed(desk: &Desk) {
    for kill in 0..KILLS {
        let program = desk.start();
        let point = desk.kong.writes() + 5 + kill * 10;
        desk.kong.wait_until(LIMIT, |kong| kong.writes() >= point).await;
        program.kill().await;
    }
}

async fn come_to(desk: &Desk, services: &Services) {
    let mut program = desk.start();
    let (wanted, kong) = (upstreams(services), &desk.kong);
    let all_there = || kong.services().len() == services.len() + 1 && standing(kong) == wanted;
    until("everything is as it should be", all_there, || format!("{}\n{:#?}", program.log(), standing(kong)))
        .await;
    assert!(program.terminate().await.success());
    let (code, plan, _) = desk.call(&["plan", "--exit-code"]).await;
    assert_eq!(code, 0, "{plan}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_kills_in_first_passes_and_retirements() {
    let desk = Desk::new(KongStandIn::start().await, "").await;
    put_foreign(&desk.kong);
    let foreign = foreign_of(&desk.kong);
    let orphans = note_orphans(&desk.kong);
    desk.kong.faults().set_latency(Duration::from_millis(3));

    let first = fleet(SERVICES);
    desk.write(&first);
    be_killed(&desk).await;
    come_to(&desk, &first).await;

    let mut second = first;
    second.retain(|service, _| !service.ends_with(['1', '3', '5', '7', '9']));
    for (n, instances) in second.values_mut().enumerate() {
        instances[0] = (format!("10.9.{n}.1"), "1");
    }
    desk.write(&second);
    be_killed(&desk).await;
    come_to(&desk, &second).await;
    assert_eq!(foreign_of(&desk.kong), foreign);
    assert_eq!(*orphans.lock().unwrap(), [""; 0], "deleted while a service led there");
}
