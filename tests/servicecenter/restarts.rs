//! Service-center as a source, on a real one that is restarted, wiped, and that asks who is there.

use std::time::Duration;

use async_trait::async_trait;
use causeway::config::Secret;
use causeway::guard::Scope;
use causeway::registries::ViewEvent;
use causeway::registries::servicecenter::ServiceCenterSettings;
use causeway_test_support::proxy::Mode;
use causeway_test_support::servicecenter::ServiceCenterOptions;

use crate::conformance::around::{Around, LIMIT};
use crate::conformance::stories::{self, Guarded, Restarts, Stranger};
use crate::conformance::{Harness, Inst, Patterns, Route, Running};
use crate::harness::ServiceCenterHarness;

const READER: &str = "reader";
const PASSWORD: &str = "Reading_is_allowed_1";

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_with_its_data() {
    stories::a_restart(&ServiceCenterHarness::plain().await, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_without_its_data() {
    stories::a_restart(&ServiceCenterHarness::plain().await, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_between_two_questions() {
    let options = ServiceCenterOptions { unlisted: true, ..ServiceCenterOptions::default() };
    stories::a_restart_between_two_questions(&ServiceCenterHarness::start(options).await).await;
}

/// A revision is made of how often the store was written and how many instances there are, so it comes again with the same writes.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_revision_after_a_restart_is_other_data() {
    let options = ServiceCenterOptions { unlisted: true, ..ServiceCenterOptions::default() };
    let harness = ServiceCenterHarness::start(options).await;
    let namespace = harness.namespace().await;
    let orders =
        |weight: f64| [1, 2, 3].map(|n| Inst::new("orders", &format!("10.0.0.{n}"), 80).weight(weight));
    for instance in orders(1.0) {
        harness.put(&namespace, &instance).await;
    }
    let running = Running::start(harness.route().await, Patterns::of(&namespace, &["*"]), &namespace);
    running.complete(LIMIT).await;
    running.shows(&harness, "orders", &orders(1.0)).await;
    let revision = || running.view.reading(&running.key("orders")).unwrap().snapshot.revision.clone();
    let before = revision();
    stories::cut_at_rest(&running.proxies[0], LIMIT).await;
    harness.start_server(true).await;
    for instance in orders(2.0) {
        harness.put(&namespace, &instance).await;
    }
    running.proxies[0].set(Mode::Pass);
    running.shows(&harness, "orders", &orders(2.0)).await;
    assert_eq!(revision(), before, "it did come again");
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_minute_without_the_server() {
    stories::a_minute_without_the_server(&ServiceCenterHarness::plain().await).await;
}

/// A server that lost its data between two readings looks as if everything had been deregistered: the doubt is told before that.
#[tokio::test(flavor = "multi_thread")]
async fn lost_data_is_doubted_before_it_shows() {
    let mut harness = ServiceCenterHarness::plain().await;
    harness.settings.poll_interval = Duration::from_secs(6);
    let namespace = harness.namespace().await;
    for n in 1..=30 {
        harness.put(&namespace, &Inst::new("orders", &format!("10.0.0.{n}"), 80)).await;
    }
    let running = Running::start(harness.route().await, Patterns::of(&namespace, &["*"]), &namespace);
    running.complete(LIMIT).await;
    let mut events = running.view.subscribe();
    harness.start_server(true).await;
    running.shows(&harness, "orders", &[]).await;
    let told: Vec<ViewEvent> = std::iter::from_fn(|| events.try_recv().ok()).collect();
    // A server that takes longer to come back than it is to the next reading is missed by that.
    let doubts = |event: &ViewEvent| {
        matches!(event, ViewEvent::Reset(Scope::Source) | ViewEvent::Unknown(Scope::Source))
    };
    let doubt = told.iter().position(doubts);
    let shown = told.iter().position(|event| matches!(event, ViewEvent::Service(_)));
    assert!(doubt.is_some() && doubt < shown, "{told:?}");
    running.end().await;
}

/// A service-center with accounts and a reader whose account is made later.
struct Asking {
    harness: ServiceCenterHarness,
}

impl Asking {
    async fn start() -> Self {
        Self {
            harness: ServiceCenterHarness::start(ServiceCenterOptions { accounts: true, unlisted: false })
                .await,
        }
    }

    async fn route_as(&self, account: Option<(&str, &str)>) -> Route {
        let (user, password) = account.unzip();
        let settings = ServiceCenterSettings {
            user: user.map(str::to_owned),
            password: password.map(Secret::new),
            // A removed account keeps its tokens, so only a new login notices.
            token_life: Duration::from_secs(2),
            ..ServiceCenterSettings::default()
        };
        self.harness.route_with(settings).await
    }
}

#[async_trait]
impl Around for Asking {
    type Inner = ServiceCenterHarness;

    fn inner(&self) -> &ServiceCenterHarness {
        &self.harness
    }

    async fn usual_route(&self) -> Route {
        self.route_as(Some((READER, PASSWORD))).await
    }
}

#[async_trait]
impl Guarded for Asking {
    async fn stranger(&self, _: &str) -> Stranger {
        Stranger { route: self.route().await, secret: PASSWORD, told: "check `user` and `password`" }
    }

    async fn admit(&self, _: &str) {
        self.harness.http().await.create_account(READER, PASSWORD).await.unwrap();
    }

    async fn expel(&self, _: &str) {
        self.harness.http().await.delete_account(READER).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_wrong_then_right_then_revoked() {
    stories::credentials_wrong_then_right_then_revoked(&Asking::start().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_no_account_reads_nothing() {
    let asking = Asking::start().await;
    let namespace = asking.namespace().await;
    asking.put(&namespace, &Inst::new("orders", "10.0.0.1", 80)).await;
    let running = Running::start(asking.route_as(None).await, Patterns::of(&namespace, &["*"]), &namespace);
    let reasons = running.is_unknown(LIMIT, true).await;
    assert!(reasons[0].contains("401002"), "the server's words: {reasons:?}");
    assert!(running.view.reading(&running.key("orders")).is_none(), "unknown is not empty");
    running.end().await;
}
