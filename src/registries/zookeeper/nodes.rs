//! Nodes that are written on one session.

use futures::stream::{self, StreamExt, TryStreamExt};
use zookeeper_client::{Acl, Acls, AuthId, Client, CreateMode, CreateOptions, Error, Permission};

use super::form::{Folder, Node};
use super::steps::{Seen, Standing, Step};
use crate::model::Instance;

/// Requests under way at once.
const AT_ONCE: usize = 64;
/// The scheme of users with passwords.
const DIGEST: &str = "digest";
/// What a server shows in place of a password's hash to whoever may not see it.
const HIDDEN: &str = ":x";

/// What can't be done to a node, and why.
#[derive(Debug)]
pub(super) struct NodeError {
    /// As in `creating`.
    pub(super) doing: &'static str,
    pub(super) path: String,
    pub(super) cause: Cause,
}

/// Why something can't be done.
#[derive(Debug)]
pub(super) enum Cause {
    /// The server or the connection says so.
    Client(Error),
    /// The rights of its parent, which it is to have too, aren't shown to us.
    HiddenRights,
}

fn failed(doing: &'static str, path: &str) -> impl FnOnce(Error) -> NodeError {
    let path = path.to_owned();
    move |error| NodeError { doing, path, cause: Cause::Client(error) }
}

/// Nodes as one session sees and makes them.
pub(super) struct Nodes<'a> {
    client: &'a Client,
    persistent: bool,
    authenticated: bool,
}

impl<'a> Nodes<'a> {
    pub(super) fn new(client: &'a Client, persistent: bool, authenticated: bool) -> Self {
        Self { client, persistent, authenticated }
    }

    /// The session that nodes made here live with; 0 where they are persistent.
    pub(super) fn session(&self) -> i64 {
        if self.persistent { 0 } else { self.client.session_id().0 }
    }

    /// All that stands in a folder; nothing where it isn't there.
    pub(super) async fn standing(&self, folder: &Folder) -> Result<Vec<Standing>, NodeError> {
        let children = match self.client.list_children(&folder.path).await {
            Err(Error::NoNode) => return Ok(Vec::new()),
            children => children.map_err(failed("reading", &folder.path))?,
        };
        let looks: Vec<_> = children.into_iter().map(|child| self.look(folder, child)).collect();
        let all: Vec<Option<Standing>> = stream::iter(looks).buffered(AT_ONCE).try_collect().await?;
        Ok(all.into_iter().flatten().collect())
    }

    /// One child; `None` when it isn't there any more. Where names hold everything, only copies are looked at: natives are left alone.
    pub(super) async fn look(&self, folder: &Folder, name: String) -> Result<Option<Standing>, NodeError> {
        let path = folder.path_of(&name);
        if folder.holds_data() {
            return match self.client.get_data(&path).await {
                Err(Error::NoNode) => Ok(None),
                read => {
                    let (data, stat) = read.map_err(failed("reading", &path))?;
                    let (instance, session) = (folder.read(&name, &data), stat.ephemeral_owner);
                    Ok(Some(Standing { name, data, instance, version: stat.version, session }))
                }
            };
        }
        let instance = folder.read(&name, &[]);
        if !instance.as_ref().is_some_and(Instance::is_copy) {
            return Ok(Some(Standing { name, data: Vec::new(), instance, version: 0, session: 0 }));
        }
        let stat = self.client.check_stat(&path).await.map_err(failed("reading", &path))?;
        Ok(stat.map(|stat| Standing {
            name,
            data: Vec::new(),
            instance,
            version: stat.version,
            session: stat.ephemeral_owner,
        }))
    }

    /// Makes a folder and its parents where they are missing, each with the rights of its own parent. They stay, empty or not.
    /// Returns the folder's rights.
    pub(super) async fn make(&self, path: &str) -> Result<Vec<Acl>, NodeError> {
        let mut missing = Vec::new();
        let mut at = path;
        let rights = loop {
            match self.client.get_acl(at).await {
                Ok((rights, _)) => break rights,
                Err(Error::NoNode) if at != "/" => {
                    missing.push(at);
                    at = parent(at);
                }
                Err(error) => return Err(failed("reading the rights of", at)(error)),
            }
        };
        if rights.iter().any(|right| right.scheme() == DIGEST && right.id().ends_with(HIDDEN)) {
            let (doing, path) = ("reading the rights of", at.to_owned());
            return Err(NodeError { doing, path, cause: Cause::HiddenRights });
        }
        for path in missing.into_iter().rev() {
            match self.client.create(path, b"", &CreateMode::Persistent.with_acls(Acls::new(&rights))).await {
                Ok(_) | Err(Error::NodeExists) => {}
                Err(error) => return Err(failed("creating", path)(error)),
            }
        }
        Ok(rights)
    }

    /// Does what a change needs. New nodes have the rights of their folder, and we have all.
    pub(super) async fn carry_out(&self, step: Step, rights: &[Acl]) -> Result<(), NodeError> {
        match step {
            Step::SetData(seen, data) => {
                let set = self.client.set_data(&seen.path, &data, Some(seen.version)).await;
                set.map(drop).map_err(failed("changing", &seen.path))
            }
            Step::Delete(gone) => self.delete(&gone).await,
            Step::Replace(gone, node) => self.replace(&gone, &node.path(), &node, rights).await,
        }
    }

    async fn delete(&self, gone: &[Seen]) -> Result<(), NodeError> {
        let first = gone.first().map(|seen| seen.path.clone()).unwrap_or_default();
        let mut all = self.client.new_multi_writer();
        for seen in gone {
            all.add_delete(&seen.path, Some(seen.version)).map_err(failed("removing", &seen.path))?;
        }
        match all.commit().await.map_err(Error::from) {
            Ok(_) => Ok(()),
            Err(Error::NoNode) if gone.len() == 1 => Ok(()),
            Err(error) => Err(failed("removing", &first)(error)),
        }
    }

    async fn replace(&self, gone: &[Seen], path: &str, node: &Node, rights: &[Acl]) -> Result<(), NodeError> {
        let mode = if self.persistent { CreateMode::Persistent } else { CreateMode::Ephemeral };
        let mut rights = rights.to_vec();
        if self.authenticated {
            rights.push(Acl::new(Permission::ALL, AuthId::authed()));
        }
        let options: CreateOptions<'_> = mode.with_acls(Acls::new(&rights));
        let mut all = self.client.new_multi_writer();
        for seen in gone {
            all.add_delete(&seen.path, Some(seen.version)).map_err(failed("replacing", &seen.path))?;
        }
        all.add_create(path, &node.data, &options).map_err(failed("creating", path))?;
        all.commit().await.map(drop).map_err(|error| failed("creating", path)(error.into()))
    }
}

fn parent(path: &str) -> &str {
    match path.rfind('/') {
        None | Some(0) => "/",
        Some(at) => &path[..at],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents() {
        for (path, above) in [("/dubbo/a.B/providers", "/dubbo/a.B"), ("/dubbo", "/"), ("/", "/")] {
            assert_eq!(parent(path), above);
        }
    }
}
