//! What was written lately, since the server shows it only after a moment. Pure.
//!
//! Nacos gathers changes for half a second before any list shows them. What was written within that time counts for more
//! than what is shown, unless that is somebody else's: nobody writes over a native entry, nor over another's copy unless that one's
//! task gives it up.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::{Address, Instance, ServiceKey};
use crate::registries::InstanceCopy;
use crate::sync::Mark;

/// After so long the server shows what was written, unless something outranks it.
pub(super) const SETTLED_AFTER: Duration = Duration::from_secs(2);
/// A write is remembered for as long as two audits may lie apart.
const REMEMBERED_FOR: Duration = Duration::from_secs(3600);

/// What stands at an address.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Standing {
    /// There is a native entry, or a copy of somebody who does not give way.
    pub(super) taken: bool,
    /// The copy with the mark that was asked for.
    pub(super) ours: Option<Instance>,
}

#[derive(Clone, Debug)]
struct Written {
    at: Instant,
    mark: Mark,
    /// What was put, or nothing where it was removed.
    form: Option<Instance>,
    /// The copy that was shown before.
    before: Option<Instance>,
}

/// The last write of each copy.
#[derive(Debug, Default)]
pub(super) struct Recent {
    written: BTreeMap<(ServiceKey, Address), Written>,
}

impl Recent {
    /// What stands where a copy belongs, `shown` being the service's entries as they are listed.
    pub(super) fn standing(&self, copy: &InstanceCopy, shown: &[Instance], now: Instant) -> Standing {
        let here = shown.iter().filter(|entry| entry.address == copy.instance.address);
        let (ours, others): (Vec<&Instance>, Vec<&Instance>) =
            here.partition(|entry| copy.mark.owns(&copy.key, entry));
        let taken = others.into_iter().any(|entry| copy.is_hindered_by(entry));
        let mut standing = Standing { taken, ours: ours.first().copied().cloned() };
        if let Some(last) = self.of(copy).filter(|last| now < last.at + SETTLED_AFTER) {
            match &last.form {
                // An address is one slot: what is still shown of ours is gone.
                Some(_) if !last.is_of(&copy.mark) => {
                    standing.ours = None;
                    standing.taken |= !copy.succeeded().any(|mark| last.is_of(&mark));
                }
                // Somebody who isn't shown beside it may have taken its place.
                Some(_) if standing.taken => {}
                form if last.is_of(&copy.mark) => standing.ours.clone_from(form),
                _ => {}
            }
        }
        standing
    }

    /// A copy was put.
    pub(super) fn put(
        &mut self,
        copy: &InstanceCopy,
        form: Instance,
        before: Option<Instance>,
        now: Instant,
    ) {
        self.note(copy, Some(form), before, now);
    }

    /// A copy was removed.
    pub(super) fn removed(&mut self, copy: &InstanceCopy, now: Instant) {
        self.note(copy, None, None, now);
    }

    /// Whether putting this copy has shown no effect: it was put so before, and what stands is what stood then.
    pub(super) fn has_no_effect(&self, copy: &InstanceCopy, form: &Instance, standing: &Standing) -> bool {
        self.of(copy).is_some_and(|last| {
            last.is_of(&copy.mark)
                && standing.ours.is_some()
                && last.form.as_ref() == Some(form)
                && last.before == standing.ours
        })
    }

    /// Forgets what has shown its effect or is long ago. `standing` is a copy as the source shows it.
    pub(super) fn shown(&mut self, standing: &InstanceCopy, now: Instant) {
        let key = (standing.key.clone(), standing.instance.address.clone());
        let settled =
            |last: &Written| now >= last.at + SETTLED_AFTER && last.form.as_ref() == Some(&standing.instance);
        if self.written.get(&key).is_some_and(settled) {
            self.written.remove(&key);
        }
    }

    /// Forgets what can't count any more.
    pub(super) fn forget_old(&mut self, now: Instant) {
        self.written.retain(|_, last| {
            let limit = if last.form.is_some() { REMEMBERED_FOR } else { SETTLED_AFTER };
            now < last.at + limit
        });
    }

    fn of(&self, copy: &InstanceCopy) -> Option<&Written> {
        self.written.get(&(copy.key.clone(), copy.instance.address.clone()))
    }

    fn note(&mut self, copy: &InstanceCopy, form: Option<Instance>, before: Option<Instance>, at: Instant) {
        let key = (copy.key.clone(), copy.instance.address.clone());
        self.written.insert(key, Written { at, mark: copy.mark.clone(), form, before });
    }
}

impl Written {
    fn is_of(&self, mark: &Mark) -> bool {
        self.mark.owner == mark.owner && self.mark.task == mark.task
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Weight;

    fn copy_of(task: &str) -> InstanceCopy {
        InstanceCopy::example_of(task, "empty_ns", "orders")
    }

    fn weighing(copy: &InstanceCopy, ratio: f64) -> Instance {
        Instance { weight: Weight::from_ratio(ratio), ..copy.instance.clone() }
    }

    fn stands(ours: Option<Instance>) -> Standing {
        Standing { taken: false, ours }
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_written_a_moment_ago_counts_for_more_than_what_is_shown() {
        let (copy, now) = (copy_of("move"), Instant::now());
        let mut recent = Recent::default();
        assert_eq!(recent.standing(&copy, &[], now), stands(None));
        recent.put(&copy, copy.instance.clone(), None, now);
        assert_eq!(recent.standing(&copy, &[], now), stands(Some(copy.instance.clone())));
        assert!(recent.standing(&copy_of("other"), &[], now).taken, "not shown yet, but there");
        recent.removed(&copy, now);
        assert_eq!(recent.standing(&copy, std::slice::from_ref(&copy.instance), now), stands(None));
        let later = now + SETTLED_AFTER;
        let shown = recent.standing(&copy, std::slice::from_ref(&copy.instance), later);
        assert_eq!(shown, stands(Some(copy.instance.clone())), "somebody has put it again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_copy_stands_in_the_place_of_one_that_is_given_up() {
        let (old, new, now) = (copy_of("move"), copy_of("other").in_place_of("move"), Instant::now());
        let mut recent = Recent::default();
        recent.put(&old, old.instance.clone(), None, now);
        assert_eq!(recent.standing(&new, &[], now), stands(None), "not shown yet, and no hindrance");
        assert_eq!(recent.standing(&new, std::slice::from_ref(&old.instance), now), stands(None));
        recent.put(&new, new.instance.clone(), None, now);
        let still_shown = recent.standing(&old, std::slice::from_ref(&old.instance), now);
        assert_eq!(
            still_shown,
            Standing { taken: true, ours: None },
            "to remove it would remove the new one"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn somebody_else_s_entry_is_seen_whatever_was_written() {
        let (copy, now) = (copy_of("move"), Instant::now());
        let native = Instance::new(copy.instance.address.clone());
        let mut recent = Recent::default();
        recent.put(&copy, copy.instance.clone(), None, now);
        for other in [native, copy_of("other").instance] {
            let instead = recent.standing(&copy, std::slice::from_ref(&other), now);
            assert_eq!(instead, Standing { taken: true, ours: None }, "it may have taken the copy's place");
            let beside = recent.standing(&copy, &[other, copy.instance.clone()], now + SETTLED_AFTER);
            assert_eq!(beside, Standing { taken: true, ours: Some(copy.instance.clone()) });
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_put_that_changes_nothing_is_known_at_the_next() {
        let (copy, now) = (copy_of("move"), Instant::now());
        let (overridden, wanted) = (weighing(&copy, 7.0), weighing(&copy, 2.0));
        let mut recent = Recent::default();
        let standing = stands(Some(overridden));
        assert!(!recent.has_no_effect(&copy, &wanted, &standing), "it was never put");
        recent.put(&copy, wanted.clone(), standing.ours.clone(), now);
        assert!(recent.has_no_effect(&copy, &wanted, &standing));
        assert!(!recent.has_no_effect(&copy, &weighing(&copy, 3.0), &standing), "something else is wanted");
        let as_shown = InstanceCopy { instance: wanted.clone(), ..copy.clone() };
        recent.shown(&as_shown, now + SETTLED_AFTER);
        assert!(!recent.has_no_effect(&copy, &wanted, &standing), "it had shown its effect meanwhile");
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_remembered_for_ever() {
        let (copy, now) = (copy_of("move"), Instant::now());
        let mut recent = Recent::default();
        recent.put(&copy, copy.instance.clone(), None, now);
        recent.forget_old(now + SETTLED_AFTER);
        assert_eq!(recent.written.len(), 1);
        recent.forget_old(now + REMEMBERED_FOR);
        recent.removed(&copy, now);
        recent.forget_old(now + SETTLED_AFTER);
        assert!(recent.written.is_empty());
    }
}
