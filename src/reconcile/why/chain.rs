//! From a flow to the chain of one of its services.

use std::collections::{BTreeMap, BTreeSet};

use causeway_gateways::{NodeHealth, tags};
use tokio::time::Instant;

use super::objects::{Clock, Scene};
use super::{
    Chain, GatewayView, GroupView, InstanceView, LeftOut, Matched, NodeView, ObjectView, Registered, Rule,
    ShareView, SplitView, TargetHealth, UpstreamHealth, Why,
};
use crate::config::{MatchEntry, Selector, Task};
use crate::model::{Instance, ServiceKey, Snapshot};
use crate::project::matcher::{Decision, decide};
use crate::project::split::Split;
use crate::project::{DEFAULT_GROUP, Projected};
use crate::reconcile::flow::{Flow, KeyStatus};
use crate::reconcile::gateway::Condition;
use crate::reconcile::source::SourceHandle;
use crate::reconcile::supervisor::Supervisor;
use crate::reconcile::turn::Turn;

impl Supervisor {
    /// Explains every service of this name (`service`, or `namespace/service`), in each task that reads a registry which shows it
    /// or that made something for it. Writes nothing; asks the gateways' nodes for their views.
    pub async fn why(&self, name: &str) -> Why {
        let mut services = Vec::new();
        for flow in &self.flows {
            let keys = flow.source.view().services().into_iter().chain(flow.all_keys());
            let named: BTreeSet<ServiceKey> = keys.filter(|key| key.is_named(name)).collect();
            for key in named {
                services.push(flow.why(&key).await);
            }
        }
        let refused = self.refused.iter().map(|(task, reason)| format!("task {task} does not run: {reason}"));
        Why {
            owner: self.config.owner.clone(),
            config: self.config.fingerprint(),
            services,
            copies: self.copies.iter().flat_map(|flow| flow.why(name)).collect(),
            problems: self.unread().into_iter().chain(refused).collect(),
        }
    }

    /// The registries' scopes that cannot be read, for people.
    pub fn unread(&self) -> Vec<String> {
        let scopes = self.sources().flat_map(|source| {
            let name = source.name.clone();
            let unknown = source.view().unknowns().into_iter();
            unknown.map(move |(scope, why)| format!("registry {name}, {scope}: {}", why.reason))
        });
        scopes.collect()
    }
}

impl Flow {
    /// The chain of one service.
    pub async fn why(&self, key: &ServiceKey) -> Chain {
        let looked = self.look(key).await;
        let unreadable = looked.as_ref().err().map(ToString::to_string).or_else(|| self.unreadable_gateway());
        let turn = looked.unwrap_or_default();
        let status = self.status_of(key);
        let (objects, upstreams) = match unreadable {
            None => self.objects(key, &turn, &status),
            Some(_) => Default::default(),
        };
        let nodes =
            if upstreams.is_empty() { Vec::new() } else { self.gateway.gateway.health(&upstreams).await };
        let nodes = nodes.into_iter().map(|node| node_view(node, &upstreams)).collect();
        let reading = self.source.view().reading(key);
        let snapshot = reading.as_ref().map(|reading| &*reading.snapshot);
        let projected = turn.projected.as_ref();
        let entry = self.task.entry_for(&key.namespace, &key.service);
        Chain {
            namespace: key.namespace.clone(),
            service: key.service.clone(),
            task: self.task.name.clone(),
            policy: self.task.policy.as_str().to_owned(),
            delete: self.task.delete,
            registered: registered(&self.source, key),
            matched: matched(&self.task, key),
            groups: projected.map(|it| groups(it, entry, snapshot)).unwrap_or_default(),
            split: projected.and_then(|it| it.split.as_ref()).map(split_view),
            notes: turn.notes().iter().map(ToString::to_string).collect(),
            left_out: projected.map(left_out).unwrap_or_default(),
            all_unhealthy: projected.is_some_and(|it| it.all_unhealthy),
            gateway: GatewayView {
                name: self.gateway.config.name.clone(),
                error: unreadable,
                objects,
                nodes,
            },
            failing: status.error,
        }
    }

    /// Why what stands in the gateway is not known.
    fn unreadable_gateway(&self) -> Option<String> {
        match self.gateway.condition() {
            Condition::Failing(error) => Some(error),
            _ if !self.gateway.was_read() => Some("it has not been read yet".to_owned()),
            _ => None,
        }
    }

    fn objects(
        &self,
        key: &ServiceKey,
        turn: &Turn,
        status: &KeyStatus,
    ) -> (Vec<ObjectView>, BTreeSet<String>) {
        let now = (self.source.time(), Instant::now());
        let world = self.gateway.world();
        let scene = Scene {
            turn,
            world: &world,
            mark: self.mark(),
            selector: &tags::selector(&self.task.source, &key.namespace, &key.service),
            clock: Clock { now, retiring: &status.retiring, retire_after: self.gateway.retire_after() },
        };
        (scene.objects(), scene.upstreams())
    }
}

/// What a registry shows of a service.
pub(super) fn registered(source: &SourceHandle, key: &ServiceKey) -> Registered {
    let reading = source.view().reading(key);
    let state = match &reading {
        None => "unread",
        Some(reading) if !reading.listed && reading.snapshot.instances.is_empty() => "absent",
        Some(_) => "listed",
    };
    let instances = reading.iter().flat_map(|reading| reading.snapshot.instances.values());
    Registered {
        registry: source.name.clone(),
        state: state.to_owned(),
        instances: instances.map(instance_view).collect(),
        unknown: source.view().unknown(key).map(|unknown| unknown.reason),
    }
}

fn instance_view(instance: &Instance) -> InstanceView {
    InstanceView {
        address: instance.address.to_string(),
        weight: instance.weight.ratio(),
        healthy: instance.healthy,
        enabled: instance.enabled,
        isolated: instance.isolated,
        metadata: instance.metadata.clone(),
    }
}

pub(super) fn matched(task: &Task, key: &ServiceKey) -> Matched {
    let rule = |place: String, selector: &Selector| Rule {
        place,
        namespace: selector.namespace.to_string(),
        service: selector.service.to_string(),
    };
    match decide(task, key) {
        Decision::Matched { index, entry } => {
            Matched { entry: Some(rule(format!("match[{index}]"), &entry.select)), kept_out_by: Vec::new() }
        }
        Decision::Excluded(exclude) => {
            Matched { entry: None, kept_out_by: vec![rule("exclude".to_owned(), exclude)] }
        }
        Decision::NoEntry(kept_out) => {
            let rules = kept_out.into_iter().map(|(index, it)| rule(format!("match[{index}].exclude"), it));
            Matched { entry: None, kept_out_by: rules.collect() }
        }
    }
}

fn split_view(split: &Split) -> SplitView {
    let shares = split.portions.iter().map(|(group, share)| ShareView {
        group: group.clone(),
        configured: share.configured,
        given: share.given,
        targets: share.members.len(),
        weights: share.members.iter().map(|target| split.weights[target]).collect(),
    });
    SplitView { upstream: split.upstream.clone(), wheel: split.wheel, shares: shares.collect() }
}

fn left_out(projected: &Projected) -> Vec<LeftOut> {
    let skipped = projected.skipped.iter();
    skipped.map(|it| LeftOut { address: it.address.to_string(), reason: it.reason.to_string() }).collect()
}

fn groups(projected: &Projected, entry: Option<&MatchEntry>, snapshot: Option<&Snapshot>) -> Vec<GroupView> {
    let skipped: BTreeSet<_> = projected.skipped.iter().map(|skipped| &skipped.address).collect();
    let candidates: Vec<&Instance> = snapshot
        .into_iter()
        .flat_map(|snapshot| snapshot.instances.values())
        .filter(|instance| !skipped.contains(&instance.address))
        .collect();
    let view = |group: &crate::project::GroupSummary| {
        let configured = entry.and_then(|entry| entry.groups.iter().find(|it| it.name == group.name));
        let of_value = || {
            let key = entry?.group_by.as_ref().filter(|_| group.name != DEFAULT_GROUP)?.key.clone();
            Some(BTreeMap::from([(key, group.name.clone())]))
        };
        let asks = configured.map(|group| group.metadata.clone()).or_else(of_value).unwrap_or_default();
        let others = candidates.iter().filter(|instance| !group.members.contains(&instance.address));
        GroupView {
            name: group.name.clone(),
            upstream: group.upstream.clone(),
            members: group.targets.iter().map(ToString::to_string).collect(),
            others: others.map(|instance| not_asked_for(instance, &asks)).collect(),
            asks,
            name_taken: group.name_taken,
        }
    };
    projected.groups.iter().map(view).collect()
}

/// Why an instance is not in a group: the first pair of metadata that it lacks.
fn not_asked_for(instance: &Instance, asks: &BTreeMap<String, String>) -> LeftOut {
    let lacks = asks.iter().find(|(name, value)| instance.metadata.get(*name) != Some(*value));
    let reason = match lacks.map(|(name, _)| (name, instance.metadata.get(name))) {
        Some((name, Some(has))) => format!("{name} is {has}"),
        Some((name, None)) => format!("no {name}"),
        None => "the metadata does not fit".to_owned(),
    };
    LeftOut { address: instance.address.to_string(), reason }
}

fn node_view(node: NodeHealth, asked: &BTreeSet<String>) -> NodeView {
    let address = node.address;
    let mut view = match node.view {
        Ok(view) => view,
        Err(error) => {
            return NodeView { address, node_id: None, error: Some(error), upstreams: Vec::new() };
        }
    };
    let upstreams = asked.iter().map(|name| {
        let targets = view.upstreams.remove(name);
        UpstreamHealth {
            upstream: name.clone(),
            known: targets.is_some(),
            targets: targets.into_iter().flatten().map(target_health).collect(),
        }
    });
    NodeView { address, error: None, upstreams: upstreams.collect(), node_id: view.node_id }
}

fn target_health(seen: causeway_gateways::TargetHealth) -> TargetHealth {
    let causeway_gateways::TargetHealth { target, weight, health, dns } = seen;
    TargetHealth { target, weight, health, dns }
}
