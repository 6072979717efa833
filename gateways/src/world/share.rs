//! Keeps one copy of what most objects have in common: Kong writes all defaults into each of them, some
//! kilobytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::Fields;

/// Fields by their text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shared {
    pool: BTreeMap<String, Arc<Fields>>,
}

impl Shared {
    /// The copy of these fields that all share.
    pub(crate) fn share(&mut self, fields: Arc<Fields>) -> Arc<Fields> {
        // Fields are JSON by nature; what could not be written would only go unshared.
        let Ok(text) = serde_json::to_string(&*fields) else { return fields };
        self.pool.entry(text).or_insert(fields).clone()
    }

    /// Drops what nobody has any more.
    pub(crate) fn tidy(&mut self) {
        self.pool.retain(|_, fields| Arc::strong_count(fields) > 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_fields_are_one_until_nobody_has_them() {
        let mut shared = Shared::default();
        let fields = |n: u8| Arc::new(Fields::from_iter([("retries".to_owned(), n.into())]));
        let (a, b, other) = (shared.share(fields(1)), shared.share(fields(1)), shared.share(fields(2)));
        assert!(Arc::ptr_eq(&a, &b) && !Arc::ptr_eq(&a, &other));
        drop((a, b));
        shared.tidy();
        assert_eq!(shared.pool.len(), 1);
    }
}
