use std::fmt;

/// An instance's share of traffic relative to the registry's default weight, in millionths of it.
///
/// Registries write the same thing in different units (Nacos 1.0, Polaris 100, Consul 1 are each the default);
/// an integer keeps snapshots comparable and exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Weight(u64);

impl Weight {
    /// The registry's default weight.
    pub const DEFAULT: Weight = Weight(1_000_000);
    /// No traffic.
    pub const ZERO: Weight = Weight(0);

    /// A weight from its ratio to the registry's default. What is not a positive finite number counts as zero.
    pub fn from_ratio(ratio: f64) -> Self {
        if !ratio.is_finite() || ratio <= 0.0 {
            return Self::ZERO;
        }
        Self((ratio * 1_000_000.0).round().min(1e15) as u64)
    }

    /// The ratio to the registry's default.
    pub fn ratio(self) -> f64 {
        self.0 as f64 / 1_000_000.0
    }

    /// The weight in integers of which `default` is the default weight, at most `max`.
    /// A weight that is not zero never becomes zero.
    pub fn scaled(self, default: u32, max: u32) -> u32 {
        if self.0 == 0 {
            return 0;
        }
        let scaled = (u128::from(self.0) * u128::from(default) + 500_000) / 1_000_000;
        u32::try_from(scaled).unwrap_or(u32::MAX).clamp(1, max)
    }
}

impl Default for Weight {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.ratio())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_to_integers_and_keeps_small_weights_alive() {
        assert_eq!(Weight::DEFAULT.scaled(100, 65_535), 100);
        assert_eq!(Weight::from_ratio(0.3).scaled(100, 65_535), 30);
        assert_eq!(Weight::from_ratio(0.000_1).scaled(100, 65_535), 1);
        assert_eq!(Weight::from_ratio(10_000.0).scaled(100, 65_535), 65_535);
        assert_eq!(Weight::from_ratio(-1.0), Weight::ZERO);
        assert_eq!(Weight::from_ratio(f64::NAN).scaled(100, 65_535), 0);
    }
}
