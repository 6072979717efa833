//! Consul as a source, on a real Consul that is restarted, wiped, and that asks who is there.

use std::time::Duration;

use async_trait::async_trait;
use causeway::config::Secret;
use causeway::guard::Scope;
use causeway::registries::ViewEvent;
use causeway::registries::consul::ConsulSettings;
use causeway_test_support::consul::ConsulOptions;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::conformance::around::{Around, LIMIT};
use crate::conformance::stories::{self, Guarded, Restarts, Stranger};
use crate::conformance::{Harness, Inst, Patterns, Route, Running};
use crate::harness::ConsulHarness;

const READER: &str = "0d6b5f0a-51f5-4c7e-8d5b-1a1f3d8f6c01";
const ALL: &str = "service_prefix \"\" { policy = \"read\" } node_prefix \"\" { policy = \"read\" }";

const PERSISTENT: ConsulOptions = ConsulOptions { acl: false, persistent: true, connections: None };
const ASKING: ConsulOptions = ConsulOptions { acl: true, persistent: false, connections: None };

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_with_its_data() {
    stories::a_restart(&ConsulHarness::start(PERSISTENT).await, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_without_its_data() {
    stories::a_restart(&ConsulHarness::plain().await, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_between_two_questions() {
    stories::a_restart_between_two_questions(&ConsulHarness::plain().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_minute_without_the_server() {
    stories::a_minute_without_the_server(&ConsulHarness::start(PERSISTENT).await).await;
}

/// A server that lost its data and is back at once looks as if everything had been deregistered: the doubt is told before that.
#[tokio::test(flavor = "multi_thread")]
async fn lost_data_is_doubted_before_it_shows() {
    let harness = ConsulHarness::plain().await;
    let orders: Vec<Inst> = (1..=30).map(|n| Inst::new("orders", &format!("10.0.0.{n}"), 80)).collect();
    for instance in &orders {
        harness.put("", instance).await;
    }
    let running = Running::start(harness.route().await, Patterns::of("default", &["*"]), "default");
    running.complete(LIMIT).await;
    let mut events = running.view.subscribe();
    harness.start_server(true).await;
    running.shows(&harness, "orders", &[]).await;
    let told: Vec<ViewEvent> = std::iter::from_fn(|| events.try_recv().ok()).collect();
    let reset = told.iter().position(|event| *event == ViewEvent::Reset(Scope::Source));
    let shown = told.iter().position(|event| matches!(event, ViewEvent::Service(_)));
    assert!(reset.is_some() && reset < shown, "{told:?}");
    running.is_unknown(LIMIT, false).await;
    running.end().await;
}

/// A server that goes down answers whoever waits with the same index, and one that lost its data may come to the very same again.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_index_after_a_restart_is_other_data() {
    let harness = ConsulHarness::plain().await;
    let orders = |weight: f64| Inst::new("orders", "10.0.0.1", 80).weight(weight);
    for weight in 1..=40 {
        harness.put("", &orders(f64::from(weight))).await;
    }
    let running = Running::start(harness.route().await, Patterns::of("default", &["*"]), "default");
    running.complete(LIMIT).await;
    running.shows(&harness, "orders", &[orders(40.0)]).await;
    // The server has to have held an answer back once, which it does for ten seconds.
    let until = Instant::now() + LIMIT;
    while running.proxies[0].longest_rest() < Duration::from_secs(9) {
        assert!(Instant::now() < until, "it holds none back");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut events = running.view.subscribe();
    // Writes that the server makes for itself may step over the index.
    for start in 0..5_u32 {
        let shown = running.view.reading(&running.key("orders")).unwrap().snapshot;
        let before: u64 = shown.revision.parse().unwrap();
        harness.start_server(true).await;
        let mut weight = 100 * (start + 1);
        harness.put("", &orders(f64::from(weight))).await;
        while index_of_orders(&harness).await < before {
            weight += 1;
            harness.put("", &orders(f64::from(weight))).await;
        }
        let met = index_of_orders(&harness).await == before;
        running.shows(&harness, "orders", &[orders(f64::from(weight))]).await;
        let told: Vec<ViewEvent> = std::iter::from_fn(|| events.try_recv().ok()).collect();
        let doubts = |event: &ViewEvent| matches!(event, ViewEvent::Reset(_) | ViewEvent::Unknown(_));
        // Once more, since a server that has just been started has held nothing back yet.
        assert!(start > 0 || doubts(&told[0]), "the guard hears of it first: {told:?}");
        if met {
            running.end().await;
            return;
        }
    }
    panic!("the index was never met");
}

async fn index_of_orders(harness: &ConsulHarness) -> u64 {
    let orders = harness.http.get("/v1/health/service/orders").await.unwrap();
    orders[0]["Service"]["ModifyIndex"].as_u64().unwrap()
}

/// A Consul with ACLs and a reader whose token is made later.
struct Asking {
    harness: ConsulHarness,
    accessor: Mutex<String>,
}

impl Asking {
    async fn start() -> Self {
        Self { harness: ConsulHarness::start(ASKING).await, accessor: Mutex::default() }
    }

    async fn route_as(&self, token: Option<&str>) -> Route {
        let token = token.map(Secret::new);
        self.harness.route_with(ConsulSettings { token, ..ConsulSettings::default() }).await
    }

    /// Gives the reader a token with these rules.
    async fn admit_to(&self, rules: &str) {
        self.harness.http.set_policy("reader", rules).await.unwrap();
        *self.accessor.lock().await = self.harness.http.create_token(READER, "reader").await.unwrap();
    }
}

#[async_trait]
impl Around for Asking {
    type Inner = ConsulHarness;

    fn inner(&self) -> &ConsulHarness {
        &self.harness
    }

    async fn usual_route(&self) -> Route {
        self.route_as(Some(READER)).await
    }
}

#[async_trait]
impl Guarded for Asking {
    async fn stranger(&self, _: &str) -> Stranger {
        Stranger { route: self.route().await, secret: READER, told: "ACL not found" }
    }

    async fn admit(&self, _: &str) {
        self.admit_to(ALL).await;
    }

    async fn expel(&self, _: &str) {
        self.harness.http.delete_token(&self.accessor.lock().await).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_wrong_then_right_then_revoked() {
    stories::credentials_wrong_then_right_then_revoked(&Asking::start().await).await;
}

/// The last instance leaves under default-deny: with a good token, nothing is nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_good_token_sees_the_last_instance_leave() {
    let asking = Asking::start().await;
    asking.admit_to(ALL).await;
    let orders = [Inst::new("orders", "10.0.0.1", 80)];
    asking.put("", &orders[0]).await;
    let running = Running::start(asking.route().await, Patterns::of("default", &["*"]), "default");
    running.complete(LIMIT).await;
    running.shows(&asking, "orders", &orders).await;
    asking.remove("", &orders[0]).await;
    running.shows(&asking, "orders", &[]).await;
    assert!(running.view.unknowns().is_empty());
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_withheld_or_filtered_is_unknown() {
    let asking = Asking::start().await;
    asking.put("", &Inst::new("orders", "10.0.0.1", 80)).await;
    let nobody = Running::start(asking.route_as(None).await, Patterns::of("default", &["*"]), "default");
    let reasons = nobody.is_unknown(LIMIT, true).await;
    assert!(reasons[0].contains("set `token`"), "{reasons:?}");
    assert!(nobody.view.reading(&nobody.key("orders")).is_none(), "unknown is not empty");
    nobody.end().await;

    asking.admit_to("service \"orders\" { policy = \"read\" } node_prefix \"\" { policy = \"read\" }").await;
    let narrow = Running::start(asking.route().await, Patterns::of("default", &["*"]), "default");
    let reasons = narrow.is_unknown(LIMIT, true).await;
    assert!(reasons[0].contains("service_prefix \"\""), "what is needed: {reasons:?}");
    assert!(narrow.view.reading(&narrow.key("orders")).is_none());
    narrow.end().await;
}

/// Rights that are made narrower while it runs keep what was read.
#[tokio::test(flavor = "multi_thread")]
async fn narrowed_rights_delete_nothing() {
    let asking = Asking::start().await;
    asking.admit_to(ALL).await;
    let (orders, books) = (Inst::new("orders", "10.0.0.1", 80), Inst::new("books", "10.0.0.2", 80));
    asking.put("", &orders).await;
    asking.put("", &books).await;
    let running = Running::start(asking.route().await, Patterns::of("default", &["*"]), "default");
    running.complete(LIMIT).await;
    let rules = "service \"orders\" { policy = \"read\" } node_prefix \"\" { policy = \"read\" }";
    asking.harness.http.set_policy("reader", rules).await.unwrap();
    running.is_unknown(LIMIT, true).await;
    asking.put("", &orders.clone().weight(3.0)).await;
    running.shows(&asking, "books", std::slice::from_ref(&books)).await;
    asking.harness.http.set_policy("reader", ALL).await.unwrap();
    running.is_unknown(LIMIT, false).await;
    running.shows(&asking, "orders", &[orders.weight(3.0)]).await;
    running.shows(&asking, "books", &[books]).await;
    running.end().await;
}

/// Tasks that name their services need no more rights than those.
#[tokio::test(flavor = "multi_thread")]
async fn services_that_are_named_are_read_with_a_narrow_token() {
    let asking = Asking::start().await;
    asking.admit_to("service \"orders\" { policy = \"read\" } node_prefix \"\" { policy = \"read\" }").await;
    let (orders, books) = (Inst::new("orders", "10.0.0.1", 80), Inst::new("books", "10.0.0.2", 80));
    asking.put("", &orders).await;
    asking.put("", &books).await;
    let running = Running::start(asking.route().await, Patterns::of("default", &["orders"]), "default");
    running.complete(LIMIT).await;
    running.shows(&asking, "orders", std::slice::from_ref(&orders)).await;
    let changed = orders.weight(3.0);
    asking.put("", &changed).await;
    running.shows(&asking, "orders", std::slice::from_ref(&changed)).await;
    asking.remove("", &changed).await;
    running.shows(&asking, "orders", &[]).await;
    running.end().await;

    let both = Running::start(asking.route().await, Patterns::of("default", &["orders", "books"]), "default");
    let reasons = both.is_unknown(LIMIT, true).await;
    assert!(both.view.unknown(&both.key("books")).is_some(), "{reasons:?}");
    both.end().await;
}
