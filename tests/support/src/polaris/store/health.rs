//! Heartbeats: what has a time to live is unhealthy after three of them without one.

use std::time::Duration;

use serde_json::{Value, json};

use super::{OWN_START, Row, Store, own_key};

/// How many times to live pass before an instance is unhealthy, and for how many it must beat again to be healthy.
const PATIENCE: u32 = 3;
/// The metadata that an unhealthy instance gets.
const LAST_BEAT: &str = "internal-lastheartbeat";

/// The heartbeats of one instance.
#[derive(Debug)]
pub(super) struct Beats {
    ttl: Duration,
    last: Option<Duration>,
    /// Since when they come without a gap.
    since: Duration,
    /// From then on silence counts: the last heartbeat, or when somebody declared it healthy.
    trusted: Duration,
}

impl Store {
    /// From now on an instance with these fields is expected to beat, or isn't any more.
    pub(crate) fn follow_beats(&mut self, id: &str, row: &Row) {
        let now = self.now();
        let ttl = row.get("healthCheck").and_then(|check| check.pointer("/heartbeat/ttl"));
        match ttl.and_then(Value::as_u64) {
            Some(ttl) => {
                let ttl = Duration::from_secs(ttl);
                self.beats.insert(id.to_owned(), Beats { ttl, last: None, since: now, trusted: now });
            }
            _ => drop(self.beats.remove(id)),
        }
    }

    /// A heartbeat. One for nobody is as good.
    pub(crate) fn beat(&mut self, id: &str) {
        let now = self.now();
        if let Some(beats) = self.beats.get_mut(id) {
            if beats.last.is_none_or(|last| now - last >= beats.ttl * PATIENCE) {
                beats.since = now;
            }
            (beats.last, beats.trusted) = (Some(now), now);
        }
    }

    /// Somebody declared an instance healthy: its silence counts from now.
    pub(crate) fn trust(&mut self, id: &str) {
        let now = self.now();
        if let Some(beats) = self.beats.get_mut(id) {
            beats.trusted = now;
        }
    }

    pub(super) fn check_health(&mut self, at: Duration) {
        if at == OWN_START {
            for id in self.ids(|instance| instance.key == own_key()) {
                self.set_health(&id, at, None);
            }
        }
        let mut turned = Vec::new();
        for (id, beats) in &self.beats {
            let Some(instance) = self.instance(id) else { continue };
            let patience = beats.ttl * PATIENCE;
            let silent = at.saturating_sub(beats.trusted) >= patience;
            let steady = beats.last.is_some() && at.saturating_sub(beats.since) >= patience && !silent;
            if instance.is_healthy() && silent {
                let last = beats.last.map_or(0, |last| self.clock.unix(last));
                turned.push((id.clone(), Some(last.to_string())));
            } else if !instance.is_healthy() && steady {
                turned.push((id.clone(), None));
            }
        }
        turned.into_iter().for_each(|(id, last)| self.set_health(&id, at, last));
    }

    /// Unhealthy with the time of its last heartbeat, or healthy.
    fn set_health(&mut self, id: &str, at: Duration, last_beat: Option<String>) {
        let Some(instance) = self.instance_mut(id) else { return };
        instance.change(at, |row| {
            row.insert("healthy".to_owned(), json!(last_beat.is_none()));
            if let Some(metadata) = row.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.remove(LAST_BEAT);
                metadata.extend(last_beat.map(|last| (LAST_BEAT.to_owned(), json!(last))));
            }
        });
    }
}
