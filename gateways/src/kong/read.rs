//! Reading: whole lists in pages of 1000, and the targets of the upstreams that are asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use serde_json::Value;

use super::answer::{Cause, Refusal};
use super::client::{Client, Request};
use super::entity::{self, Entity};
use crate::tags;
use crate::world::Shared;
use crate::{KnownTargets, Listed, LiveTarget, LiveUpstream, ObjectKey, ReadScope, TargetAddress, World};

/// The largest page that Kong gives.
const PAGE: &str = "1000";
/// Lists under way at once; the client's limiter may let fewer through.
const LISTS: usize = 16;

type Targets = BTreeMap<TargetAddress, LiveTarget>;
type Found<T> = Result<T, Refusal>;

impl Client {
    pub(super) async fn read(&self, scope: &ReadScope) -> Found<World> {
        match scope {
            ReadScope::All(listed) => {
                let mut world = self.all_but_targets().await?;
                let wanted = wanted(&world, listed);
                self.fill(&mut world, wanted).await?;
                self.fill_strays(&mut world, listed).await?;
                Ok(world)
            }
            ReadScope::Audit { listed, owner, known } => self.audit(listed, owner, known).await,
            ReadScope::Names { upstreams, services, routes } => self.named(upstreams, services, routes).await,
            ReadScope::Uses { upstreams } => {
                let (mut world, upstreams) =
                    futures::try_join!(self.all_users(), self.upstreams_named(upstreams))?;
                for (name, upstream) in upstreams {
                    world.insert_upstream(&name, upstream);
                }
                Ok(world)
            }
        }
    }

    /// Every service, route and plugin.
    async fn all_users(&self) -> Found<World> {
        let (mut of_services, mut of_routes) = (Shared::default(), Shared::default());
        let (services, mut routes, plugins) = futures::try_join!(
            self.list(&["services"], |row| Entity::of_service(row).map(|it| it.sharing(&mut of_services))),
            self.list(&["routes"], |row| Entity::of_route(row).map(|it| it.sharing(&mut of_routes))),
            self.list(&["plugins"], |row| Some(entity::plugin(&row))),
        )?;
        let by_id = |it: &Entity, key: fn(String) -> ObjectKey| (it.object.id.clone(), key(it.name.clone()));
        let names: BTreeMap<String, String> =
            services.iter().map(|it| (it.object.id.clone(), it.name.clone())).collect();
        let mut keys: BTreeMap<String, ObjectKey> =
            services.iter().map(|it| by_id(it, ObjectKey::Service)).collect();
        keys.extend(routes.iter().map(|it| by_id(it, ObjectKey::Route)));
        routes.iter_mut().for_each(|it| it.lead_to_name(&names));
        let mut world = World::default();
        services.into_iter().for_each(|it| world.insert_service(&it.name, it.object));
        routes.into_iter().for_each(|it| world.insert_route(&it.name, it.object));
        for (id, plugin) in plugins.iter().flatten() {
            if let Some(key) = keys.get(id) {
                world.insert_plugin(key.clone(), plugin);
            }
        }
        Ok(world)
    }

    async fn all_but_targets(&self) -> Found<World> {
        let mut shared = Shared::default();
        let (mut world, upstreams) = futures::try_join!(
            self.all_users(),
            self.list(&["upstreams"], |row| Entity::of_upstream(row).map(|it| it.sharing(&mut shared))),
        )?;
        for upstream in upstreams {
            world.insert_upstream(&upstream.name, LiveUpstream { object: upstream.object, targets: None });
        }
        Ok(world)
    }

    /// Lists only the targets of upstreams that have lost one of the known ids. Which upstream an id that is
    /// not known belongs to, `/tags` does not say: the caller's rotation finds it.
    async fn audit(&self, listed: &Listed, tag: &str, known: &KnownTargets) -> Found<World> {
        let (mut world, present) = futures::try_join!(self.all_but_targets(), self.targets_tagged(tag))?;
        let lost: BTreeSet<&String> =
            known.iter().filter(|(id, _)| !present.contains(*id)).map(|(_, upstream)| upstream).collect();
        let disagreeing = wanted(&world, listed).into_iter().filter(|name| lost.contains(name)).collect();
        self.fill(&mut world, disagreeing).await?;
        Ok(world)
    }

    /// Lists the targets of these upstreams of `world`. One that has gone meanwhile is taken out.
    async fn fill(&self, world: &mut World, names: BTreeSet<String>) -> Found<()> {
        let listed = self.each(&names, |name| self.targets(name)).await?;
        for (name, targets) in listed {
            match (world.upstream(&name), targets) {
                (Some(upstream), Some(targets)) => {
                    let object = upstream.object.clone();
                    world.insert_upstream(&name, LiveUpstream { object, targets: Some(targets) });
                }
                _ => world.remove(&ObjectKey::Upstream(name)),
            }
        }
        Ok(())
    }

    /// Targets of ours may be left in an upstream of somebody else's that is no longer to be filled: where
    /// ids under the owner's tag are in none of the lists, all other upstreams are listed too.
    async fn fill_strays(&self, world: &mut World, listed: &Listed) -> Found<()> {
        for tag in listed.tags.iter().filter(|tag| tags::is_owner(tag)) {
            let tagged = self.targets_tagged(tag).await?;
            let found = world.targets_with(tag);
            if tagged.iter().any(|id| !found.contains_key(id)) {
                let unlisted = world.upstreams().iter().filter(|(_, upstream)| upstream.targets.is_none());
                let unlisted = unlisted.map(|(name, _)| name.clone()).collect();
                self.fill(world, unlisted).await?;
            }
        }
        Ok(())
    }

    async fn named(
        &self,
        upstreams: &BTreeSet<String>,
        services: &BTreeSet<String>,
        routes: &BTreeSet<String>,
    ) -> Found<World> {
        let (upstreams, services, routes) = futures::try_join!(
            self.upstreams_named(upstreams),
            self.each(services, |name| self.one(["services", name])),
            self.each(routes, |name| self.route_named(name)),
        )?;
        let mut world = World::default();
        for (name, upstream) in upstreams {
            world.insert_upstream(&name, upstream);
        }
        for (name, service) in services {
            if let Some(service) = service.and_then(Entity::of_service) {
                world.insert_service(&name, service.object);
            }
        }
        for (name, route) in routes {
            if let Some(route) = route {
                world.insert_route(&name, route.object);
            }
        }
        Ok(world)
    }

    async fn route_named(&self, name: &str) -> Found<Option<Entity>> {
        let Some(mut route) = self.one(["routes", name]).await?.and_then(Entity::of_route) else {
            return Ok(None);
        };
        if let Some(id) = &route.object.leads_to {
            let service = self.one(["services", id]).await?.and_then(Entity::of_service);
            let names = service.map(|service| (id.clone(), service.name)).into_iter().collect();
            route.lead_to_name(&names);
        }
        Ok(Some(route))
    }

    async fn upstreams_named(&self, names: &BTreeSet<String>) -> Found<BTreeMap<String, LiveUpstream>> {
        let found = self.each(names, |name| async move {
            let Some(upstream) = self.one(["upstreams", name]).await? else { return Ok(None) };
            let targets = self.targets(name).await?;
            // Without a list it has gone between the two requests.
            Ok(targets.and_then(|targets| {
                let upstream = Entity::of_upstream(upstream)?;
                Some(LiveUpstream { object: upstream.object, targets: Some(targets) })
            }))
        });
        let found = found.await?;
        Ok(found.into_iter().filter_map(|(name, upstream)| Some((name, upstream?))).collect())
    }

    /// The targets of an upstream; none when there is no such upstream.
    async fn targets(&self, upstream: &str) -> Found<Option<Targets>> {
        match self.list(&["upstreams", upstream, "targets"], entity::target).await {
            Ok(targets) => Ok(Some(targets.into_iter().collect())),
            Err(refusal) if refusal.status() == Some(404) => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }

    /// The ids of the targets that bear a tag.
    async fn targets_tagged(&self, tag: &str) -> Found<BTreeSet<String>> {
        let id = |row: Value| {
            (row["entity_name"] == "targets").then(|| row["entity_id"].as_str().map(str::to_owned))
        };
        let ids = self.list(&["tags", tag], |row| Some(id(row).flatten())).await?;
        Ok(ids.into_iter().flatten().collect())
    }

    /// One entity; none when there is none.
    pub(super) async fn one<'a>(&self, path: impl IntoIterator<Item = &'a str>) -> Found<Option<Value>> {
        match self.send(&Request::get(path)).await {
            Ok(answer) => Ok(Some(answer.body)),
            Err(refusal) if refusal.status() == Some(404) => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }

    /// A whole list. The next page is asked for by its `offset`, since `next` drops the size on some lists; a
    /// page may be empty and yet not the last. Each row is read by `read`; one that cannot be understood
    /// makes the whole list unknown, since a part must not pass for all of it.
    async fn list<T>(&self, path: &[&str], mut read: impl FnMut(Value) -> Option<T>) -> Found<Vec<T>> {
        let (mut rows, mut understood) = (Vec::new(), true);
        let pages = self.pages(None, path, |page| {
            let Value::Array(data) = page["data"].take() else { return None };
            for row in data {
                match read(row) {
                    Some(row) => rows.push(row),
                    None => understood = false,
                }
            }
            Some(())
        });
        pages.await?;
        match understood {
            true => Ok(rows),
            false => Err(unreadable(path, "an entity in it lacks its id, name, address or weight")),
        }
    }

    /// Every page of a list, each given to `take`, which answers none when it holds no array `data`.
    pub(super) async fn pages(
        &self,
        node: Option<usize>,
        path: &[&str],
        mut take: impl FnMut(&mut Value) -> Option<()>,
    ) -> Found<()> {
        let mut offset: Option<String> = None;
        loop {
            let mut request = Request::get(path.iter().copied());
            request.node = node;
            request.query = vec![("size", PAGE.to_owned())];
            request.query.extend(offset.clone().map(|offset| ("offset", offset)));
            let mut page = self.send(&request).await?.body;
            take(&mut page).ok_or_else(|| unreadable(path, "it holds no array `data`"))?;
            let next = match page["offset"].take() {
                Value::String(offset) => offset,
                Value::Number(offset) => offset.to_string(),
                _ => return Ok(()),
            };
            if offset.replace(next) == offset {
                return Err(unreadable(path, "its offset does not move on"));
            }
        }
    }

    /// Reads something by each name, several at once.
    pub(super) async fn each<'a, T, F>(
        &self,
        names: &'a BTreeSet<String>,
        read: impl Fn(&'a str) -> F,
    ) -> Found<BTreeMap<String, T>>
    where
        F: Future<Output = Found<T>> + 'a,
    {
        let mut reads = Vec::with_capacity(names.len());
        for name in names {
            let found = read(name);
            reads.push(async move { Ok((name.clone(), found.await?)) });
        }
        stream::iter(reads).buffer_unordered(LISTS).try_collect().await
    }
}

fn unreadable(path: &[&str], why: &str) -> Refusal {
    Refusal { request: format!("GET /{}", path.join("/")), cause: Cause::Unreadable(why.to_owned()) }
}

/// The upstreams whose targets are wanted.
fn wanted(world: &World, listed: &Listed) -> BTreeSet<String> {
    let upstreams = world.upstreams().iter();
    upstreams.filter(|(name, it)| listed.wants(name, &it.object.tags)).map(|(name, _)| name.clone()).collect()
}
