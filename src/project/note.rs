//! What a service's user should know of its groups and its split.

use std::fmt;

use super::group_by::ValueNote;
use super::split::SplitNote;

/// One thing to know. Displayed as a sentence without a full stop.
#[derive(Clone, Debug, PartialEq)]
pub enum Note {
    /// Of the values that have no group.
    Value(ValueNote),
    /// Of the split.
    Split(SplitNote),
}

impl Note {
    /// Whether somebody made a mistake that should be put right; the others are ordinary states.
    pub fn is_mistake(&self) -> bool {
        matches!(self, Self::Split(SplitNote::InTwoGroups(_) | SplitNote::NameTaken { .. }))
    }

    /// Whether it is worth a warning when it comes up.
    pub fn is_grave(&self) -> bool {
        matches!(self, Self::Value(ValueNote::BeyondMaxGroups { .. })) || self.is_mistake()
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(note) => note.fmt(f),
            Self::Split(note) => note.fmt(f),
        }
    }
}
