//! What is taken over, what is not, and that it is given back as it was.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::diff::tests::random::{desired, tags_found, world};
use crate::diff::tests::{apply, context, foreign, marked, ours, simple};
use crate::tags::without_marks;
use crate::{
    Change, Existence, LiveObject, LiveTarget, LiveUpstream, Mark, ObjectKey, Plan, Tags, TargetAddress,
    World, Write, diff,
};

fn tags(words: &[&str]) -> Tags {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn address(n: u8) -> TargetAddress {
    TargetAddress::new(&format!("10.0.0.{n}"), 80).unwrap()
}

/// An upstream `up` and a service `svc` with these tags, and unmarked targets with these numbers.
fn made_by_hand(upstream: &Tags, numbers: &[u8]) -> World {
    let mut world = World::default();
    let target = |n: &u8| {
        (address(*n), LiveTarget { id: format!("t{n}"), weight: u32::from(*n), tags: Arc::default() })
    };
    let object = LiveObject { tags: Arc::new(upstream.clone()), ..foreign(None) };
    let targets = Some(numbers.iter().map(target).collect());
    world.insert_upstream("up", LiveUpstream { object, targets });
    world.insert_service("svc", LiveObject { tags: Arc::new(upstream.clone()), ..foreign(Some("up")) });
    world
}

fn keys(plan: &Plan) -> Vec<String> {
    plan.changes.iter().map(|change| change.key.to_string()).collect()
}

fn only_tags(changes: &[Change]) -> bool {
    changes.iter().all(|change| match &change.write {
        Write::Patch { fields, .. } => fields.keys().eq(["tags"]),
        _ => false,
    })
}

#[test]
fn what_stands_unmarked_under_our_names_is_taken_over_and_nothing_else() {
    let world = made_by_hand(&tags(&["edge"]), &[1, 2]);
    let plan = adopt(&simple(&[1, 3]), &world, &context(), &Tags::new());
    assert_eq!(keys(&plan), ["upstream up", "target 10.0.0.1:80 of upstream up", "service svc"]);
    assert!(only_tags(&plan.changes));
    let kept: Vec<String> = plan.kept.iter().map(|kept| kept.key.to_string()).collect();
    assert_eq!(kept, ["target 10.0.0.2:80 of upstream up"]);
    let after = apply(&world, &plan);
    let expected: Tags = ours().into_iter().chain(tags(&["edge"])).collect();
    assert_eq!(*after.service("svc").unwrap().tags, expected);
    assert_eq!(adopt(&simple(&[1, 3]), &after, &context(), &Tags::new()).changes, []);
}

#[test]
fn what_a_filler_left_in_its_upstreams_is_taken_whole() {
    let left = tags(&["NACOS"]);
    let plan = adopt(&simple(&[1]), &made_by_hand(&left, &[1, 2]), &context(), &left);
    let taken = keys(&plan);
    assert!(taken.contains(&"target 10.0.0.2:80 of upstream up".to_owned()), "{taken:?}");
    let after = apply(&made_by_hand(&left, &[1, 2]), &plan);
    let gone = diff(&simple(&[1]), &after, &context()).changes;
    assert!(gone.iter().any(|change| change.key == ObjectKey::Target("up".into(), address(2))), "{gone:?}");
    // What a person puts there later is theirs.
    let mut upstream = after.upstream("up").unwrap().clone();
    let by_hand = LiveTarget { id: "x".into(), weight: 1, tags: Arc::default() };
    upstream.targets.as_mut().unwrap().insert(address(9), by_hand);
    let mut later = after;
    later.insert_upstream("up", upstream);
    assert_eq!(adopt(&simple(&[1]), &later, &context(), &left).changes, []);
}

#[test]
fn of_an_upstream_that_is_only_filled_the_wanted_targets_are_taken() {
    let mut desired = simple(&[1]);
    desired.upstreams.get_mut("up").unwrap().existence = Existence::Filled;
    let plan = adopt(&desired, &made_by_hand(&tags(&["mine"]), &[1, 2]), &context(), &Tags::new());
    assert_eq!(keys(&plan), ["target 10.0.0.1:80 of upstream up", "service svc"]);
}

#[test]
fn what_bears_another_mark_is_a_conflict_and_so_are_its_targets_left() {
    let world = made_by_hand(&marked("other", "task"), &[1]);
    let plan = adopt(&simple(&[1]), &world, &context(), &Tags::new());
    assert_eq!(plan.changes, []);
    assert_eq!(plan.conflicts.len(), 2, "{:?}", plan.conflicts);
}

#[test]
fn targets_that_were_not_listed_are_asked_for() {
    let mut world = made_by_hand(&Tags::new(), &[1]);
    let unlisted = LiveUpstream { targets: None, ..world.upstream("up").unwrap().clone() };
    world.insert_upstream("up", unlisted);
    let asked = BTreeSet::from(["up".to_owned()]);
    assert_eq!(adopt(&simple(&[1]), &world, &context(), &Tags::new()).unread, asked);
    let mut ours_unlisted = World::default();
    let object = LiveObject { tags: Arc::new(ours()), ..foreign(None) };
    ours_unlisted.insert_upstream("up", LiveUpstream { object, targets: None });
    assert_eq!(hand_over(&ours_unlisted, &context().mark).unread, asked);
    let new = crate::Context { mark: Mark::new("new", "task"), ..context() };
    assert_eq!(take_from(&ours_unlisted, &context().mark, &new).unread, asked);
}

#[test]
fn a_renamed_task_or_deployment_finds_its_objects_again() {
    let before = made_by_hand(&tags(&["edge"]), &[1]);
    let world = apply(&before, &adopt(&simple(&[1]), &before, &context(), &Tags::new()));
    for new in [Mark::new("new", "task"), Mark::new("causeway", "renamed")] {
        let context = crate::Context { mark: new.clone(), ..context() };
        let plan = take_from(&world, &Mark::new("causeway", "task"), &context);
        assert!(only_tags(&plan.changes));
        let after = apply(&world, &plan);
        let tags: Vec<&Tags> = after.all_tags().collect();
        assert!(tags.iter().all(|tags| new.owns(tags)), "{tags:?}");
        assert!(after.service("svc").unwrap().tags.contains("edge"));
        assert_eq!(take_from(&after, &Mark::new("causeway", "task"), &context).changes, []);
    }
}

/// All that is no tag.
fn without_tags(world: &World) -> World {
    let bare = |object: &LiveObject| LiveObject { tags: Arc::default(), ..object.clone() };
    let mut other = World::default();
    for (name, upstream) in world.upstreams() {
        let target = |target: &LiveTarget| LiveTarget { tags: Arc::default(), ..target.clone() };
        let targets = upstream.targets.as_ref();
        let targets = targets.map(|all| all.iter().map(|(a, t)| (a.clone(), target(t))).collect());
        other.insert_upstream(name, LiveUpstream { object: bare(&upstream.object), targets });
    }
    world.services().iter().for_each(|(name, it)| other.insert_service(name, bare(it)));
    world.routes().iter().for_each(|(name, it)| other.insert_route(name, bare(it)));
    other
}

/// Only what bears no mark at all, as a gateway is before Causeway comes to it.
fn unmarked(world: &World) -> World {
    let mut other = World::default();
    let is_free = |tags: &Tags| without_marks(tags) == *tags;
    for (name, upstream) in world.upstreams().iter().filter(|(_, it)| is_free(&it.object.tags)) {
        let mut upstream = upstream.clone();
        if let Some(targets) = &mut upstream.targets {
            targets.retain(|_, target| is_free(&target.tags));
        }
        other.insert_upstream(name, upstream);
    }
    let free = |map: &BTreeMap<String, LiveObject>| {
        map.iter()
            .filter(|(_, it)| is_free(&it.tags))
            .map(|(n, it)| (n.clone(), it.clone()))
            .collect::<Vec<_>>()
    };
    free(world.services()).into_iter().for_each(|(name, it)| other.insert_service(&name, it));
    free(world.routes()).into_iter().for_each(|(name, it)| other.insert_route(&name, it));
    other
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn only_tags_change_and_what_was_foreseen_comes(desired in desired(), world in world(), filler in tags_found()) {
        let plan = adopt(&desired, &world, &context(), &filler);
        prop_assert!(only_tags(&plan.changes));
        let after = apply(&world, &plan);
        prop_assert_eq!(without_tags(&after), without_tags(&world));
        prop_assert_eq!(&foreseen(&world, &plan.changes), &after);
        prop_assert_eq!(adopt(&desired, &after, &context(), &filler).changes, vec![]);
    }

    /// No name that stands is in the way any more, unless somebody else's mark is on it.
    #[test]
    fn nothing_unmarked_is_a_conflict_afterwards(desired in desired(), world in world()) {
        let plan = adopt(&desired, &world, &context(), &Tags::new());
        let after = apply(&world, &plan);
        let then = diff(&desired, &after, &context());
        for conflict in &then.conflicts {
            prop_assert!(!conflict.reason.contains("until it is gone or `causeway adopt`"), "{conflict:?}");
        }
        let stands = |key: &ObjectKey| world.object(key).is_some();
        let made_anew = then.changes.iter().find(|it| matches!(it.write, Write::Create(_)) && stands(&it.key));
        prop_assert_eq!(made_anew, None);
    }

    #[test]
    fn what_was_taken_over_is_given_back_exactly(desired in desired(), world in world(), filler in tags_found()) {
        let world = unmarked(&world);
        let plan = adopt(&desired, &world, &context(), &filler);
        let taken = apply(&world, &plan);
        prop_assert_eq!(apply(&taken, &hand_over(&taken, &context().mark)), world);
    }

    #[test]
    fn handing_over_touches_nobody_elses(world in world()) {
        let plan = hand_over(&world, &context().mark);
        prop_assert!(only_tags(&plan.changes));
        let after = apply(&world, &plan);
        prop_assert!(!after.all_tags().any(|tags| context().mark.owns(tags) && plan.unread.is_empty()));
        let mut theirs: Vec<&Tags> = world.all_tags().filter(|tags| !context().mark.owns(tags)).collect();
        let marked: Vec<&Tags> = after.all_tags().filter(|tags| without_marks(tags) != **tags).collect();
        theirs.retain(|tags| without_marks(tags) != **tags);
        prop_assert_eq!(marked.into_iter().collect::<BTreeSet<_>>(), theirs.into_iter().collect::<BTreeSet<_>>());
    }
}
