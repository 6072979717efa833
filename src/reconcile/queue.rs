//! The keyed queue: each key waits at most once, for its earliest due time, and is never handed to two workers at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// Keys that are due at some time.
pub struct Queue<K> {
    state: Mutex<State<K>>,
    changed: Notify,
}

struct State<K> {
    due: BTreeMap<K, Instant>,
    order: BTreeSet<(Instant, K)>,
    busy: BTreeSet<K>,
    closed: bool,
}

enum Next<K> {
    Take(K),
    WaitUntil(Instant),
    WaitForChange,
    Closed,
}

impl<K: Ord + Clone> Default for Queue<K> {
    fn default() -> Self {
        let state =
            State { due: BTreeMap::new(), order: BTreeSet::new(), busy: BTreeSet::new(), closed: false };
        Self { state: Mutex::new(state), changed: Notify::new() }
    }
}

impl<K: Ord + Clone> Queue<K> {
    /// Makes a key due at `at`, or earlier if it already is.
    pub fn wake(&self, key: K, at: Instant) {
        let mut state = self.lock();
        if state.due.get(&key).is_some_and(|due| *due <= at) {
            return;
        }
        if let Some(later) = state.due.insert(key.clone(), at) {
            state.order.remove(&(later, key.clone()));
        }
        state.order.insert((at, key));
        drop(state);
        self.changed.notify_one();
    }

    /// The next due key, as soon as there is one; `None` once the queue is closed. [`Queue::done`] gives it back.
    pub async fn next(&self) -> Option<K> {
        loop {
            let changed = self.changed.notified();
            let next = self.lock().next(Instant::now());
            match next {
                Next::Take(key) => {
                    // Another worker may be waiting for the time of a key that this one has not taken.
                    self.changed.notify_one();
                    return Some(key);
                }
                Next::Closed => {
                    self.changed.notify_one();
                    return None;
                }
                Next::WaitForChange => changed.await,
                Next::WaitUntil(at) => {
                    tokio::select! {
                        () = changed => {}
                        () = sleep_until(at) => {}
                    }
                }
            }
        }
    }

    /// A worker has finished with a key, which may have become due again meanwhile.
    pub fn done(&self, key: &K) {
        self.lock().busy.remove(key);
        self.changed.notify_one();
    }

    /// No key is handed out any more.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_waiters();
        self.changed.notify_one();
    }

    /// Keys that are due by now, and keys that are being worked on.
    pub fn depth(&self) -> (usize, usize) {
        let state = self.lock();
        let now = Instant::now();
        (state.order.iter().take_while(|(at, _)| *at <= now).count(), state.busy.len())
    }

    /// Whether more than `count` keys are due by now.
    pub fn has_more_than(&self, count: usize) -> bool {
        let now = Instant::now();
        self.lock().order.iter().nth(count).is_some_and(|(at, _)| *at <= now)
    }

    /// The keys that are being worked on.
    pub fn busy(&self) -> Vec<K> {
        self.lock().busy.iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, State<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Ord + Clone> State<K> {
    fn next(&mut self, now: Instant) -> Next<K> {
        if self.closed {
            return Next::Closed;
        }
        let Some((at, key)) = self.order.iter().find(|(_, key)| !self.busy.contains(key)).cloned() else {
            return Next::WaitForChange;
        };
        if at > now {
            return Next::WaitUntil(at);
        }
        self.order.remove(&(at, key.clone()));
        self.due.remove(&key);
        self.busy.insert(key.clone());
        Next::Take(key)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_key_waits_for_its_earliest_time_once() {
        let queue = Queue::default();
        let start = Instant::now();
        queue.wake("a", start + Duration::from_secs(5));
        queue.wake("a", start + Duration::from_secs(2));
        queue.wake("b", start + Duration::from_secs(3));
        assert_eq!(queue.next().await, Some("a"));
        assert_eq!(start.elapsed().as_secs(), 2);
        assert_eq!(queue.next().await, Some("b"));
        assert_eq!(start.elapsed().as_secs(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_key_is_handed_out_again_only_when_done() {
        let queue = Arc::new(Queue::default());
        queue.wake("a", Instant::now());
        assert_eq!(queue.next().await, Some("a"));
        queue.wake("a", Instant::now());
        let waiting = tokio::spawn({
            let queue = Arc::clone(&queue);
            async move { queue.next().await }
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(!waiting.is_finished());
        queue.done(&"a");
        assert_eq!(waiting.await.unwrap(), Some("a"));
    }

    #[tokio::test(start_paused = true)]
    async fn many_workers_drain_everything_and_end_when_closed() {
        let queue = Arc::new(Queue::default());
        let start = Instant::now();
        for key in 0..500_u64 {
            queue.wake(key, start + Duration::from_millis(key % 7));
        }
        let workers: Vec<_> = (0..8)
            .map(|_| {
                let queue = Arc::clone(&queue);
                tokio::spawn(async move {
                    let mut taken = Vec::new();
                    while let Some(key) = queue.next().await {
                        tokio::time::sleep(Duration::from_millis(1)).await;
                        queue.done(&key);
                        taken.push(key);
                    }
                    taken
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(queue.depth(), (0, 0));
        queue.close();
        let mut all = Vec::new();
        for worker in workers {
            all.extend(worker.await.unwrap());
        }
        all.sort_unstable();
        assert_eq!(all, (0..500).collect::<Vec<_>>());
    }
}
