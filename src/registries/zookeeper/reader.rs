//! Readings of nodes on one session.

use std::collections::BTreeSet;

use futures::future::try_join_all;
use zookeeper_client::{AddWatchMode, Client, Error, PersistentWatcher};

use super::ZookeeperError;
use super::layout::{Form, form_of, join};
use super::place::Children;
use super::watches::{OneShots, Watched};

/// What was read of a root.
pub(super) struct RootRead {
    pub(super) form: Option<Form>,
    /// None where it isn't there.
    pub(super) children: Vec<String>,
    /// The watch on all that is in it, older than what was read; `None` where there is one already, or where it isn't needed.
    pub(super) deep: Option<PersistentWatcher>,
}

/// Reads nodes; where watches fire only once, each reading leaves one.
#[derive(Clone)]
pub(super) struct Reader {
    client: Client,
    one_shots: Option<OneShots>,
}

impl Reader {
    pub(super) fn new(client: Client, one_shots: Option<OneShots>) -> Self {
        Self { client, one_shots }
    }

    /// A root, where its form isn't known with it, and where it `is_shallow`, watched by itself only, with a watch on all that is in it.
    pub(super) async fn root(
        &self,
        path: &str,
        mut form: Option<Form>,
        is_shallow: bool,
    ) -> Result<RootRead, ZookeeperError> {
        let mut children = self.children(path).await?.unwrap_or_default();
        let mut deep = None;
        if is_shallow && !children.is_empty() {
            let watch = self.client.watch(path, AddWatchMode::PersistentRecursive).await;
            deep = Some(watch.map_err(|error| ZookeeperError::of_node(path, &error))?);
            children = self.children(path).await?.unwrap_or_default();
        }
        for child in &children {
            if form.is_some() {
                break;
            }
            let child = join(path, child);
            match self.client.list_children(&child).await {
                Ok(grandchildren) => form = form_of(&grandchildren),
                Err(Error::NoNode) => {}
                Err(error) => return Err(ZookeeperError::of_node(&child, &error)),
            }
        }
        Ok(RootRead { form, children, deep })
    }

    /// What stands at a place: each child, with its data unless it is settled or, without a set of those, carries none. `None`
    /// when the place isn't there.
    pub(super) async fn place(
        &self,
        path: &str,
        settled: Option<BTreeSet<String>>,
    ) -> Result<Option<Children>, ZookeeperError> {
        let Some(children) = self.children(path).await? else { return Ok(None) };
        let Some(settled) = settled else {
            return Ok(Some(children.into_iter().map(|child| (child, None)).collect()));
        };
        let readings = children.into_iter().map(|child| {
            let known = settled.contains(&child);
            async move {
                if known {
                    return Ok(Some((child, None)));
                }
                let data = self.data(&join(path, &child)).await?;
                Ok(data.map(|data| (child, Some(data))))
            }
        });
        let all = try_join_all(readings).await?;
        Ok(Some(all.into_iter().flatten().collect()))
    }

    /// A node's children; `None` when it isn't there.
    async fn children(&self, path: &str) -> Result<Option<Vec<String>>, ZookeeperError> {
        let plain = || self.client.list_children(path);
        let watched = || self.client.list_and_watch_children(path);
        let read = match &self.one_shots {
            None => plain().await,
            Some(one_shots) => {
                let what = Watched::Children(path.to_owned());
                with_watch(one_shots, what, watched, plain).await
            }
        };
        match read {
            Ok(children) => Ok(Some(children)),
            Err(Error::NoNode) => self.coming(path).await,
            Err(error) => Err(ZookeeperError::of_node(path, &error)),
        }
    }

    /// Leaves a watch on a node that isn't there; one that has come meanwhile is read.
    async fn coming(&self, path: &str) -> Result<Option<Vec<String>>, ZookeeperError> {
        let Some(one_shots) = &self.one_shots else { return Ok(None) };
        let plain = || self.client.check_stat(path);
        let watched = || self.client.check_and_watch_stat(path);
        let found = with_watch(one_shots, Watched::Coming(path.to_owned()), watched, plain).await;
        match found {
            Ok(None) => Ok(None),
            Ok(Some(_)) => Box::pin(self.children(path)).await,
            Err(error) => Err(ZookeeperError::of_node(path, &error)),
        }
    }

    /// A node's data; `None` when it isn't there.
    async fn data(&self, path: &str) -> Result<Option<Vec<u8>>, ZookeeperError> {
        let plain = async || Ok(self.client.get_data(path).await?.0);
        let watched = async || {
            let (data, _, watcher) = self.client.get_and_watch_data(path).await?;
            Ok((data, watcher))
        };
        let read = match &self.one_shots {
            None => plain().await,
            Some(one_shots) => with_watch(one_shots, Watched::Data(path.to_owned()), watched, plain).await,
        };
        match read {
            Ok(data) => Ok(Some(data)),
            Err(Error::NoNode) => Ok(None),
            Err(error) => Err(ZookeeperError::of_node(path, &error)),
        }
    }
}

/// Reads with a watch, or without where one stands already.
async fn with_watch<T, W, P>(
    one_shots: &OneShots,
    what: Watched,
    watched: impl FnOnce() -> W,
    plain: impl FnOnce() -> P,
) -> Result<T, Error>
where
    W: Future<Output = Result<(T, zookeeper_client::OneshotWatcher), Error>>,
    P: Future<Output = Result<T, Error>>,
{
    if !one_shots.arm(&what) {
        return plain().await;
    }
    match watched().await {
        Ok((read, watcher)) => {
            one_shots.keep(what, watcher);
            Ok(read)
        }
        Err(error) => {
            one_shots.disarm(&what);
            Err(error)
        }
    }
}
