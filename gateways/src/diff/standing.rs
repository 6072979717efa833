//! Whose an object is that stands under a name or address we want, and how that is told.

use crate::tags::{self, Marks};
use crate::{Context, Tags};

/// Whose it is.
pub(crate) enum Standing {
    /// Ours, made for this service.
    Ours,
    /// Somebody else's; why, for people.
    Foreign(String),
    /// It bears no mark of Causeway: a person or another tool made it.
    Unmarked,
}

impl Context {
    pub(crate) fn standing(&self, live: &Tags) -> Standing {
        let marks = Marks::read(live);
        if self.mark.owns(live) {
            if !tags::names_another(live, &self.selector) {
                return Standing::Ours;
            }
            return Standing::Foreign(format!(
                "this task already made it for service {} of namespace {} in {}; two services cannot share it",
                marks.service.unwrap_or_default(),
                marks.namespace.unwrap_or_default(),
                marks.registry.unwrap_or_default(),
            ));
        }
        match (marks.owner, marks.task) {
            (Some(owner), Some(task)) if owner == self.mark.owner() => {
                Standing::Foreign(format!("it belongs to task {task} of this deployment, and is left alone"))
            }
            (Some(owner), _) if owner != self.mark.owner() => {
                Standing::Foreign(format!("it belongs to another deployment, {owner}, and is left alone"))
            }
            _ => Standing::Unmarked,
        }
    }

    /// Ours beyond doubt: made by this task for this very service.
    pub(super) fn made(&self, live: &Tags) -> bool {
        self.mark.owns(live) && self.selector.is_subset(live)
    }
}

/// Why an unmarked object of our name is a conflict.
pub(super) const UNMARKED: &str = "somebody else made it, since it bears no mark of Causeway; it is left alone until it is gone or `causeway adopt` takes it over";
