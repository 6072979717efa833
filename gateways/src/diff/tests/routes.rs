//! Routes that match the same requests as others.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{apply, built, context, foreign, keys, marked, ours, simple};
use crate::tags::selector;
use crate::{Context, Desired, Fields, LiveObject, Mark, ObjectKey, Plan, Route, Tags, World, diff};

fn fields(of: &Value) -> Fields {
    of.as_object().unwrap().clone()
}

/// The simple service with routes of these names and fields.
fn routed(routes: &[(&str, Value)]) -> Desired {
    let route = |of: &Value| Route { service: "svc".into(), tags: ours(), fields: fields(of) };
    let routes = routes.iter().map(|(name, of)| ((*name).to_owned(), route(of)));
    Desired { routes: routes.collect(), ..simple(&[1]) }
}

fn live(tags: Tags, of: &Value) -> LiveObject {
    LiveObject { tags: Arc::new(tags), fields: Arc::new(fields(of)), ..foreign(None) }
}

/// The marks of another service of the same task.
fn of_another_service() -> Tags {
    Mark::new("causeway", "task").tags().union(&selector("r", "n", "other")).cloned().collect()
}

fn only_conflict(plan: &Plan) -> &str {
    assert_eq!(plan.conflicts.len(), 1, "{:?}", plan.conflicts);
    &plan.conflicts[0].reason
}

fn orders() -> Value {
    json!({ "paths": ["/orders"] })
}

#[test]
fn a_newcomer_gives_way_to_whoever_stands() {
    for (tags, whose) in [
        (of_another_service(), "of service n/other"),
        (marked("causeway", "second"), "of service n/s"),
        (marked("elsewhere", "task"), "of deployment elsewhere"),
        (Tags::new(), "which bears no mark of Causeway"),
    ] {
        let mut world = built(&[1]);
        world.insert_route("z", live(tags, &orders()));
        let plan = diff(&routed(&[("a", orders())]), &world, &context());
        assert_eq!(plan.changes, []);
        assert!(only_conflict(&plan).contains(whose), "{:?}", plan.conflicts);

        let plan = diff(&routed(&[("a", json!({ "paths": ["/elsewhere"] }))]), &world, &context());
        assert_eq!((keys(&plan.changes), plan.conflicts), (vec!["create route a".to_owned()], vec![]));
    }
}

#[test]
fn a_route_that_stands_does_not_move_to_where_another_one_is() {
    let world = built(&[1]);
    let mut world = apply(&world, &diff(&routed(&[("a", json!({ "paths": ["/a"] }))]), &world, &context()));
    world.insert_route("b", live(of_another_service(), &orders()));
    let plan = diff(&routed(&[("a", orders())]), &world, &context());
    assert_eq!((&plan.changes, &plan.retiring), (&vec![], &vec![]));
    assert!(only_conflict(&plan).contains("until that one is gone"), "{:?}", plan.conflicts);
}

/// Two services whose turns run at the same time may both make theirs.
#[test]
fn of_two_made_at_the_same_time_the_first_by_name_stays() {
    let world = built(&[1]);
    let world = apply(&world, &diff(&routed(&[("m", orders())]), &world, &context()));
    let beside = |name: &str, tags: Tags| {
        let mut world = world.clone();
        world.insert_route(name, live(tags, &orders()));
        world
    };
    let plan = |world: &World| diff(&routed(&[("m", orders())]), world, &context());

    let first = plan(&beside("z", of_another_service()));
    assert_eq!((&first.changes, &first.retiring), (&vec![], &vec![]));
    assert!(only_conflict(&first).contains("that one gives way"), "{:?}", first.conflicts);

    let second = plan(&beside("a", of_another_service()));
    assert_eq!(second.retiring[0].key, ObjectKey::Route("m".into()));
    assert!(only_conflict(&second).contains("this one gives way"), "{:?}", second.conflicts);
    let retire = [ObjectKey::Route("m".into())].into();
    let gone = diff(
        &routed(&[("m", orders())]),
        &beside("a", of_another_service()),
        &Context { retire, ..context() },
    );
    assert_eq!(keys(&gone.changes), ["delete route m"]);

    let foreign = plan(&beside("a", Tags::new()));
    assert_eq!(
        (&foreign.changes, &foreign.retiring),
        (&vec![], &vec![]),
        "people's routes drive none of ours away"
    );
    assert!(only_conflict(&foreign).contains("both stand"), "{:?}", foreign.conflicts);
}

#[test]
fn of_two_of_one_service_the_first_by_name_is_made() {
    let header = |value: &str| json!({ "paths": ["/orders"], "headers": { "x-version": [value] } });
    let desired =
        routed(&[("svc", orders()), ("svc~A", header("A")), ("svc~a", header("a")), ("svc~b", header("b"))]);
    let world = built(&[1]);
    let plan = diff(&desired, &world, &context());
    assert_eq!(keys(&plan.changes), ["create route svc", "create route svc~a", "create route svc~b"]);
    assert_eq!(plan.conflicts[0].key, ObjectKey::Route("svc~a".into()));
    assert!(only_conflict(&plan).contains("svc~A, of the same service"), "{:?}", plan.conflicts);
}

/// The old one goes only when the new one stands: no request falls between them.
#[test]
fn a_group_of_another_name_takes_over_the_requests_of_the_old_one() {
    let world = built(&[1]);
    let world = apply(&world, &diff(&routed(&[("svc~old", orders())]), &world, &context()));
    let plan = diff(&routed(&[("svc~new", orders())]), &world, &context());
    assert_eq!((keys(&plan.changes), plan.conflicts), (vec!["create route svc~new".to_owned()], vec![]));
    assert_eq!(plan.retiring[0].key, ObjectKey::Route("svc~old".into()));
}
