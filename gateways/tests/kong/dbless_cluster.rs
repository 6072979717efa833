//! Several nodes without a database: each gets every document, and whatever one of them loses or is given comes right.

use std::time::Duration;

use causeway_gateways::{Gateway as _, KongGateway, KongSettings, Retry};
use causeway_test_support::kong::KongStandIn;
use serde_json::json;
use tokio::time::sleep;

use crate::support::kong::{counts, documents, foreign, load, tended, until, without_database};
use crate::support::{context, converge, desired, everything, turn};

async fn nodes() -> [KongStandIn; 3] {
    let node = || KongStandIn::builder().db_less().start();
    let (a, b, c) = tokio::join!(node(), node(), node());
    [a, b, c]
}

fn foreign_part(retries: u32) -> serde_json::Value {
    json!({
        "_format_version": "3.0",
        "consumers": [{ "username": "bob" }],
        "services": [{ "name": "theirs", "host": "example.com", "retries": retries }],
    })
}

#[tokio::test]
async fn one_is_down_for_a_while_and_comes_back_empty() {
    let nodes = nodes().await;
    for node in &nodes {
        load(node, &foreign_part(1));
    }
    let before = foreign(&nodes[0]);
    let gateway = KongGateway::new(without_database(&nodes)).unwrap();
    let context = context("task", "orders");
    let state = |weight| desired(&context, "orders", &[("default", &[("10.0.0.1:80", weight)])]);
    converge(&gateway, &[(context.clone(), state(1))], 3).await.unwrap();
    assert!(nodes.iter().all(|node| counts(node) == (2, 1, 1)));

    nodes[1].stop().await;
    for weight in 2..5 {
        converge(&gateway, &[(context.clone(), state(weight))], 3).await.unwrap();
    }
    let states = gateway.nodes();
    assert_eq!(states.iter().map(|node| node.trouble.is_some()).collect::<Vec<_>>(), [false, true, false]);
    assert!(states[1].trouble.as_ref().unwrap().contains("no answer"), "{states:?}");
    assert_eq!(gateway.check().await.unwrap(), "kong/3.9.1 without a database, 2 of 3 nodes answer");

    let sent = documents(&nodes[0]).len();
    nodes[1].restart_empty().await;
    tended(&gateway, until(|| counts(&nodes[1]) == (2, 1, 1))).await;
    for node in &nodes {
        let weights = node.weights("ins-1.default.orders.default");
        assert_eq!((weights["10.0.0.1:80"], foreign(node)), (4, before.clone()));
    }
    assert_eq!(documents(&nodes[0]).len(), sent, "the others were left alone");
    assert!(gateway.nodes().iter().all(|node| node.trouble.is_none()));
}

#[tokio::test]
async fn what_one_was_started_with_is_nobodys_wish_and_what_is_loaded_into_one_is() {
    let nodes = nodes().await;
    for node in &nodes {
        load(node, &foreign_part(1));
    }
    let gateway = KongGateway::new(without_database(&nodes)).unwrap();
    let context = context("task", "orders");
    let state = desired(&context, "orders", &[("default", &[("10.0.0.1:80", 7)])]);
    converge(&gateway, &[(context.clone(), state)], 3).await.unwrap();
    let before = foreign(&nodes[0]);

    // A node comes back with what is in its image.
    nodes[2].stop().await;
    load(&nodes[2], &foreign_part(2));
    nodes[2].restart().await;
    tended(&gateway, until(|| counts(&nodes[2]) == (2, 1, 1))).await;
    assert!(nodes.iter().all(|node| foreign(node) == before));

    // A person loads another document into a running one, without what is ours.
    tended(&gateway, async {
        load(&nodes[1], &foreign_part(3));
        until(|| nodes.iter().all(|node| counts(node) == (2, 1, 1) && foreign(node) != before)).await;
    })
    .await;
    for node in &nodes {
        let theirs = node.services().into_iter().find(|service| service["name"] == "theirs").unwrap();
        assert_eq!(
            (&theirs["retries"], node.weights("ins-1.default.orders.default")["10.0.0.1:80"]),
            (&json!(3), 7)
        );
    }
    let world = gateway.read(&everything()).await.unwrap();
    assert_eq!(world.service("theirs").unwrap().fields["retries"], 3);
}

#[tokio::test]
async fn what_only_one_of_them_holds_of_ours_is_lost_at_none() {
    let nodes = nodes().await;
    for (node, service) in nodes.iter().zip(["orders", "stock"]) {
        let alone = KongGateway::new(without_database([node])).unwrap();
        let context = context("task", service);
        let state = desired(&context, service, &[("default", &[("10.0.0.1:80", 1)])]);
        converge(&alone, &[(context, state)], 2).await.unwrap();
    }
    let gateway = KongGateway::new(without_database(&nodes)).unwrap();
    assert_eq!(gateway.read(&everything()).await.unwrap().services().len(), 2);
    // The source of those has not answered; only a third service is known.
    let context = context("task", "users");
    let state = desired(&context, "users", &[("default", &[("10.0.0.1:80", 1)])]);
    let mut world = gateway.read(&everything()).await.unwrap();
    turn(&gateway, &mut world, &context, &state).await;
    assert!(nodes.iter().all(|node| counts(node) == (3, 3, 3)));
}

#[tokio::test]
async fn while_the_others_are_empty_one_that_is_down_may_hold_what_is_not_ours() {
    let nodes = nodes().await;
    load(&nodes[2], &foreign_part(1));
    nodes[2].stop().await;
    let settings = without_database(&nodes);
    let gateway = KongGateway::new(settings.clone()).unwrap();
    let error = gateway.read(&everything()).await.unwrap_err();
    assert_eq!(error.retry, Retry::Backoff(None));
    assert!(error.message.contains("every node that answers is empty"), "{}", error.message);
    let context = context("task", "orders");
    let state = desired(&context, "orders", &[("default", &[("10.0.0.1:80", 1)])]);
    let (_, applied) = turn(&gateway, &mut Default::default(), &context, &state).await;
    assert!(applied.done.is_empty() && nodes.iter().all(|node| documents(node).is_empty()));

    nodes[2].restart().await;
    let converged = async {
        while converge(&gateway, &[(context.clone(), state.clone())], 3).await.is_none() {
            sleep(Duration::from_millis(20)).await;
        }
        until(|| nodes.iter().all(|node| counts(node) == (2, 1, 1) && foreign(node).len() == 2)).await;
    };
    tended(&gateway, converged).await;

    // A base says it, so that nobody needs to be waited for.
    let base = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(base.path(), foreign_part(4).to_string()).unwrap();
    nodes[2].stop().await;
    nodes[0].restart_empty().await;
    nodes[1].restart_empty().await;
    let with_base = KongSettings { base: Some(base.path().to_owned()), ..settings };
    let gateway = KongGateway::new(with_base).unwrap();
    let converged = async { converge(&gateway, &[(context, state)], 3).await.unwrap() };
    converged.await;
    assert!(nodes[..2].iter().all(|node| counts(node) == (2, 1, 1)));
}

#[tokio::test]
async fn each_of_them_tells_its_own_view_of_the_same_document() {
    let nodes = nodes().await;
    let gateway = KongGateway::new(without_database(&nodes)).unwrap();
    let context = context("task", "orders");
    let targets: &[(&str, u32)] = &[("10.0.0.1:80", 1), ("10.0.0.2:80", 5)];
    let mut state = desired(&context, "orders", &[("default", targets)]);
    let checks = json!({ "active": { "healthy": { "interval": 5 } } });
    let upstream = "ins-1.default.orders.default";
    state.upstreams.values_mut().for_each(|it| drop(it.fields.insert("healthchecks".into(), checks.clone())));
    converge(&gateway, &[(context, state)], 3).await.unwrap();
    nodes[1].set_health(upstream, "10.0.0.2:80", false);
    nodes[2].stop().await;

    let asked = ["nobody", upstream].map(str::to_owned).into();
    let views = gateway.health(&asked).await;
    let addresses: Vec<String> = views.iter().map(|node| node.address.clone()).collect();
    assert_eq!(addresses, nodes.each_ref().map(KongStandIn::admin_url));
    let seen = |node: usize| {
        let view = views[node].view.as_ref().unwrap();
        assert_eq!(view.upstreams.keys().collect::<Vec<_>>(), [upstream], "of the other it knows nothing");
        let targets = view.upstreams[upstream].iter();
        targets.map(|it| (it.target.as_str(), it.weight, it.health.as_str())).collect::<Vec<_>>()
    };
    assert_eq!(seen(0), [("10.0.0.1:80", 1, "HEALTHY"), ("10.0.0.2:80", 5, "HEALTHY")]);
    assert_eq!(seen(1), [("10.0.0.1:80", 1, "HEALTHY"), ("10.0.0.2:80", 5, "UNHEALTHY")]);
    let id = |node: usize| views[node].view.as_ref().unwrap().node_id.clone().unwrap();
    assert_ne!(id(0), id(1));
    let error = views[2].view.as_ref().unwrap_err();
    assert!(error.contains("no answer"), "{error}");
}
