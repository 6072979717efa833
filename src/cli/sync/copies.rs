//! One pass over a direction between two registries.

use std::time::Duration;

use futures::stream::{self, StreamExt};

use crate::cli::pass::Selection;
use crate::model::ServiceKey;
use crate::reconcile::{CopyFlow, CopyOutcome, CopyState, CopyView, Removals, ServiceView};
use crate::registries::Life;

/// What came of a pass.
#[derive(Debug, Default)]
pub(super) struct Passed {
    pub(super) services: usize,
    pub(super) changes: usize,
    pub(super) withheld: usize,
    /// Services of which copies stay until another direction's stand.
    pub(super) handed_over: Vec<ServiceKey>,
    /// What failed, is held or stands in the way, a line each.
    pub(super) complaints: Vec<String>,
}

/// Carries out what a direction would do for the selected services. `at_work` says that another Causeway runs the task, and so renews
/// what is written.
pub(super) async fn sync(flow: &CopyFlow, selection: &Selection, at_work: bool) -> Passed {
    let turns = selection.copied_keys(flow).into_iter().map(|key| async move {
        let outcome = flow.carry_out(&key, Removals::Now).await;
        (flow.explained(&key, &outcome), key, outcome)
    });
    let width = flow.destination.width();
    let mut turns: Vec<(ServiceView, ServiceKey, CopyOutcome)> =
        stream::iter(turns).buffer_unordered(width).collect().await;
    turns.sort_by(|one, other| one.1.cmp(&other.1));
    let mut passed = Passed { services: turns.len(), ..Passed::default() };
    let (from, to) = (flow.way.read(), flow.way.written());
    for (view, key, outcome) in &turns {
        passed.changes += outcome.changes;
        passed.withheld += outcome.look.withheld.len();
        passed.handed_over.extend(view.those(CopyState::HandedOver).next().map(|_| key.clone()));
        let failure = outcome.failure.as_ref().map(|(message, _)| message.as_str());
        passed.complaints.extend(complaints(view, key, to, failure));
    }
    let unnamed = flow.unnamed().into_iter().filter(|(key, _)| selection.wants(key));
    passed
        .complaints
        .extend(unnamed.map(|(key, reason)| format!("not carried: {key} of {from}, because {reason}")));
    let stand = turns.iter().any(|(view, ..)| view.copies.iter().any(stands));
    passed.complaints.extend(lapsing(flow.destination.life(), stand, at_work).map(|lives| {
        format!(
            "lapsing: task {}: {to} drops these copies {} s after the last renewal, and a single pass renews nothing; \
             `causeway run` does",
            flow.way.task().name,
            lives.as_secs()
        )
    }));
    passed
}

/// Removes what has been handed over, now that every direction has had its pass.
pub(super) async fn finish(flow: &CopyFlow, keys: Vec<ServiceKey>) -> Passed {
    let (mut passed, to) = (Passed::default(), flow.way.written());
    for key in keys {
        let outcome = flow.carry_out(&key, Removals::Now).await;
        passed.changes += outcome.changes;
        let failure = outcome.failure.iter().map(|(message, _)| format!("failed: {key}: {message}"));
        passed.complaints.extend(failure);
        let view = flow.explained(&key, &outcome);
        let stays = view.those(CopyState::HandedOver);
        passed
            .complaints
            .extend(stays.map(|copy| format!("held: {key}: copy {} in {to}: {}", copy.address, copy.reason)));
    }
    passed
}

fn stands(copy: &CopyView) -> bool {
    matches!(copy.state, CopyState::Present | CopyState::Differs | CopyState::Disputed | CopyState::Held)
}

/// How long what stands lives on, where nobody renews it.
fn lapsing(life: Life, stand: bool, at_work: bool) -> Option<Duration> {
    match life {
        Life::Lease { expires_after, .. } if stand && !at_work => Some(expires_after),
        Life::Lease { .. } | Life::Permanent => None,
    }
}

/// What of a service failed, is held or stands in the way.
fn complaints(view: &ServiceView, key: &ServiceKey, to: &str, failure: Option<&str>) -> Vec<String> {
    let mut told: Vec<String> =
        failure.map(|message| format!("failed: {key}: {message}")).into_iter().collect();
    let unread = || format!("failed: {key}: not read completely, so nothing of it was touched");
    told.extend(view.unread.then(unread));
    told.extend(view.waiting.iter().map(|reason| format!("waiting: {key} in {to}: {reason}")));
    let states =
        [(CopyState::Held, "held"), (CopyState::Conflict, "conflict"), (CopyState::Disputed, "differs")];
    for (state, word) in states {
        let those = view.those(state).filter(|copy| copy.withheld_by.is_none());
        told.extend(
            those.map(|copy| format!("{word}: {key}: copy {} in {to}: {}", copy.address, copy.reason)),
        );
    }
    told
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::sync::Outcome;

    fn view(copies: &[(u8, Outcome, CopyState, &str)]) -> ServiceView {
        let copies = copies.iter().map(|(last, outcome, state, reason)| CopyView {
            address: format!("10.0.0.{last}:80"),
            outcome: *outcome,
            state: *state,
            reason: (*reason).to_owned(),
            stands: BTreeMap::new(),
            wanted: BTreeMap::new(),
            withheld_by: None,
            for_seconds: None,
            until_seconds: None,
        });
        ServiceView { source: None, unread: false, waiting: None, copies: copies.collect() }
    }

    #[test]
    fn what_was_not_done_is_complained_of() {
        let key = ServiceKey::new("default", "orders");
        let fine = view(&[
            (1, Outcome::Maintain, CopyState::Present, "fine"),
            (2, Outcome::OfOthers, CopyState::Foreign, "theirs"),
        ]);
        assert_eq!(complaints(&fine, &key, "b", None), [""; 0]);
        let mut troubled = view(&[
            (1, Outcome::Retire, CopyState::Held, "it is held, because of doubt"),
            (2, Outcome::LeftToOther, CopyState::Conflict, "another's copy stands there"),
        ]);
        troubled.waiting = Some("b cannot be read".to_owned());
        let told = [
            "failed: default/orders: refused",
            "waiting: default/orders in b: b cannot be read",
            "held: default/orders: copy 10.0.0.1:80 in b: it is held, because of doubt",
            "conflict: default/orders: copy 10.0.0.2:80 in b: another's copy stands there",
        ];
        assert_eq!(complaints(&troubled, &key, "b", Some("refused")), told);
    }

    #[test]
    fn copies_that_nobody_renews_lapse() {
        let lease =
            Life::Lease { renew_every: Duration::from_secs(20), expires_after: Duration::from_secs(60) };
        assert_eq!(lapsing(lease, true, false), Some(Duration::from_secs(60)));
        assert_eq!(lapsing(lease, true, true), None, "a Causeway that runs renews them");
        assert_eq!(lapsing(lease, false, false), None, "there are none");
        assert_eq!(lapsing(Life::Permanent, true, false), None);
    }
}
