//! A certificate for loopback addresses, signed by an authority that only tests trust. Good until 2126; made by
//! `openssl` with P-256 keys, of which the authority's is thrown away.

use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::process::Failure;

/// The authority that signed the server's certificate, in PEM.
pub const CA: &str = include_str!("ca.pem");
/// An authority that signed nothing, in PEM.
pub const OTHER_CA: &str = include_str!("other-ca.pem");

/// A TLS server for `localhost` and `127.0.0.1`.
///
/// # Errors
/// When the certificate can't be used, which would be a mistake in this crate.
pub fn server_config() -> Result<ServerConfig, Failure> {
    let certificate = CertificateDer::from_pem_slice(include_bytes!("server.pem"))?;
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("server.key"))?;
    let builder = ServerConfig::builder_with_provider(default_provider().into());
    let builder = builder.with_safe_default_protocol_versions()?.with_no_client_auth();
    Ok(builder.with_single_cert(vec![certificate], key)?)
}
