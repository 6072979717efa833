//! Keeps a gateway read: the first reading, the periodic audit, the rotation through all target lists, and the probe
//! of one that fails.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use causeway_gateways::{LiveUpstream, Mark, Marks, tags};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::gateway::{Condition, GatewayEvent, GatewayHandle};
use super::metrics::{AuditLabels, GatewayLabel, Metrics};
use crate::model::ServiceKey;

/// The fastest rotation: one list of targets in this time.
const ROTATION: Duration = Duration::from_millis(200);

/// Keeps one gateway read until `stop`. Without `interval` it is read once, and probed while it fails.
pub(super) async fn keep_read(
    handle: Arc<GatewayHandle>,
    interval: Option<Duration>,
    metrics: Metrics,
    stop: CancellationToken,
) {
    let work = async {
        until_read(&handle).await;
        tokio::join!(probe_while_failing(&handle, &metrics), async {
            if let Some(interval) = interval {
                tokio::join!(audit_every(&handle, interval, &metrics), rotate(&handle, interval));
            }
        });
    };
    tokio::select! {
        () = work => {}
        () = stop.cancelled() => {}
    }
}

/// Has a gateway look after what stands there until `stop`; what somebody else changed is read at once.
pub(super) async fn keep_tended(handle: Arc<GatewayHandle>, stop: CancellationToken) {
    let work = async {
        loop {
            handle.until_ready().await;
            handle.gateway.tend().await;
            if handle.audit().await.is_ok() {
                handle.tell(&GatewayEvent::Audited);
            }
        }
    };
    tokio::select! {
        () = work => {}
        () = stop.cancelled() => {}
    }
}

fn backoff() -> impl Iterator<Item = Duration> {
    let builder = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(250))
        .with_max_delay(Duration::from_secs(10))
        .with_jitter()
        .without_max_times();
    builder.build()
}

async fn until_read(handle: &GatewayHandle) {
    for delay in backoff() {
        if handle.read_all().await.is_ok() {
            handle.mark_ready();
            handle.tell(&GatewayEvent::Audited);
            return;
        }
        sleep(delay).await;
    }
}

/// While a gateway fails, one probe asks in place of everybody; when it answers, all go on.
async fn probe_while_failing(handle: &GatewayHandle, metrics: &Metrics) {
    let up = metrics.gateway_up.get_or_create(&GatewayLabel { gateway: handle.config.name.clone() }).clone();
    loop {
        up.set(1);
        handle.until_failing().await;
        up.set(0);
        for delay in backoff() {
            sleep(delay).await;
            if handle.condition() == Condition::Ready {
                break;
            }
            if handle.gateway.check().await.is_ok() {
                handle.mark_ready();
                break;
            }
        }
    }
}

async fn audit_every(handle: &GatewayHandle, interval: Duration, metrics: &Metrics) {
    loop {
        sleep(interval).await;
        handle.until_ready().await;
        let result = if handle.audit().await.is_ok() { "ok" } else { "failed" };
        let labels = AuditLabels { gateway: handle.config.name.clone(), result };
        metrics.audits.get_or_create(&labels).inc();
        if result == "ok" {
            handle.tell(&GatewayEvent::Audited);
        }
    }
}

/// Lists the targets of all upstreams in turn that are ours or hold targets of ours, so that a weight changed by hand is seen within one rotation. The audit sees
/// all else. Never faster than once through in each audit's interval.
async fn rotate(handle: &GatewayHandle, interval: Duration) {
    let mut last = String::new();
    loop {
        let begun = Instant::now();
        let (next, count) = next_of_ours(handle, &last);
        let count = u32::try_from(count.max(1)).unwrap_or(u32::MAX);
        sleep_until(begun + (interval / count).max(ROTATION)).await;
        handle.until_ready().await;
        let Some(name) = next else { continue };
        relist(handle, &name).await;
        last = name;
    }
}

fn next_of_ours(handle: &GatewayHandle, last: &str) -> (Option<String>, usize) {
    let owner = tags::owner_tag(&handle.owner);
    let world = handle.world();
    let ours = || {
        let with_ours =
            world.upstreams().iter().filter(|(_, upstream)| upstream.all_tags().any(|t| t.contains(&owner)));
        with_ours.map(|(name, _)| name)
    };
    let after = ours().find(|name| name.as_str() > last).or_else(|| ours().next());
    (after.cloned(), ours().count())
}

async fn relist(handle: &GatewayHandle, name: &str) {
    let before = handle.world().upstream(name).cloned();
    let names = BTreeSet::from([name.to_owned()]);
    if handle.read_names(names, BTreeSet::new(), BTreeSet::new()).await.is_err() {
        return;
    }
    let after = handle.world().upstream(name).cloned();
    if before == after {
        return;
    }
    let made_for =
        before.iter().flat_map(LiveUpstream::all_tags).filter_map(|tags| made_for(&Marks::read(tags)));
    for (registry, key) in made_for.collect::<BTreeSet<_>>() {
        handle.tell(&GatewayEvent::Drifted { registry, key });
    }
}

/// The registered service that an object's marks name.
pub(super) fn made_for(marks: &Marks) -> Option<(String, ServiceKey)> {
    let key = ServiceKey::new(marks.namespace.clone()?, marks.service.clone()?);
    Some((marks.registry.clone()?, key))
}

/// The services of `registry` for which something stands under `mark`.
pub(super) fn standing_keys(handle: &GatewayHandle, mark: &Mark, registry: &str) -> BTreeSet<ServiceKey> {
    let world = handle.world();
    let ours = world.all_tags().filter(|tags| mark.owns(tags));
    let keys = ours.filter_map(|tags| made_for(&Marks::read(tags)));
    keys.filter(|(name, _)| name == registry).map(|(_, key)| key).collect()
}
