//! The two-way documents that polaris-sync and MSE Sync publish, with nothing changed but addresses.

use std::sync::Arc;
use std::time::Duration;

use causeway_test_support::nacos::{ADMIN_PASSWORD, ADMIN_USER, NacosOptions, NacosServer};
use causeway_test_support::polaris::PolarisStandIn;
use tokio::sync::Mutex;

use crate::conformance::Inst;
use crate::deployment::Deployment;
use crate::polaris_harness::PolarisHarness;
use crate::site::{self, Entry, Site};
use crate::stage::{LANE, Story, at, tell_all};

/// What both tools' documents name their deployment by not naming it.
const OWNER: &str = "causeway";
/// Beyond the minute for which removals are held when nobody says otherwise.
const LIMIT: Duration = Duration::from_secs(180);
/// Of the documents.
const USER: (&str, &str) = ("nacos", "nacos");
const TOKEN: &str = "123456";

const POLARIS_SYNC: &str = include_str!("../data/examples/polaris-sync-two-way.json");
const MSE_SYNC: &str = include_str!("../data/examples/mse-sync.yaml");

/// One way of a document: what is native in `from` is carried to `to`.
struct Way<'a> {
    from: &'a Site,
    to: &'a Site,
    task: &'a str,
    service: &'a str,
}

impl Way<'_> {
    fn native(&self, host: &str) -> Inst {
        Inst::new(self.service, host, 8080).with(LANE, &self.from.name)
    }

    /// An instance that is native here appears there, with its mark.
    async fn carries(&self, host: &str) {
        let native = self.native(host);
        self.from.register(&native).await;
        let is_copy = |entries: &[Entry]| {
            let [entry] = &at(entries, &native)[..] else { return false };
            entry.mark() == Some([&self.from.name, OWNER, self.task])
                && entry.metadata.get(LANE) == Some(&self.from.name)
        };
        self.to.until(self.service, "the copy appears", LIMIT, is_copy).await;
    }

    /// It leaves, and so does its copy.
    async fn follows_the_leaving(&self, host: &str) {
        let native = self.native(host);
        self.from.deregister(&native).await;
        let gone = |entries: &[Entry]| at(entries, &native).is_empty();
        for site in [self.from, self.to] {
            site.until(self.service, "what has left is gone", LIMIT, gone).await;
        }
    }
}

/// Both ways: two instances here, two there, nothing of a copy comes back, and what leaves is followed.
async fn carries_both_ways(deployment: &Deployment, [there, back]: [Way<'_>; 2]) {
    for host in ["10.0.0.1", "10.0.0.2"] {
        there.carries(host).await;
    }
    for host in ["10.0.0.3", "10.0.0.4"] {
        back.carries(host).await;
    }
    deployment.is_quiet(there.service).await;
    for site in [there.from, there.to] {
        let natives = site.entries(there.service).await.unwrap();
        let copies = natives.iter().filter(|entry| entry.is_copy()).count();
        assert_eq!((natives.len(), copies), (4, 2), "{}: {natives:#?}", site.name);
    }
    tokio::join!(there.follows_the_leaving("10.0.0.1"), back.follows_the_leaving("10.0.0.3"));
}

/// A Nacos whose user is the documents'.
async fn guarded_nacos() -> Arc<Mutex<NacosServer>> {
    let server = NacosServer::start(NacosOptions { auth: true, ..NacosOptions::default() }).await.unwrap();
    let admin = server.http().login(ADMIN_USER, ADMIN_PASSWORD).await.unwrap();
    admin.set_password(USER.0, USER.1).await.unwrap();
    // It takes the server a moment to know the password.
    server.http().create_admin(USER.0, USER.1).await.unwrap();
    Arc::new(Mutex::new(server))
}

async fn polaris_syncs() {
    let server = guarded_nacos().await;
    let stand_in = PolarisStandIn::builder().auth();
    let polaris = PolarisHarness::with(stand_in).await;
    polaris.server.set_token(TOKEN);
    let document = POLARIS_SYNC
        .replace("127.0.0.1:8848", &server.lock().await.address())
        .replace("127.0.0.1:8090", &polaris.server.address());
    let nacos = site::nacos_of("nacos1", "empty_ns", &server, Some(USER)).await;
    let polaris = site::polaris_of("polaris1", polaris).await;
    let way = |from, to, task| Way { from, to, task, service: "nacos.test.3" };
    let deployment = Deployment::start(&document).await;
    let there = way(&nacos, &polaris, "nacos1-to-polaris1");
    carries_both_ways(&deployment, [there, way(&polaris, &nacos, "polaris1-to-nacos1")]).await;
    deployment.stop().await;
}

/// In the default namespace and in one that is missing at the destination.
async fn mse_syncs() {
    let source = guarded_nacos().await;
    let destination = NacosServer::start(NacosOptions::default()).await.unwrap();
    let destination = Arc::new(Mutex::new(destination));
    let admin = source.lock().await.http().login(USER.0, USER.1).await.unwrap();
    admin.create_namespace("test").await.unwrap();
    let document = MSE_SYNC
        .replace("127.0.0.1:8848", &source.lock().await.address())
        .replace("127.0.0.1:8858", &destination.lock().await.address());
    let deployment = Deployment::start(&document).await;
    tokio::join!(
        in_a_namespace(&deployment, [&source, &destination], "empty_ns", "orders"),
        in_a_namespace(&deployment, [&source, &destination], "test", "books"),
    );
    deployment.stop().await;
}

async fn in_a_namespace(
    deployment: &Deployment,
    [source, destination]: [&Arc<Mutex<NacosServer>>; 2],
    namespace: &'static str,
    service: &str,
) {
    let src = site::nacos_of("src", namespace, source, Some(USER)).await;
    let dst = site::nacos_of("dst", namespace, destination, None).await;
    let way = |from, to| Way { from, to, task: "src-to-dst", service };
    carries_both_ways(deployment, [way(&src, &dst), way(&dst, &src)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documents_of_other_tools_run_unchanged() {
    let polaris: Story = Box::pin(polaris_syncs());
    tell_all(vec![("polaris-sync".to_owned(), polaris), ("MSE Sync".to_owned(), Box::pin(mse_syncs()))])
        .await;
}
