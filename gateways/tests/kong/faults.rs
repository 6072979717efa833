//! Kong's Admin API when it fails: every kind of failure converges, and nothing is written twice.

use std::time::Duration;

use causeway_gateways::{
    Context, Desired, Gateway as _, KongGateway, KongSettings, ObjectKey, Retry, Token, World, diff,
};
use causeway_test_support::kong::{Fault, Kind, KongStandIn, Scope};
use futures::future::join_all;
use reqwest::Method;
use serde_json::json;
use tokio::time::Instant;

use crate::support::kong::{counts, gateway, settings};
use crate::support::{context, converge, desired, everything, turn};

const UP: &str = "ins-1.default.orders.default";
const TWO: &[(&str, &[(&str, u32)])] = &[("default", &[("10.0.0.1:80", 100), ("10.0.0.2:80", 100)])];

fn every_fault() -> Vec<Fault> {
    let mut faults = [500, 502, 503, 504].map(Fault::Status).to_vec();
    faults.extend([
        Fault::TooManyRequests(Duration::from_secs(1)),
        Fault::Reset,
        Fault::LostAnswer,
        Fault::TruncatedBody,
    ]);
    faults
}

#[tokio::test]
async fn one_failure_of_any_kind_is_made_good_within_the_same_apply() {
    join_all(every_fault().into_iter().map(one_failure)).await;
}

async fn one_failure(fault: Fault) {
    let kong = KongStandIn::start().await;
    let (gateway, context) = (gateway(&kong), context("task", "orders"));
    for method in [Method::POST, Method::PATCH, Method::DELETE] {
        kong.faults().next(Scope::On(method, "/targets".into()), fault.clone());
    }
    for kind in ["/services", "/upstreams"] {
        kong.faults().next(Scope::On(Method::POST, kind.into()), fault.clone());
    }
    let mut world = World::default();
    for groups in [TWO, &[("default", &[("10.0.0.1:80", 1), ("10.0.0.3:80", 1)])]] {
        let (_, applied) = turn(&gateway, &mut world, &context, &desired(&context, "orders", groups)).await;
        assert!(applied.failed.is_empty(), "{fault:?}: {:?}", applied.failed);
    }
    assert_eq!(kong.faults().pending(), 0, "{fault:?}");
    assert_eq!(kong.weights(UP), [("10.0.0.1:80".into(), 1), ("10.0.0.3:80".into(), 1)].into(), "{fault:?}");
    assert_eq!(gateway.read(&everything()).await.unwrap(), world, "{fault:?}");
    assert_eq!(counts(&kong), (1, 1, 2));
}

#[tokio::test]
async fn a_lost_answer_to_a_creation_that_does_not_fit_any_more_is_read_again() {
    let kong = KongStandIn::start().await;
    let (gateway, context) = (gateway(&kong), context("task", "orders"));
    converge(&gateway, &[(context.clone(), desired(&context, "orders", TWO))], 2).await.unwrap();
    // What we know is older than what stands there: another weight.
    let stale = diff(
        &desired(&context, "orders", &[("default", &[("10.0.0.1:80", 7)])]),
        &World::default(),
        &context,
    );
    let applied = gateway.apply(&stale).await;
    let read_again: Vec<String> = applied
        .failed
        .iter()
        .filter(|failure| failure.error.retry == Retry::ReadAgain)
        .map(|failure| failure.change.key.to_string())
        .collect();
    assert_eq!(read_again, [format!("target 10.0.0.1:80 of upstream {UP}")]);
    assert_eq!(kong.weights(UP)["10.0.0.1:80"], 100, "what stands there is not overwritten");
    assert_eq!(applied.done.len(), 2, "upstream and service stand as wanted");
}

#[tokio::test]
async fn two_that_make_the_same_at_once_both_find_it_made() {
    let kong = KongStandIn::start().await;
    let context = context("task", "orders");
    let (one, two) = (gateway(&kong), gateway(&kong));
    kong.faults().set_latency(Duration::from_millis(5));
    let plan = diff(&desired(&context, "orders", TWO), &World::default(), &context);
    let both = futures::join!(one.apply(&plan), two.apply(&plan));
    assert!(both.0.failed.is_empty() && both.1.failed.is_empty(), "{both:?}");
    assert_eq!(counts(&kong), (1, 1, 2));
}

#[tokio::test]
async fn an_upstream_that_vanished_is_read_again() {
    let kong = KongStandIn::start().await;
    let (gateway, context) = (gateway(&kong), context("task", "orders"));
    let mut world = World::default();
    turn(&gateway, &mut world, &context, &desired(&context, "orders", TWO)).await;
    assert_eq!(kong.direct(&Method::DELETE, &format!("/upstreams/{UP}"), &json!(null)).0, 204);
    let state = desired(&context, "orders", &[("default", &[("10.0.0.1:80", 1), ("10.0.0.3:80", 1)])]);
    let (_, applied) = turn(&gateway, &mut world, &context, &state).await;
    // A target that has gone with its upstream is as good as deleted; but nothing was added in its place.
    assert!(applied.failed.iter().all(|failure| failure.error.retry == Retry::ReadAgain));
    assert_eq!(applied.failed.len(), 3, "{applied:?}");
    converge(&gateway, &[(context, state)], 3).await.unwrap();
    assert_eq!(kong.targets(UP).len(), 2);
}

#[tokio::test]
async fn with_a_fifth_of_all_requests_failing_it_converges_and_then_rests() {
    join_all((0..3).map(a_fifth_fails)).await;
}

async fn a_fifth_fails(seed: u64) {
    let kong = KongStandIn::start().await;
    let gateway = gateway(&kong);
    let states = |weight: u32, services: u32| -> Vec<(Context, Desired)> {
        let of = |n: u32| {
            let service = format!("s{n}");
            let context = context("task", &service);
            let targets = [("10.0.0.1:80", weight), ("10.0.0.2:80", weight), ("10.0.0.3:80", 100)];
            let state = if n < services {
                desired(&context, &service, &[("default", &targets), ("v1", &targets[..2])])
            } else {
                Desired::default()
            };
            (context, state)
        };
        (0..10).map(of).collect()
    };
    kong.faults().set_seed(seed);
    let at_once = Fault::TooManyRequests(Duration::ZERO);
    let faults = every_fault()
        .into_iter()
        .map(|it| if matches!(it, Fault::TooManyRequests(_)) { at_once.clone() } else { it });
    for fault in faults {
        kong.faults().chance(Scope::All, 0.2 / every_fault().len() as f64, fault);
    }
    converge(&gateway, &states(100, 10), 20).await.unwrap();
    converge(&gateway, &states(50, 5), 20).await.unwrap();
    kong.faults().clear();
    assert_eq!(counts(&kong), (5, 10, 25));
    kong.reset_counts();
    for _ in 0..3 {
        assert_eq!(converge(&gateway, &states(50, 5), 1).await.unwrap().0, 0);
    }
    assert_eq!(kong.writes(), 0);
}

#[tokio::test]
async fn kong_is_given_the_time_it_asks_for_and_fewer_requests() {
    let kong = KongStandIn::start().await;
    let (gateway, context) = (gateway(&kong), context("task", "orders"));
    assert_eq!(gateway.concurrency(), 16);
    kong.faults().next(Scope::Writes, Fault::TooManyRequests(Duration::from_secs(2)));
    let began = Instant::now();
    turn(&gateway, &mut World::default(), &context, &desired(&context, "orders", TWO)).await;
    assert!(began.elapsed() >= Duration::from_secs(2));
    assert!(gateway.concurrency() < 16);
    assert_eq!(counts(&kong), (1, 1, 2));

    // More than it is worth to wait for here: that is for whoever planned it.
    kong.faults().next_times(9, &Scope::Writes, &Fault::TooManyRequests(Duration::from_secs(60)));
    let state = desired(&context, "orders", &[("default", &[])]);
    let mut world = gateway.read(&everything()).await.unwrap();
    let (_, applied) = turn(&gateway, &mut world, &context, &state).await;
    assert!(applied.failed.iter().all(|it| it.error.retry == Retry::Backoff(Some(Duration::from_secs(60)))));
    assert_eq!(applied.failed.len(), 2);
}

#[tokio::test]
async fn a_wrong_token_is_not_tried_over_and_over_and_never_shown() {
    let kong = KongStandIn::builder().token("right").start().await;
    let wrong = KongSettings { token: Some(Token::new("hunter2")), ..settings(&kong) };
    let error = KongGateway::new(wrong).unwrap().read(&everything()).await.unwrap_err();
    assert_eq!(error.retry, Retry::Backoff(None));
    assert!(error.message.contains("401") && error.message.contains("token"), "{}", error.message);
    assert!(!format!("{error:?}").contains("hunter2"));
    assert!(kong.reads() <= 4, "one request for each list at most");
    let right = KongSettings { token: Some(Token::new("right")), ..settings(&kong) };
    assert_eq!(KongGateway::new(right).unwrap().check().await.unwrap(), "kong/3.9.1");
}

#[tokio::test]
async fn a_kong_that_is_away_is_told_by_its_address_and_found_again() {
    let kong = KongStandIn::start().await;
    let gateway = gateway(&kong);
    kong.stop().await;
    let error = gateway.check().await.unwrap_err();
    assert_eq!(error.retry, Retry::Backoff(None));
    assert!(error.message.contains(&kong.admin_url()), "{}", error.message);
    kong.restart().await;
    gateway.check().await.unwrap();
    let none: u64 = gateway.requests().iter().filter(|it| it.class == "none").map(|it| it.count).sum();
    assert!(none > 0);
}

#[tokio::test]
async fn a_partial_list_is_never_taken_for_a_whole_one() {
    let lists = ["/services", "/upstreams?", "/routes", "/plugins", "/targets", "/tags"];
    join_all(lists.into_iter().map(a_partial_list)).await;
}

async fn a_partial_list(kind: &str) {
    let kong = KongStandIn::start().await;
    let (gateway, context) = (gateway(&kong), context("task", "orders"));
    converge(&gateway, &[(context.clone(), desired(&context, "orders", TWO))], 2).await.unwrap();
    kong.faults().next_times(9, &Scope::On(Method::GET, kind.into()), &Fault::TruncatedBody);
    let error = gateway.read(&everything()).await.unwrap_err();
    assert!(error.message.contains("cannot be read"), "{}", error.message);
}

#[tokio::test]
async fn a_service_that_got_a_route_meanwhile_stays() {
    let kong = KongStandIn::start().await;
    let (gateway, context) = (gateway(&kong), context("task", "orders"));
    let mut world = World::default();
    turn(&gateway, &mut world, &context, &desired(&context, "orders", TWO)).await;
    let service = "ins-1.default.orders";
    kong.direct(
        &Method::POST,
        &format!("/services/{service}/routes"),
        &json!({"name": "r", "paths": ["/x"]}),
    );
    let retire = [ObjectKey::Service(service.into()), ObjectKey::Upstream(UP.into())].into();
    let (_, applied) = turn(&gateway, &mut world, &Context { retire, ..context }, &Desired::default()).await;
    assert!(applied.done.is_empty(), "{:?}", applied.done);
    assert!(applied.failed.iter().all(|failure| failure.error.retry == Retry::ReadAgain));
    assert!(kong.entity(Kind::Services, service).is_some() && kong.entity(Kind::Upstreams, UP).is_some());
}
