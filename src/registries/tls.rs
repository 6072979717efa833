//! How servers' certificates are judged.

use crate::config::Tls;

/// Whom to trust.
#[derive(Clone, Debug)]
pub(super) enum Trust {
    /// The public authorities.
    Public,
    /// These authorities, in PEM, and no others.
    Only(Vec<u8>),
    /// Anyone.
    Anyone,
}

impl Trust {
    /// Reads the file of authorities.
    ///
    /// # Errors
    /// What is wrong with the file, for people.
    pub(super) fn read(tls: Option<&Tls>) -> Result<Self, String> {
        let Some(tls) = tls else { return Ok(Self::Public) };
        if tls.insecure_skip_verify {
            return Ok(Self::Anyone);
        }
        let Some(file) = &tls.ca_file else { return Ok(Self::Public) };
        let unreadable =
            |error: &dyn std::fmt::Display| format!("the CA file {} can't be used: {error}", file.display());
        let pem = std::fs::read(file).map_err(|error| unreadable(&error))?;
        let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| unreadable(&error))?;
        if certificates.is_empty() {
            return Err(unreadable(&"it holds no certificate"));
        }
        Ok(Self::Only(pem))
    }

    /// An HTTP client that trusts so.
    ///
    /// # Errors
    /// What the system lacks, for people.
    pub(super) fn http(&self, builder: reqwest::ClientBuilder) -> Result<reqwest::Client, String> {
        let wrong = |error: reqwest::Error| format!("no HTTP client can be made: {error}");
        let builder = match self {
            Self::Public => builder,
            Self::Only(pem) => {
                builder.tls_certs_only(reqwest::Certificate::from_pem_bundle(pem).map_err(wrong)?)
            }
            Self::Anyone => builder.tls_danger_accept_invalid_certs(true),
        };
        builder.build().map_err(wrong)
    }
}
