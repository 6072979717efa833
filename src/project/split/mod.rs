//! One more upstream, in which groups have given shares of the traffic, whatever their sizes. Pure.
//!
//! ```text
//!  shares, members ─ choose ─▶ a weight for each target
//!  what stands ───── order ──▶ the order in which they are written
//! ```

mod add;
mod choose;
mod note;
mod order;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use causeway_gateways::TargetAddress;
use sha1::{Digest as _, Sha1};

pub(super) use self::add::add;
use self::choose::{Choice, Part, Portion, choose, gcd, meets};
pub use self::note::{Percent, SplitNote};
use self::order::{Move, order};

/// The reserved name of the split among a service's groups.
pub const SPLIT: &str = "split";

/// A service's traffic, split between groups.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// Its upstream.
    pub upstream: String,
    /// Every group that the configuration gives a share, by name.
    pub portions: BTreeMap<String, Share>,
    /// What each target weighs.
    pub weights: BTreeMap<TargetAddress, u32>,
    /// The slots of Kong's wheel.
    pub wheel: u64,
    /// Inside each group all weigh the same; otherwise some weigh one more than others, since no wheel of a fit size
    /// has the shares.
    pub even: bool,
    /// Instances that are in two of the groups: each with the group in which it counts and the other.
    pub doubled: Vec<Doubled>,
}

/// What one group of a split is to get, and gets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Share {
    /// Its configured part of the whole, 0 to 1.
    pub configured: f64,
    /// Its part of the whole while some groups are empty: theirs goes to the others in proportion.
    pub wanted: f64,
    /// What its weights give it.
    pub given: f64,
    /// Its targets.
    pub members: BTreeSet<TargetAddress>,
    /// Those of them that are registered with weight 0, and get none here either.
    pub drained: BTreeSet<TargetAddress>,
}

/// An instance that is in two groups of a split.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Doubled {
    /// Its target.
    pub target: TargetAddress,
    /// The group in which it counts: the first by name.
    pub counts_in: String,
    /// The other one.
    pub also_in: String,
}

/// A target that stands in the split's upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its weight.
    pub weight: u32,
    /// The group that its mark names.
    pub group: Option<String>,
    /// Somebody else put it there: it keeps its weight.
    pub foreign: bool,
}

impl Split {
    /// A split by these shares, still without members. At least one share is above 0.
    pub(super) fn new(upstream: String, shares: &BTreeMap<String, f64>) -> Self {
        let all: f64 = shares.values().sum();
        let share = |share: &f64| Share { configured: share / all, ..Share::default() };
        Self {
            upstream,
            portions: shares.iter().map(|(name, it)| (name.clone(), share(it))).collect(),
            weights: BTreeMap::new(),
            wheel: 0,
            even: true,
            doubled: Vec::new(),
        }
    }

    /// Puts a target into a group; one that is in another already stays there, and that is noted.
    pub(super) fn add(&mut self, group: &str, target: &TargetAddress, drained: bool) {
        if let Some(first) = self.group_of(target) {
            let (counts_in, also_in) = (first.to_owned(), group.to_owned());
            self.doubled.push(Doubled { target: target.clone(), counts_in, also_in });
        } else if let Some(share) = self.portions.get_mut(group) {
            share.members.insert(target.clone());
            share.drained.extend(drained.then(|| target.clone()));
        }
    }

    /// Keeps a target that stands in a group though it isn't shown, if the split still has that group.
    pub fn keep(&mut self, target: &TargetAddress, stands: &Standing) {
        let share = stands.group.as_ref().and_then(|group| self.portions.get_mut(group));
        if let Some(share) = share {
            share.members.insert(target.clone());
            share.drained.extend((stands.weight == 0).then(|| target.clone()));
        }
    }

    /// The group in which a target counts.
    pub fn group_of(&self, target: &TargetAddress) -> Option<&str> {
        let found = self.portions.iter().find(|(_, share)| share.members.contains(target));
        found.map(|(name, _)| name.as_str())
    }

    /// Reckons the weights of the members that there are now.
    pub fn weigh(&mut self) {
        self.want();
        let counted: Vec<(&String, &Share)> =
            self.portions.iter().filter(|(_, it)| it.wanted > 0.0).collect();
        let part = |share: &Share| Part { share: share.wanted, count: share.serving().count() as u64 };
        let parts: Vec<Part> = counted.iter().map(|(_, share)| part(share)).collect();
        let Choice { portions, even } = choose(&parts);
        let mut weights: BTreeMap<TargetAddress, u32> = self
            .portions
            .values()
            .flat_map(|share| &share.members)
            .map(|target| (target.clone(), 0))
            .collect();
        for ((_, share), portion) in counted.iter().zip(portions) {
            weights.extend(share.dealt(portion));
        }
        let all: u64 = weights.values().map(|weight| u64::from(*weight)).sum();
        let divisor = weights.values().fold(0, |divisor, weight| gcd(divisor, (*weight).into()));
        for share in self.portions.values_mut() {
            let sum: u64 = share.members.iter().map(|target| u64::from(weights[target])).sum();
            share.given = if all == 0 { 0.0 } else { sum as f64 / all as f64 };
        }
        self.wheel = all.checked_div(divisor).unwrap_or(0);
        (self.weights, self.even) = (weights, even);
    }

    /// What each group is to get while some are empty.
    fn want(&mut self) {
        let takes = |share: &Share| share.configured > 0.0 && share.serving().next().is_some();
        let all: f64 =
            self.portions.values().filter(|share| takes(share)).map(|share| share.configured).sum();
        for share in self.portions.values_mut() {
            share.wanted = if takes(share) { share.configured / all } else { 0.0 };
        }
    }

    /// The order in which its targets are to be written, given what stands in its upstream; none when it does not matter.
    pub fn order(&self, standing: &BTreeMap<TargetAddress, Standing>) -> Option<Vec<TargetAddress>> {
        let all: BTreeSet<&TargetAddress> = self.weights.keys().chain(standing.keys()).collect();
        let moves = all.into_iter().map(|address| {
            let stands = standing.get(address);
            // What moved from one group to another is already what it is.
            let belonged = || stands.and_then(|stands| stands.group.as_deref());
            Move {
                address: address.clone(),
                group: self.group_of(address).or_else(belonged),
                before: stands.map_or(0, |stands| stands.weight),
                after: stands
                    .filter(|stands| stands.foreign)
                    .map_or_else(|| self.weights.get(address).copied().unwrap_or(0), |stands| stands.weight),
            }
        });
        order(&moves.collect::<Vec<_>>())
    }

    /// What its user should know.
    pub(super) fn notes(&self) -> Vec<SplitNote> {
        let mut notes: Vec<SplitNote> = self.doubled.iter().cloned().map(SplitNote::InTwoGroups).collect();
        if self.portions.values().all(|share| share.wanted <= 0.0) {
            notes.push(SplitNote::NobodyServes { upstream: self.upstream.clone() });
            return notes;
        }
        for (group, share) in &self.portions {
            let group = group.clone();
            if share.configured > 0.0 && share.wanted <= 0.0 {
                notes.push(SplitNote::EmptyGroup { group, share: share.configured });
                continue;
            }
            if !meets(share.wanted, share.given) {
                notes.push(SplitNote::ShareMissed {
                    group: group.clone(),
                    wanted: share.wanted,
                    given: share.given,
                });
            }
            let idle = share.serving().filter(|target| self.weights[*target] == 0).count();
            if idle > 0 && share.wanted > 0.0 {
                notes.push(SplitNote::Idle { group, idle, members: share.serving().count() });
            }
        }
        notes.extend((!self.even).then_some(SplitNote::Uneven));
        notes
    }
}

impl Share {
    /// Its members that may get traffic.
    fn serving(&self) -> impl Iterator<Item = &TargetAddress> {
        self.members.difference(&self.drained)
    }

    /// A weight for each member that may get traffic. Which of them weigh one more than the others does not depend on
    /// who else comes or goes, as far as that is possible.
    fn dealt(&self, portion: Portion) -> Vec<(TargetAddress, u32)> {
        let mut members: Vec<&TargetAddress> = self.serving().collect();
        members.sort_by_cached_key(|target| Sha1::digest(target.as_str()));
        let weight = |place: usize| portion.each + u64::from((place as u64) < portion.one_more);
        let weights = (0..members.len()).map(|place| u32::try_from(weight(place)).unwrap_or(u32::MAX));
        members.into_iter().cloned().zip(weights).collect()
    }
}
