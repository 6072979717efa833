//! Spring Cloud Zookeeper's entries. Seen on 4.1.2.

use crate::model::Instance;

/// The payload's class.
pub(super) const CLASS: &str = "org.springframework.cloud.zookeeper.discovery.ZookeeperInstance";
/// The metadata key by which an operator takes an instance out of traffic.
pub(super) const STATUS: &str = "instance_status";
pub(super) const UP: &str = "UP";
pub(super) const OUT_OF_SERVICE: &str = "OUT_OF_SERVICE";

/// Completes an instance by what its metadata mean to Spring Cloud: with any status but `UP` it gets no traffic.
pub(super) fn complete(instance: &mut Instance) {
    let status = instance.metadata.get(STATUS).map(|status| status.trim());
    instance.isolated = status.is_some_and(|status| !status.is_empty() && !status.eq_ignore_ascii_case(UP));
}

#[cfg(test)]
mod tests {
    use super::super::curator::{Framework, entry};

    /// As Spring Cloud Zookeeper 4.1.2 wrote it, with another status in it.
    fn recorded(status: &str) -> String {
        format!(
            r#"{{"name":"sc-app","id":"sc-app-1","address":"10.0.0.5","port":8081,"sslPort":null,"payload":{{"@class":"org.springframework.cloud.zookeeper.discovery.ZookeeperInstance","id":"sc-app-1","name":"sc-app","metadata":{{"lane":"blue"{status}}}}},"registrationTimeUTC":1795204114644,"serviceType":"DYNAMIC","uriSpec":{{"parts":[]}}}}"#
        )
    }

    #[test]
    fn the_status_isolates() {
        for (status, isolated) in [
            ("", false),
            (r#","instance_status":"UP""#, false),
            (r#","instance_status":"up""#, false),
            (r#","instance_status":"""#, false),
            (r#","instance_status":"OUT_OF_SERVICE""#, true),
        ] {
            let (framework, read) = entry("sc-app", recorded(status).as_bytes()).unwrap();
            assert_eq!(framework, Framework::SpringCloud);
            assert_eq!(read.instance.isolated, isolated, "{status}");
            assert!(read.instance.healthy && read.instance.enabled);
            assert_eq!(read.instance.metadata["lane"], "blue");
        }
    }
}
