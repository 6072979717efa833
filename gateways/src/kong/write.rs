//! One change, as requests. A creation that may have been made already is recognised by what stands there.

use reqwest::Method;
use serde_json::Value;

use super::answer::{Meaning, Refusal};
use super::client::{Client, Request};
use super::entity::{self, Entity};
use super::ids;
use crate::diff::satisfied;
use crate::{ApplyError, Change, Effect, Fields, LiveObject, ObjectKey, Retry, Write};

/// What a creation met with.
enum Clash {
    /// What stands there is what was wanted: an earlier try went through, and its answer was lost.
    Done(Value),
    /// The id is taken by something else, and the name or address is free.
    IdTaken,
    /// The name or address is taken by something that is not what was wanted.
    Other,
}

impl Client {
    pub(super) async fn make(&self, workspace: Option<&str>, change: &Change) -> Result<Effect, ApplyError> {
        let key = &change.key;
        match &change.write {
            Write::Create(fields) => self.create(workspace, key, fields).await,
            Write::Patch { id, fields, .. } => {
                let body = body(key, fields);
                let request = Request::write(Method::PATCH, item(key, id), Some(&body));
                let answer = self.send(&request).await.map_err(failed)?;
                written(key, answer.body, fields, &request)
            }
            Write::Delete { id } => {
                match self.send(&Request::write(Method::DELETE, item(key, id), None)).await {
                    Ok(_) => Ok(Effect::Deleted),
                    Err(refusal) if refusal.status() == Some(404) => Ok(Effect::Deleted),
                    Err(refusal) => Err(failed(refusal)),
                }
            }
        }
    }

    async fn create(
        &self,
        workspace: Option<&str>,
        key: &ObjectKey,
        fields: &Fields,
    ) -> Result<Effect, ApplyError> {
        let mut body = body(key, fields);
        let id = ids::hint(workspace, key).to_string();
        body.insert("id".into(), id.as_str().into());
        let refusal = match self.post(key, fields, &body).await {
            Err(refusal) if refusal.meaning() == Meaning::Taken => refusal,
            result => return result.map_err(failed),
        };
        match self.clash(key, fields, &id, &refusal).await.map_err(failed)? {
            Clash::Done(entity) => effect(key, entity, fields).ok_or_else(|| failed(refusal)),
            Clash::Other => Err(failed(refusal)),
            Clash::IdTaken => {
                body.remove("id");
                self.post_without_id(key, fields, &body).await
            }
        }
    }

    async fn post_without_id(
        &self,
        key: &ObjectKey,
        fields: &Fields,
        body: &Fields,
    ) -> Result<Effect, ApplyError> {
        let refusal = match self.post(key, fields, body).await {
            Err(refusal) if refusal.meaning() == Meaning::Taken => refusal,
            result => return result.map_err(failed),
        };
        let stands = self.by_name(key).await.map_err(failed)?.filter(|stands| is_wanted(key, stands, fields));
        stands.and_then(|stands| effect(key, stands, fields)).ok_or_else(|| failed(refusal))
    }

    async fn post(&self, key: &ObjectKey, fields: &Fields, body: &Fields) -> Result<Effect, Refusal> {
        let request = Request::write(Method::POST, collection(key), Some(body));
        let answer = self.send(&request).await?;
        effect(key, answer.body, fields).ok_or_else(|| request.unreadable())
    }

    async fn clash(
        &self,
        key: &ObjectKey,
        fields: &Fields,
        id: &str,
        refusal: &Refusal,
    ) -> Result<Clash, Refusal> {
        // By id first: by address Kong would scan the upstream's targets.
        let mut stands = self.one(item(key, id)).await?.filter(|stands| has_name(key, stands));
        if stands.is_none() {
            stands = self.by_name(key).await?;
        }
        Ok(match stands {
            Some(stands) if is_wanted(key, &stands, fields) => Clash::Done(stands),
            Some(_) => Clash::Other,
            None if refusal.names_id() => Clash::IdTaken,
            None => Clash::Other,
        })
    }

    async fn by_name(&self, key: &ObjectKey) -> Result<Option<Value>, Refusal> {
        let name = match key {
            ObjectKey::Target(_, address) => address.as_str(),
            ObjectKey::Upstream(name) | ObjectKey::Service(name) | ObjectKey::Route(name) => name,
        };
        self.one(item(key, name)).await
    }
}

fn collection(key: &ObjectKey) -> Vec<&str> {
    match key {
        ObjectKey::Upstream(_) => vec!["upstreams"],
        ObjectKey::Target(upstream, _) => vec!["upstreams", upstream, "targets"],
        ObjectKey::Service(_) => vec!["services"],
        ObjectKey::Route(_) => vec!["routes"],
    }
}

fn item<'a>(key: &'a ObjectKey, id: &'a str) -> Vec<&'a str> {
    let mut path = collection(key);
    path.push(id);
    path
}

/// The fields as Kong takes them: with the name or address, and a route's service as a reference.
fn body(key: &ObjectKey, fields: &Fields) -> Fields {
    let mut body = fields.clone();
    match key {
        ObjectKey::Upstream(name) | ObjectKey::Service(name) => {
            body.insert("name".into(), name.as_str().into());
        }
        ObjectKey::Target(_, address) => {
            body.insert("target".into(), address.as_str().into());
        }
        ObjectKey::Route(name) => {
            body.insert("name".into(), name.as_str().into());
            if let Some(service) = body.get_mut("service").filter(|service| service.is_string()) {
                *service = serde_json::json!({ "name": service.take() });
            }
        }
    }
    body
}

fn has_name(key: &ObjectKey, entity: &Value) -> bool {
    let (field, name) = match key {
        ObjectKey::Target(_, address) => ("target", address.as_str()),
        ObjectKey::Upstream(name) | ObjectKey::Service(name) | ObjectKey::Route(name) => {
            ("name", name.as_str())
        }
    };
    entity[field].as_str() == Some(name)
}

/// Whether an entity has the wanted fields, our tags among them. A route's service stands there by its id
/// only, so that a route is never sure, and is read again.
fn is_wanted(key: &ObjectKey, entity: &Value, fields: &Fields) -> bool {
    !matches!(key, ObjectKey::Route(_)) && has_name(key, entity) && satisfied(fields, entity)
}

/// The object that an answer shows; none when it is not understood.
fn effect(key: &ObjectKey, entity: Value, sent: &Fields) -> Option<Effect> {
    let object = match key {
        ObjectKey::Upstream(_) => Entity::of_upstream(entity)?.object,
        ObjectKey::Target(..) => LiveObject::of_target(&entity::target(entity)?.1),
        ObjectKey::Service(_) => Entity::of_service(entity)?.object,
        ObjectKey::Route(_) => {
            let mut object = Entity::of_route(entity)?.object;
            if let Some(service) = sent.get("service").and_then(Value::as_str) {
                object.leads_to = Some(service.to_owned());
            }
            object
        }
    };
    Some(Effect::Written(Box::new(object)))
}

fn written(
    key: &ObjectKey,
    entity: Value,
    sent: &Fields,
    request: &Request<'_>,
) -> Result<Effect, ApplyError> {
    effect(key, entity, sent).ok_or_else(|| failed(request.unreadable()))
}

fn failed(refusal: Refusal) -> ApplyError {
    let retry = refusal.retry();
    let next = match retry {
        Retry::Backoff(_) => "it is tried again",
        Retry::ReadAgain => "it is read and planned again",
        Retry::Never => "it stays so until it is put right, and is tried again at the next audit",
    };
    ApplyError { message: format!("{refusal}; {next}"), retry }
}
