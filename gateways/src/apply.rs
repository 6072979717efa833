//! Carries out a plan level by level. What a failed change was needed for is not tried; all else is.

use std::future::Future;

use futures::stream::{self, StreamExt as _};

use crate::order::{self, Verb};
use crate::{Applied, ApplyError, Change, Effect, Failure, Fields, Kind, ObjectKey, Plan, Retry, Write};

/// Makes each change of a plan by `make`; those of one level up to `width` at once, but those of an upstream that
/// is written one at a time after each other.
pub(crate) async fn apply<'a, F>(plan: &'a Plan, width: usize, make: impl Fn(&'a Change) -> F) -> Applied
where
    F: Future<Output = Result<Effect, ApplyError>>,
{
    let mut applied = Applied::default();
    for level in plan.changes.chunk_by(|a, b| order::level(plan, a) == order::level(plan, b)) {
        let mut ready = Vec::with_capacity(level.len());
        for change in level {
            match applied.failed.iter().find(|failure| is_needed_for(failure, change)) {
                Some(cause) => {
                    let failure = skipped(change, cause);
                    applied.failed.push(failure);
                }
                None => ready.push(change),
            }
        }
        let same = |a: &&Change, b: &&Change| {
            plan.sequence_of(a).is_some() && plan.sequence_of(a) == plan.sequence_of(b)
        };
        let mut lanes = Vec::with_capacity(ready.len());
        for lane in ready.chunk_by(same) {
            lanes.push(in_turn(lane, &make));
        }
        let made: Vec<Applied> = stream::iter(lanes).buffer_unordered(width.max(1)).collect().await;
        for lane in made {
            applied.done.extend(lane.done);
            applied.failed.extend(lane.failed);
        }
    }
    applied
}

/// Makes changes one after another.
async fn in_turn<'a, F>(changes: &[&'a Change], make: &impl Fn(&'a Change) -> F) -> Applied
where
    F: Future<Output = Result<Effect, ApplyError>>,
{
    let mut applied = Applied::default();
    for change in changes {
        if let Some(cause) = applied.failed.iter().find(|failure| breaks_off(failure, change)) {
            let failure = skipped(change, cause);
            applied.failed.push(failure);
            continue;
        }
        match make(change).await {
            Ok(effect) => applied.done.push(((*change).clone(), effect)),
            Err(error) => applied.failed.push(Failure { change: (*change).clone(), error }),
        }
    }
    applied
}

/// Whether a later change of the same sequence must not follow a failed one. The order was reckoned with each step
/// taken, so it is reckoned anew from what stands; after a step that is refused for good, nothing more is taken
/// away, and what adds goes on.
fn breaks_off(failure: &Failure, change: &Change) -> bool {
    failure.error.retry != Retry::Never || takes_away(change)
}

fn takes_away(change: &Change) -> bool {
    match &change.write {
        Write::Create(_) => false,
        Write::Patch { fields, before, .. } => {
            let weight = |of: &Fields| of.get("weight").and_then(serde_json::Value::as_u64);
            weight(fields) < weight(before)
        }
        Write::Delete { .. } => true,
    }
}

/// Whether `change` would do harm, or be refused, after the failure of another.
fn is_needed_for(failure: &Failure, change: &Change) -> bool {
    let failed = (failure.change.write.verb(), &failure.change.key);
    match (failed, change.write.verb(), &change.key) {
        (
            (Verb::Create, ObjectKey::Upstream(gone)),
            Verb::Create | Verb::Patch,
            ObjectKey::Target(upstream, _),
        ) => gone == upstream,
        ((Verb::Create, ObjectKey::Upstream(gone)), _, ObjectKey::Service(_)) => leads(change, "host", gone),
        ((Verb::Create, ObjectKey::Service(gone)), _, ObjectKey::Route(_)) => leads(change, "service", gone),
        // What a service is moved over to must be filled first, as far as it can be.
        ((Verb::Create, ObjectKey::Target(unfilled, _)), Verb::Patch, ObjectKey::Service(_)) => {
            leads(change, "host", unfilled) && failure.error.retry != Retry::Never
        }
        // An addition that comes later must not find the upstream empty. One that is refused for good doesn't
        // come.
        ((Verb::Create, ObjectKey::Target(left, _)), Verb::Delete, ObjectKey::Target(upstream, _)) => {
            left == upstream && failure.error.retry != Retry::Never
        }
        // What still leads there, or would, must go first; which it is, a deletion doesn't say.
        ((_, user), Verb::Delete, ObjectKey::Service(_)) => user.kind() == Kind::Route,
        ((_, user), Verb::Delete, ObjectKey::Upstream(_)) => user.kind() == Kind::Service,
        _ => false,
    }
}

fn leads(change: &Change, link: &str, to: &str) -> bool {
    match &change.write {
        Write::Create(fields) | Write::Patch { fields, .. } => {
            fields.get(link).and_then(serde_json::Value::as_str) == Some(to)
        }
        Write::Delete { .. } => false,
    }
}

fn skipped(change: &Change, cause: &Failure) -> Failure {
    let message =
        format!("not tried, since {} comes first and failed: {}", cause.change.key, cause.error.message);
    Failure { change: change.clone(), error: ApplyError { message, retry: cause.error.retry } }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use std::sync::Mutex;

    use super::*;
    use crate::TargetAddress;

    fn change(key: ObjectKey, write: Write) -> Change {
        Change { key, write, reason: String::new() }
    }

    fn create(key: ObjectKey) -> Change {
        let fields = match key.kind() {
            Kind::Service => Fields::from_iter([("host".to_owned(), "up".into())]),
            Kind::Route => Fields::from_iter([("service".to_owned(), "svc".into())]),
            Kind::Upstream | Kind::Target => Fields::new(),
        };
        change(key, Write::Create(fields))
    }

    fn delete(key: ObjectKey) -> Change {
        change(key, Write::Delete { id: "id".into() })
    }

    fn upstream(name: &str) -> ObjectKey {
        ObjectKey::Upstream(name.into())
    }

    fn target(upstream: &str, address: &str) -> ObjectKey {
        ObjectKey::Target(upstream.into(), TargetAddress::stored(address))
    }

    /// What is not done when the first change fails in this way.
    async fn failing(changes: Vec<Change>, retry: Retry) -> BTreeSet<String> {
        let first = changes[0].key.clone();
        let plan = Plan { changes, ..Plan::default() };
        let make = |change: &Change| {
            let fails = change.key == first;
            async move {
                if fails {
                    return Err(ApplyError { message: "refused".into(), retry });
                }
                Ok(Effect::Written(Box::default()))
            }
        };
        let applied = apply(&plan, 4, make).await;
        assert_eq!(applied.done.len() + applied.failed.len(), plan.changes.len());
        applied.failed.iter().map(|failure| failure.change.key.to_string()).collect()
    }

    #[tokio::test]
    async fn what_needs_a_failed_upstream_is_not_tried_and_all_else_is() {
        let changes = vec![
            create(upstream("up")),
            create(upstream("other")),
            create(target("up", "a:1")),
            create(target("other", "a:1")),
            create(ObjectKey::Service("svc".into())),
            create(ObjectKey::Route("route".into())),
        ];
        let failed = failing(changes, Retry::Backoff(None)).await;
        assert_eq!(
            failed,
            ["route route", "service svc", "target a:1 of upstream up", "upstream up"].map(Into::into).into()
        );
    }

    #[tokio::test]
    async fn no_target_goes_before_those_that_come_unless_they_never_will() {
        let changes =
            || vec![create(target("up", "a:1")), delete(target("up", "b:1")), delete(target("other", "b:1"))];
        assert_eq!(failing(changes(), Retry::Backoff(None)).await.len(), 2);
        assert_eq!(failing(changes(), Retry::Never).await.len(), 1);
    }

    #[tokio::test]
    async fn an_upstream_stays_when_its_service_could_not_go() {
        let changes = vec![delete(ObjectKey::Service("svc".into())), delete(upstream("up"))];
        assert_eq!(failing(changes, Retry::Backoff(None)).await.len(), 2);
    }
    fn weigh(at: &str, before: u32, after: u32) -> Change {
        let weight = |weight: u32| Fields::from_iter([("weight".to_owned(), weight.into())]);
        change(
            target("split", at),
            Write::Patch { id: at.into(), fields: weight(after), before: weight(before) },
        )
    }

    /// What is made of a sequence, in order, when the change of `broken` fails in this way.
    async fn sequence(changes: Vec<Change>, broken: &str, retry: Retry) -> Vec<String> {
        let one_at_a_time = BTreeSet::from(["split".to_owned()]);
        let plan = Plan { changes, one_at_a_time, ..Plan::default() };
        let (made, under_way) = (Mutex::new(Vec::new()), Mutex::new(0));
        let make = |change: &Change| {
            let name = change.key.to_string();
            let (made, under_way) = (&made, &under_way);
            async move {
                *under_way.lock().unwrap() += 1;
                tokio::task::yield_now().await;
                let at_once = std::mem::replace(&mut *under_way.lock().unwrap(), 0);
                assert_eq!(at_once, 1, "two writes of a sequence at once");
                if name.contains(broken) {
                    return Err(ApplyError { message: "refused".into(), retry });
                }
                made.lock().unwrap().push(name.replace(" of upstream split", "").replace("target ", ""));
                Ok(Effect::Written(Box::default()))
            }
        };
        let applied = apply(&plan, 16, make).await;
        assert_eq!(applied.done.len() + applied.failed.len(), plan.changes.len());
        made.into_inner().unwrap()
    }

    fn steps() -> Vec<Change> {
        vec![
            weigh("d:1", 1, 2),
            delete(target("split", "a:1")),
            create(target("split", "b:1")),
            weigh("c:1", 2, 1),
            weigh("e:1", 1, 3),
        ]
    }

    #[tokio::test]
    async fn a_sequence_is_made_one_at_a_time_as_it_stands_and_breaks_off_at_a_failure() {
        assert_eq!(sequence(steps(), "none", Retry::ReadAgain).await, ["d:1", "a:1", "b:1", "c:1", "e:1"]);
        assert_eq!(sequence(steps(), "a:1", Retry::Backoff(None)).await, ["d:1"]);
        assert_eq!(sequence(steps(), "b:1", Retry::ReadAgain).await, ["d:1", "a:1"]);
    }

    #[tokio::test]
    async fn after_a_refusal_for_good_a_sequence_still_adds_but_takes_nothing_away() {
        assert_eq!(sequence(steps(), "d:1", Retry::Never).await, ["b:1", "e:1"]);
    }

    #[tokio::test]
    async fn no_service_is_moved_to_an_upstream_that_could_not_be_filled_yet() {
        let moved = Write::Patch {
            id: "id".into(),
            fields: Fields::from_iter([("host".to_owned(), "up".into())]),
            before: Fields::new(),
        };
        let changes =
            || vec![create(target("up", "a:1")), change(ObjectKey::Service("svc".into()), moved.clone())];
        assert_eq!(failing(changes(), Retry::Backoff(None)).await.len(), 2);
        assert_eq!(failing(changes(), Retry::Never).await.len(), 1);
    }
}
