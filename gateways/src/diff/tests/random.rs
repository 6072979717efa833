//! Properties over random worlds and desired states.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::Value;

use super::{address, apply, context, ours, standing};
use crate::matching::Matching;
use crate::tags::{group_tag, selector};
use crate::{
    Context, Desired, Existence, Fields, LiveObject, LiveTarget, LiveUpstream, Mark, ObjectKey, Route,
    Service, Tags, Target, Upstream, World, Write, diff,
};

pub(crate) fn tags_found() -> impl Strategy<Value = Tags> {
    let mark = |owner, task| Mark::new(owner, task).tags().clone();
    let with = |tags: Tags, more: Tags| tags.union(&more).cloned().collect::<Tags>();
    prop_oneof![
        Just(Tags::new()),
        Just(Tags::from(["NACOS".to_owned(), "edge".to_owned()])),
        Just(with(mark("other", "task"), selector("r", "n", "s"))),
        Just(with(mark("causeway", "other"), selector("r", "n", "s"))),
        Just(with(mark("causeway", "task"), selector("r", "n", "another"))),
        Just(mark("causeway", "task")),
        Just(ours()),
        Just(with(ours(), Tags::from(["edge".to_owned(), group_tag("old")]))),
    ]
}

fn name() -> impl Strategy<Value = String> {
    "[abc]"
}

fn live_object(leads_to: impl Strategy<Value = Option<String>>) -> impl Strategy<Value = LiveObject> {
    (tags_found(), leads_to, 0..3u8, "[a-f0-9]{12}").prop_map(|(tags, leads_to, retries, id)| LiveObject {
        id,
        tags: Arc::new(tags),
        leads_to,
        fields: Arc::new(Fields::from_iter([("retries".to_owned(), retries.into())])),
    })
}

/// Some match requests, and some of those the same ones.
fn paths() -> impl Strategy<Value = Fields> {
    let paths = proptest::collection::btree_set("/[xyz]", 0..2);
    paths.prop_map(|paths| Fields::from_iter([("paths".to_owned(), paths.into_iter().collect())]))
}

fn live_route() -> impl Strategy<Value = LiveObject> {
    (live_object(name().prop_map(Some)), paths())
        .prop_map(|(route, paths)| LiveObject { fields: Arc::new(paths), ..route })
}

fn live_upstream() -> impl Strategy<Value = LiveUpstream> {
    let target = (tags_found(), 0..3u32, "[a-f0-9]{12}").prop_map(|(tags, weight, id)| LiveTarget {
        id,
        weight,
        tags: Arc::new(tags),
    });
    let targets = proptest::collection::btree_map((1..6u8).prop_map(address), target, 0..5);
    (live_object(Just(None)), proptest::option::weighted(0.9, targets))
        .prop_map(|(object, targets)| LiveUpstream { object, targets })
}

prop_compose! {
    pub(crate) fn world()(
        upstreams in proptest::collection::btree_map(name(), live_upstream(), 0..4),
        services in proptest::collection::btree_map(name(), live_object(name().prop_map(Some)), 0..4),
        routes in proptest::collection::btree_map(name(), live_route(), 0..4),
        plugin in proptest::option::weighted(0.2, name()),
    ) -> World {
        let mut world = World::default();
        upstreams.into_iter().for_each(|(name, it)| world.insert_upstream(&name, it));
        services.into_iter().for_each(|(name, it)| world.insert_service(&name, it));
        routes.into_iter().for_each(|(name, it)| world.insert_route(&name, it));
        plugin.into_iter().for_each(|on| world.insert_plugin(ObjectKey::Service(on), "key-auth"));
        world
    }
}

pub(crate) fn desired() -> impl Strategy<Value = Desired> {
    let fields = |n: u8| Fields::from_iter([("retries".to_owned(), Value::from(n))]);
    let target = (0..3u32).prop_map(|weight| Target { weight, tags: ours().into() });
    let existence = prop_oneof![
        Just(Existence::Filled),
        Just(Existence::Owned { fillable: Tags::new() }),
        Just(Existence::Owned { fillable: Tags::from(["NACOS".to_owned()]) })
    ];
    let targets = proptest::collection::btree_map((1..6u8).prop_map(address), target, 0..5);
    let sequence = proptest::option::of(proptest::collection::vec((1..6u8).prop_map(address), 0..5));
    let upstream =
        (existence, targets, 0..3u8, sequence).prop_map(move |(existence, targets, n, sequence)| Upstream {
            existence,
            targets,
            tags: ours(),
            fields: fields(n),
            sequence,
        });
    let service =
        (name(), 0..3u8).prop_map(move |(host, n)| Service { host, tags: ours(), fields: fields(n) });
    let route = (name(), paths()).prop_map(|(service, fields)| Route { service, tags: ours(), fields });
    (
        proptest::collection::btree_map(name(), upstream, 0..4),
        proptest::collection::btree_map(name(), service, 0..3),
        proptest::collection::btree_map(name(), route, 0..3),
    )
        .prop_map(|(upstreams, services, routes)| Desired { upstreams, services, routes })
}

pub(super) fn may_retire(everything: bool) -> BTreeSet<ObjectKey> {
    let names = ["a", "b", "c"].map(str::to_owned);
    let of = |kind: fn(String) -> ObjectKey| names.clone().map(kind);
    let all = [of(ObjectKey::Upstream), of(ObjectKey::Service), of(ObjectKey::Route)];
    if everything { all.into_iter().flatten().collect() } else { BTreeSet::new() }
}

/// The same world, read in the opposite order.
fn backwards(world: &World) -> World {
    let mut other = World::default();
    for name in ["a", "b", "c"] {
        let key = ObjectKey::Service(name.to_owned());
        for plugin in world.plugins_on(&key).into_iter().flatten() {
            other.insert_plugin(key.clone(), plugin);
        }
    }
    world.routes().iter().rev().for_each(|(name, it)| other.insert_route(name, it.clone()));
    world.services().iter().rev().for_each(|(name, it)| other.insert_service(name, it.clone()));
    world.upstreams().iter().rev().for_each(|(name, it)| other.insert_upstream(name, it.clone()));
    assert_eq!(other, *world);
    other
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_plan_that_was_applied_leaves_nothing_to_do(desired in desired(), world in world(), retire: bool) {
        let context = Context { retire: may_retire(retire), ..context() };
        let plan = diff(&desired, &world, &context);
        let after = apply(&world, &plan);
        prop_assert_eq!(diff(&desired, &after, &context).changes, vec![]);
        prop_assert_eq!(diff(&desired, &backwards(&world), &context), plan);
    }

    #[test]
    fn what_does_not_bear_our_mark_stays_as_it_is(desired in desired(), world in world()) {
        let context = Context { retire: may_retire(true), ..context() };
        let plan = diff(&desired, &world, &context);
        for change in plan.changes.iter().filter(|change| !matches!(change.write, Write::Create(_))) {
            let tags: Tags = serde_json::from_value(standing(&world, &change.key)["tags"].clone()).unwrap();
            prop_assert!(context.mark.owns(&tags), "{change:?} on {tags:?}");
        }
        for change in plan.changes.iter().filter(|change| matches!(change.write, Write::Delete { .. })) {
            if let ObjectKey::Upstream(name) = &change.key {
                let after = apply(&world, &plan);
                prop_assert_eq!(after.services_leading_to(name).next(), None);
                let cascade = world.upstream(name).unwrap().targets.iter().flatten();
                prop_assert!(cascade.into_iter().all(|(_, target)| context.mark.owns(&target.tags)));
            }
        }
    }

    #[test]
    fn the_gateway_comes_to_equal_what_is_wanted(desired in desired(), world in world()) {
        let plan = diff(&desired, &world, &context());
        let after = apply(&world, &plan);
        for (name, want) in &desired.upstreams {
            let key = ObjectKey::Upstream(name.clone());
            let reported = plan.conflicts.iter().any(|c| c.key == key) || plan.waiting.iter().any(|w| w.key == key);
            if reported || plan.unread.contains(name) {
                continue;
            }
            let targets = after.upstream(name).unwrap().targets.as_ref().unwrap();
            for (address, target) in &want.targets {
                let stands = &targets[address];
                prop_assert!(stands.weight == target.weight || !context().made(&stands.tags));
            }
            prop_assert!(targets.iter().all(|(a, t)| want.targets.contains_key(a) || !context().made(&t.tags)));
        }
    }

    #[test]
    fn no_route_is_made_or_changed_to_match_what_another_one_does(desired in desired(), world in world()) {
        let context = Context { retire: may_retire(true), ..context() };
        let after = apply(&world, &diff(&desired, &world, &context));
        let meeting = |world: &World, name: &str| {
            let matching = world.route(name).and_then(|route| Matching::of(&route.fields));
            matching.map_or_else(BTreeSet::new, |it| {
                world.routes_meeting(&it).map(|(other, _)| other.to_owned()).collect::<BTreeSet<_>>()
            })
        };
        for name in after.routes().keys() {
            let (before, now) = (meeting(&world, name), meeting(&after, name));
            let new: Vec<_> = now.difference(&before).filter(|other| *other != name).collect();
            prop_assert!(new.is_empty(), "{name} has come to meet {new:?}");
        }
    }

    #[test]
    fn the_index_finds_what_a_walk_would(world in world(), desired in desired()) {
        let context = Context { retire: may_retire(true), ..context() };
        let world = apply(&world, &diff(&desired, &world, &context));
        let made = |tags: &Tags| context.selector.is_subset(tags);
        let upstreams = world.upstreams().iter().filter(|(_, u)| {
            made(&u.object.tags) || u.targets.iter().flatten().any(|(_, t)| made(&t.tags))
        });
        let mut walk: BTreeSet<ObjectKey> = upstreams.map(|(n, _)| ObjectKey::Upstream(n.clone())).collect();
        let of = |map: &BTreeMap<String, LiveObject>, kind: fn(String) -> ObjectKey| {
            map.iter().filter(|(_, o)| made(&o.tags)).map(|(n, _)| kind(n.clone())).collect::<Vec<_>>()
        };
        walk.extend(of(world.services(), ObjectKey::Service));
        walk.extend(of(world.routes(), ObjectKey::Route));
        prop_assert_eq!(world.made_for(&context.selector), walk);
        for (name, route) in world.routes() {
            let Some(matching) = Matching::of(&route.fields) else { continue };
            let found: Vec<&str> = world.routes_meeting(&matching).map(|(name, _)| name).collect();
            let meets = |other: &LiveObject| Matching::of(&other.fields).is_some_and(|it| it.meets(&matching));
            let walk: Vec<&str> =
                world.routes().iter().filter(|(_, it)| meets(it)).map(|(name, _)| name.as_str()).collect();
            prop_assert!(found.contains(&name.as_str()));
            prop_assert_eq!(found, walk);
        }
        for name in ["a", "b", "c"] {
            let users: Vec<&str> = world.services_leading_to(name).collect();
            let walk: Vec<&str> =
                world.services().iter().filter(|(_, s)| s.leads_to.as_deref() == Some(name)).map(|(n, _)| n.as_str()).collect();
            prop_assert_eq!(users, walk);
        }
    }
}
