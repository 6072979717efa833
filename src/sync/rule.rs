//! The native one wins: what is to be done about one address of a service, by who stands there on either side.
//!
//! | at the source | at the destination: nobody | our copy | native | native and our copy | only copies of others |
//! | --- | --- | --- | --- | --- | --- |
//! | native | `Carry` | `Maintain` | `NativeAtBoth` | `GiveWay` | `LeftToOther` |
//! | nobody | `Nothing` | `Retire` | `NativeAtDestination` | `GiveWay` | `OfOthers` |
//! | only a copy | `NoTransit` | `Retire` | `NativeAtDestination` | `GiveWay` | `NoTransit` |
//!
//! An instance that is native in two registries may be carried into a third by two tasks at the same moment. Of two such copies
//! the one of the task that comes first by its mark stays, and the other one yields (`YieldToOther`).

use serde::{Deserialize, Serialize};

/// Who stands at an address of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtSource {
    /// Nobody, or nobody that is to be carried.
    Nobody,
    /// An application's own entry.
    Native,
    /// Copies only. There is no transit: they are not carried on.
    Copy,
}

/// Who stands at the address in the destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AtDestination {
    /// An application's own entry.
    pub native: bool,
    /// A copy of this task.
    pub ours: bool,
    /// A copy of another task, another owner or another tool.
    pub others: bool,
    /// One of those comes before ours: two tasks that see each other's copies agree on which of them stays.
    pub comes_before_ours: bool,
}

/// What is to be done about an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Nobody is anywhere.
    Nothing,
    /// It is native at the source and missing at the destination: a copy is made.
    Carry,
    /// The copy stands, and is kept as the source shows the instance.
    Maintain,
    /// The application has registered itself at the destination too. Nothing is written.
    NativeAtBoth,
    /// The application has registered itself at the destination: our copy beside it goes.
    GiveWay,
    /// The application is native at the destination alone. Nothing is written, and nothing will be removed.
    NativeAtDestination,
    /// The application has left the source: its copy goes when the guard permits.
    Retire,
    /// Another task's copy stands beside ours and comes first: ours goes.
    YieldToOther,
    /// Somebody else's copy stands where ours would. It is not touched.
    LeftToOther,
    /// Somebody else's copy stands there of what the source doesn't show: it is none of this task's.
    OfOthers,
    /// The source holds a copy only, and copies are not carried on.
    NoTransit,
}

impl Outcome {
    /// The rule.
    pub fn of(source: AtSource, destination: AtDestination) -> Self {
        let AtDestination { native, ours, others, comes_before_ours } = destination;
        match (source, native, ours) {
            (_, true, true) => Self::GiveWay,
            (AtSource::Native, true, false) => Self::NativeAtBoth,
            (_, true, false) => Self::NativeAtDestination,
            (_, false, true) if comes_before_ours => Self::YieldToOther,
            (AtSource::Native, false, true) => Self::Maintain,
            (_, false, true) => Self::Retire,
            (AtSource::Copy, false, false) => Self::NoTransit,
            (AtSource::Native, false, false) if others => Self::LeftToOther,
            (AtSource::Nobody, false, false) if others => Self::OfOthers,
            (AtSource::Native, false, false) => Self::Carry,
            (AtSource::Nobody, false, false) => Self::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use AtSource::{Copy, Native, Nobody};

    /// Every combination: source, native, ours, others.
    #[test]
    fn every_combination_has_its_outcome() {
        let rows: [(AtSource, [bool; 3], Outcome); 24] = [
            (Native, [false, false, false], Outcome::Carry),
            (Native, [false, false, true], Outcome::LeftToOther),
            (Native, [false, true, false], Outcome::Maintain),
            (Native, [false, true, true], Outcome::Maintain),
            (Native, [true, false, false], Outcome::NativeAtBoth),
            (Native, [true, false, true], Outcome::NativeAtBoth),
            (Native, [true, true, false], Outcome::GiveWay),
            (Native, [true, true, true], Outcome::GiveWay),
            (Nobody, [false, false, false], Outcome::Nothing),
            (Nobody, [false, false, true], Outcome::OfOthers),
            (Nobody, [false, true, false], Outcome::Retire),
            (Nobody, [false, true, true], Outcome::Retire),
            (Nobody, [true, false, false], Outcome::NativeAtDestination),
            (Nobody, [true, false, true], Outcome::NativeAtDestination),
            (Nobody, [true, true, false], Outcome::GiveWay),
            (Nobody, [true, true, true], Outcome::GiveWay),
            (Copy, [false, false, false], Outcome::NoTransit),
            (Copy, [false, false, true], Outcome::NoTransit),
            (Copy, [false, true, false], Outcome::Retire),
            (Copy, [false, true, true], Outcome::Retire),
            (Copy, [true, false, false], Outcome::NativeAtDestination),
            (Copy, [true, false, true], Outcome::NativeAtDestination),
            (Copy, [true, true, false], Outcome::GiveWay),
            (Copy, [true, true, true], Outcome::GiveWay),
        ];
        for (source, [native, ours, others], outcome) in rows {
            let destination = AtDestination { native, ours, others, comes_before_ours: false };
            assert_eq!(Outcome::of(source, destination), outcome, "{source:?}, {destination:?}");
            let after = AtDestination { comes_before_ours: others, ..destination };
            let yields = ours && others && !native;
            let outcome = if yields { Outcome::YieldToOther } else { outcome };
            assert_eq!(Outcome::of(source, after), outcome, "{source:?}, {after:?}");
        }
    }
}
