//! The HTTP client that the tests' own requests go through.

/// A client that no proxy variable of the environment leads astray.
///
/// # Panics
/// When the TLS backend can't be set up, which no machine has a reason for.
#[expect(
    clippy::disallowed_methods,
    reason = "the product's builder would make this crate and its own depend on each other"
)]
pub fn http_client() -> reqwest::Client {
    // A second installation is refused and as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().expect("a plain HTTP client can be built")
}
