use super::rules::Time;
use crate::model::ServiceKey;

/// The breaker, for status, metrics and the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakerStatus {
    /// Nothing missing or unhealthy is removed.
    pub open: bool,
    /// Since when it is open.
    pub since: Option<Time>,
    /// When it releases by itself, where that is configured.
    pub until: Option<Time>,
    /// How many usable instances are missing from the levels of all services.
    pub loss: usize,
    /// The sum of the levels of all services that were read.
    pub levels: usize,
    /// How many services show less than their level.
    pub losing: usize,
    /// The first of those services by name, at most twenty.
    pub services: Vec<ServiceKey>,
}

/// A service that shows fewer usable instances than its level and isn't protected: what is missing was believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unprotected {
    /// Which service.
    pub service: ServiceKey,
    /// How many usable instances it showed for long.
    pub level: usize,
    /// How many it shows.
    pub shown: usize,
}
