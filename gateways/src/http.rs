//! How HTTP clients are built here: one place, so that every one is alike.

use std::error::Error as _;
use std::sync::Once;

/// A client builder that ignores proxy variables, which would hijack loopback addresses, and uses the one TLS
/// provider.
#[expect(clippy::disallowed_methods, reason = "this is the place that the others are sent to")]
pub fn client_builder() -> reqwest::ClientBuilder {
    install_crypto();
    reqwest::Client::builder().no_proxy()
}

/// Makes ring the process's TLS provider; later calls do nothing.
pub fn install_crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Err means that the program has installed one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// What kept a request from being answered: the innermost reason last, without the URL, which may be told already.
pub fn words(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut words = error.to_string();
    let mut inner = error.source();
    while let Some(error) = inner {
        words = format!("{words}: {error}");
        inner = error.source();
    }
    words
}
