//! Pushes that wait for the full listing of their service. A newer push takes the place of an older one, whose listing, when it
//! comes, is nobody's.

use std::collections::BTreeMap;

use super::info::ServiceInfo;

/// The waiting pushes by service.
#[derive(Default)]
pub(super) struct OpenPushes {
    waiting: BTreeMap<String, (u64, ServiceInfo)>,
    last: u64,
}

impl OpenPushes {
    /// A push begins to wait. The number is its listing's.
    pub(super) fn wait(&mut self, service: &str, info: ServiceInfo) -> u64 {
        self.last += 1;
        self.waiting.insert(service.to_owned(), (self.last, info));
        self.last
    }

    /// The push goes on waiting, for a second listing under the same number.
    pub(super) fn wait_on(&mut self, service: &str, number: u64, info: ServiceInfo) {
        self.waiting.insert(service.to_owned(), (number, info));
    }

    /// Nothing waits for this service any more.
    pub(super) fn forget(&mut self, service: &str) {
        self.waiting.remove(service);
    }

    /// The push that this listing is for, unless a newer one has come.
    pub(super) fn take(&mut self, service: &str, number: u64) -> Option<ServiceInfo> {
        let current = self.waiting.get(service).is_some_and(|(waiting, _)| *waiting == number);
        current.then(|| self.waiting.remove(service)).flatten().map(|(_, info)| info)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(name: &str) -> ServiceInfo {
        serde_json::from_value(serde_json::json!({ "name": name })).unwrap()
    }

    #[test]
    fn an_old_listing_takes_no_newer_push() {
        let mut open = OpenPushes::default();
        let old = open.wait("orders", info("old"));
        let new = open.wait("orders", info("new"));
        assert_eq!(open.take("orders", old), None);
        assert_eq!(open.take("orders", new), Some(info("new")));
        assert_eq!(open.take("orders", new), None);
        open.wait_on("orders", new, info("new"));
        open.forget("orders");
        assert_eq!(open.take("orders", new), None);
    }
}
