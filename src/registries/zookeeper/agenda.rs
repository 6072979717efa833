//! What waits to be read, and what is being read: each thing once at a time, and again when something happened meanwhile. Pure.

use std::collections::{BTreeSet, VecDeque};

use super::tree::Work;

/// Readings under way at once.
const AT_ONCE: usize = 64;

/// The readings of one session.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    waiting: VecDeque<Work>,
    noted: BTreeSet<Work>,
    busy: BTreeSet<Work>,
    again: BTreeSet<Work>,
    /// What has to be tried before anything is told: a view is complete or it is not shown.
    untried: BTreeSet<Work>,
    tried: BTreeSet<Work>,
}

impl Agenda {
    /// Something may have changed there.
    pub(super) fn wake(&mut self, work: Work) {
        if self.busy.contains(&work) {
            self.again.insert(work);
        } else if self.noted.insert(work.clone()) {
            self.waiting.push_back(work);
        }
    }

    /// As [`Agenda::wake`] for what is tried for the first time in this session; nothing, where it was.
    pub(super) fn first(&mut self, work: Work) {
        if !self.tried.contains(&work) && self.untried.insert(work.clone()) {
            self.wake(work);
        }
    }

    /// The next to read now, if there is room for one more: anything, or `only_untried`.
    pub(super) fn start(&mut self, only_untried: bool) -> Option<Work> {
        if self.busy.len() >= AT_ONCE {
            return None;
        }
        let work = if only_untried { self.take_untried()? } else { self.waiting.pop_front()? };
        self.noted.remove(&work);
        self.busy.insert(work.clone());
        Some(work)
    }

    fn take_untried(&mut self) -> Option<Work> {
        let untried = self.untried.iter().find(|work| self.noted.contains(work))?;
        let at = self.waiting.iter().position(|work| work == untried)?;
        self.waiting.remove(at)
    }

    /// It was read, or could not be.
    pub(super) fn done(&mut self, work: &Work) {
        self.busy.remove(work);
        self.untried.remove(work);
        self.tried.insert(work.clone());
        if self.again.remove(work) {
            self.wake(work.clone());
        }
    }

    /// It isn't there any more.
    pub(super) fn forget(&mut self, work: &Work) {
        self.untried.remove(work);
        self.tried.remove(work);
    }

    /// Whether everything that is known of was tried in this session.
    pub(super) fn all_tried(&self) -> bool {
        self.untried.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_read_once_at_a_time_and_again_after_an_event() {
        let mut agenda = Agenda::default();
        agenda.wake(Work::Root(0));
        agenda.wake(Work::Root(0));
        assert_eq!(agenda.start(false), Some(Work::Root(0)));
        assert_eq!(agenda.start(false), None);
        agenda.wake(Work::Root(0));
        agenda.wake(Work::Root(0));
        assert_eq!(agenda.start(false), None, "it is being read");
        agenda.done(&Work::Root(0));
        assert_eq!(agenda.start(false), Some(Work::Root(0)));
        agenda.done(&Work::Root(0));
        assert_eq!(agenda.start(false), None);
    }

    #[test]
    fn nothing_is_told_before_all_was_tried() {
        let mut agenda = Agenda::default();
        let place = |path: &str| Work::Place(path.to_owned());
        agenda.first(Work::Root(0));
        agenda.start(false);
        agenda.first(place("/a"));
        agenda.first(place("/b"));
        agenda.done(&Work::Root(0));
        assert!(!agenda.all_tried());
        agenda.start(false);
        agenda.done(&place("/a"));
        agenda.forget(&place("/b"));
        assert!(agenda.all_tried());
        agenda.first(place("/a"));
        assert!(agenda.all_tried(), "it was tried before");
    }

    #[test]
    fn only_what_was_never_tried_may_be_asked_for() {
        let mut agenda = Agenda::default();
        let place = |path: &str| Work::Place(path.to_owned());
        agenda.first(Work::Root(0));
        assert_eq!(agenda.start(true), Some(Work::Root(0)));
        agenda.wake(Work::Root(0));
        agenda.done(&Work::Root(0));
        assert_eq!(agenda.start(true), None, "it was tried");
        agenda.first(place("/a"));
        assert_eq!(agenda.start(true), Some(place("/a")));
        assert_eq!(agenda.start(true), None, "it is being read");
        assert_eq!(agenda.start(false), Some(Work::Root(0)), "nothing is forgotten");
    }

    #[test]
    fn only_so_many_are_read_at_once() {
        let mut agenda = Agenda::default();
        (0..AT_ONCE + 1).for_each(|root| agenda.wake(Work::Root(root)));
        assert_eq!(std::iter::from_fn(|| agenda.start(false)).count(), AT_ONCE);
        agenda.done(&Work::Root(0));
        assert_eq!(agenda.start(false), Some(Work::Root(AT_ONCE)));
    }
}
