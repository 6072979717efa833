//! What a task's settings keep back.

use proptest::prelude::*;

use super::*;
use crate::diff::tests::random::{desired, may_retire, world};
use crate::{Kind, Limits, LiveTarget, Policy, Upkeep, Withheld};

fn limited(limits: Limits, retire: bool) -> Context {
    let simple = [ObjectKey::Service("svc".into()), ObjectKey::Upstream("up".into())];
    let simple = simple.into_iter().filter(|_| retire);
    Context { limits, retire: may_retire(retire).into_iter().chain(simple).collect(), ..context() }
}

fn observing() -> Limits {
    Limits { policy: Policy::Observe, ..Limits::default() }
}

fn filling() -> Limits {
    Limits { policy: Policy::Fill, ..Limits::default() }
}

fn adding_only() -> Limits {
    Limits { delete: false, ..Limits::default() }
}

fn told(withheld: &[Withheld]) -> Vec<String> {
    let changes: Vec<Change> = withheld.iter().map(|withheld| withheld.change.clone()).collect();
    keys(&changes)
}

/// `built`, with the weight of the first target changed by hand.
fn with_a_weight_of_zero() -> World {
    let mut world = built(&[1]);
    let mut upstream = world.upstream("up").unwrap().clone();
    upstream.targets.as_mut().unwrap().get_mut(&address(1)).unwrap().weight = 0;
    world.insert_upstream("up", upstream);
    world
}

#[test]
fn a_task_that_observes_tells_everything_and_does_nothing() {
    let context = limited(observing(), true);
    let plan = diff(&simple(&[1]), &World::default(), &context);
    assert_eq!(plan.changes, []);
    assert_eq!(
        told(&plan.withheld),
        ["create upstream up", "create target 10.0.0.1:80 of upstream up", "create service svc"]
    );
    assert!(plan.withheld.iter().all(|withheld| withheld.by == "policy: observe"));

    let gone = diff(&Desired::default(), &built(&[1]), &context);
    assert_eq!((gone.changes, gone.retiring), (vec![], vec![]));
    assert_eq!(told(&gone.withheld), ["delete service svc", "delete upstream up"]);
}

#[test]
fn a_task_that_fills_waits_for_the_upstream_and_then_writes_its_targets() {
    let context = limited(filling(), true);
    let plan = diff(&simple(&[1]), &World::default(), &context);
    assert_eq!((plan.changes, plan.withheld), (vec![], vec![]));
    assert_eq!(plan.waiting[0].key, ObjectKey::Upstream("up".into()));

    for tags in [Tags::new(), Tags::from(["edge".to_owned()]), marked("other", "task")] {
        let mut world = World::default();
        let object = LiveObject { tags: Arc::new(tags), ..foreign(None) };
        let by_hand = LiveTarget { id: "x".into(), weight: 5, tags: Arc::default() };
        let targets = Some(BTreeMap::from([(address(9), by_hand)]));
        world.insert_upstream("up", LiveUpstream { object, targets });
        let plan = diff(&simple(&[1]), &world, &context);
        assert_eq!(keys(&plan.changes), ["create target 10.0.0.1:80 of upstream up"]);
        assert_eq!((plan.withheld, plan.conflicts), (vec![], vec![]));

        let after = apply(&world, &diff(&simple(&[1]), &world, &context));
        let gone = diff(&Desired::default(), &after, &context);
        assert_eq!(keys(&gone.changes), ["delete target 10.0.0.1:80 of upstream up"]);
        assert_eq!(apply(&after, &gone), world);
    }
}

#[test]
fn what_it_once_owned_is_left_alone_by_a_task_that_fills() {
    let context = limited(filling(), true);
    let plan = diff(&simple(&[1, 2]), &built(&[1]), &context);
    assert_eq!(keys(&plan.changes), ["create target 10.0.0.2:80 of upstream up"]);
    let gone = diff(&Desired::default(), &built(&[1]), &context);
    assert_eq!(keys(&gone.changes), ["delete target 10.0.0.1:80 of upstream up"]);
    assert_eq!(told(&gone.withheld), ["delete service svc"]);
    assert_eq!(gone.withheld[0].by, "policy: fill");
}

#[test]
fn a_task_that_never_deletes_adds_and_tells_what_stays() {
    let context = limited(adding_only(), true);
    let plan = diff(&simple(&[2]), &built(&[1]), &context);
    assert_eq!(keys(&plan.changes), ["create target 10.0.0.2:80 of upstream up"]);
    assert_eq!(told(&plan.withheld), ["delete target 10.0.0.1:80 of upstream up"]);
    assert_eq!(plan.withheld[0].by, "delete: false");
    let gone = diff(&Desired::default(), &built(&[1]), &context);
    assert_eq!((gone.changes, gone.retiring), (vec![], vec![]));
    assert_eq!(told(&gone.withheld), ["delete service svc", "delete upstream up"]);
}

#[test]
fn a_weight_that_is_set_once_is_a_persons_afterwards() {
    let theirs = limited(Limits { weight: Upkeep::CreateOnly, ..Limits::default() }, false);
    let world = with_a_weight_of_zero();
    let plan = diff(&simple(&[1]), &world, &theirs);
    assert_eq!(plan.changes, []);
    assert_eq!(told(&plan.withheld), ["patch target 10.0.0.1:80 of upstream up"]);
    assert_eq!(plan.withheld[0].by, "fields: { weight: create-only }");
    assert_eq!(plan.withheld[0].change.reason, "weight is 0, wanted 100");
    let kept = diff(&simple(&[1]), &world, &context());
    assert_eq!(keys(&kept.changes), ["patch target 10.0.0.1:80 of upstream up"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_limit_is_overstepped(desired in desired(), world in world(), retire: bool) {
        prop_assert_eq!(diff(&desired, &world, &limited(observing(), retire)).changes, vec![]);
        let fills = diff(&desired, &world, &limited(filling(), retire)).changes;
        prop_assert!(fills.iter().all(|change| change.key.kind() == Kind::Target), "{fills:?}");
        let adds = diff(&desired, &world, &limited(adding_only(), retire)).changes;
        prop_assert!(!adds.iter().any(|change| matches!(change.write, Write::Delete { .. })), "{adds:?}");
        let theirs = limited(Limits { weight: Upkeep::CreateOnly, ..Limits::default() }, retire);
        for change in diff(&desired, &world, &theirs).changes {
            let Write::Patch { fields, .. } = &change.write else { continue };
            prop_assert!(change.key.kind() != Kind::Target || !fields.contains_key("weight"), "{change:?}");
        }
    }

    /// Observing tells all that owning would do, and a little more: what is retired in steps is told at once.
    #[test]
    fn observing_tells_what_owning_would_do(desired in desired(), world in world()) {
        let owns = diff(&desired, &world, &limited(Limits::default(), false)).changes;
        let observes = diff(&desired, &world, &limited(observing(), false)).withheld;
        for change in owns {
            prop_assert!(observes.iter().any(|withheld| withheld.change == change), "{change:?}");
        }
    }

    #[test]
    fn a_limited_plan_that_was_applied_leaves_nothing_to_do(desired in desired(), world in world(), retire: bool) {
        for limits in [filling(), adding_only()] {
            let context = limited(limits, retire);
            let after = apply(&world, &diff(&desired, &world, &context));
            prop_assert_eq!(diff(&desired, &after, &context).changes, vec![]);
        }
    }
}
