//! Taking over what stands for a task's services: planned on what is known of the gateway, which is read where that is not enough.

use std::collections::{BTreeMap, BTreeSet};

use causeway_gateways::{Applied, GatewayError, Mark, Plan, takeover};

use super::audit::standing_keys;
use super::flow::Flow;
use super::gateway::GatewayHandle;
use super::turn::{self, Turn};
use crate::model::ServiceKey;
use crate::project;

/// What is planned for each of some services.
pub type Turns = BTreeMap<ServiceKey, Turn>;

impl Flow {
    /// The services of this task's registry for which something stands under another mark.
    pub fn keys_from(&self, from: &Mark) -> BTreeSet<ServiceKey> {
        standing_keys(&self.gateway, from, &self.task.source)
    }

    /// What would be taken over for these services: what stands unmarked under their names, or what bears the mark `from`. Whatever
    /// the task's policy: it says what the task does by itself. Touches nothing.
    ///
    /// # Errors
    /// The gateway's, when it cannot be read.
    pub async fn adoption(
        &self,
        keys: &BTreeSet<ServiceKey>,
        from: Option<&Mark>,
    ) -> Result<Turns, GatewayError> {
        let mut read = BTreeSet::new();
        loop {
            let turns: Turns = keys.iter().map(|key| (key.clone(), self.adoption_of(key, from))).collect();
            let unread: BTreeSet<String> = turns.values().flat_map(|turn| turn.plan.unread.clone()).collect();
            // What was read and is unread again has gone meanwhile, and come back: the next call sees it.
            if unread.is_subset(&read) {
                return Ok(turns);
            }
            read.extend(unread.clone());
            self.gateway.read_names(unread, BTreeSet::new(), BTreeSet::new()).await?;
        }
    }

    fn adoption_of(&self, key: &ServiceKey, from: Option<&Mark>) -> Turn {
        let context = turn::context(&self.gateway.owner, &self.task, key);
        if let Some(from) = from {
            let plan = takeover::take_from(&self.gateway.world(), from, &context);
            return Turn { plan, ..Turn::default() };
        }
        let turn = self.plan(key, &BTreeSet::new());
        let world = self.gateway.world();
        let filler = project::filler(self.source.kind);
        let plan = turn.projected.map(|it| takeover::adopt(&it.desired, &world, &context, &filler));
        Turn { plan: plan.unwrap_or_default(), unread: turn.unread, ..Turn::default() }
    }

    /// What turns for these services would do once the changes are made.
    pub fn afterwards(&self, keys: &BTreeSet<ServiceKey>, adoption: &Turns) -> Turns {
        let changes = adoption.values().flat_map(|turn| &turn.plan.changes);
        let world = takeover::foreseen(&self.gateway.world(), changes);
        keys.iter().map(|key| (key.clone(), self.foresee(key, &world))).collect()
    }

    /// Carries out what was planned for all services as one plan.
    pub async fn take_over(&self, adoption: &Turns) -> Applied {
        self.gateway.apply(&Plan::merged(adoption.values().map(|turn| &turn.plan))).await
    }
}

impl GatewayHandle {
    /// What would be untagged if a task gave up everything that it made or took over. Touches nothing.
    ///
    /// # Errors
    /// The gateway's, when it cannot be read.
    pub async fn handing_over(&self, mark: &Mark) -> Result<Plan, GatewayError> {
        let plan = takeover::hand_over(&self.world(), mark);
        if plan.unread.is_empty() {
            return Ok(plan);
        }
        self.read_names(plan.unread, BTreeSet::new(), BTreeSet::new()).await?;
        let plan = takeover::hand_over(&self.world(), mark);
        Ok(plan)
    }
}
