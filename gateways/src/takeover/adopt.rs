//! What stands without a mark under the names of a service becomes its task's.

use std::collections::BTreeMap;

use super::retag::Retagging;
use crate::diff::Standing;
use crate::tags;
use crate::{
    Conflict, Context, Desired, Existence, Kept, LiveObject, LiveTarget, LiveUpstream, ObjectKey, Plan, Tags,
    TargetAddress, Upstream, World,
};

const AS_IT_STANDS: &str = "taken over as it stands; its settings and further tags stay";
const LEFT_BEHIND: &str = "left there by the tool that filled this upstream; no instance is registered there, so it goes in the next pass";

/// Plans to put our tags on what stands unmarked under the wanted names and at the wanted addresses, and to change nothing else of it.
///
/// An upstream that its user made under a name of their own stays theirs; only the targets at wanted addresses in it are taken. In an
/// upstream that bears a tag of `filler`, all unmarked targets are that tool's, and are taken whether they are wanted or not.
/// What somebody else's mark is on is a conflict. The targets of [`Plan::unread`] upstreams must be listed before the plan is complete.
pub fn adopt(desired: &Desired, world: &World, context: &Context, filler: &Tags) -> Plan {
    let mut adoption = Adoption { context, filler, retagging: Retagging::default() };
    for (name, want) in &desired.upstreams {
        if let Some(live) = world.upstream(name) {
            adoption.upstream(name, want, live);
        }
    }
    let services = desired.services.iter().map(|(name, want)| (ObjectKey::Service(name.clone()), &want.tags));
    let routes = desired.routes.iter().map(|(name, want)| (ObjectKey::Route(name.clone()), &want.tags));
    for (key, tags) in services.chain(routes) {
        if let Some(live) = world.object(&key) {
            adoption.object(key, live, tags, AS_IT_STANDS);
        }
    }
    adoption.retagging.finish()
}

struct Adoption<'a> {
    context: &'a Context,
    filler: &'a Tags,
    retagging: Retagging,
}

impl Adoption<'_> {
    fn upstream(&mut self, name: &str, want: &Upstream, live: &LiveUpstream) {
        let key = ObjectKey::Upstream(name.to_owned());
        let unmarked = matches!(self.context.standing(&live.object.tags), Standing::Unmarked);
        let theirs = want.existence == Existence::Filled;
        if !theirs && !self.object(key, &live.object, &want.tags, AS_IT_STANDS) {
            return;
        }
        let Some(targets) = &live.targets else {
            self.retagging.plan.unread.insert(name.to_owned());
            return;
        };
        let filled = (unmarked || theirs) && !self.filler.is_disjoint(&live.object.tags);
        self.targets(name, want, targets, filled);
    }

    fn targets(
        &mut self,
        name: &str,
        want: &Upstream,
        live: &BTreeMap<TargetAddress, LiveTarget>,
        filled: bool,
    ) {
        for (address, stands) in live {
            let key = ObjectKey::Target(name.to_owned(), address.clone());
            let object = LiveObject::of_target(stands);
            match want.targets.get(address) {
                Some(target) => {
                    self.object(key, &object, &target.tags, AS_IT_STANDS);
                }
                None if !matches!(self.context.standing(&stands.tags), Standing::Unmarked) => {}
                None if filled => {
                    let tags = self.context.mark.tags().union(&self.context.selector).cloned().collect();
                    self.object(key, &object, &tags, LEFT_BEHIND);
                }
                None => {
                    let reason = "no instance is registered there; it stays its maker's".to_owned();
                    self.retagging.plan.kept.push(Kept { key, reason });
                }
            }
        }
    }

    /// Takes an object over if it bears no mark; whether it is ours then.
    fn object(&mut self, key: ObjectKey, live: &LiveObject, want: &Tags, reason: &str) -> bool {
        match self.context.standing(&live.tags) {
            Standing::Ours => true,
            Standing::Unmarked => {
                let merged = tags::without_marks(&live.tags).union(want).cloned().collect();
                self.retagging.put(key, live, &merged, reason);
                true
            }
            Standing::Foreign(reason) => {
                self.retagging.plan.conflicts.push(Conflict { key, reason });
                false
            }
        }
    }
}
