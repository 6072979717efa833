//! What an application's client does: nodes that live as long as its session, and their rights.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};
use zookeeper_client::{
    Acl, Acls, AddWatchMode, AuthId, Client, CreateMode, CreateOptions, Error, MultiWriteError, Permission,
    PersistentWatcher,
};

use crate::process::Failure;

/// The longest that a server with ticks of two seconds grants.
const SESSION: Duration = Duration::from_secs(40);

/// A session. Its ephemeral nodes go with it.
#[derive(Clone, Debug)]
pub struct ZookeeperClient {
    client: Client,
}

impl ZookeeperClient {
    /// Connects to `host:port,…`, with an optional chroot at the end.
    ///
    /// # Errors
    /// When no session can be had.
    pub async fn connect(cluster: &str) -> Result<Self, Failure> {
        Ok(Self { client: Client::connector().with_session_timeout(SESSION).connect(cluster).await? })
    }

    /// Creates a persistent node with its parents; one that is there stays as it is.
    ///
    /// # Errors
    /// Those of the server.
    pub async fn make(&self, path: &str) -> Result<(), Failure> {
        let options = CreateMode::Persistent.with_acls(Acls::anyone_all());
        Ok(self.client.mkdir(path, &options).await?)
    }

    /// Creates an ephemeral node with its persistent parents, or changes its data. One that an earlier session left is made anew,
    /// so that it doesn't end with that session.
    ///
    /// # Errors
    /// Those of the server.
    pub async fn put(&self, path: &str, data: &[u8]) -> Result<(), Failure> {
        if let Some((parent, _)) = path.rsplit_once('/').filter(|(parent, _)| !parent.is_empty()) {
            self.make(parent).await?;
        }
        let ephemeral = CreateMode::Ephemeral.with_acls(Acls::anyone_all());
        loop {
            match self.client.create(path, data, &ephemeral).await {
                Ok(_) => return Ok(()),
                Err(Error::NodeExists) if self.change(path, data, &ephemeral).await? => return Ok(()),
                Err(Error::NodeExists) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Changes a node, unless it goes meanwhile with the session that it was of.
    async fn change(&self, path: &str, data: &[u8], options: &CreateOptions<'_>) -> Result<bool, Failure> {
        let owner = self.client.check_stat(path).await?.map(|stat| stat.ephemeral_owner);
        if owner == Some(self.client.session_id().0) {
            self.client.set_data(path, data, None).await?;
            return Ok(true);
        }
        let mut both = self.client.new_multi_writer();
        both.add_delete(path, None)?;
        both.add_create(path, data, options)?;
        match both.commit().await {
            Ok(_) => Ok(true),
            Err(MultiWriteError::OperationFailed { source: Error::NoNode, .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// As [`ZookeeperClient::put`] for a node that no session's end removes.
    ///
    /// # Errors
    /// Those of the server.
    pub async fn keep(&self, path: &str, data: &[u8]) -> Result<(), Failure> {
        self.make(path).await?;
        self.client.set_data(path, data, None).await?;
        Ok(())
    }

    /// Puts an ephemeral node in the place of others in one step.
    ///
    /// # Errors
    /// Those of the server.
    pub async fn replace(&self, old: &[String], path: &str) -> Result<(), Failure> {
        let mut all = self.client.new_multi_writer();
        for path in old {
            all.add_delete(path, None)?;
        }
        all.add_create(path, b"", &CreateMode::Ephemeral.with_acls(Acls::anyone_all()))?;
        all.commit().await?;
        Ok(())
    }

    /// Deletes a node; one that isn't there is fine.
    ///
    /// # Errors
    /// Those of the server.
    pub async fn delete(&self, path: &str) -> Result<(), Failure> {
        match self.client.delete(path, None).await {
            Ok(()) | Err(Error::NoNode) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The names of a node's children; none when it isn't there.
    ///
    /// # Errors
    /// Those of the server.
    pub async fn children(&self, path: &str) -> Result<Vec<String>, Failure> {
        match self.client.list_children(path).await {
            Ok(children) => Ok(children),
            Err(Error::NoNode) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    /// A node's data.
    ///
    /// # Errors
    /// Those of the server.
    pub async fn data(&self, path: &str) -> Result<Vec<u8>, Failure> {
        Ok(self.client.get_data(path).await?.0)
    }

    /// A recursive watch on a node, which lasts as long as the connection.
    ///
    /// # Errors
    /// Those of the server.
    pub async fn watch_all(&self, path: &str) -> Result<PersistentWatcher, Failure> {
        Ok(self.client.watch(path, AddWatchMode::PersistentRecursive).await?)
    }

    /// Lets only this user read a node from now on. Everything else that can be done with it stays open to everyone.
    ///
    /// # Errors
    /// Those of the server.
    pub async fn restrict(&self, path: &str, user: &str, password: &str) -> Result<(), Failure> {
        let readers = AuthId::new("digest", &digest(user, password));
        let others = Permission::WRITE | Permission::CREATE | Permission::DELETE | Permission::ADMIN;
        let rights = [Acl::new(Permission::ALL, readers), Acl::new(others, AuthId::anyone())];
        self.client.set_acl(path, &rights, None).await?;
        Ok(())
    }
}

/// How a user is written in a node's rights: the name, and the hash of both.
fn digest(user: &str, password: &str) -> String {
    format!("{user}:{}", STANDARD.encode(Sha1::digest(format!("{user}:{password}"))))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_digest_is_as_the_server_computes_it() {
        assert_eq!(super::digest("super", "causeway"), "super:kwqfNtb0z3AelEu0I4ScXlsfxDk=");
    }
}
