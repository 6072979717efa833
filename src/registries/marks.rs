//! Copies that tools for synchronising put into a registry. The native entry is the one that counts.

/// Metadata keys that only copies carry: ours, polaris-sync's, and two of nacos-sync's.
const COPY_MARKS: [&str; 4] = ["causeway-origin", "__sync__", "sourceClusterId", "sync.instance.tag"];

/// Whether an instance with these metadata keys is a copy.
pub(super) fn is_copy<'a>(mut keys: impl Iterator<Item = &'a String>) -> bool {
    keys.any(|key| COPY_MARKS.contains(&key.as_str()))
}
