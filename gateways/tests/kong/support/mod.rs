//! What the tests of gateways share: desired states, and a loop that brings a gateway to them as the
//! reconciler does.

pub(crate) mod kong;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use causeway_gateways::tags::{group_tag, owner_tag};
use causeway_gateways::{
    Applied, Context, Desired, Existence, Fields, Gateway, Listed, Mark, ObjectKey, Plan, ReadScope, Service,
    Tags, Target, TargetAddress, Upstream, World, diff,
};

pub(crate) const OWNER: &str = "causeway";

/// One registered service of a task.
pub(crate) fn context(task: &str, service: &str) -> Context {
    Context::new(Mark::new(OWNER, task), "ins-1", "default", service)
}

/// The service in its groups, each with addresses and weights.
pub(crate) fn desired(context: &Context, service: &str, groups: &[(&str, &[(&str, u32)])]) -> Desired {
    let base = format!("ins-1.default.{service}");
    let common: Tags = context.mark.tags().union(&context.selector).cloned().collect();
    let upstream = |group: &str, targets: &[(&str, u32)]| {
        let mut tags = common.clone();
        tags.insert(group_tag(group));
        let target = |(address, weight): &(&str, u32)| {
            (TargetAddress::stored(*address), Target { weight: *weight, tags: Arc::new(tags.clone()) })
        };
        let targets = targets.iter().map(target).collect();
        let existence = Existence::Owned { fillable: Tags::from(["NACOS".to_owned()]) };
        Upstream { existence, tags, targets, ..Upstream::default() }
    };
    let upstreams =
        groups.iter().map(|(group, targets)| (format!("{base}.{group}"), upstream(group, targets)));
    let service =
        Service { host: format!("{base}.{}", groups[0].0), tags: common.clone(), fields: Fields::new() };
    Desired {
        upstreams: upstreams.collect(),
        services: BTreeMap::from([(base, service)]),
        routes: BTreeMap::new(),
    }
}

pub(crate) fn everything() -> ReadScope {
    ReadScope::All(Listed { tags: Tags::from([owner_tag(OWNER), "NACOS".to_owned()]), ..Listed::default() })
}

/// One turn for one service: plan, apply, record.
pub(crate) async fn turn(
    gateway: &dyn Gateway,
    world: &mut World,
    context: &Context,
    desired: &Desired,
) -> (Plan, Applied) {
    let plan = diff(desired, world, context);
    let applied = gateway.apply(&plan).await;
    for (change, effect) in &applied.done {
        world.record(change, effect);
    }
    (plan, applied)
}

/// Brings a gateway to the desired states, reading everything anew each round, and retiring what is unused.
/// The rounds that it took, and the last plans.
pub(crate) async fn converge(
    gateway: &dyn Gateway,
    states: &[(Context, Desired)],
    rounds: usize,
) -> Option<(usize, Vec<Plan>)> {
    for round in 0..rounds {
        let Ok(mut world) = gateway.read(&everything()).await else { continue };
        let mut quiet = true;
        let mut plans = Vec::new();
        for (context, desired) in states {
            let retire: BTreeSet<ObjectKey> = diff(desired, &world, context)
                .retiring
                .into_iter()
                .filter(|retiring| retiring.unused)
                .map(|retiring| retiring.key)
                .collect();
            quiet &= retire.is_empty();
            let context = Context { retire, ..context.clone() };
            let (plan, _) = turn(gateway, &mut world, &context, desired).await;
            quiet &= plan.is_empty() && plan.unread.is_empty();
            plans.push(plan);
        }
        if quiet {
            return Some((round, plans));
        }
    }
    None
}
