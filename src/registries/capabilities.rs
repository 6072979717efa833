//! What each type of registry can tell and hold, as data.

/// What a type of registry can tell and hold, as data: the conformance suite and the docs read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The type's name in a configuration.
    pub kind: &'static str,
    /// The server pushes changes; otherwise it is polled.
    pub push: bool,
    /// The weights that instances can have.
    pub weight: Weights,
    /// Unhealthy instances are shown, and shown as such.
    pub unhealthy: bool,
    /// An instance can be switched off or isolated and still be shown.
    pub isolation: bool,
    /// The metadata that instances can carry.
    pub metadata: MetadataKeys,
    /// A service stays listed when its last instance has left.
    pub empty_services: bool,
    /// What is no longer said is meant to go (a file that people edit), so nothing missing is ever held.
    pub absence_is_intent: bool,
}

/// Weights that a type of registry can hold, as ratios to its default weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weights {
    /// None: all instances are alike.
    None,
    /// Any from 0 on.
    Any,
    /// 1, 2, 3, … times the default.
    Whole,
}

impl Weights {
    /// What comes nearest to this ratio.
    #[must_use]
    pub fn nearest(self, ratio: f64) -> f64 {
        match self {
            Self::None => 1.0,
            Self::Any => ratio,
            Self::Whole => ratio.round().max(1.0),
        }
    }
}

/// Metadata that a type of registry can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetadataKeys {
    /// None.
    None,
    /// Under any key.
    Any,
    /// Under keys of the letters a to z and A to Z, digits, `-` and `_`.
    Plain,
}

impl MetadataKeys {
    /// Whether a pair with this key can be held.
    #[must_use]
    pub fn hold(self, key: &str) -> bool {
        match self {
            Self::None => false,
            Self::Any => true,
            Self::Plain => key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_held_is_rounded_or_left_out() {
        let nearest = |weights: Weights| [0.0, 0.4, 2.5, 4.0].map(|ratio| weights.nearest(ratio));
        assert_eq!(nearest(Weights::None), [1.0; 4]);
        assert_eq!(nearest(Weights::Any), [0.0, 0.4, 2.5, 4.0]);
        assert_eq!(nearest(Weights::Whole), [1.0, 1.0, 3.0, 4.0]);
        let held = |keys: MetadataKeys| ["zone_1-a", "a.b", "空"].map(|key| keys.hold(key));
        assert_eq!(held(MetadataKeys::None), [false; 3]);
        assert_eq!(held(MetadataKeys::Any), [true; 3]);
        assert_eq!(held(MetadataKeys::Plain), [true, false, false]);
    }
}
