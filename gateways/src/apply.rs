//! Carries out a plan level by level. What a failed change was needed for is not tried; all else is.

use std::future::Future;

use futures::stream::{self, StreamExt as _};

use crate::order::{self, Verb};
use crate::{Applied, ApplyError, Change, Effect, Failure, Kind, ObjectKey, Plan, Retry, Write};

/// Makes each change of a plan by `make`; those of one level up to `width` at once.
pub(crate) async fn apply<'a, F>(plan: &'a Plan, width: usize, make: impl Fn(&'a Change) -> F) -> Applied
where
    F: Future<Output = Result<Effect, ApplyError>>,
{
    let mut applied = Applied::default();
    for level in plan.changes.chunk_by(|a, b| order::level(a) == order::level(b)) {
        let mut ready = Vec::with_capacity(level.len());
        for change in level {
            match applied.failed.iter().find(|failure| is_needed_for(failure, change)) {
                Some(cause) => {
                    let failure = skipped(change, cause);
                    applied.failed.push(failure);
                }
                None => {
                    let effect = make(change);
                    ready.push(async move { (change.clone(), effect.await) });
                }
            }
        }
        let made: Vec<_> = stream::iter(ready).buffer_unordered(width.max(1)).collect().await;
        for (change, result) in made {
            match result {
                Ok(effect) => applied.done.push((change, effect)),
                Err(error) => applied.failed.push(Failure { change, error }),
            }
        }
    }
    applied
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

    use super::*;
    use crate::{Fields, TargetAddress};

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
}
