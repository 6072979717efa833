//! The rules of Consul's indexes, which make a query wait until something changes.
//!
//! ```text
//!              ┌──────────── Changed (higher), Unchanged (same) ◀─────────┐
//!              ▼                                                          │
//!  ask at once ── answered ──▶ ask and wait for more than the last index ─┘
//!       ▲                                   │
//!       └── Reset (lower), Hurried, failed ─┘
//! ```
//!
//! A server that goes down answers every waiting query at once with 200 and the same index (seen on 1.15.4), and after a start
//! without its data it may come to the very same index again. So whoever was answered too soon asks at once.
//!
//! An index that goes back means that the server lost what it knew, or was restored: what it shows may be too little. Only good
//! answers count: an answer of 403 or 500 carries an index of 1.

use std::time::Duration;

/// An answer to a waiting query that came sooner though nothing had changed wasn't held back: the server goes down, or something on
/// the way doesn't wait.
pub(super) const HELD: Duration = Duration::from_secs(1);

/// What an answer's index says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The first answer, or something may have changed since the last.
    Changed,
    /// Nothing has changed since the last answer.
    Unchanged,
    /// As `Unchanged`, but sooner than an answer that was held back.
    Hurried,
    /// The index went back.
    Reset,
}

/// Where one query has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The index of the last good answer, at least 1; 0 before it.
    last: u64,
    /// The next query may wait for a change of what that answer held.
    holds: bool,
}

impl Cursor {
    /// The index to send; `None` asks for an answer at once.
    pub(super) fn request(self) -> Option<u64> {
        self.holds.then_some(self.last)
    }

    /// A good answer came, with this index; `waited` is for how long, if the query might wait.
    pub(super) fn answered(&mut self, index: u64, waited: Option<Duration>) -> Step {
        // 0 would never wait, so it is never sent back.
        let index = index.max(1);
        let before = std::mem::replace(self, Self { last: index, holds: true });
        if index < before.last {
            self.holds = false;
            return Step::Reset;
        }
        if index != before.last || !before.holds {
            return Step::Changed;
        }
        self.holds = waited.is_none_or(|waited| waited >= HELD);
        if self.holds { Step::Unchanged } else { Step::Hurried }
    }

    /// No good answer came, or the server was seen away: the next one must come at once, and is compared with the last good one.
    pub(super) fn ask_at_once(&mut self) {
        self.holds = false;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What happens to a cursor, and what it says: the step, and what is sent next.
    #[derive(Clone, Copy)]
    enum Event {
        Answer(u64, Step),
        Early(u64, Step),
        Failure,
    }
    use Event::{Answer, Early, Failure};
    use Step::{Changed, Hurried, Reset, Unchanged};

    #[test]
    fn each_rule() {
        let cases: [(&str, &[Event], Option<u64>); 12] = [
            ("the first query is answered at once", &[], None),
            ("the next one waits", &[Answer(7, Changed)], Some(7)),
            ("a wait that ends without a change", &[Answer(7, Changed), Answer(7, Unchanged)], Some(7)),
            ("a change", &[Answer(7, Changed), Answer(9, Changed)], Some(9)),
            ("an index of 0 is never sent", &[Answer(0, Changed)], Some(1)),
            ("lower: ask again at once", &[Answer(7, Changed), Answer(3, Reset)], None),
            (
                "what follows a reset is new",
                &[Answer(7, Changed), Answer(3, Reset), Answer(3, Changed)],
                Some(3),
            ),
            ("after a failure at once", &[Answer(7, Changed), Failure], None),
            ("a server that goes down", &[Answer(7, Changed), Early(7, Hurried)], None),
            (
                "what came back to the same index",
                &[Answer(7, Changed), Early(7, Hurried), Early(7, Changed)],
                Some(7),
            ),
            ("a change comes at any time", &[Answer(7, Changed), Early(9, Changed)], Some(9)),
            ("data lost while it was away", &[Answer(7, Changed), Failure, Failure, Answer(3, Reset)], None),
        ];
        for (name, events, sent) in cases {
            let mut cursor = Cursor::default();
            for event in events {
                match *event {
                    Answer(index, step) => assert_eq!(cursor.answered(index, Some(HELD)), step, "{name}"),
                    Early(index, step) => {
                        assert_eq!(cursor.answered(index, Some(Duration::ZERO)), step, "{name}")
                    }
                    Failure => cursor.ask_at_once(),
                }
            }
            assert_eq!(cursor.request(), sent, "{name}");
        }
    }

    #[test]
    fn the_same_index_after_a_failure_is_read_again() {
        let mut cursor = Cursor::default();
        cursor.answered(7, Some(HELD));
        cursor.ask_at_once();
        assert_eq!(
            cursor.answered(7, Some(HELD)),
            Changed,
            "what was published may have been withdrawn meanwhile"
        );
    }

    proptest! {
        #[test]
        fn a_query_waits_only_for_the_last_good_answer(events in proptest::collection::vec(proptest::option::of(0_u64..9), 0..40)) {
            let mut cursor = Cursor::default();
            let mut last = 0;
            for event in events {
                match event {
                    Some(index) => {
                        let index = index.max(1);
                        prop_assert_eq!(cursor.answered(index, Some(HELD)) == Reset, index < last);
                        last = index;
                    }
                    None => cursor.ask_at_once(),
                }
                prop_assert!(cursor.request().is_none_or(|sent| sent >= 1 && sent == last));
            }
        }
    }
}
