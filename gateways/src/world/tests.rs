//! What a reading does to what is known.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::*;
use crate::tags::{Mark, owner_tag, selector};
use crate::{Listed, ReadScope};

fn tags() -> Tags {
    Mark::new("o", "t").tags().union(&selector("r", "n", "s")).cloned().collect()
}

fn object(id: &str, leads_to: Option<&str>) -> LiveObject {
    LiveObject {
        id: id.into(),
        tags: Arc::new(tags()),
        leads_to: leads_to.map(str::to_owned),
        fields: Arc::new(Fields::from_iter([("retries".to_owned(), 5.into())])),
    }
}

fn address(text: &str) -> TargetAddress {
    TargetAddress::stored(text)
}

fn upstream(id: &str, targets: Option<&[(&str, u32)]>) -> LiveUpstream {
    let target = |(at, weight): &(&str, u32)| {
        (address(at), LiveTarget { id: format!("id of {at}"), weight: *weight, tags: Arc::new(tags()) })
    };
    LiveUpstream {
        object: object(id, None),
        targets: targets.map(|targets| targets.iter().map(target).collect()),
    }
}

fn world(targets: Option<&[(&str, u32)]>) -> World {
    let mut world = World::default();
    world.insert_upstream("up", upstream("u", targets));
    world.insert_service("svc", object("s", Some("up")));
    world.insert_route("route", object("r", Some("svc")));
    world
}

fn all() -> ReadScope {
    ReadScope::All(listed())
}

fn listed() -> Listed {
    Listed { tags: Tags::from([owner_tag("o")]), ..Listed::default() }
}

fn audit(known: KnownTargets) -> ReadScope {
    ReadScope::Audit { listed: listed(), owner: owner_tag("o"), known }
}

fn names(upstream: &str) -> ReadScope {
    ReadScope::Names {
        upstreams: [upstream.to_owned()].into(),
        services: BTreeSet::new(),
        routes: BTreeSet::new(),
    }
}

fn write(world: &mut World, key: ObjectKey, object: LiveObject) {
    let change = Change { key, write: crate::Write::Create(Fields::new()), reason: String::new() };
    world.record(&change, &Effect::Written(Box::new(object)));
}

fn target_key(at: &str) -> ObjectKey {
    ObjectKey::Target("up".into(), address(at))
}

#[test]
fn a_whole_reading_replaces_everything_but_what_was_written_since() {
    let mut known = world(Some(&[("a:1", 100)]));
    let since = known.version();
    write(&mut known, target_key("b:1"), LiveObject { fields: Arc::default(), ..object("t", None) });
    write(&mut known, ObjectKey::Service("new".into()), object("n", Some("up")));
    let expected = known.clone();
    // The reading began before the writes and ended after them.
    known.merge(&all(), world(Some(&[("a:1", 100)])), since);
    assert_eq!(known, expected);
    let later = known.version();
    known.merge(&all(), World::default(), later);
    assert_eq!(known, World::default());
    assert_eq!(known.made_for(&selector("r", "n", "s")), BTreeSet::new());
}

#[test]
fn an_audit_keeps_the_targets_that_it_did_not_list() {
    let mut known = world(Some(&[("a:1", 7)]));
    let ids = known.targets_with(&owner_tag("o"));
    assert_eq!(ids, [("id of a:1".to_owned(), "up".to_owned())].into());
    known.merge(&audit(ids.clone()), world(None), 0);
    assert_eq!(known, world(Some(&[("a:1", 7)])));
    // Made anew under the same name, it is not the one whose targets are known.
    let mut anew = world(None);
    anew.insert_upstream("up", upstream("another", None));
    known.merge(&audit(ids), anew, 0);
    assert_eq!(known.upstream("up").unwrap().targets, None);
}

#[test]
fn a_reading_by_name_says_nothing_of_other_names() {
    let mut known = world(Some(&[("a:1", 7)]));
    known.insert_upstream("other", upstream("x", Some(&[])));
    known.insert_plugin(ObjectKey::Service("svc".into()), "key-auth");
    let mut expected = known.clone();
    known.merge(&names("other"), World::default(), 0);
    expected.remove(&ObjectKey::Upstream("other".into()));
    assert_eq!(known, expected);
}

#[test]
fn a_reading_of_uses_covers_all_that_may_use() {
    let mut known = world(Some(&[("a:1", 7)]));
    let mut reading = World::default();
    reading.insert_service("theirs", object("x", Some("up")));
    reading.insert_plugin(ObjectKey::Service("theirs".into()), "key-auth");
    known.merge(&ReadScope::Uses { upstreams: BTreeSet::new() }, reading, 0);
    assert_eq!(known.services_leading_to("up").collect::<Vec<_>>(), ["theirs"]);
    assert_eq!(known.routes().len(), 0);
    assert!(known.upstream("up").is_some(), "it was not asked for");
    assert!(known.plugins_on(&ObjectKey::Service("theirs".into())).is_some());
}

#[test]
fn one_target_does_not_pass_for_all_of_an_upstream_that_was_not_listed() {
    let mut known = world(None);
    write(&mut known, target_key("b:1"), object("t", None));
    assert_eq!(known, world(None));
}

#[test]
fn equal_fields_and_tags_are_kept_once() {
    let known = world(Some(&[("a:1", 1), ("b:1", 2)]));
    let up = known.upstream("up").unwrap();
    assert!(Arc::ptr_eq(&up.object.fields, &known.service("svc").unwrap().fields));
    assert!(up.targets.as_ref().unwrap().values().all(|target| Arc::ptr_eq(&target.tags, &up.object.tags)));
}
