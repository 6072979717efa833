//! Free loopback ports for servers.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};

use crate::process::Failure;

/// Finds a base whose ports `base + offset` are all free. They are below the range that the system gives to outgoing connections, so
/// that none of these takes one between the check and the server's start.
///
/// # Errors
/// When none of 200 random bases will do.
pub(crate) fn free_ports(server: &str, offsets: &[u16]) -> Result<u16, Failure> {
    for _ in 0..200 {
        let bytes = uuid::Uuid::new_v4();
        let base = 11_000 + u16::from_ne_bytes([bytes.as_bytes()[0], bytes.as_bytes()[1]]) % 20_000;
        if are_free(base, offsets) {
            return Ok(base);
        }
    }
    Err(format!("no free set of loopback ports for {server} was found").into())
}

/// Whether nobody uses any of these ports, by TCP or UDP.
pub(crate) fn are_free(base: u16, offsets: &[u16]) -> bool {
    offsets.iter().all(|offset| {
        let address = (Ipv4Addr::UNSPECIFIED, base + offset);
        TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok()
    })
}
