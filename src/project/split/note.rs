//! What is to be known of a split.

use std::fmt;

use super::Doubled;

/// One thing to know of a split. Shares are parts of the whole, 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub enum SplitNote {
    /// There is none, since a group fills an upstream of its name.
    NameTaken {
        /// The name.
        upstream: String,
    },
    /// An instance is in two groups.
    InTwoGroups(Doubled),
    /// A group with a share has nobody who could take it.
    EmptyGroup {
        /// The group.
        group: String,
        /// Its configured share.
        share: f64,
    },
    /// No group with a share has anybody.
    NobodyServes {
        /// The split's upstream.
        upstream: String,
    },
    /// A group gets another share than it should, by more than is let pass.
    ShareMissed {
        /// The group.
        group: String,
        /// What it should get.
        wanted: f64,
        /// What it gets.
        given: f64,
    },
    /// A share is too small for all instances of its group.
    Idle {
        /// The group.
        group: String,
        /// How many get nothing.
        idle: usize,
        /// Of how many.
        members: usize,
    },
    /// Inside groups the weights differ.
    Uneven,
}

impl fmt::Display for SplitNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NameTaken { upstream } => {
                write!(f, "there is no split, since a group's `upstreamName` is that of its upstream, {upstream}")
            }
            Self::InTwoGroups(Doubled { target, counts_in, also_in }) => write!(
                f,
                "{target} is in two groups of the split, {counts_in} and {also_in}; it counts in {counts_in} until it is in one"
            ),
            Self::EmptyGroup { group, share } => write!(
                f,
                "group {group} has nobody to take its {} of the split, which the other groups take in proportion",
                Percent(*share)
            ),
            Self::NobodyServes { upstream } => write!(
                f,
                "no group with a share of the split has an instance that takes traffic: {upstream} serves nobody"
            ),
            Self::ShareMissed { group, wanted, given } => write!(
                f,
                "group {group} gets {} of the split and should get {}: no wheel of a fit size comes nearer",
                Percent(*given),
                Percent(*wanted)
            ),
            Self::Idle { group, idle, members } => write!(
                f,
                "{idle} of the {members} instances of group {group} get nothing, since its share of the split is too small for all"
            ),
            Self::Uneven => f.write_str(
                "inside a group of the split some instances weigh one more than others, since with equal weights the shares cannot be met",
            ),
        }
    }
}

/// A part of the whole, for people.
pub struct Percent(pub f64);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:.2}", self.0 * 100.0);
        write!(f, "{}%", text.trim_end_matches('0').trim_end_matches('.'))
    }
}
