//! Which entry of a task carries a service, as an answer that can be shown.

use crate::config::{MatchEntry, Selector, Task};
use crate::model::ServiceKey;

/// What a task's `match` and `exclude` say about one service.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision<'a> {
    /// An entry carries it.
    Matched {
        /// Its place in the task's `match`, from 0.
        index: usize,
        /// The entry.
        entry: &'a MatchEntry,
    },
    /// An exclude of the defaults or the task keeps it out, whatever the entries say.
    Excluded(&'a Selector),
    /// No entry fits. Those named here select it, but one of their own excludes keeps it out.
    NoEntry(Vec<(usize, &'a Selector)>),
}

/// Decides on one service: excludes of defaults and task are final, then the first entry that fits wins.
pub fn decide<'a>(task: &'a Task, key: &ServiceKey) -> Decision<'a> {
    let (namespace, service) = (key.namespace.as_str(), key.service.as_str());
    if let Some(selector) = task.excluded_by(namespace, service) {
        return Decision::Excluded(selector);
    }
    let mut entries = task.matches.iter().enumerate();
    if let Some((index, entry)) = entries.find(|(_, entry)| entry.fits(namespace, service)) {
        return Decision::Matched { index, entry };
    }
    let selecting = task.matches.iter().enumerate().filter(|(_, e)| e.select.fits(namespace, service));
    let kept_out = selecting.filter_map(|(index, entry)| {
        let exclude = entry.exclude.iter().find(|exclude| exclude.fits(namespace, service))?;
        Some((index, exclude))
    });
    Decision::NoEntry(kept_out.collect())
}
