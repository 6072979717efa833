//! A gateway in memory: takes its time, fails as told, and keeps what it was told whether its answer arrives or not.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use causeway_gateways::{
    Applied, ApplyError, Change, Effect, Failure, Fields, Gateway, GatewayError, LiveObject, ObjectKey, Plan,
    ReadScope, Retry, Tags, World, Write,
};
use serde_json::Value;
use tokio::time::sleep;

/// Time that each request takes.
pub const LATENCY: Duration = Duration::from_millis(5);

#[derive(Default)]
pub struct ModelGateway {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    world: World,
    writes: usize,
    ids: usize,
    /// Every n-th write fails; every second of those is carried out all the same.
    fail_every: usize,
    log: Vec<Change>,
}

impl ModelGateway {
    pub fn world(&self) -> World {
        self.state.lock().unwrap().world.clone()
    }

    /// Changes what stands there, as somebody else would.
    pub fn meddle(&self, act: impl FnOnce(&mut World)) {
        act(&mut self.state.lock().unwrap().world);
    }

    pub fn writes(&self) -> usize {
        self.state.lock().unwrap().writes
    }

    /// The writes since the last call.
    pub fn take_log(&self) -> Vec<Change> {
        std::mem::take(&mut self.state.lock().unwrap().log)
    }

    pub fn fail_every(&self, n: usize) {
        self.state.lock().unwrap().fail_every = n;
    }

    fn write(&self, change: &Change) -> Result<Effect, ApplyError> {
        let mut state = self.state.lock().unwrap();
        state.writes += 1;
        let fails = state.fail_every > 0 && state.writes.is_multiple_of(state.fail_every);
        let lost = fails && (state.writes / state.fail_every).is_multiple_of(2);
        if fails && !lost {
            return Err(ApplyError { message: "500".to_owned(), retry: Retry::Backoff(None) });
        }
        let effect = state.carry_out(change)?;
        state.world.record(change, &effect);
        state.log.push(change.clone());
        if lost {
            return Err(ApplyError { message: "the answer was lost".to_owned(), retry: Retry::ReadAgain });
        }
        Ok(effect)
    }
}

impl State {
    fn carry_out(&mut self, change: &Change) -> Result<Effect, ApplyError> {
        let standing = self.object(&change.key);
        match (&change.write, standing) {
            (Write::Create(_), Some(_)) => Err(again("409")),
            (Write::Create(fields), None) => {
                self.ids += 1;
                let object = LiveObject { id: format!("id-{}", self.ids), ..LiveObject::default() };
                Ok(Effect::Written(Box::new(merged(object, fields))))
            }
            (Write::Patch { id, fields, .. }, Some(object)) if *id == object.id => {
                Ok(Effect::Written(Box::new(merged(object, fields))))
            }
            (Write::Patch { .. }, _) => Err(again("404")),
            (Write::Delete { id }, Some(object)) if *id != object.id => Err(again("404")),
            (Write::Delete { .. }, _) => Ok(Effect::Deleted),
        }
    }

    fn object(&self, key: &ObjectKey) -> Option<LiveObject> {
        match key {
            ObjectKey::Upstream(name) => self.world.upstream(name).map(|upstream| upstream.object.clone()),
            ObjectKey::Target(upstream, address) => {
                let targets = self.world.upstream(upstream)?.targets.as_ref()?;
                targets.get(address).map(LiveObject::of_target)
            }
            ObjectKey::Service(name) => self.world.service(name).cloned(),
            ObjectKey::Route(name) => self.world.route(name).cloned(),
        }
    }
}

fn again(message: &str) -> ApplyError {
    ApplyError { message: message.to_owned(), retry: Retry::ReadAgain }
}

fn merged(object: LiveObject, fields: &Fields) -> LiveObject {
    let mut all = (*object.fields).clone();
    let (mut tags, mut leads_to) = ((*object.tags).clone(), object.leads_to.clone());
    for (name, value) in fields {
        match name.as_str() {
            "tags" => tags = texts(value),
            "host" | "service" => leads_to = value.as_str().map(str::to_owned),
            _ => drop(all.insert(name.clone(), value.clone())),
        }
    }
    LiveObject { id: object.id, tags: tags.into(), leads_to, fields: all.into() }
}

fn texts(value: &Value) -> Tags {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[async_trait]
impl Gateway for ModelGateway {
    async fn read(&self, _scope: &ReadScope) -> Result<World, GatewayError> {
        sleep(LATENCY).await;
        Ok(self.world())
    }

    async fn apply(&self, plan: &Plan) -> Applied {
        let mut applied = Applied::default();
        for change in &plan.changes {
            sleep(LATENCY).await;
            match self.write(change) {
                Ok(effect) => applied.done.push((change.clone(), effect)),
                Err(error) => applied.failed.push(Failure { change: change.clone(), error }),
            }
        }
        applied
    }

    async fn check(&self) -> Result<String, GatewayError> {
        sleep(LATENCY).await;
        Ok("model".to_owned())
    }
}
