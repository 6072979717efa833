//! The native one wins: what is to be done about one address of a service, by who stands there on either side.
//!
//! | at the source | at the destination: nobody | our copy | native | native and our copy | only copies of others | only copies that are given up |
//! | --- | --- | --- | --- | --- | --- | --- |
//! | native | `Carry` | `Maintain` | `NativeAtBoth` | `GiveWay` | `LeftToOther` | `TakeOver` |
//! | nobody | `Nothing` | `Retire` | `NativeAtDestination` | `GiveWay` | `OfOthers` | `OfOthers` |
//! | only a copy | `NoTransit` | `Retire` | `NativeAtDestination` | `GiveWay` | `NoTransit` | `NoTransit` |
//!
//! An instance that is native in two registries may be carried into a third by two tasks at the same moment. Of two such copies
//! the one of the task that comes first by its mark stays, and the other one yields (`YieldToOther`).
//!
//! When it leaves one of the two, the copy of that registry's task stays until the other task's stands: the one doesn't retire it but
//! hands it over (`HandOver`), the other one puts its own in its place (`TakeOver`), and only then does the one yield. So the copy of a
//! deployment is never absent while any of its tasks has one to make.

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
    /// A copy of another owner or tool, or of another task that does not give it up.
    pub others: bool,
    /// One of those comes before ours: two tasks that see each other's copies agree on which of them stays.
    pub comes_before_ours: bool,
    /// A copy of another task of this deployment that does not carry the instance any more.
    pub given_up: bool,
    /// Whether another task of this deployment carries the instance.
    pub heir: Heir,
}

/// Another task of the same deployment that carries an instance to the same place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Heir {
    /// There is none.
    #[default]
    None,
    /// It wants a copy there, or may: its source has not told yet.
    Wants,
    /// Its copy stands there.
    Stands,
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
    /// The source shows it no more, and another task carries it: our copy stays until that task's stands.
    HandOver,
    /// It is native at the source, and a copy stands that another task gives up: ours is put in its place.
    TakeOver,
    /// Another task's copy stands beside ours and comes first, or ours is not needed any more: ours goes.
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
        let AtDestination { native, ours, others, comes_before_ours, given_up, heir } = destination;
        match (source, native, ours) {
            (_, true, true) => Self::GiveWay,
            (AtSource::Native, true, false) => Self::NativeAtBoth,
            (_, true, false) => Self::NativeAtDestination,
            (_, false, true) if comes_before_ours => Self::YieldToOther,
            (AtSource::Native, false, true) => Self::Maintain,
            (_, false, true) => match heir {
                Heir::None => Self::Retire,
                Heir::Wants => Self::HandOver,
                Heir::Stands => Self::YieldToOther,
            },
            (AtSource::Copy, false, false) => Self::NoTransit,
            (AtSource::Native, false, false) if others => Self::LeftToOther,
            (AtSource::Native, false, false) if given_up => Self::TakeOver,
            (AtSource::Nobody, false, false) if others || given_up => Self::OfOthers,
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
            let destination = AtDestination { native, ours, others, ..AtDestination::default() };
            assert_eq!(Outcome::of(source, destination), outcome, "{source:?}, {destination:?}");
            let after = AtDestination { comes_before_ours: others, ..destination };
            let yields = ours && others && !native;
            let outcome = if yields { Outcome::YieldToOther } else { outcome };
            assert_eq!(Outcome::of(source, after), outcome, "{source:?}, {after:?}");
        }
    }

    /// What becomes of the table where the copies of others are given up, or others carry the instance.
    #[test]
    fn copies_are_handed_over_and_never_given_up_before_another_stands() {
        let nobody = AtDestination::default();
        let ours = AtDestination { ours: true, ..nobody };
        let given_up = AtDestination { given_up: true, ..nobody };
        let rows = [
            (Native, given_up, Outcome::TakeOver),
            (Nobody, given_up, Outcome::OfOthers),
            (Copy, given_up, Outcome::NoTransit),
            (Native, AtDestination { others: true, ..given_up }, Outcome::LeftToOther),
            (Native, AtDestination { native: true, ..given_up }, Outcome::NativeAtBoth),
            (Native, AtDestination { ours: true, ..given_up }, Outcome::Maintain),
            (Nobody, AtDestination { ours: true, ..given_up }, Outcome::Retire),
            (Native, AtDestination { heir: Heir::Wants, ..nobody }, Outcome::Carry),
            (Native, AtDestination { heir: Heir::Wants, ..ours }, Outcome::Maintain),
            (Nobody, AtDestination { heir: Heir::Wants, ..ours }, Outcome::HandOver),
            (Copy, AtDestination { heir: Heir::Wants, ..ours }, Outcome::HandOver),
            (Nobody, AtDestination { heir: Heir::Wants, native: true, ..ours }, Outcome::GiveWay),
            (Native, AtDestination { heir: Heir::Stands, others: true, ..ours }, Outcome::Maintain),
            (Nobody, AtDestination { heir: Heir::Stands, others: true, ..ours }, Outcome::YieldToOther),
            (Copy, AtDestination { heir: Heir::Stands, others: true, ..ours }, Outcome::YieldToOther),
        ];
        for (source, destination, outcome) in rows {
            assert_eq!(Outcome::of(source, destination), outcome, "{source:?}, {destination:?}");
        }
    }
}
