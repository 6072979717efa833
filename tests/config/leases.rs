//! How long copies live that are written to a registry.

use crate::{good, told};

fn document(kind: &str, keys: &str) -> String {
    format!("version: 1\nregistries: [{{ name: r, type: {kind}, addresses: [h], {keys} }}]\n")
}

#[test]
fn a_lease_outlives_a_late_renewal() {
    let told = |kind: &str, keys: &str| told(&document(kind, keys));
    let late = "a renewal that is late would end it; the lease is at least twice as long";
    assert_eq!(
        told("nacos", "renew_every: 10s, lease: 19s"),
        [format!("c.yaml:2:79: registries[0].lease: a lease of 19s with a renewal each 10s: {late}")]
    );
    assert_eq!(
        told("eureka", "lease: 45s"),
        [format!("c.yaml:2:62: registries[0].lease: a lease of 45s with a renewal each 30s: {late}")],
        "beside the type's own"
    );
    assert_eq!(
        told("servicecenter", "renew_every: 61s"),
        [format!("c.yaml:2:75: registries[0].renew_every: a lease of 120s with a renewal each 61s: {late}")]
    );
    for kind in ["nacos", "eureka", "servicecenter"] {
        good(&document(kind, "renew_every: 5s, lease: 10s"));
    }
}

#[test]
fn lengths_are_sensible() {
    for (kind, keys, told_of) in [
        ("nacos", "renew_every: 500ms", "renew_every: `500ms` is less than 1s"),
        ("nacos", "lease: 2d", "lease: `2d` is more than 1d"),
        ("zookeeper", "session_timeout: 10ms", "session_timeout: `10ms` is less than 1s"),
        (
            "eureka",
            "renew_every: 1500ms",
            "renew_every: `1500ms` is no whole number of seconds, in which this registry counts",
        ),
        ("zookeeper", "lease: 30s", "lease: unknown key `lease`"),
        ("consul", "persistent: true", "persistent: unknown key `persistent`"),
    ] {
        let told = told(&document(kind, keys));
        assert!(told.len() == 1 && told[0].ends_with(&format!(" registries[0].{told_of}")), "{told:?}");
    }
    good(&document("nacos", "renew_every: 1500ms"));
}
