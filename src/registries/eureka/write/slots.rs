//! Copies one by one, each in the slot of its id, on one server.

use std::time::{Duration, SystemTime};

use reqwest::Method;
use tokio::time::sleep;

use super::form::{Form, Lease, app_path, instance_path};
use super::steps::{Step, steps};
use crate::model::{Address, ServiceKey};
use crate::registries::eureka::EurekaError;
use crate::registries::eureka::answer::{InstanceInfo, parse_application, parse_instance};
use crate::registries::eureka::http::Http;
use crate::registries::eureka::instance::to_instance;
use crate::registries::server::Server;
use crate::registries::{InstanceCopy, Written};

/// A registration that was ignored is sent again, later than what stands.
const TRIES: usize = 3;
/// Behind a load balancer another server may answer, which hears of a registration within a second or so.
const LOOKS: usize = 6;
const LOOK_AGAIN: Duration = Duration::from_millis(300);

/// One server, while it is written to.
#[derive(Clone, Copy)]
pub(super) struct Slots<'a> {
    pub(super) http: &'a Http,
    pub(super) server: &'a Server,
    pub(super) lease: Lease,
}

impl Slots<'_> {
    /// The instances of an application, as old as the server's cache.
    pub(super) async fn list(&self, key: &ServiceKey) -> Result<Vec<InstanceInfo>, EurekaError> {
        let path = app_path(&key.service).map_err(EurekaError::Settings)?;
        let all =
            self.http.find(self.server, "the instances of an application", &path, parse_application).await?;
        Ok(all.unwrap_or_default())
    }

    /// Makes a copy stand as it is to, and looks whether it does.
    pub(super) async fn put(
        &self,
        copy: &InstanceCopy,
        listed: &[InstanceInfo],
    ) -> Result<Written, EurekaError> {
        let (form, address) = (Form::of(copy), &copy.instance.address);
        if listed.iter().any(|info| is_at(info, address) && is_in_the_way(info, copy)) {
            return Ok(Written::Taken);
        }
        let mut standing = self.find(&form.path()).await?;
        for _ in 0..TRIES {
            if standing.as_ref().is_some_and(|info| !is_ours(info, copy)) {
                return Ok(Written::Taken);
            }
            let steps = steps(&form, standing.as_ref(), now());
            for step in &steps {
                self.send(&form, step).await?;
            }
            standing = self.look(&form, &steps).await?;
            if standing.as_ref().is_some_and(|info| shows(info, &form)) {
                return Ok(Written::Done);
            }
        }
        let shown = standing.map_or("nothing".to_owned(), |info| {
            format!("{}, changed at {}", info.status, info.last_dirty_timestamp)
        });
        Err(EurekaError::Ignored { server: self.server.label.clone(), shown })
    }

    /// Takes a copy away, under whatever id it is listed, and under its own.
    pub(super) async fn remove(
        &self,
        copy: &InstanceCopy,
        listed: &[InstanceInfo],
    ) -> Result<Written, EurekaError> {
        let (own, address) = (Form::of(copy).id, &copy.instance.address);
        let ours = listed.iter().filter(|info| is_at(info, address) && is_ours(info, copy));
        let mut ids: Vec<&str> = ours.map(InstanceInfo::id).collect();
        if !ids.contains(&own.as_str()) {
            ids.push(&own);
        }
        let mut written = Written::Done;
        for id in ids {
            let path = instance_path(&copy.key.service, id);
            match self.find(&path).await? {
                Some(info) if !is_ours(&info, copy) => written = Written::Taken,
                // One whose lease has run out is listed and can't be looked at.
                None if listed.iter().all(|info| info.id() != id) => {}
                _ => {
                    let request = self.http.request(Method::DELETE, self.server, &path);
                    self.http.write(self.server, "a removal", request).await?;
                }
            }
        }
        Ok(written)
    }

    /// Renews a lease; whether the server knows it.
    pub(super) async fn renew(&self, path: &str) -> Result<bool, EurekaError> {
        let request = self.http.request(Method::PUT, self.server, path);
        self.http.write(self.server, "a renewal", request).await
    }

    async fn find(&self, path: &str) -> Result<Option<InstanceInfo>, EurekaError> {
        self.http.find(self.server, "an instance", path, parse_instance).await
    }

    /// What stands after a registration: the copy, or something later than it.
    async fn look(&self, form: &Form, sent: &[Step]) -> Result<Option<InstanceInfo>, EurekaError> {
        let mut standing = self.find(&form.path()).await?;
        for _ in 1..LOOKS {
            if standing.as_ref().is_some_and(|info| shows(info, form) || is_later(info, sent)) {
                break;
            }
            sleep(LOOK_AGAIN).await;
            standing = self.find(&form.path()).await?;
        }
        Ok(standing)
    }

    async fn send(&self, form: &Form, step: &Step) -> Result<(), EurekaError> {
        let (what, request) = match step {
            Step::ClearOverride { status } => {
                let path = format!("{}/status?value={status}", form.path());
                ("an operator's status taken back", self.http.request(Method::DELETE, self.server, &path))
            }
            Step::Register { status, dirty } => {
                let request = self.http.request(Method::POST, self.server, &form.app_path());
                ("a registration", request.json(&form.body(status, *dirty, self.lease)))
            }
        };
        self.http.write(self.server, what, request).await.map(drop)
    }
}

fn is_at(info: &InstanceInfo, address: &Address) -> bool {
    to_instance(info.clone()).address == *address
}

fn is_ours(info: &InstanceInfo, copy: &InstanceCopy) -> bool {
    copy.mark.owns(&copy.key, &to_instance(info.clone()))
}

fn is_in_the_way(info: &InstanceInfo, copy: &InstanceCopy) -> bool {
    copy.is_hindered_by(&to_instance(info.clone()))
}

fn shows(info: &InstanceInfo, form: &Form) -> bool {
    to_instance(info.clone()) == form.shown()
}

fn is_later(info: &InstanceInfo, sent: &[Step]) -> bool {
    sent.iter()
        .all(|step| !matches!(step, Step::Register { dirty, .. } if *dirty >= info.last_dirty_timestamp))
}

/// Milliseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
