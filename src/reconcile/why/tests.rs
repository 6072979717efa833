use std::time::Duration;

use causeway_gateways::{
    Context, Desired, Existence, LiveObject, LiveTarget, LiveUpstream, Mark, Policy, Service, Tags, Target,
    TargetAddress, Upstream, World, diff, tags,
};
use tokio::time::Instant;

use super::objects::{Clock, Scene};
use super::{ObjectView, State};
use crate::guard::Time;
use crate::reconcile::turn::Turn;

fn context() -> Context {
    Context::new(Mark::new("me", "t"), "r", "default", "orders")
}

fn ours() -> Tags {
    let context = context();
    context.mark.tags().union(&context.selector).cloned().collect()
}

fn address(n: u8) -> TargetAddress {
    TargetAddress::new(&format!("10.0.0.{n}"), 80).unwrap()
}

/// A service that leads to an upstream `up` with two targets.
fn desired(existence: Existence) -> Desired {
    let target = Target { weight: 100, tags: ours().into() };
    let targets = [1, 2].map(|n| (address(n), target.clone())).into();
    let upstream = Upstream { existence, tags: ours(), targets, ..Upstream::default() };
    let service = Service { host: "up".to_owned(), tags: ours(), ..Service::default() };
    Desired {
        upstreams: [("up".to_owned(), upstream)].into(),
        services: [("svc".to_owned(), service)].into(),
        ..Desired::default()
    }
}

fn owned() -> Existence {
    Existence::Owned { fillable: Tags::from(["NACOS".to_owned()]) }
}

/// An upstream `up` with these tags, and in it a target 1 of weight 100 with those.
fn standing(upstream: Tags, target: Tags, listed: bool) -> World {
    let mut world = World::default();
    let target = LiveTarget { id: "t1".to_owned(), weight: 100, tags: target.into() };
    let object = LiveObject { id: "u".to_owned(), tags: upstream.into(), ..LiveObject::default() };
    let targets = listed.then(|| [(address(1), target)].into());
    world.insert_upstream("up", LiveUpstream { object, targets });
    world
}

fn told(desired: Desired, world: &World) -> Vec<ObjectView> {
    told_to(context(), desired, world)
}

fn told_to(context: Context, desired: Desired, world: &World) -> Vec<ObjectView> {
    let turn = Turn { plan: diff(&desired, world, &context), desired, ..Turn::default() };
    let clock = Clock {
        now: (Time::default(), Instant::now()),
        retiring: &Default::default(),
        retire_after: Duration::ZERO,
    };
    let scene = Scene { turn: &turn, world, mark: &context.mark, selector: &context.selector, clock };
    scene.objects()
}

fn states(objects: &[ObjectView]) -> Vec<(&str, State)> {
    objects.iter().map(|object| (object.name.as_str(), object.state)).collect()
}

fn tagged(tag: &str) -> Tags {
    Tags::from([tag.to_owned()])
}

#[test]
fn an_upstream_that_somebody_else_has_hinders_what_belongs_to_it() {
    let world = standing(tagged("theirs"), tagged("theirs"), true);
    let objects = told(desired(owned()), &world);
    let wanted = [
        ("up", State::Conflict),
        ("10.0.0.1:80", State::Foreign),
        ("10.0.0.2:80", State::Blocked),
        ("svc", State::Waiting),
    ];
    assert_eq!(states(&objects), wanted);
    assert_eq!(objects[2].reason.as_deref(), Some("upstream up is not ours or not there yet"));
}

#[test]
fn a_filled_upstream_is_its_users_and_our_targets_in_it_are_ours() {
    let objects = told(desired(owned()), &standing(tagged("NACOS"), Tags::new(), true));
    let wanted = [
        ("up", State::Foreign),
        ("10.0.0.1:80", State::Foreign),
        ("10.0.0.2:80", State::Missing),
        ("svc", State::Missing),
    ];
    assert_eq!(states(&objects), wanted);
    let reasons: Vec<&str> = objects.iter().filter_map(|it| it.reason.as_deref()).collect();
    assert_eq!(
        reasons[0],
        "it bears no mark of Causeway; it is filled with our targets and otherwise left alone"
    );
    assert_eq!(reasons[1], "it bears no mark of Causeway; it counts as present and stays as it is");
}

#[test]
fn whose_it_is_stands_beside_a_target_of_another_deployment() {
    let mut another = Mark::new("them", "theirs").tags().clone();
    another.insert("x".to_owned());
    let objects = told(Desired::default(), &standing(ours(), another, true));
    assert_eq!(states(&objects), [("up", State::Kept), ("10.0.0.1:80", State::Foreign)]);
    assert_eq!(objects[1].reason.as_deref(), Some("it belongs to task theirs of deployment them"));
    let ownerless = Tags::from([tags::owner_tag("them")]);
    let objects = told(Desired::default(), &standing(ours(), ownerless, true));
    assert_eq!(objects[1].reason.as_deref(), Some("it belongs to deployment them"));
}

#[test]
fn targets_that_were_not_listed_are_not_called_missing() {
    let objects = told(desired(owned()), &standing(ours(), ours(), false));
    let wanted = [
        ("up", State::Unread),
        ("10.0.0.1:80", State::Unread),
        ("10.0.0.2:80", State::Unread),
        ("svc", State::Missing),
    ];
    assert_eq!(states(&objects), wanted);
}

#[test]
fn what_a_policy_withholds_is_told_with_the_setting() {
    let mut observing = context();
    observing.limits.policy = Policy::Observe;
    let objects = told_to(observing, desired(owned()), &World::default());
    assert!(objects.iter().all(|it| it.state == State::Missing), "{objects:?}");
    assert!(objects.iter().all(|it| it.withheld_by.as_deref() == Some("policy: observe")), "{objects:?}");
}

#[test]
fn what_goes_takes_its_targets_with_it() {
    let objects = told(Desired::default(), &standing(ours(), ours(), true));
    assert_eq!(states(&objects), [("up", State::Retiring), ("10.0.0.1:80", State::Retiring)]);
    assert_eq!(objects[0].reason.as_deref(), Some("no longer wanted by any entry of the task"));
    assert_eq!((objects[0].for_seconds, objects[0].until_seconds), (None, None), "nobody has waited yet");
}
