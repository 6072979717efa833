//! Kong's Admin API, against the stand-in that answers as a real Kong did: what is written, and what is left
//! alone.

use std::collections::BTreeSet;

use causeway_gateways::{
    Context, Desired, Existence, Fields, Gateway as _, Listed, Mark, ObjectKey, ReadScope, Tags,
    TargetAddress, World, diff, tags,
};
use causeway_test_support::kong::{Kind, KongStandIn};
use reqwest::Method;
use serde_json::json;

use crate::support::kong::{counts, everything_in, gateway};
use crate::support::{self, OWNER, context, converge, desired, everything, turn};

const UP: &str = "ins-1.default.orders.default";
const TWO: &[(&str, &[(&str, u32)])] = &[("default", &[("10.0.0.1:80", 100), ("10.0.0.2:80", 100)])];

#[tokio::test]
async fn a_first_pass_one_change_and_a_second_start() {
    let kong = KongStandIn::start().await;
    let (gateway, context) = (gateway(&kong), context("task", "orders"));
    let groups: &[(&str, &[(&str, u32)])] = &[
        ("default", &[("10.0.0.1:80", 100), ("10.0.0.2:80", 100), ("10.0.0.3:80", 100)]),
        ("version-1", &[("10.0.0.1:80", 100), ("10.0.0.2:80", 100)]),
    ];
    let mut world = gateway.read(&everything()).await.unwrap();
    let (_, applied) = turn(&gateway, &mut world, &context, &desired(&context, "orders", groups)).await;
    assert!(applied.failed.is_empty(), "{:?}", applied.failed);
    assert_eq!(counts(&kong), (1, 2, 5));
    assert_eq!(kong.services()[0]["host"], UP);
    let owner = json!(tags::owner_tag(OWNER));
    assert!(everything_in(&kong).iter().all(|it| it["tags"].as_array().unwrap().contains(&owner)));
    assert_eq!(gateway.read(&everything()).await.unwrap(), world, "what was recorded is what stands");

    kong.reset_counts();
    let fewer: &[(&str, &[(&str, u32)])] =
        &[("default", &[("10.0.0.1:80", 50), ("10.0.0.3:80", 100)]), ("version-1", &[("10.0.0.1:80", 50)])];
    turn(&gateway, &mut world, &context, &desired(&context, "orders", fewer)).await;
    assert_eq!((kong.writes(), kong.reads()), (4, 0), "one PATCH and one DELETE in each upstream, no read");
    assert_eq!(gateway.read(&everything()).await.unwrap(), world);

    kong.reset_counts();
    let states = [(context.clone(), desired(&context, "orders", fewer))];
    let (rounds, _) = converge(&support::kong::gateway(&kong), &states, 3).await.unwrap();
    assert_eq!((rounds, kong.writes()), (0, 0), "a second start writes nothing");

    converge(&gateway, &[(context, Desired::default())], 5).await.unwrap();
    assert_eq!(counts(&kong), (0, 0, 0));
}

#[tokio::test]
async fn what_is_somebody_elses_is_untouched() {
    let kong = KongStandIn::start().await;
    let (gateway, context) = (gateway(&kong), context("task", "orders"));
    kong.seed(Kind::Upstreams, &json!({"name": "ins-1.default.orders.v1", "tags": ["mine"]}));
    kong.seed_target("ins-1.default.orders.v1", &json!({"target": "10.9.9.9:80"}));
    kong.seed(Kind::Services, &json!({"name": "theirs", "host": "example.com"}));
    let groups: &[(&str, &[(&str, u32)])] =
        &[("default", &[("10.0.0.1:80", 100)]), ("v1", &[("10.0.0.1:80", 100)])];
    let states = [(context.clone(), desired(&context, "orders", groups))];
    converge(&gateway, &states, 3).await.unwrap();

    // Now people put things beside ours, and change settings that are not ours.
    kong.seed_target(UP, &json!({"target": "10.8.8.8:80", "weight": 0}));
    kong.direct(
        &Method::POST,
        "/services/ins-1.default.orders/routes",
        &json!({"name": "r", "paths": ["/x"]}),
    );
    kong.seed_plugin("ins-1.default.orders", "key-auth");
    kong.direct(
        &Method::PATCH,
        &format!("/upstreams/{UP}"),
        &json!({"slots": 100, "tags": tagged_too(&kong)}),
    );
    kong.direct(&Method::PATCH, "/services/ins-1.default.orders", &json!({"read_timeout": 7}));
    let before = everything_in(&kong);
    let (rounds, plans) = converge(&gateway, &states, 3).await.unwrap();
    assert_eq!(rounds, 0);
    let conflicts: Vec<String> = plans[0].conflicts.iter().map(|conflict| conflict.key.to_string()).collect();
    assert_eq!(conflicts, ["upstream ins-1.default.orders.v1"]);
    assert_eq!(everything_in(&kong), before);

    let (_, plans) = converge(&gateway, &[(context, Desired::default())], 5).await.unwrap();
    let kept: Vec<String> = plans[0].kept.iter().map(|kept| kept.key.to_string()).collect();
    assert_eq!(kept, [format!("upstream {UP}"), "service ins-1.default.orders".into()]);
    assert_eq!(everything_in(&kong), before);
}

/// The tags of the default upstream, and one of a person.
fn tagged_too(kong: &KongStandIn) -> serde_json::Value {
    let mut tags = kong.entity(Kind::Upstreams, UP).unwrap()["tags"].take();
    tags.as_array_mut().unwrap().push(json!("theirs"));
    tags
}

#[tokio::test]
async fn two_owners_and_two_tasks_leave_each_other_alone() {
    let kong = KongStandIn::start().await;
    let gateway = gateway(&kong);
    let marks = [Mark::new(OWNER, "one"), Mark::new(OWNER, "two"), Mark::new("other", "one")];
    // All three want the same service; the first to come has it.
    let contexts = marks.map(|mark| Context::new(mark, "ins-1", "default", "orders"));
    let listed =
        Listed { tags: Tags::from([tags::owner_tag(OWNER), tags::owner_tag("other")]), ..Listed::default() };
    let scope = ReadScope::All(listed);
    for context in &contexts {
        let mut world = gateway.read(&scope).await.unwrap();
        turn(&gateway, &mut world, context, &desired(context, "orders", TWO)).await;
    }
    let before = everything_in(&kong);
    assert_eq!(counts(&kong), (1, 1, 2));
    let world = gateway.read(&scope).await.unwrap();
    for (context, word) in
        contexts[1..].iter().zip(["task one of this deployment", "another deployment, causeway"])
    {
        let plan = diff(&desired(context, "orders", TWO), &world, context);
        assert_eq!(plan.changes, []);
        assert!(plan.conflicts[0].reason.contains(word), "{:?}", plan.conflicts);
        assert_eq!(converge(&gateway, &[(context.clone(), Desired::default())], 2).await.unwrap().0, 0);
    }
    assert_eq!(everything_in(&kong), before);
}

#[tokio::test]
async fn an_upstream_of_its_users_is_filled() {
    let kong = KongStandIn::start().await;
    let (gateway, context) = (gateway(&kong), context("task", "orders"));
    kong.seed(Kind::Upstreams, &json!({"name": UP, "tags": ["NACOS"], "slots": 77}));
    kong.seed_target(UP, &json!({"target": "10.0.0.1:80", "weight": 3}));
    let by_hand = everything_in(&kong);
    let states = [(context.clone(), desired(&context, "orders", TWO))];
    let (_, plans) = converge(&gateway, &states, 3).await.unwrap();
    assert!(plans[0].conflicts.is_empty());
    assert_eq!(kong.weights(UP), [("10.0.0.1:80".into(), 3), ("10.0.0.2:80".into(), 100)].into());
    // A new start that is not to fill it finds what was left in it.
    let scope = ReadScope::All(Listed { tags: Tags::from([tags::owner_tag(OWNER)]), ..Listed::default() });
    assert_eq!(gateway.read(&scope).await.unwrap(), gateway.read(&everything()).await.unwrap());
    converge(&gateway, &[(context, Desired::default())], 5).await.unwrap();
    assert_eq!(everything_in(&kong), by_hand);
}

#[tokio::test]
async fn an_absent_upstream_to_be_filled_is_picked_up_when_it_comes() {
    let kong = KongStandIn::start().await;
    let (gateway, context) = (gateway(&kong), context("task", "orders"));
    let mut state = desired(&context, "orders", TWO);
    state.upstreams.get_mut(UP).unwrap().existence = Existence::Filled;
    state.services.clear();
    let scope = ReadScope::Names {
        upstreams: [UP.into()].into(),
        services: BTreeSet::new(),
        routes: BTreeSet::new(),
    };
    let mut world = gateway.read(&scope).await.unwrap();
    let (plan, _) = turn(&gateway, &mut world, &context, &state).await;
    assert_eq!((plan.changes.len(), plan.waiting.len()), (0, 1));
    kong.seed(Kind::Upstreams, &json!({"name": UP}));
    let since = world.version();
    let reading = gateway.read(&scope).await.unwrap();
    world.merge(&scope, reading, since);
    turn(&gateway, &mut world, &context, &state).await;
    assert_eq!(kong.targets(UP).len(), 2);
}

#[tokio::test]
async fn ids_that_are_taken_are_gone_without() {
    let kong = KongStandIn::start().await;
    let (gateway, context) = (gateway(&kong), context("task", "orders"));
    let state = [(context.clone(), desired(&context, "orders", TWO))];
    converge(&gateway, &state, 2).await.unwrap();
    // Renamed and readdressed by hand, what was ours keeps its id: the names are free, the ids are not.
    let untagged = |name: &str| json!({"name": name, "tags": []});
    let patch = |path: &str, body| assert_eq!(kong.direct(&Method::PATCH, path, &body).0, 200);
    patch(&format!("/upstreams/{UP}/targets/10.0.0.1:80"), json!({"target": "10.7.7.7:80", "tags": []}));
    converge(&gateway, &state, 3).await.unwrap();
    assert_eq!(kong.targets(UP).len(), 3);
    patch("/services/ins-1.default.orders", untagged("kept"));
    patch(&format!("/upstreams/{UP}"), untagged("kept"));
    converge(&gateway, &state, 3).await.unwrap();
    assert_eq!((kong.services().len(), kong.upstreams().len()), (2, 2));
    assert_eq!(kong.targets(UP).len(), 2);
    // Of the one that was taken over, what bears our tags goes, and what bears none stays.
    assert_eq!(kong.weights("kept"), [("10.7.7.7:80".into(), 100)].into());
}

#[tokio::test]
async fn odd_names_stand_in_tags_and_paths() {
    let kong = KongStandIn::start().await;
    let gateway = gateway(&kong);
    let names = [
        "DEFAULT_GROUP@@orders",
        "providers:com.foo.Bar:1.0.0:g1",
        "订单/服务,一",
        "a%2Fb c",
        &"x".repeat(300),
        "_x2e",
        "UPPER",
    ];
    let targets: &[(&str, u32)] =
        &[("[2001:0db8:0000:0000:0000:0000:0000:0001]:80", 1), ("Host.Name:9000", 2), ("10.0.0.1:1", 65535)];
    let mut states = Vec::new();
    for (number, name) in names.iter().enumerate() {
        let context = context("a task/with, everything%", name);
        // The names of objects are made elsewhere; Kong takes this form.
        let state = desired(&context, &format!("s{number}"), &[("default", targets)]);
        states.push((context, state));
    }
    converge(&gateway, &states, 3).await.unwrap();
    assert_eq!(counts(&kong), (7, 7, 21));
    kong.reset_counts();
    assert_eq!(converge(&gateway, &states, 2).await.unwrap().0, 0);
    assert_eq!(kong.writes(), 0);
    let retired: Vec<_> = states.into_iter().map(|(context, _)| (context, Desired::default())).collect();
    converge(&gateway, &retired, 5).await.unwrap();
    assert_eq!(counts(&kong), (0, 0, 0));
}

#[tokio::test]
async fn many_targets_in_one_upstream_are_read_in_pages() {
    let kong = KongStandIn::start().await;
    let (gateway, context) = (gateway(&kong), context("task", "orders"));
    let addresses: Vec<String> = (0..2500).map(|n| format!("10.0.{}.{}:80", n / 250, n % 250)).collect();
    let targets: Vec<(&str, u32)> = addresses.iter().map(|address| (address.as_str(), 100)).collect();
    let states = [(context.clone(), desired(&context, "orders", &[("default", &targets)]))];
    converge(&gateway, &states, 2).await.unwrap();
    assert_eq!(kong.targets(UP).len(), 2500);
    kong.reset_counts();
    assert_eq!(converge(&gateway, &states, 1).await.unwrap().0, 0);
    let pages = kong.requests().iter().filter(|request| request.path.contains("/targets")).count();
    assert_eq!((pages, kong.writes()), (3, 0));
    // A page that shifts while it is read must not lead to a removal.
    let fewer = [(context.clone(), desired(&context, "orders", &[("default", &targets[1250..])]))];
    converge(&gateway, &fewer, 3).await.unwrap();
    assert_eq!(kong.targets(UP).len(), 1250);
}

#[tokio::test]
async fn an_audit_lists_only_what_disagrees() {
    let kong = KongStandIn::start().await;
    let gateway = gateway(&kong);
    let states: Vec<_> = (0..20)
        .map(|n| {
            let service = format!("s{n}");
            let context = context("task", &service);
            let state = desired(&context, &service, TWO);
            (context, state)
        })
        .collect();
    let mut world = World::default();
    for (context, state) in &states {
        turn(&gateway, &mut world, context, state).await;
    }
    let owner = tags::owner_tag(OWNER);
    let listed = Listed { tags: Tags::from([owner.clone()]), ..Listed::default() };
    let lost = "ins-1.default.s7.default";
    let path = format!("/upstreams/{lost}/targets/10.0.0.1:80");
    for (before, lists) in [(None, 0), (Some(path), 1)] {
        if let Some(path) = before {
            assert_eq!(kong.direct(&Method::DELETE, &path, &json!(null)).0, 204);
        }
        kong.reset_counts();
        let known = world.targets_with(&owner);
        let scope = ReadScope::Audit { listed: listed.clone(), owner: owner.clone(), known };
        let reading = gateway.read(&scope).await.unwrap();
        world.merge(&scope, reading, world.version());
        let seen =
            kong.requests().iter().filter(|request| request.path.ends_with("/targets?size=1000")).count();
        assert_eq!(seen, lists);
    }
    assert_eq!(world, gateway.read(&everything()).await.unwrap());
    let (context, state) = &states[7];
    let plan = diff(state, &world, context);
    let address = TargetAddress::stored("10.0.0.1:80");
    assert_eq!(
        plan.changes.iter().map(|c| &c.key).collect::<Vec<_>>(),
        [&ObjectKey::Target(lost.into(), address)]
    );
}

#[tokio::test]
async fn a_refusal_is_told_in_kongs_own_words_and_all_else_goes_on() {
    let kong = KongStandIn::start().await;
    let (gateway, context) = (gateway(&kong), context("task", "orders"));
    let mut state = desired(&context, "orders", TWO);
    state.upstreams.get_mut(UP).unwrap().targets.first_entry().unwrap().get_mut().weight = 65_536;
    state.services.values_mut().next().unwrap().fields = Fields::from_iter([("retries".into(), json!(7))]);
    let (_, applied) = turn(&gateway, &mut World::default(), &context, &state).await;
    assert_eq!((applied.done.len(), applied.failed.len()), (3, 1));
    let message = &applied.failed[0].error.message;
    assert!(message.contains("between 0 and 65535") && message.contains("POST http://"), "{message}");
    assert_eq!(kong.services()[0]["retries"], 7);
}
