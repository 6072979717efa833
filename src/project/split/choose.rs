//! Weights by which groups of any sizes get given shares of the traffic. Pure arithmetic.
//!
//! Kong builds a wheel of Σ weights / gcd slots, and takes whole weights only. So the smallest wheel is looked for in
//! which every instance of a group weighs the same and every share is met closely enough. Where there is none of up to
//! [`MOST_SLOTS`] slots, that many slots are dealt out, and inside a group some weigh one more than others.

/// The largest wheel that is built for a split.
const MOST_SLOTS: u64 = 10_000;

/// How far a share may be off, of the whole; a share under a twentieth, by a tenth of itself.
const TOLERANCE: f64 = 0.005;

/// What decimal fractions lose in binary.
const ROUNDING: f64 = 1e-9;

/// One group that is to get traffic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Part {
    /// Its part of the whole; those of all parts are 1 together, and none is 0.
    pub(super) share: f64,
    /// Its instances, at least one.
    pub(super) count: u64,
}

/// What an instance of one group weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Portion {
    /// Each of them.
    pub(super) each: u64,
    /// So many of them, one more than that.
    pub(super) one_more: u64,
}

/// Weights for each part, in the order of the parts.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Choice {
    /// In the order of the parts.
    pub(super) portions: Vec<Portion>,
    /// All instances of a group weigh the same.
    pub(super) even: bool,
}

/// Whether a group that gets `given` has its share closely enough.
pub(super) fn meets(share: f64, given: f64) -> bool {
    (given - share).abs() <= tolerance(share) + ROUNDING
}

fn tolerance(share: f64) -> f64 {
    TOLERANCE.min(share / 10.0)
}

/// Chooses the weights.
///
/// They are brought to a scale at which all weights together are about [`MOST_SLOTS`], whatever the wheel. So one split
/// changes into another without one of them drowning the other on the way, and the gcd takes the scale out again. That
/// scale depends on nothing that stands, so a change that was broken off is taken up where it was left.
pub(super) fn choose(parts: &[Part]) -> Choice {
    if parts.is_empty() {
        return Choice { portions: Vec::new(), even: true };
    }
    let Some(weights) = smallest(parts) else { return dealt(parts) };
    let scale = scale(total(parts, &weights));
    let portions = weights.iter().map(|weight| Portion { each: weight * scale, one_more: 0 });
    Choice { portions: portions.collect(), even: true }
}

/// The weights of the smallest wheel that meets every share, without a common divisor.
fn smallest(parts: &[Part]) -> Option<Vec<u64>> {
    let at_least = |part: &Part| {
        let slots = part.count as f64 / (part.share + tolerance(part.share));
        (slots - ROUNDING).ceil() as u64
    };
    let all: u64 = parts.iter().map(|part| part.count).sum();
    let first = parts.iter().map(at_least).fold(all, u64::max);
    let mut best: Option<(u64, Vec<u64>)> = None;
    for slots in first..=MOST_SLOTS {
        // A larger number may still round to fewer slots, but not much larger ones.
        if best.as_ref().is_some_and(|(found, _)| slots as f64 > 1.05 * *found as f64 + 5.0) {
            break;
        }
        let weigh = |part: &Part| ((part.share * slots as f64 / part.count as f64).round() as u64).max(1);
        let mut weights: Vec<u64> = parts.iter().map(weigh).collect();
        if !all_meet(parts, &weights) {
            continue;
        }
        let divisor = weights.iter().copied().fold(0, gcd);
        weights.iter_mut().for_each(|weight| *weight /= divisor);
        let wheel = total(parts, &weights);
        if best.as_ref().is_none_or(|(found, _)| wheel < *found) {
            best = Some((wheel, weights));
        }
    }
    best.map(|(_, weights)| weights)
}

fn all_meet(parts: &[Part], weights: &[u64]) -> bool {
    let all = total(parts, weights);
    let given = |(part, weight): (&Part, &u64)| (part.share, (part.count * weight) as f64 / all as f64);
    all <= MOST_SLOTS && parts.iter().zip(weights).map(given).all(|(share, given)| meets(share, given))
}

fn total(parts: &[Part], weights: &[u64]) -> u64 {
    parts.iter().zip(weights).map(|(part, weight)| part.count * weight).sum()
}

/// How often a wheel is taken, so that its weights together come nearest to [`MOST_SLOTS`].
fn scale(wheel: u64) -> u64 {
    ((MOST_SLOTS as f64 / wheel as f64).round() as u64).max(1)
}

/// Deals the slots of the largest wheel out. No group with a share goes without one.
fn dealt(parts: &[Part]) -> Choice {
    let portions = parts.iter().map(|part| {
        let slots = ((part.share * MOST_SLOTS as f64).round() as u64).max(1);
        Portion { each: slots / part.count, one_more: slots % part.count }
    });
    let portions: Vec<Portion> = portions.collect();
    let even = portions.iter().all(|portion| portion.one_more == 0);
    Choice { portions, even }
}

/// The greatest common divisor; of 0 and a number, the number.
pub(super) fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
