//! Marks of copies that tools for synchronising put into a registry. The native entry is the one that counts.

use super::Metadata;

/// The registry in which a copy of Causeway's is native, by its configured name.
pub const ORIGIN: &str = "causeway-origin";
/// The deployment of Causeway that wrote a copy.
pub const OWNER: &str = "causeway-owner";
/// The task that wrote a copy.
pub const TASK: &str = "causeway-task";
/// The name of a copy's service in the registry in which it is native, where the other name does not lead back to it.
pub const SERVICE: &str = "causeway-service";

/// Metadata keys that only copies carry: ours, polaris-sync's, and those of nacos-sync and MSE Sync.
const COPY_KEYS: [&str; 5] = [ORIGIN, OWNER, "__sync__", "sourceClusterId", "sync.instance.tag"];
/// What Higress registers of other registries' services.
const HIGRESS: (&str, &str) = ("register-resource", "mcp-bridge");

/// What every id that Causeway gives to a copy begins with, so that a copy is known where its metadata was lost.
pub const ID_PREFIX: &str = "causeway-";

/// Whether an instance with this metadata is a copy.
pub fn is_copy(metadata: &Metadata) -> bool {
    COPY_KEYS.iter().any(|key| metadata.contains_key(*key))
        || metadata.get(HIGRESS.0).is_some_and(|value| value == HIGRESS.1)
}

/// Whether an id is one that Causeway gave to a copy.
pub fn is_copy_id(id: &str) -> bool {
    id.strip_prefix(ID_PREFIX).is_some_and(|rest| uuid::Uuid::try_parse(rest).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_copies_are_told_from_others() {
        assert!(is_copy_id("causeway-7eb6963b230f5a69a963f456150f4d15"));
        assert!(!is_copy_id("causeway-orders-1"));
    }

    #[test]
    fn every_tool_s_mark_makes_a_copy() {
        let with = |key: &str, value: &str| is_copy(&Metadata::from([(key.to_owned(), value.to_owned())]));
        for key in COPY_KEYS {
            assert!(with(key, ""), "{key}");
        }
        assert!(with("register-resource", "mcp-bridge"));
        assert!(!with("register-resource", "k8s"));
        assert!(!with("version", "1"));
    }
}
