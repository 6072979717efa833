//! An application that provides services.

use std::time::Duration;

use super::{BROKEN, STOP_LIMIT, start};
use crate::process::Failure;
use crate::site::{Site, start_anew};

const COMMAND_LIMIT: Duration = Duration::from_secs(300);

/// Provides all of [`super::SERVICES`] at two ports of this machine's address, as Dubbo finds it. Dropping it ends it.
#[derive(Debug)]
pub struct Provider {
    site: Site,
    commands: usize,
}

impl Provider {
    /// Installs Dubbo where it is missing, and starts the application, which registers its interfaces at `registry`.
    ///
    /// # Errors
    /// What is missing on this machine, or why it doesn't start, with the end of its log.
    pub async fn start(registry: &str) -> Result<Self, Failure> {
        start_anew(move || async move {
            let mut site = Site::new("Dubbo-provider", &[0, 1], STOP_LIMIT)?;
            let port = site.port().to_string();
            start(&mut site, &["provide", registry, &port]).await?;
            Ok(Self { site, commands: 0 })
        })
        .await
    }

    /// Registers its services at another registry, under the same address.
    ///
    /// # Errors
    /// When it doesn't say that it has, with the end of its log.
    pub async fn register(&mut self, registry: &str) -> Result<(), Failure> {
        self.command("register", registry).await
    }

    /// Takes its services out of a registry and goes on answering.
    ///
    /// # Errors
    /// As [`Provider::register`].
    pub async fn unregister(&mut self, registry: &str) -> Result<(), Failure> {
        self.command("unregister", registry).await
    }

    async fn command(&mut self, verb: &str, registry: &str) -> Result<(), Failure> {
        self.commands += 1;
        let process = self.site.process_mut()?;
        process.write_line(&format!("{} {verb} {registry}", self.commands))?;
        process.wait_for_log(&format!("DONE {}", self.commands), BROKEN, COMMAND_LIMIT).await
    }
}
