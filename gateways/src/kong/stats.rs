//! Counts of requests, as plain numbers for whoever shows them.

use std::sync::atomic::{AtomicU64, Ordering};

use reqwest::Method;

const METHODS: [&str; 4] = ["GET", "POST", "PATCH", "DELETE"];
const CLASSES: [&str; 5] = ["2xx", "3xx", "4xx", "5xx", "none"];

/// How often requests of one method were answered in one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestCount {
    /// `GET`, `POST`, `PATCH` or `DELETE`.
    pub method: &'static str,
    /// `2xx`, `3xx`, `4xx`, `5xx`, or `none` where no whole answer came.
    pub class: &'static str,
    /// Since start.
    pub count: u64,
}

#[derive(Debug, Default)]
pub(super) struct Stats {
    counts: [[AtomicU64; CLASSES.len()]; METHODS.len()],
}

impl Stats {
    /// Counts an answer, or its absence.
    pub(super) fn count(&self, method: &Method, status: Option<u16>) {
        let class = match status {
            Some(status @ 200..600) => usize::from(status / 100) - 2,
            _ => CLASSES.len() - 1,
        };
        if let Some(method) = METHODS.iter().position(|name| *name == method.as_str()) {
            self.counts[method][class].fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn all(&self) -> Vec<RequestCount> {
        let pairs = METHODS.iter().zip(&self.counts).flat_map(|(method, row)| {
            CLASSES.iter().zip(row).map(|(class, count)| RequestCount {
                method,
                class,
                count: count.load(Ordering::Relaxed),
            })
        });
        pairs.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_method_and_class() {
        let stats = Stats::default();
        for status in [Some(201), Some(200), Some(409), None, Some(99)] {
            stats.count(&Method::POST, status);
        }
        let counts: Vec<(&str, u64)> =
            stats.all().into_iter().filter(|c| c.method == "POST").map(|c| (c.class, c.count)).collect();
        assert_eq!(counts, [("2xx", 2), ("3xx", 0), ("4xx", 1), ("5xx", 0), ("none", 2)]);
    }
}
