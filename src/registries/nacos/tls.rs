//! How servers' certificates are judged, for gRPC and for HTTP alike.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};

use super::NacosError;
use crate::config::Tls;

/// Whom to trust.
#[derive(Clone)]
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
    pub(super) fn read(tls: Option<&Tls>) -> Result<Self, NacosError> {
        let Some(tls) = tls else { return Ok(Self::Public) };
        if tls.insecure_skip_verify {
            return Ok(Self::Anyone);
        }
        let Some(file) = &tls.ca_file else { return Ok(Self::Public) };
        let unreadable = |error: &dyn std::fmt::Display| {
            NacosError::Settings(format!("the CA file {} can't be used: {error}", file.display()))
        };
        let pem = std::fs::read(file).map_err(|error| unreadable(&error))?;
        let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| unreadable(&error))?;
        if certificates.is_empty() {
            return Err(unreadable(&"it holds no certificate"));
        }
        Ok(Self::Only(pem))
    }

    /// An HTTP client that trusts so.
    pub(super) fn http(&self, builder: reqwest::ClientBuilder) -> Result<reqwest::Client, NacosError> {
        let wrong =
            |error: reqwest::Error| NacosError::Settings(format!("no HTTP client can be made: {error}"));
        let builder = match self {
            Self::Public => builder,
            Self::Only(pem) => {
                builder.tls_certs_only(reqwest::Certificate::from_pem_bundle(pem).map_err(wrong)?)
            }
            Self::Anyone => builder.tls_danger_accept_invalid_certs(true),
        };
        builder.build().map_err(wrong)
    }

    /// An encrypted gRPC endpoint that trusts so. Proxies that end TLS may not negotiate HTTP/2, so it is assumed.
    pub(super) fn grpc(&self, endpoint: Endpoint) -> Result<Endpoint, tonic::transport::Error> {
        let tls = ClientTlsConfig::new().assume_http2(true);
        match self {
            Self::Public => endpoint.tls_config(tls.with_native_roots()),
            Self::Only(pem) => endpoint.tls_config(tls.ca_certificate(Certificate::from_pem(pem))),
            Self::Anyone => endpoint.tls_config_with_verifier(tls, Arc::new(NoVerifier::new())),
        }
    }
}

/// Accepts every certificate, but not a handshake that isn't signed with it.
#[derive(Debug)]
struct NoVerifier(CryptoProvider);

impl NoVerifier {
    fn new() -> Self {
        Self(rustls::crypto::ring::default_provider())
    }
}

impl ServerCertVerifier for NoVerifier {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
