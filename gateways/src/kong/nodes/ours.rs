//! The documents that were sent to the nodes, and what to make of the one that a node shows.
//!
//! ```text
//!  a node shows a document that …                 it is      so
//!  means what is to stand there                   Right      the node is left alone
//!  was sent, and nobody knows what became of it   Arrived    it is what is to stand there from now on, as it is
//!  was sent, and another one after it             Outdated   the node is given what is to stand there
//!  was never sent from here                       Foreign    somebody loaded it, or the node was started with it
//! ```

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

/// Of so many documents whose fate nobody knows the text is kept, the newest.
const MOST_IN_DOUBT: usize = 4;
/// So many documents are known again as sent from here.
const REMEMBERED: usize = 256;

/// What a document is that a node shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Right,
    Arrived,
    Outdated,
    Foreign,
}

/// All by their hashes.
#[derive(Default)]
pub(super) struct Ours {
    /// Those that mean what is to stand there.
    accepted: BTreeSet<String>,
    /// Those sent after that was settled, with their texts, the newest last. Each may be loaded late, or never.
    doubtful: VecDeque<(String, Arc<str>)>,
    /// Whatever was sent, the newest last.
    sent: VecDeque<String>,
}

impl Ours {
    pub(super) fn standing(&self, hash: &str) -> Standing {
        if self.accepted.contains(hash) {
            Standing::Right
        } else if self.doubtful.iter().any(|(doubtful, _)| doubtful == hash) {
            Standing::Arrived
        } else if self.sent.iter().any(|sent| sent == hash) {
            Standing::Outdated
        } else {
            Standing::Foreign
        }
    }

    /// A new document is about to be sent. It is in doubt until it is settled, or refused.
    pub(super) fn sending(&mut self, hash: &str, text: &Arc<str>) {
        self.repeating(hash);
        self.refused(hash);
        self.doubtful.push_back((hash.to_owned(), text.clone()));
        if self.doubtful.len() > MOST_IN_DOUBT {
            self.doubtful.pop_front();
        }
    }

    /// What is to stand there is about to be sent to nodes that lack it.
    pub(super) fn repeating(&mut self, hash: &str) {
        self.sent.retain(|sent| sent != hash);
        self.sent.push_back(hash.to_owned());
        if self.sent.len() > REMEMBERED {
            self.sent.pop_front();
        }
    }

    /// No node takes this one.
    pub(super) fn refused(&mut self, hash: &str) {
        self.doubtful.retain(|(doubtful, _)| doubtful != hash);
    }

    /// This is what is to stand there, and nothing that was sent before counts any more.
    pub(super) fn settled(&mut self, hash: &str) {
        self.doubtful.clear();
        self.accepted = BTreeSet::from([hash.to_owned()]);
    }

    /// Another document that means the same.
    pub(super) fn means_the_same(&mut self, hash: &str) {
        self.accepted.insert(hash.to_owned());
    }

    /// None that is known means what is to stand there.
    pub(super) fn none_is_right(&mut self) {
        self.accepted.clear();
    }

    /// Of those in doubt the newest that a node shows: from now on it is what is to stand there, and those sent after it stay
    /// in doubt.
    pub(super) fn arrived<'a>(&mut self, shown: impl IntoIterator<Item = &'a str>) -> Option<Arc<str>> {
        let shown: BTreeSet<&str> = shown.into_iter().collect();
        let newest = self.doubtful.iter().rposition(|(hash, _)| shown.contains(hash.as_str()))?;
        let (hash, text) = self.doubtful.drain(..=newest).next_back()?;
        self.accepted = BTreeSet::from([hash]);
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::Standing::{Arrived, Foreign, Outdated, Right};
    use super::*;

    fn send(ours: &mut Ours, hash: &str) {
        ours.sending(hash, &format!("text of {hash}").into());
    }

    fn look(ours: &mut Ours, shown: &[&str]) -> Option<String> {
        ours.arrived(shown.iter().copied()).map(|text| text.to_string())
    }

    /// `found` was there before; `first` and `second` went in; what became of `third` and `fourth` is not known.
    fn with_two_in_doubt() -> Ours {
        let mut ours = Ours::default();
        ours.settled("found");
        for hash in ["first", "second"] {
            send(&mut ours, hash);
            ours.settled(hash);
        }
        send(&mut ours, "third");
        send(&mut ours, "fourth");
        ours
    }

    fn table(ours: &Ours) -> Vec<Standing> {
        ["found", "first", "second", "third", "fourth", "strange"].map(|hash| ours.standing(hash)).to_vec()
    }

    type Event = fn(&mut Ours);

    /// What happens then, and how `found`, `first`, `second`, `third`, `fourth` and a strange one stand after it.
    const CASES: [(&str, Event, [Standing; 6]); 8] = [
        ("nothing more is known", |_| {}, [Foreign, Outdated, Right, Arrived, Arrived, Foreign]),
        (
            "the older one in doubt shows: the newer may still come",
            |ours| assert_eq!(look(ours, &["second", "third"]).unwrap(), "text of third"),
            [Foreign, Outdated, Outdated, Right, Arrived, Foreign],
        ),
        (
            "both show: the newer one counts",
            |ours| assert_eq!(look(ours, &["fourth", "third"]).unwrap(), "text of fourth"),
            [Foreign, Outdated, Outdated, Outdated, Right, Foreign],
        ),
        (
            "what stood shows still, or an older or a strange one",
            |ours| assert_eq!(look(ours, &["second", "first", "strange"]), None),
            [Foreign, Outdated, Right, Arrived, Arrived, Foreign],
        ),
        (
            "the newer one is refused",
            |ours| ours.refused("fourth"),
            [Foreign, Outdated, Right, Arrived, Outdated, Foreign],
        ),
        (
            "the older one is sent again, and taken",
            |ours| {
                send(ours, "third");
                ours.settled("third");
            },
            [Foreign, Outdated, Outdated, Right, Outdated, Foreign],
        ),
        (
            "somebody else's is taken over: what comes late is not to replace it",
            |ours| ours.settled("strange"),
            [Foreign, Outdated, Outdated, Outdated, Outdated, Right],
        ),
        (
            "what stands is not right, and another text means the same as what is to stand",
            |ours| {
                ours.none_is_right();
                ours.repeating("strange");
                ours.means_the_same("strange");
            },
            [Foreign, Outdated, Outdated, Arrived, Arrived, Right],
        ),
    ];

    #[test]
    fn what_a_node_shows_is_judged_by_what_was_sent() {
        for (what, event, wanted) in CASES {
            let mut ours = with_two_in_doubt();
            event(&mut ours);
            assert_eq!(table(&ours), wanted, "{what}");
        }
    }

    #[test]
    fn no_more_is_kept_than_is_bounded() {
        let mut ours = Ours::default();
        for number in 0..2 * REMEMBERED {
            send(&mut ours, &number.to_string());
        }
        assert_eq!((ours.doubtful.len(), ours.sent.len()), (MOST_IN_DOUBT, REMEMBERED));
        let newest = (2 * REMEMBERED - 1).to_string();
        assert_eq!(look(&mut ours, &["0", &newest]).unwrap(), format!("text of {newest}"));
    }
}
