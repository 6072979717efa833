//! What is needed to reach a Kong.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Certificate;
use url::Url;

use crate::http;

/// How to reach a Kong's Admin API.
#[derive(Clone, Debug)]
pub struct KongSettings {
    /// URLs of Admin APIs, such as `https://kong:8444`. Over one and the same database any one serves, and when
    /// one fails, the next is used from then on. Without a database each is a node that gets every document.
    pub addresses: Vec<String>,
    /// Sent as `Kong-Admin-Token`.
    pub token: Option<Token>,
    /// Stands before every path. The free edition knows none, not even `default`.
    pub workspace: Option<String>,
    /// PEM file of the authorities to trust in place of the system's.
    pub ca_file: Option<PathBuf>,
    /// Takes any certificate. For trials only.
    pub insecure_skip_verify: bool,
    /// The most requests under way at once, at least 1.
    pub concurrency: usize,
    /// To connect.
    pub connect_timeout: Duration,
    /// For one request, connecting included.
    pub timeout: Duration,
    /// Without a database: this deployment's name in its marks, by which its part of a document is known.
    pub owner: String,
    /// Without a database: a declarative document that holds what is somebody else's.
    pub base: Option<PathBuf>,
    /// Without a database: the least time from the end of one document to the next. What changes meanwhile goes in
    /// together.
    pub document_interval: Duration,
}

impl Default for KongSettings {
    fn default() -> Self {
        Self {
            addresses: Vec::new(),
            token: None,
            workspace: None,
            ca_file: None,
            insecure_skip_verify: false,
            concurrency: 16,
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(30),
            owner: "causeway".to_owned(),
            base: None,
            document_interval: Duration::from_secs(1),
        }
    }
}

/// A secret. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Wraps the text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Settings that no client can be made from.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// No address at all.
    #[error("no address of an Admin API is given")]
    NoAddress,
    /// Not a URL of an Admin API.
    #[error("`{address}` is not the address of an Admin API: {reason}")]
    Address {
        /// As it was given, without user and password.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The file of the authorities cannot be used.
    #[error("the CA file {}: {reason}", path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The token holds characters that no header may.
    #[error("the token holds characters that an HTTP header cannot carry (a line break at its end?)")]
    Token,
    /// The HTTP client cannot be built.
    #[error("the HTTP client cannot be built: {0}")]
    Client(#[source] reqwest::Error),
}

impl KongSettings {
    /// The addresses, parsed; each ends with a slash so that paths can be joined, and with the workspace.
    pub(super) fn bases(&self) -> Result<Vec<Url>, SettingsError> {
        if self.addresses.is_empty() {
            return Err(SettingsError::NoAddress);
        }
        self.addresses.iter().map(|address| self.base(address)).collect()
    }

    fn base(&self, address: &str) -> Result<Url, SettingsError> {
        let refused = |shown: &str, reason: &str| SettingsError::Address {
            address: shown.into(),
            reason: reason.into(),
        };
        // What cannot be parsed may still hold a password.
        let shown = address.rsplit('@').next().unwrap_or_default();
        let mut url = Url::parse(address).map_err(|error| refused(shown, &error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refused(shown, "it must begin with http:// or https://"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused(shown, "user and password do not belong there; Kong takes a token"));
        }
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(self.workspace.as_deref());
        }
        url.set_query(None);
        url.set_fragment(None);
        Ok(url)
    }

    pub(super) fn client(&self, bases: &[Url]) -> Result<reqwest::Client, SettingsError> {
        let mut builder = http::client_builder()
            .connect_timeout(self.connect_timeout)
            .timeout(self.timeout)
            .pool_max_idle_per_host(self.concurrency.max(1))
            .tcp_nodelay(true)
            // A token must not travel to where it was not meant for.
            .redirect(reqwest::redirect::Policy::none());
        if let Some(token) = &self.token {
            let mut value =
                reqwest::header::HeaderValue::from_str(token.expose()).map_err(|_| SettingsError::Token)?;
            value.set_sensitive(true);
            builder = builder.default_headers([(TOKEN_HEADER, value)].into_iter().collect());
        }
        if self.insecure_skip_verify {
            builder = builder.tls_danger_accept_invalid_certs(true);
        } else if self.ca_file.is_some() || bases.iter().all(|base| base.scheme() == "http") {
            // Without https the system's authorities are not needed, and a machine that has none must do.
            builder = builder.tls_certs_only(self.authorities()?);
        }
        builder.build().map_err(SettingsError::Client)
    }

    fn authorities(&self) -> Result<Vec<Certificate>, SettingsError> {
        let Some(path) = &self.ca_file else { return Ok(Vec::new()) };
        let refused = |reason: String| SettingsError::CaFile { path: path.clone(), reason };
        let pem = std::fs::read(path).map_err(|error| refused(error.to_string()))?;
        let found = Certificate::from_pem_bundle(&pem).map_err(|error| refused(error.to_string()))?;
        if found.is_empty() {
            return Err(refused("it holds no PEM certificate".into()));
        }
        Ok(found)
    }
}

/// Kong's header for the token of role-based access control.
const TOKEN_HEADER: reqwest::header::HeaderName =
    reqwest::header::HeaderName::from_static("kong-admin-token");

#[cfg(test)]
mod tests {
    use super::*;

    fn bases(address: &str, workspace: Option<&str>) -> Result<String, String> {
        let settings = KongSettings {
            addresses: vec![address.to_owned()],
            workspace: workspace.map(str::to_owned),
            ..KongSettings::default()
        };
        settings.bases().map(|bases| bases[0].to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_workspace_stands_before_every_path() {
        assert_eq!(bases("http://kong:8001", None).unwrap(), "http://kong:8001/");
        assert_eq!(
            bases("https://kong:8444/admin/", Some("team a")).unwrap(),
            "https://kong:8444/admin/team%20a"
        );
    }

    #[test]
    fn a_wrong_address_is_told_without_its_password() {
        for address in ["ftp://kong", "http://user:hunter2@kong:8001", "http://user:hunter2@[kong"] {
            let error = bases(address, None).unwrap_err();
            assert!(error.contains("kong") && !error.contains("hunter2"), "{error}");
        }
        assert!(KongSettings::default().bases().is_err());
    }

    #[test]
    fn a_token_is_never_shown() {
        let settings = KongSettings { token: Some(Token::new("hunter2")), ..KongSettings::default() };
        assert!(!format!("{settings:?}").contains("hunter2"));
    }

    #[test]
    fn a_ca_file_that_cannot_be_used_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let settings = KongSettings {
            addresses: vec!["https://kong:8444".into()],
            ca_file: Some(file.path().to_owned()),
            ..KongSettings::default()
        };
        let error = settings.client(&settings.bases().unwrap()).unwrap_err().to_string();
        assert!(error.contains(&file.path().display().to_string()), "{error}");
    }
}
