//! How many requests may be under way at once: more while answers come quickly, fewer when Kong pushes back.
//!
//! Additive increase, multiplicative decrease, as TCP does it: Kong's capacity is not known and changes.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// At most one decrease in this time: the requests that were under way together tell of one and the same
/// congestion.
const PAUSE: Duration = Duration::from_secs(1);
/// Answers quicker than this are never taken for congestion, however quick they were before.
const SLOW: Duration = Duration::from_millis(500);
/// So many times the best known latency is congestion.
const RISE: f64 = 4.0;

/// What an answer says about Kong's load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// Answered, after this long.
    Answered(Duration),
    /// 429, 503, or no answer in time.
    PushedBack,
    /// Nothing is known: there was no connection, or the request was cut off.
    None,
}

pub(super) struct Limiter {
    permits: Semaphore,
    state: Mutex<State>,
    max: usize,
}

struct State {
    /// The limit as a number that grows by parts of one.
    limit: f64,
    /// Permits that exist: in the semaphore or held.
    total: usize,
    /// Smoothed latency in seconds, and the least that it has been.
    latency: Option<(f64, f64)>,
    decreased: Option<Instant>,
}

/// Leave for one request. Given back when dropped.
pub(super) struct Permit<'a> {
    limiter: &'a Limiter,
    permit: Option<SemaphorePermit<'a>>,
    signal: Signal,
}

impl Limiter {
    pub(super) fn new(max: usize) -> Self {
        let max = max.max(1);
        let state = State { limit: max as f64, total: max, latency: None, decreased: None };
        Self { permits: Semaphore::new(max), state: Mutex::new(state), max }
    }

    pub(super) async fn acquire(&self) -> Permit<'_> {
        // The semaphore is never closed.
        let permit = self.permits.acquire().await.ok();
        Permit { limiter: self, permit, signal: Signal::None }
    }

    /// The present limit.
    pub(super) fn limit(&self) -> usize {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).total
    }

    fn release(&self, permit: Option<SemaphorePermit<'_>>, signal: Signal) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.learn(signal, self.max);
        let wanted = state.limit as usize;
        if wanted > state.total {
            self.permits.add_permits(wanted - state.total);
            state.total = wanted;
        } else if wanted < state.total
            && let Some(permit) = permit
        {
            permit.forget();
            state.total -= 1;
        }
    }
}

impl State {
    fn learn(&mut self, signal: Signal, max: usize) {
        match signal {
            Signal::PushedBack => self.decrease(0.5),
            Signal::Answered(latency) if self.rises(latency) => self.decrease(0.8),
            Signal::Answered(_) => self.limit = (self.limit + 1.0 / self.limit).min(max as f64),
            Signal::None => {}
        }
    }

    fn rises(&mut self, latency: Duration) -> bool {
        let latest = latency.as_secs_f64();
        let (smooth, least) = self.latency.unwrap_or((latest, latest));
        let smooth = smooth + 0.1 * (latest - smooth);
        // The least grows slowly, so that a Kong that has become slower for good is not held back for ever.
        let least = (least * 1.001).min(smooth);
        self.latency = Some((smooth, least));
        smooth > SLOW.as_secs_f64() && smooth > RISE * least
    }

    fn decrease(&mut self, factor: f64) {
        let now = Instant::now();
        if self.decreased.is_none_or(|before| now - before >= PAUSE) {
            self.decreased = Some(now);
            self.limit = (self.limit * factor).max(1.0);
        }
    }
}

impl Permit<'_> {
    /// Says how the request went, and gives the permit back.
    pub(super) fn done(mut self, signal: Signal) {
        self.signal = signal;
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.limiter.release(self.permit.take(), self.signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answer(limiter: &Limiter, times: usize, signal: Signal) {
        for _ in 0..times {
            limiter.acquire().await.done(signal);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn halves_once_for_a_burst_of_refusals_and_recovers() {
        let limiter = Limiter::new(16);
        answer(&limiter, 16, Signal::PushedBack).await;
        assert_eq!(limiter.limit(), 8);
        tokio::time::advance(PAUSE).await;
        answer(&limiter, 16, Signal::PushedBack).await;
        assert_eq!(limiter.limit(), 4);
        answer(&limiter, 200, Signal::Answered(Duration::from_millis(5))).await;
        assert_eq!(limiter.limit(), 16);
    }

    #[tokio::test(start_paused = true)]
    async fn never_below_one_nor_above_the_maximum() {
        let limiter = Limiter::new(4);
        for _ in 0..10 {
            answer(&limiter, 4, Signal::PushedBack).await;
            tokio::time::advance(PAUSE).await;
        }
        assert_eq!(limiter.limit(), 1);
        answer(&limiter, 1000, Signal::Answered(Duration::from_millis(5))).await;
        assert_eq!((limiter.limit(), limiter.permits.available_permits()), (4, 4));
    }

    #[tokio::test(start_paused = true)]
    async fn slow_answers_count_only_against_quicker_ones() {
        let always_slow = Limiter::new(16);
        answer(&always_slow, 50, Signal::Answered(Duration::from_secs(2))).await;
        assert_eq!(always_slow.limit(), 16);
        let slower = Limiter::new(16);
        answer(&slower, 50, Signal::Answered(Duration::from_millis(20))).await;
        answer(&slower, 50, Signal::Answered(Duration::from_secs(2))).await;
        assert!(slower.limit() < 16);
    }

    #[tokio::test]
    async fn as_many_at_once_as_the_limit_says() {
        let limiter = Limiter::new(2);
        let (first, second) = (limiter.acquire().await, limiter.acquire().await);
        assert_eq!(limiter.permits.available_permits(), 0);
        first.done(Signal::PushedBack);
        assert_eq!(limiter.permits.available_permits(), 0);
        drop(second);
        assert_eq!(limiter.permits.available_permits(), 1);
    }
}
