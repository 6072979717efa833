//! Changes of tags, and nothing else.

use serde_json::Value;

use crate::tags::{self, Mark};
use crate::{
    Change, Context, Desired, Effect, Fields, LiveObject, ObjectKey, Plan, Tags, World, Write, order,
};

/// Plans changes of the tags of what stands.
#[derive(Default)]
pub(super) struct Retagging {
    pub(super) plan: Plan,
}

impl Retagging {
    /// Gives an object these tags, unless it has them.
    pub(super) fn put(&mut self, key: ObjectKey, live: &LiveObject, tags: &Tags, reason: impl Into<String>) {
        if *tags == *live.tags {
            return;
        }
        let write = Write::Patch { id: live.id.clone(), fields: field(tags), before: field(&live.tags) };
        self.plan.changes.push(Change { key, write, reason: reason.into() });
    }

    pub(super) fn finish(mut self) -> Plan {
        order::sort(&mut self.plan, &Desired::default());
        self.plan
    }

    /// Changes the tags of what bears a mark, as `change` says: of these objects, and of the targets in these upstreams.
    fn all(
        &mut self,
        world: &World,
        keys: impl IntoIterator<Item = ObjectKey>,
        mark: &Mark,
        reason: &str,
        change: impl Fn(&Tags) -> Tags,
    ) {
        let mut put = |key, live: &LiveObject| {
            if mark.owns(&live.tags) {
                self.put(key, live, &change(&live.tags), reason);
            }
        };
        let mut unread = Vec::new();
        for key in keys {
            if let Some(live) = world.object(&key) {
                put(key.clone(), live);
            }
            let ObjectKey::Upstream(name) = &key else { continue };
            let Some(upstream) = world.upstream(name) else { continue };
            match &upstream.targets {
                None if mark.owns(&upstream.object.tags) => unread.push(name.clone()),
                None => {}
                Some(targets) => {
                    for (address, target) in targets {
                        let key = ObjectKey::Target(name.clone(), address.clone());
                        put(key, &LiveObject::of_target(target));
                    }
                }
            }
        }
        self.plan.unread.extend(unread);
    }
}

/// Takes every mark of Causeway off what a task has made or taken over, and leaves all else as it is.
///
/// The targets of [`Plan::unread`] upstreams must be listed before the plan is complete.
pub fn hand_over(world: &World, mark: &Mark) -> Plan {
    let upstreams = world.upstreams().keys().cloned().map(ObjectKey::Upstream);
    let services = world.services().keys().cloned().map(ObjectKey::Service);
    let routes = world.routes().keys().cloned().map(ObjectKey::Route);
    let mut retagging = Retagging::default();
    let all = upstreams.chain(services).chain(routes);
    retagging.all(world, all, mark, "handed over: its further tags stay", tags::without_marks);
    retagging.finish()
}

/// Puts what another task or deployment made for the service of `context` under its mark, the instance groups and all further tags
/// kept. What is no longer wanted is taken over too, so that it can be retired.
///
/// The targets of [`Plan::unread`] upstreams must be listed before the plan is complete.
pub fn take_from(world: &World, from: &Mark, context: &Context) -> Plan {
    let moved = |tags: &Tags| {
        let stays = tags.iter().filter(|tag| !from.tags().contains(*tag));
        stays.chain(context.mark.tags()).cloned().collect()
    };
    let reason = format!("taken over from task {} of {}", from.task(), from.owner());
    let mut retagging = Retagging::default();
    retagging.all(world, world.made_for(&context.selector), from, &reason, moved);
    retagging.finish()
}

/// What would stand after changes of existing objects' tags.
pub fn foreseen<'a>(world: &World, changes: impl IntoIterator<Item = &'a Change>) -> World {
    let mut after = world.clone();
    for change in changes {
        let standing = match &change.key {
            ObjectKey::Target(upstream, address) => {
                let targets = world.upstream(upstream).and_then(|upstream| upstream.targets.as_ref());
                targets.and_then(|targets| targets.get(address)).map(LiveObject::of_target)
            }
            key => world.object(key).cloned(),
        };
        let (Some(mut object), Write::Patch { fields, .. }) = (standing, &change.write) else { continue };
        let tags = fields.get("tags").and_then(Value::as_array).into_iter().flatten();
        object.tags = std::sync::Arc::new(tags.filter_map(Value::as_str).map(str::to_owned).collect());
        after.record(change, &Effect::Written(Box::new(object)));
    }
    after
}

/// No tags are null, as Kong writes them for an object that never had any.
fn field(tags: &Tags) -> Fields {
    let value = if tags.is_empty() { Value::Null } else { tags.iter().map(String::as_str).collect() };
    Fields::from_iter([("tags".to_owned(), value)])
}
