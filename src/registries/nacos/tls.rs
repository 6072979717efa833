//! gRPC that judges servers' certificates as HTTP does.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};

use crate::registries::tls::Trust;

/// An encrypted gRPC endpoint that trusts so. Proxies that end TLS may not negotiate HTTP/2, so it is assumed.
pub(super) fn encrypted(endpoint: Endpoint, trust: &Trust) -> Result<Endpoint, tonic::transport::Error> {
    let tls = ClientTlsConfig::new().assume_http2(true);
    match trust {
        Trust::Public => endpoint.tls_config(tls.with_native_roots()),
        Trust::Only(pem) => endpoint.tls_config(tls.ca_certificate(Certificate::from_pem(pem))),
        Trust::Anyone => endpoint.tls_config_with_verifier(tls, Arc::new(NoVerifier::new())),
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
