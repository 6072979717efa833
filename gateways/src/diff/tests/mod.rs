//! The rules one by one. Properties over random worlds are in `random`.

mod limits;
pub(crate) mod random;
mod routes;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::json;

use crate::{
    Change, Context, Desired, Effect, Existence, Fields, LiveObject, LiveTarget, LiveUpstream, Mark,
    ObjectKey, Plan, Service, Tags, Target, TargetAddress, Upstream, World, Write, diff,
};

pub(crate) fn context() -> Context {
    Context::new(Mark::new("causeway", "task"), "r", "n", "s")
}

pub(crate) fn ours() -> Tags {
    context().mark.tags().union(&context().selector).cloned().collect()
}

pub(crate) fn marked(owner: &str, task: &str) -> Tags {
    Mark::new(owner, task).tags().union(&context().selector).cloned().collect()
}

fn address(n: u8) -> TargetAddress {
    TargetAddress::new(&format!("10.0.0.{n}"), 80).unwrap()
}

/// Carries out a plan the way Kong would, in memory.
pub(crate) fn apply(world: &World, plan: &Plan) -> World {
    let mut world = world.clone();
    for change in &plan.changes {
        let effect = match &change.write {
            Write::Delete { .. } => Effect::Deleted,
            Write::Create(fields) => {
                Effect::Written(Box::new(object(format!("id of {}", change.key), fields.clone())))
            }
            Write::Patch { id, fields, .. } => {
                let mut all = standing(&world, &change.key);
                all.extend(fields.clone());
                Effect::Written(Box::new(object(id.clone(), all)))
            }
        };
        world.record(change, &effect);
    }
    world
}

fn object(id: String, mut fields: Fields) -> LiveObject {
    let tags: Option<Tags> = fields.remove("tags").and_then(|tags| serde_json::from_value(tags).unwrap());
    let tags = tags.unwrap_or_default();
    let link = fields.remove("host").or_else(|| fields.remove("service"));
    let leads_to = link.and_then(|link| link.as_str().map(str::to_owned));
    LiveObject { id, tags: Arc::new(tags), leads_to, fields: Arc::new(fields) }
}

fn standing(world: &World, key: &ObjectKey) -> Fields {
    let (link, object) = match key {
        ObjectKey::Upstream(name) => ("", world.upstream(name).unwrap().object.clone()),
        ObjectKey::Target(upstream, address) => {
            ("", LiveObject::of_target(&world.upstream(upstream).unwrap().targets.as_ref().unwrap()[address]))
        }
        ObjectKey::Service(name) => ("host", world.service(name).unwrap().clone()),
        ObjectKey::Route(name) => ("service", world.route(name).unwrap().clone()),
    };
    let mut fields = Fields::clone(&object.fields);
    fields.insert("tags".into(), object.tags.iter().cloned().collect());
    fields.extend(object.leads_to.map(|to| (link.to_owned(), to.into())));
    fields
}

/// One service with one upstream `up` and the targets of these numbers.
pub(crate) fn simple(numbers: &[u8]) -> Desired {
    let target = Target { weight: 100, tags: ours().into() };
    let upstream = Upstream {
        existence: Existence::Owned { fillable: Tags::from(["NACOS".to_owned()]) },
        tags: ours(),
        targets: numbers.iter().map(|n| (address(*n), target.clone())).collect(),
        ..Upstream::default()
    };
    let service = Service { host: "up".into(), tags: ours(), fields: Fields::new() };
    Desired {
        upstreams: BTreeMap::from([("up".to_owned(), upstream)]),
        services: BTreeMap::from([("svc".to_owned(), service)]),
        routes: BTreeMap::new(),
    }
}

fn built(numbers: &[u8]) -> World {
    apply(&World::default(), &diff(&simple(numbers), &World::default(), &context()))
}

pub(crate) fn foreign(leads_to: Option<&str>) -> LiveObject {
    object("foreign".into(), Fields::from_iter([("host".to_owned(), json!(leads_to))]))
}

fn keys(changes: &[Change]) -> Vec<String> {
    changes.iter().map(|change| format!("{:?} {}", change.write.verb(), change.key).to_lowercase()).collect()
}

#[test]
fn created_from_the_upstream_down() {
    let plan = diff(&simple(&[1, 2]), &World::default(), &context());
    assert_eq!(
        keys(&plan.changes),
        [
            "create upstream up",
            "create target 10.0.0.1:80 of upstream up",
            "create target 10.0.0.2:80 of upstream up",
            "create service svc"
        ]
    );
    assert_eq!(plan.changes[0].reason, "for service s");
}

#[test]
fn one_write_for_one_changed_target() {
    let world = built(&[1, 2]);
    assert_eq!(
        keys(&diff(&simple(&[2, 3]), &world, &context()).changes),
        ["create target 10.0.0.3:80 of upstream up", "delete target 10.0.0.1:80 of upstream up"]
    );
    let mut heavier = simple(&[1, 2]);
    heavier.upstreams.get_mut("up").unwrap().targets.get_mut(&address(1)).unwrap().weight = 7;
    let plan = diff(&heavier, &world, &context());
    assert_eq!(keys(&plan.changes), ["patch target 10.0.0.1:80 of upstream up"]);
    assert_eq!(plan.changes[0].reason, "weight is 100, wanted 7");
}

#[test]
fn retires_in_two_steps_and_never_in_the_same_breath() {
    let world = built(&[1]);
    let nothing = Desired::default();
    let plan = diff(&nothing, &world, &context());
    assert_eq!(plan.changes, []);
    let unused: Vec<(String, bool)> = plan.retiring.iter().map(|r| (r.key.to_string(), r.unused)).collect();
    assert_eq!(unused, [("upstream up".to_owned(), false), ("service svc".to_owned(), true)]);

    let service = Context { retire: BTreeSet::from([ObjectKey::Service("svc".into())]), ..context() };
    let world = apply(&world, &diff(&nothing, &world, &service));
    let plan = diff(&nothing, &world, &service);
    assert_eq!(plan.changes, []);
    assert!(plan.retiring[0].unused);

    let upstream = Context { retire: BTreeSet::from([ObjectKey::Upstream("up".into())]), ..context() };
    let plan = diff(&nothing, &world, &upstream);
    assert_eq!(keys(&plan.changes), ["delete upstream up"]);
    assert_eq!(apply(&world, &plan), World::default());
}

/// A write may fail for longer than an upstream is kept: no time has run before its service has really left it.
#[test]
fn an_upstream_is_in_use_until_its_service_has_left_it() {
    let world = built(&[1]);
    let mut moved = simple(&[1]);
    let upstream = moved.upstreams.remove("up").unwrap();
    moved.upstreams.insert("other".to_owned(), upstream);
    moved.services.get_mut("svc").unwrap().host = "other".to_owned();
    let due = Context { retire: BTreeSet::from([ObjectKey::Upstream("up".into())]), ..context() };
    let plan = diff(&moved, &world, &due);
    assert_eq!(
        keys(&plan.changes),
        ["create upstream other", "create target 10.0.0.1:80 of upstream other", "patch service svc"]
    );
    assert!(!plan.retiring[0].unused, "{:?}", plan.retiring);
    let plan = diff(&moved, &apply(&world, &plan), &context());
    assert!(plan.retiring[0].unused, "{:?}", plan.retiring);
}

#[test]
fn a_service_with_a_foreign_route_or_plugin_stays_with_its_upstreams() {
    let everything = Context {
        retire: [ObjectKey::Service("svc".into()), ObjectKey::Upstream("up".into())].into(),
        ..context()
    };
    let mut routed = built(&[1]);
    routed.insert_route("theirs", foreign(Some("svc")));
    let mut plugged = built(&[1]);
    plugged.insert_plugin(ObjectKey::Service("svc".into()), "key-auth");
    for (world, word) in [(routed, "route theirs"), (plugged, "key-auth")] {
        let plan = diff(&Desired::default(), &world, &everything);
        assert_eq!((plan.changes, plan.retiring), (vec![], vec![]));
        assert_eq!(plan.kept.len(), 2);
        assert!(plan.kept[1].reason.contains(word), "{:?}", plan.kept);
    }
}

#[test]
fn an_upstream_in_use_stays() {
    let everything = Context {
        retire: [ObjectKey::Service("svc".into()), ObjectKey::Upstream("up".into())].into(),
        ..context()
    };
    let mut named = built(&[1]);
    named.insert_service("theirs", foreign(Some("up")));
    let mut filled = built(&[1]);
    let mut upstream = filled.upstream("up").unwrap().clone();
    let hand_made = LiveTarget { id: "x".into(), weight: 0, tags: Arc::default() };
    upstream.targets.as_mut().unwrap().insert(address(9), hand_made);
    filled.insert_upstream("up", upstream);
    for (world, word) in [(named, "service theirs"), (filled, "10.0.0.9:80")] {
        let plan = diff(&Desired::default(), &world, &everything);
        assert_eq!(keys(&plan.changes), ["delete service svc"]);
        assert!(plan.kept[0].reason.contains(word), "{:?}", plan.kept);
    }
}

#[test]
fn a_taken_name_is_a_conflict_that_says_whose_it_is() {
    for (tags, word) in [
        (Tags::new(), "somebody else"),
        (marked("other", "task"), "another deployment, other"),
        (marked("causeway", "second"), "task second of this deployment"),
    ] {
        let mut world = World::default();
        let object = LiveObject { tags: Arc::new(tags), ..foreign(None) };
        world.insert_upstream("up", LiveUpstream { object, targets: Some(BTreeMap::new()) });
        assert_eq!(diff(&Desired::default(), &world, &context()), Plan::default());
        let plan = diff(&simple(&[1]), &world, &context());
        assert_eq!(plan.changes, []);
        assert!(plan.conflicts[0].reason.contains(word), "{:?}", plan.conflicts);
        assert_eq!(plan.waiting[0].key, ObjectKey::Service("svc".into()));
    }
}

#[test]
fn an_upstream_with_a_fillable_tag_gets_our_targets_only() {
    let mut world = World::default();
    let tags = Arc::new(Tags::from(["NACOS".to_owned()]));
    let hand_made = LiveTarget { id: "x".into(), weight: 5, tags: Arc::default() };
    let upstream = LiveUpstream {
        object: LiveObject { tags, ..foreign(None) },
        targets: Some(BTreeMap::from([(address(1), hand_made)])),
    };
    world.insert_upstream("up", upstream);
    let plan = diff(&simple(&[1, 2]), &world, &context());
    assert_eq!(keys(&plan.changes), ["create target 10.0.0.2:80 of upstream up", "create service svc"]);
    assert_eq!(plan.conflicts, []);
    assert!(plan.kept[0].reason.contains("weight 5"), "{:?}", plan.kept);

    let after = apply(&world, &plan);
    let retire = [ObjectKey::Service("svc".into()), ObjectKey::Upstream("up".into())].into();
    let gone = diff(&Desired::default(), &after, &Context { retire, ..context() });
    assert_eq!(keys(&gone.changes), ["delete service svc", "delete target 10.0.0.2:80 of upstream up"]);
    assert_eq!(apply(&after, &gone), world);
}

#[test]
fn an_absent_upstream_to_be_filled_waits() {
    let mut desired = simple(&[1]);
    desired.upstreams.get_mut("up").unwrap().existence = Existence::Filled;
    let plan = diff(&desired, &World::default(), &context());
    assert_eq!(plan.changes, []);
    let waiting: Vec<String> = plan.waiting.iter().map(|w| w.key.to_string()).collect();
    assert_eq!(waiting, ["upstream up", "service svc"]);
}

#[test]
fn targets_that_were_not_listed_are_asked_for() {
    let mut world = built(&[1]);
    let upstream = LiveUpstream { targets: None, ..world.upstream("up").unwrap().clone() };
    world.insert_upstream("up", upstream);
    assert_eq!(diff(&simple(&[2]), &world, &context()).unread, BTreeSet::from(["up".to_owned()]));
    assert_eq!(diff(&Desired::default(), &world, &context()).unread, BTreeSet::from(["up".to_owned()]));
}

#[test]
fn targets_with_a_sequence_change_in_it_before_any_service_and_deletions_among_them() {
    let mut want = simple(&[1, 2, 4]);
    let upstream = want.upstreams.get_mut("up").unwrap();
    upstream.targets.get_mut(&address(2)).unwrap().weight = 7;
    upstream.sequence = Some([2, 3, 4].map(address).into());
    want.services.get_mut("svc").unwrap().host = "other".to_owned();
    let plan = diff(&want, &built(&[1, 2, 3, 5]), &context());
    assert_eq!(
        keys(&plan.changes),
        [
            "patch target 10.0.0.2:80 of upstream up",
            "delete target 10.0.0.3:80 of upstream up",
            "create target 10.0.0.4:80 of upstream up",
            "delete target 10.0.0.5:80 of upstream up",
            "patch service svc",
        ]
    );
    assert_eq!(plan.one_at_a_time, ["up".to_owned()].into());
}
