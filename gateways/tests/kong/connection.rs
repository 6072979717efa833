//! How a Kong is reached: TLS, workspace, several addresses.

use std::io::Write as _;
use std::time::Duration;

use causeway_gateways::{Gateway as _, KongGateway, KongSettings, Retry, Token, World};
use causeway_test_support::kong::{Fault, KongStandIn, Scope};

use crate::support::kong::{counts, settings};
use crate::support::{context, converge, desired, everything, turn};

const TWO: &[(&str, &[(&str, u32)])] = &[("default", &[("10.0.0.1:80", 100), ("10.0.0.2:80", 100)])];

fn pem_file(pem: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(pem.as_bytes()).unwrap();
    file
}

#[tokio::test]
async fn https_with_an_authority_of_its_own() {
    let (kong, other) =
        (KongStandIn::builder().tls().start().await, KongStandIn::builder().tls().start().await);
    let (right, wrong) = (pem_file(kong.ca_pem().unwrap()), pem_file(other.ca_pem().unwrap()));
    let with = |file: &tempfile::NamedTempFile| KongSettings {
        ca_file: Some(file.path().into()),
        ..settings(&kong)
    };
    let context = context("task", "orders");
    let gateway = KongGateway::new(with(&right)).unwrap();
    converge(&gateway, &[(context.clone(), desired(&context, "orders", TWO))], 2).await.unwrap();
    assert_eq!(counts(&kong), (1, 1, 2));

    let error = KongGateway::new(with(&wrong)).unwrap().check().await.unwrap_err();
    assert!(error.message.to_lowercase().contains("certificate"), "{}", error.message);
    assert!(KongGateway::new(settings(&kong)).unwrap().check().await.is_err(), "the system does not know it");
    let trial = KongSettings { insecure_skip_verify: true, ..settings(&kong) };
    KongGateway::new(trial).unwrap().check().await.unwrap();
}

#[tokio::test]
async fn a_workspace_stands_before_every_path_and_none_where_none_is_given() {
    let kong = KongStandIn::builder().workspace("team-a").token("secret").start().await;
    let base = KongSettings { token: Some(Token::new("secret")), ..settings(&kong) };
    let context = context("task", "orders");
    let team = KongSettings { workspace: Some("team-a".into()), ..base.clone() };
    let gateway = KongGateway::new(team).unwrap();
    let states = [(context.clone(), desired(&context, "orders", TWO))];
    converge(&gateway, &states, 2).await.unwrap();
    assert_eq!(counts(&kong), (1, 1, 2));
    assert!(kong.requests().iter().all(|request| request.path.starts_with("/team-a")));

    kong.reset_counts();
    let default = KongGateway::new(base.clone()).unwrap();
    assert_eq!(default.read(&everything()).await.unwrap(), World::default());
    assert!(kong.requests().iter().all(|request| !request.path.starts_with("/team-a")));
    let absent = KongSettings { workspace: Some("nobody".into()), ..base };
    let error = KongGateway::new(absent).unwrap().read(&everything()).await.unwrap_err();
    assert_eq!(error.retry, Retry::Backoff(None));
    assert!(error.message.contains("is there a workspace nobody?"), "{}", error.message);
}

#[tokio::test]
async fn the_next_address_takes_over_and_keeps_the_work() {
    // Two nodes over one database would hold the same; here it is enough to see who is asked.
    let (first, second) = (KongStandIn::start().await, KongStandIn::start().await);
    let both =
        KongSettings { addresses: vec![first.admin_url(), second.admin_url()], ..KongSettings::default() };
    let gateway = KongGateway::new(both).unwrap();
    let context = context("task", "orders");
    gateway.check().await.unwrap();
    assert_eq!((first.reads(), second.reads()), (2, 0), "whether it has a database, and a list");

    first.stop().await;
    turn(&gateway, &mut World::default(), &context, &desired(&context, "orders", TWO)).await;
    let unanswered: u64 = gateway.requests().iter().filter(|it| it.class == "none").map(|it| it.count).sum();
    assert_eq!(unanswered, 1, "the first request finds out, and is sent again");
    assert_eq!(counts(&second), (1, 1, 2));

    first.restart().await;
    gateway.check().await.unwrap();
    assert_eq!(first.reads(), 2, "the one that serves goes on serving");
    second.faults().next_times(1, &Scope::All, &Fault::Status(503));
    gateway.check().await.unwrap();
    assert_eq!(first.reads(), 3);
}

#[tokio::test]
async fn an_answer_that_never_comes_is_given_up() {
    let kong = KongStandIn::start().await;
    let gateway =
        KongGateway::new(KongSettings { timeout: Duration::from_secs(1), ..settings(&kong) }).unwrap();
    kong.faults().next(Scope::All, Fault::Hang);
    gateway.check().await.unwrap();
    kong.faults().next_times(9, &Scope::All, &Fault::Hang);
    let error = gateway.check().await.unwrap_err();
    assert!(error.message.contains("no answer in time"), "{}", error.message);
}
