//! Nacos as a source, on a real Nacos with authentication that is restarted.

use async_trait::async_trait;
use causeway::config::Secret;
use causeway::registries::ViewEvent;
use causeway::registries::nacos::NacosSettings;
use causeway_test_support::nacos::{ADMIN_PASSWORD, ADMIN_USER, NacosOptions, NacosServer};
use tokio::sync::Mutex;

use crate::conformance::around::{Around, LIMIT};
use crate::conformance::stories::{self, Guarded, Restarts, Stranger};
use crate::conformance::{Harness, Inst, Patterns, Route, Running};
use crate::harness::NacosHarness;

struct Own {
    server: Mutex<NacosServer>,
    harness: NacosHarness,
}

fn user(name: &str, password: &str) -> NacosSettings {
    NacosSettings {
        user: Some(name.into()),
        password: Some(Secret::new(password)),
        ..NacosSettings::default()
    }
}

impl Own {
    async fn start() -> Self {
        let server =
            NacosServer::start(NacosOptions { auth: true, ..NacosOptions::default() }).await.unwrap();
        let (ports, http) = (server.ports(), server.admin().await.unwrap());
        let settings = user(ADMIN_USER, ADMIN_PASSWORD);
        Self { server: Mutex::new(server), harness: NacosHarness { ports, http, settings } }
    }

    async fn route_as(&self, settings: NacosSettings) -> Route {
        let harness = NacosHarness { ports: self.harness.ports, http: self.harness.http.clone(), settings };
        harness.route().await
    }
}

#[async_trait]
impl Around for Own {
    type Inner = NacosHarness;

    fn inner(&self) -> &NacosHarness {
        &self.harness
    }
}

#[async_trait]
impl Restarts for Own {
    async fn stop_server(&self) {
        self.server.lock().await.stop();
    }

    async fn start_server(&self, wipe: bool) {
        self.server.lock().await.start_again(wipe).await.unwrap();
    }
}

/// A user who tries another password than the server's.
#[async_trait]
impl Guarded for Own {
    async fn stranger(&self, namespace: &str) -> Stranger {
        self.harness.http.create_user("reader", "first", namespace, "r").await.unwrap();
        let route = self.route_as(user("reader", "second")).await;
        Stranger { route, secret: "second", told: "the login of user reader fails" }
    }

    async fn admit(&self, namespace: &str) {
        match self.harness.http.login("reader", "first").await {
            Ok(reader) => reader.set_password("reader", "second").await.unwrap(),
            Err(_) => self.harness.http.permit("reader", namespace, "r").await.unwrap(),
        }
    }

    async fn expel(&self, namespace: &str) {
        self.harness.http.revoke("reader", namespace, "r").await.unwrap();
    }
}

/// One server for all of it, since each start costs so much.
#[tokio::test(flavor = "multi_thread")]
async fn credentials_silence_and_restarts() {
    let own = Own::start().await;
    the_server_sends_us_away(&own).await;
    nobody_is_told_what_is_missing(&own).await;
    stories::credentials_wrong_then_right_then_revoked(&own).await;
    who_may_not_list_namespaces_is_told_what_to_do(&own).await;
    stories::a_path_that_swallows_everything(&own).await;
    stories::a_restart(&own, true).await;
    stories::a_restart(&own, false).await;
    stories::a_minute_without_the_server(&own).await;
    let ports = own.harness.ports;
    drop(own);
    assert!(ports.all_free(), "a stopped server lets go of its ports");
}

async fn nobody_is_told_what_is_missing(own: &Own) {
    let namespace = own.namespace().await;
    let interest = Patterns::of(&namespace, &["*"]);
    let nobody = Running::start(own.route_as(NacosSettings::default()).await, interest, &namespace);
    let reasons = nobody.is_unknown(LIMIT, true).await;
    assert!(reasons[0].contains("refuses the list of services"), "{reasons:?}");
    nobody.end().await;
}

async fn who_may_not_list_namespaces_is_told_what_to_do(own: &Own) {
    let namespace = own.namespace().await;
    own.put(&namespace, &Inst::new("orders", "10.0.0.1", 80)).await;
    own.harness.http.create_user("narrow", "narrow", &namespace, "r").await.unwrap();
    let everywhere = || Patterns::everywhere(&["*"], &["*"]);
    let blind = Running::start(own.route_as(user("narrow", "narrow")).await, everywhere(), &namespace);
    let reasons = blind.is_unknown(LIMIT, true).await;
    assert!(reasons[0].contains("`namespaces:`"), "{reasons:?}");
    blind.end().await;
    let settings = NacosSettings { namespaces: vec![namespace.clone()], ..user("narrow", "narrow") };
    let seeing = Running::start(own.route_as(settings).await, everywhere(), &namespace);
    seeing.complete(LIMIT).await;
    seeing.shows(own, "orders", &[Inst::new("orders", "10.0.0.1", 80)]).await;
    seeing.end().await;
}

async fn the_server_sends_us_away(own: &Own) {
    let namespace = own.namespace().await;
    let orders = [Inst::new("orders", "10.0.0.1", 80)];
    own.put(&namespace, &orders[0]).await;
    let running = Running::start(own.route().await, Patterns::of(&namespace, &["*"]), &namespace);
    running.complete(LIMIT).await;
    let mut events = running.view.subscribe();
    for connection in own.harness.http.connections().await.unwrap() {
        own.harness.http.send_away(&connection).await.unwrap();
    }
    let told = tokio::time::timeout(LIMIT, events.recv()).await.expect("the reset is told").unwrap();
    assert!(matches!(told, ViewEvent::Unknown(_)), "{told:?}");
    running.is_unknown(LIMIT, false).await;
    let changed = [orders[0].clone().weight(9.0)];
    own.put(&namespace, &changed[0]).await;
    running.shows(own, "orders", &changed).await;
    running.end().await;
}
