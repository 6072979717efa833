//! Notices instances that no push tells of: those that are switched off from their first moment. The list of services counts them.
//! Seen on 3.1.0. Pure.

use std::collections::BTreeMap;

/// The services that hold more instances than are shown, as they were at the last reading of the list.
#[derive(Default)]
pub(super) struct Hidden {
    services: BTreeMap<String, Gap>,
}

struct Gap {
    counted: usize,
    shown: usize,
    looked_for: bool,
}

impl Hidden {
    /// Whether the full listing of a service should be looked at: it holds more than is shown, at two readings alike, since a push
    /// may be under way at the first. It is looked at once for the same two numbers: two natives at one address are shown as one,
    /// which is no reason to look again and again.
    pub(super) fn should_be_listed(
        &mut self,
        service: &str,
        counted: Option<usize>,
        shown: Option<usize>,
    ) -> bool {
        let gap = counted.zip(shown).filter(|(counted, shown)| counted > shown);
        let Some((counted, shown)) = gap else {
            self.services.remove(service);
            return false;
        };
        match self.services.get_mut(service) {
            Some(gap) if (gap.counted, gap.shown) == (counted, shown) => {
                !std::mem::replace(&mut gap.looked_for, true)
            }
            _ => {
                self.services.insert(service.to_owned(), Gap { counted, shown, looked_for: false });
                false
            }
        }
    }

    /// Forgets services that aren't listed any more.
    pub(super) fn keep(&mut self, is_listed: impl Fn(&str) -> bool) {
        self.services.retain(|service, _| is_listed(service));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_hidden_is_looked_for_once() {
        let mut hidden = Hidden::default();
        let mut listed = |counted, shown| hidden.should_be_listed("orders", counted, shown);
        assert!(!listed(Some(1), None) && !listed(None, Some(1)) && !listed(Some(1), Some(1)));
        assert!(!listed(Some(2), Some(1)), "a push may be under way");
        assert!(listed(Some(2), Some(1)) && !listed(Some(2), Some(1)), "once");
        assert!(!listed(Some(3), Some(1)) && listed(Some(3), Some(1)), "one more");
        assert!(!listed(Some(3), Some(3)), "it was found");
        assert!(!listed(Some(3), Some(1)) && listed(Some(3), Some(1)), "and is hidden again");
    }

    #[test]
    fn a_service_that_comes_back_is_looked_at_anew() {
        let mut hidden = Hidden::default();
        let twice = |hidden: &mut Hidden| {
            let mut listed = || hidden.should_be_listed("orders", Some(1), Some(0));
            (listed(), listed())
        };
        assert_eq!(twice(&mut hidden), (false, true));
        hidden.keep(|service| service == "orders");
        assert_eq!(twice(&mut hidden), (false, false));
        hidden.keep(|_| false);
        assert_eq!(twice(&mut hidden), (false, true));
    }
}
