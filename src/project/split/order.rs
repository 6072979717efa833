//! The order in which the weights of a split change, one at a time: no group gets much more than it had or will have on
//! the way, and the wheel is never without a target. Pure arithmetic.

use std::collections::BTreeMap;

use causeway_gateways::TargetAddress;

/// One target of the upstream: what it weighs, and what it shall. What is absent weighs 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Move<'a> {
    /// The target.
    pub(super) address: TargetAddress,
    /// Whose traffic it takes; none for what belongs to no group of the split.
    pub(super) group: Option<&'a str>,
    /// Its weight as it stands.
    pub(super) before: u32,
    /// Its weight as wanted.
    pub(super) after: u32,
}

/// What a wheel on the way does to the group that it treats worst.
struct Strain {
    /// Its share over the larger of those before and after, as a ratio of it; at least 1.
    over: f64,
    /// How far a share is under the smaller of those before and after, as a part of the whole.
    under: f64,
}

/// The order in which to write what changes. None when nothing stands that has a weight: then nobody is served on the
/// way, and the order does not matter.
pub(super) fn order(moves: &[Move<'_>]) -> Option<Vec<TargetAddress>> {
    let way = Way::new(moves);
    if way.start.total == 0 {
        return None;
    }
    // Step by step looks no further than one step, so that now and then raising first does better.
    let (careful, raising) = (way.careful(), way.raising());
    let chosen = if way.overshoot(&raising) < way.overshoot(&careful) { raising } else { careful };
    Some(way.addresses(&chosen))
}

/// All that has to change. Targets of one group that change alike are interchangeable: a class.
struct Way<'a> {
    classes: Vec<Class<'a>>,
    start: Wheel,
    bounds: Vec<Bounds>,
}

struct Class<'a> {
    group: usize,
    before: u64,
    after: u64,
    addresses: Vec<&'a TargetAddress>,
}

/// The weights of each group and of all.
#[derive(Clone)]
struct Wheel {
    sums: Vec<u64>,
    total: u64,
}

/// The shares of a group before and after.
struct Bounds {
    low: f64,
    high: f64,
}

impl<'a> Way<'a> {
    fn new(moves: &'a [Move<'_>]) -> Self {
        let mut groups: Vec<Option<&str>> = moves.iter().map(|it| it.group).collect();
        groups.sort_unstable();
        groups.dedup();
        let (mut start, mut end) = (Wheel::empty(groups.len()), Wheel::empty(groups.len()));
        let mut classes: BTreeMap<(usize, u32, u32), Vec<&TargetAddress>> = BTreeMap::new();
        for it in moves {
            let group = groups.partition_point(|group| *group < it.group);
            start.add(group, it.before.into());
            end.add(group, it.after.into());
            if it.before != it.after {
                classes.entry((group, it.before, it.after)).or_default().push(&it.address);
            }
        }
        let classes = classes.into_iter().map(|((group, before, after), addresses)| Class {
            group,
            before: before.into(),
            after: after.into(),
            addresses,
        });
        let bounds = (0..groups.len()).map(|group| {
            let (before, after) = (start.share(group), end.share(group));
            Bounds { low: before.min(after), high: before.max(after) }
        });
        Self { classes: classes.collect(), bounds: bounds.collect(), start }
    }

    /// At each step the class whose next write strains the groups least. What would leave nothing comes last.
    fn careful(&self) -> Vec<usize> {
        let mut left: Vec<usize> = self.classes.iter().map(|class| class.addresses.len()).collect();
        let (mut wheel, mut steps) = (self.start.clone(), Vec::new());
        loop {
            let open = (0..left.len()).filter(|class| left[*class] > 0);
            let strained = open.map(|class| {
                let after = wheel.after(&self.classes[class]);
                (after.total == 0, self.strain(&after), class)
            });
            let least = strained.min_by(|(empty_a, a, _), (empty_b, b, _)| {
                empty_a.cmp(empty_b).then(a.over.total_cmp(&b.over)).then(a.under.total_cmp(&b.under))
            });
            let Some((_, _, class)) = least else { return steps };
            left[class] -= 1;
            wheel = wheel.after(&self.classes[class]);
            steps.push(class);
        }
    }

    /// First all that gains weight, then all that loses it.
    fn raising(&self) -> Vec<usize> {
        let (gains, losses): (Vec<usize>, Vec<usize>) = (0..self.classes.len())
            .partition(|class| self.classes[*class].after > self.classes[*class].before);
        let each = |class: usize| std::iter::repeat_n(class, self.classes[class].addresses.len());
        gains.into_iter().chain(losses).flat_map(each).collect()
    }

    fn strain(&self, wheel: &Wheel) -> Strain {
        let shares = self.bounds.iter().enumerate().map(|(group, bounds)| (wheel.share(group), bounds));
        shares.fold(Strain { over: 1.0, under: 0.0 }, |worst, (share, Bounds { low, high })| Strain {
            // What has no share before or after has no weight on the way.
            over: if *high > 0.0 { worst.over.max(share / high) } else { worst.over },
            under: worst.under.max(low - share),
        })
    }

    /// The most by which any group's share is ever over the larger of those before and after, as a part of the whole.
    fn overshoot(&self, steps: &[usize]) -> f64 {
        let mut wheel = self.start.clone();
        steps.iter().fold(0.0, |worst, class| {
            wheel = wheel.after(&self.classes[*class]);
            let over = self.bounds.iter().enumerate().map(|(group, bounds)| wheel.share(group) - bounds.high);
            over.fold(worst, f64::max)
        })
    }

    fn addresses(&self, steps: &[usize]) -> Vec<TargetAddress> {
        let mut next = vec![0; self.classes.len()];
        let address = |class: &usize| {
            let address = self.classes[*class].addresses[next[*class]].clone();
            next[*class] += 1;
            address
        };
        steps.iter().map(address).collect()
    }
}

impl Wheel {
    fn empty(groups: usize) -> Self {
        Self { sums: vec![0; groups], total: 0 }
    }

    fn add(&mut self, group: usize, weight: u64) {
        self.sums[group] += weight;
        self.total += weight;
    }

    /// One target of the class has changed.
    fn after(&self, class: &Class<'_>) -> Self {
        let mut wheel = self.clone();
        wheel.sums[class.group] = wheel.sums[class.group] + class.after - class.before;
        wheel.total = wheel.total + class.after - class.before;
        wheel
    }

    /// A group's part of the whole; of an empty wheel there are none.
    fn share(&self, group: usize) -> f64 {
        if self.total == 0 { 0.0 } else { self.sums[group] as f64 / self.total as f64 }
    }
}
