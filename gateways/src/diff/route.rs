//! Routes. Two that match the same requests would share them as Kong pleases, so the one that stands keeps them.
//!
//! ```text
//!  ours stands │ it meets the other's route already │ then
//!  no          │ –                                  │ conflict: nothing is made
//!  yes         │ no: it would by this change        │ conflict: it stays as it is
//!  yes         │ yes, and the other is not ours     │ conflict is told, and ours is kept up
//!  yes         │ yes, both made at the same time    │ the first by name is kept up, the other goes
//! ```

use super::{Diff, Standing};
use crate::matching::Matching;
use crate::tags::Marks;
use crate::{Conflict, Fields, LiveObject, ObjectKey, Route};

/// What meets a route that is wanted.
struct Rival {
    name: String,
    /// Who made it, for people.
    whose: String,
    /// This deployment made it, for another service or task.
    ours: bool,
    matching: Option<Matching>,
}

/// What becomes of a route that has a rival.
enum Outcome {
    KeptUp,
    StaysAsItIs,
    Goes,
}

impl Diff<'_> {
    pub(super) fn route(&mut self, name: &str, want: &Route) {
        let key = ObjectKey::Route(name.to_owned());
        let live = self.world.route(name);
        let is_ours = live.is_none_or(|live| matches!(self.context.standing(&live.tags), Standing::Ours));
        if let Some(rival) = is_ours.then(|| self.rival(name, live, want)).flatten() {
            let outcome = outcome(name, live, &rival);
            self.plan.conflicts.push(Conflict { key: key.clone(), reason: told(&rival, &outcome) });
            match outcome {
                Outcome::KeptUp => {}
                Outcome::StaysAsItIs => return,
                Outcome::Goes => {
                    self.yielding.insert(key);
                    return;
                }
            }
        }
        let service = ObjectKey::Service(want.service.clone());
        self.dependent(key, live, ("service", &service, &want.service), &want.tags, &want.fields);
    }

    /// The first route by name that would match the same requests: one that this service wants too, or one that stands for
    /// somebody else.
    fn rival(&self, name: &str, live: Option<&LiveObject>, want: &Route) -> Option<Rival> {
        let matching = Matching::of(&as_it_would_be(live, want))?;
        let earlier = self.desired.routes.range(..name.to_owned());
        for (other, wanted) in earlier {
            let theirs = Matching::of(&as_it_would_be(self.world.route(other), wanted));
            if theirs.as_ref().is_some_and(|theirs| theirs.meets(&matching)) {
                let whose = "of the same service".to_owned();
                return Some(Rival { name: other.clone(), whose, ours: true, matching: theirs });
            }
        }
        let mut standing = self.world.routes_meeting(&matching);
        let rival = standing.find(|(other, it)| *other != name && !self.is_decided_here(other, it));
        rival.map(|(other, it)| self.standing_rival(other, it))
    }

    /// Whether this plan says what becomes of a standing route: it is one of this service.
    fn is_decided_here(&self, name: &str, live: &LiveObject) -> bool {
        let wanted = self.desired.routes.contains_key(name);
        self.context.made(&live.tags)
            || (wanted && matches!(self.context.standing(&live.tags), Standing::Ours))
    }

    fn standing_rival(&self, name: &str, live: &LiveObject) -> Rival {
        let marks = Marks::read(&live.tags);
        let ours = marks.owner.as_deref() == Some(self.context.mark.owner());
        let whose = match (ours, marks.namespace, marks.service, marks.owner) {
            (true, Some(namespace), Some(service), _) => format!("of service {namespace}/{service}"),
            (_, _, _, Some(owner)) => format!("of deployment {owner}"),
            _ => "which bears no mark of Causeway".to_owned(),
        };
        Rival { name: name.to_owned(), whose, ours, matching: Matching::of(&live.fields) }
    }
}

/// The fields of a route once the wanted ones are laid over those that stand.
fn as_it_would_be(live: Option<&LiveObject>, want: &Route) -> Fields {
    let mut fields = live.map(|live| Fields::clone(&live.fields)).unwrap_or_default();
    fields.extend(want.fields.clone());
    fields
}

fn outcome(name: &str, live: Option<&LiveObject>, rival: &Rival) -> Outcome {
    let stands = live.and_then(|live| Matching::of(&live.fields));
    let meets = stands.zip(rival.matching.as_ref()).is_some_and(|(stands, theirs)| stands.meets(theirs));
    match (meets, rival.ours && rival.name.as_str() < name) {
        (false, _) => Outcome::StaysAsItIs,
        (true, true) => Outcome::Goes,
        (true, false) => Outcome::KeptUp,
    }
}

fn told(rival: &Rival, outcome: &Outcome) -> String {
    let then = match outcome {
        Outcome::KeptUp if rival.ours => "that one gives way at its next turn",
        Outcome::KeptUp => "both stand, and Kong chooses between them",
        Outcome::StaysAsItIs => "this one is not made or changed until that one is gone or matches others",
        Outcome::Goes => "this one gives way",
    };
    format!("route {}, {}, matches the same requests; {then}", rival.name, rival.whose)
}
