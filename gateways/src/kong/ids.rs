//! Ids for new objects: a hint that makes a repeated creation recognisable.

use uuid::Uuid;

use crate::ObjectKey;

/// The namespace of Causeway's ids, itself UUIDv5 of the URL namespace and `causeway`. Golden.
const NAMESPACE: Uuid = Uuid::from_u128(0x6033_a0cc_6dbf_5d5c_ad85_7589_6e07_d55d);

/// UUIDv5 of workspace, kind and name. A target is named by its upstream and its address.
pub(crate) fn hint(workspace: Option<&str>, key: &ObjectKey) -> Uuid {
    let workspace = workspace.unwrap_or_default();
    // No name holds a line break, so no two keys are written alike.
    let text = match key {
        ObjectKey::Upstream(name) => format!("{workspace}\nupstream\n{name}"),
        ObjectKey::Target(upstream, address) => format!("{workspace}\ntarget\n{upstream}\n{address}"),
        ObjectKey::Service(name) => format!("{workspace}\nservice\n{name}"),
        ObjectKey::Route(name) => format!("{workspace}\nroute\n{name}"),
    };
    Uuid::new_v5(&NAMESPACE, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TargetAddress;

    #[test]
    fn golden() {
        assert_eq!(NAMESPACE, Uuid::new_v5(&Uuid::NAMESPACE_URL, b"causeway"));
        let upstream = ObjectKey::Upstream("ins-1.default.orders.default".into());
        assert_eq!(hint(None, &upstream).to_string(), "249989e3-429e-5ea5-8795-fe24699ab39c");
        let target = ObjectKey::Target("up".into(), TargetAddress::stored("10.0.0.1:8080"));
        assert_eq!(hint(Some("team-a"), &target).to_string(), "ad0b16ef-4bd8-5857-9316-1fff641c15a3");
    }
}
