//! From a copy to what is registered, and to what the source shows of that. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::info::Host;
use crate::config;
use crate::model::{Instance, dubbo};
use crate::registries::InstanceCopy;

/// The cluster of an instance that names none.
const DEFAULT_CLUSTER: &str = "DEFAULT";
/// The largest weight that Nacos takes.
const MOST_WEIGHT: f64 = 10_000.0;
/// The metadata by which Nacos is told how an instance lives, in milliseconds.
const BEAT_INTERVAL: &str = "preserved.heart.beat.interval";
const BEAT_TIMEOUT: &str = "preserved.heart.beat.timeout";
const DELETE_TIMEOUT: &str = "preserved.ip.delete.timeout";

/// How copies live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Between two beats of a copy.
    pub beat_every: Duration,
    /// After so long without one it is unhealthy.
    pub unhealthy_after: Duration,
    /// After so long it is gone.
    pub gone_after: Duration,
}

impl Default for Lease {
    fn default() -> Self {
        Self::from(config::Lease::NACOS)
    }
}

impl From<config::Lease> for Lease {
    /// What is unhealthy is listed for half as long again.
    fn from(config::Lease { renew_every, expires_after }: config::Lease) -> Self {
        Self { beat_every: renew_every, unhealthy_after: expires_after, gone_after: expires_after * 3 / 2 }
    }
}

impl Lease {
    fn metadata(&self) -> [(&'static str, Duration); 3] {
        [
            (BEAT_INTERVAL, self.beat_every),
            (BEAT_TIMEOUT, self.unhealthy_after),
            (DELETE_TIMEOUT, self.gone_after),
        ]
    }
}

/// What is registered of a copy. An isolated one is switched off, which is what Nacos has for it.
pub(super) fn host(copy: &InstanceCopy, lease: &Lease) -> Host {
    let instance = &copy.instance;
    let text = |text: &String| Value::String(text.clone());
    let mut metadata: BTreeMap<String, Value> =
        instance.metadata.iter().map(|(key, value)| (key.clone(), text(value))).collect();
    for (key, value) in of_dubbo(copy) {
        metadata.entry(key.to_owned()).or_insert(Value::String(value));
    }
    for (key, time) in lease.metadata() {
        metadata.insert(key.to_owned(), Value::String(time.as_millis().to_string()));
    }
    let cluster = instance.attributes.get("cluster").filter(|cluster| !cluster.is_empty());
    Host {
        ip: instance.address.host.clone(),
        port: i64::from(instance.address.port),
        weight: instance.weight.ratio().min(MOST_WEIGHT),
        healthy: instance.healthy,
        enabled: instance.wanted(),
        ephemeral: true,
        cluster_name: Some(cluster.cloned().unwrap_or_else(|| DEFAULT_CLUSTER.to_owned())),
        metadata: Some(metadata),
    }
}

/// What Dubbo's own Nacos registry makes a provider's URL of (`NacosRegistry.buildURL`, Dubbo 3.3.2), where the service is an
/// interface of Dubbo's. Other registries have it in the URL itself.
fn of_dubbo(copy: &InstanceCopy) -> Vec<(&'static str, String)> {
    let service = dubbo::of_nacos(&copy.key.service);
    let Some(interface) = dubbo::interface(&service) else { return Vec::new() };
    let attribute = |key: &str| copy.instance.attributes.get(key).cloned();
    vec![
        ("protocol", attribute("protocol").unwrap_or_else(|| "dubbo".to_owned())),
        ("path", attribute("path").unwrap_or_else(|| interface.to_owned())),
        ("category", "providers".to_owned()),
    ]
}

/// What the source shows of a copy.
pub(super) fn as_shown(copy: &InstanceCopy, lease: &Lease) -> Instance {
    // There is one for each port that an address can have.
    host(copy, lease).instance().unwrap_or_else(|| copy.instance.clone())
}

/// How long Nacos finds a registration's metadata, in UTF-16 units, and its longest entries.
pub(super) fn metadata_told(host: &Host) -> String {
    let length = |text: &str| text.encode_utf16().count();
    let entries = host.metadata.iter().flatten();
    let mut lengths: Vec<(usize, &str)> =
        entries.map(|(key, value)| (length(key) + value.as_str().map_or(0, length), key.as_str())).collect();
    let whole: usize = lengths.iter().map(|(length, _)| length).sum();
    lengths.sort_unstable_by(|a, b| b.cmp(a));
    let longest: Vec<String> =
        lengths.iter().take(3).map(|(length, key)| format!("{key} ({length})")).collect();
    format!("{whole} characters, the longest entries being {}", longest.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Weight;

    #[test]
    fn a_configured_lease_is_unhealthy_when_it_ends_and_gone_half_as_long_again_later() {
        let [beat_every, unhealthy_after, gone_after] = [20, 60, 90].map(Duration::from_secs);
        assert_eq!(Lease::default(), Lease { beat_every, unhealthy_after, gone_after });
        let [renew_every, expires_after, gone_after] = [5, 15, 22].map(Duration::from_secs);
        let lease = Lease::from(config::Lease { renew_every, expires_after });
        assert_eq!((lease.beat_every, lease.unhealthy_after), (renew_every, expires_after));
        assert_eq!(lease.gone_after, gone_after + Duration::from_millis(500));
    }

    fn copy() -> InstanceCopy {
        InstanceCopy::example("empty_ns", "orders")
    }

    #[test]
    fn a_provider_of_dubbos_has_what_its_consumers_make_a_url_of() {
        let shown = |service: &str, attributes: &[(&str, &str)]| {
            let mut copy = InstanceCopy::example("empty_ns", service);
            copy.instance.attributes.extend(attributes.iter().map(|(k, v)| ((*k).into(), (*v).into())));
            let metadata = as_shown(&copy, &Lease::default()).metadata;
            ["protocol", "path", "category"].map(|key| metadata.get(key).cloned().unwrap_or_default())
        };
        let service = "providers:lab.Hello:1.0.0:";
        assert_eq!(shown(service, &[]), ["dubbo", "lab.Hello", "providers"]);
        let others = [("protocol", "tri"), ("path", "api/lab.Hello")];
        assert_eq!(shown(&format!("TRADE__{service}"), &others), ["tri", "api/lab.Hello", "providers"]);
        assert_eq!(shown("orders", &others), ["", "", ""]);
        let nested = shown("providers:lab.Outer___Inner::", &[]);
        assert_eq!(nested, ["dubbo", "lab.Outer$Inner", "providers"], "its path is the class");
    }

    #[test]
    fn a_copy_is_shown_with_its_lease_and_its_cluster() {
        let shown = as_shown(&copy(), &Lease::default());
        let pairs = |map: &crate::model::Metadata| {
            map.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>()
        };
        assert_eq!(
            pairs(&shown.metadata),
            [
                "causeway-origin=elsewhere",
                "causeway-owner=prod",
                "causeway-task=move",
                "preserved.heart.beat.interval=20000",
                "preserved.heart.beat.timeout=60000",
                "preserved.ip.delete.timeout=90000",
            ]
        );
        assert_eq!(pairs(&shown.attributes), ["cluster=DEFAULT"]);
        assert_eq!((shown.weight, shown.healthy, shown.enabled), (Weight::DEFAULT, true, true));
    }

    #[test]
    fn what_nacos_cannot_hold_is_what_comes_nearest() {
        let mut copy = copy();
        copy.instance.isolated = true;
        copy.instance.healthy = false;
        copy.instance.weight = Weight::from_ratio(20_000.0);
        let attributes = [("cluster", "bj"), ("zone", "z1"), ("id", "x")];
        copy.instance.attributes =
            attributes.map(|(key, value)| (key.to_owned(), value.to_owned())).into_iter().collect();
        copy.instance.metadata.insert(BEAT_TIMEOUT.to_owned(), "1".to_owned());
        let shown = as_shown(&copy, &Lease::default());
        assert!(!shown.healthy && !shown.enabled && !shown.isolated);
        assert_eq!(shown.weight, Weight::from_ratio(10_000.0));
        assert_eq!(
            shown.attributes.into_iter().collect::<Vec<_>>(),
            [("cluster".to_owned(), "bj".to_owned())]
        );
        assert_eq!(shown.metadata[BEAT_TIMEOUT], "60000", "the native one's own times are not the copy's");
    }

    #[test]
    fn the_length_of_metadata_is_counted_as_java_does() {
        let mut copy = copy();
        copy.instance.metadata.insert("dubbo".to_owned(), "é𝄞".to_owned());
        let told = metadata_told(&host(&copy, &Lease::default()));
        // 59 of the marks, 99 of the lease, 5 + 3.
        assert!(told.starts_with("166 characters"), "{told}");
        assert!(
            told.contains("preserved.heart.beat.interval (34), preserved.heart.beat.timeout (33)"),
            "{told}"
        );
    }
}
