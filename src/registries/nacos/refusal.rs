//! From an error to what a writer does about it. Pure.

use causeway_gateways::Retry;

use super::NacosError;
use super::form::metadata_told;
use super::info::Host;
use crate::registries::WriteError;

/// Codes of HTTP that pass by themselves, though they say that the request is to blame.
const PASSING: [i64; 2] = [408, 429];

impl NacosError {
    /// Why a write failed, in words for people, and when to try again.
    pub(super) fn of_write(&self) -> WriteError {
        WriteError { message: self.to_string(), retry: self.retry() }
    }

    /// The same for the registration of an instance, with what to do about it where that is known.
    pub(super) fn of_registration(&self, host: &Host) -> WriteError {
        let advice = match self {
            Self::Refused { message, .. } => advice(message, host),
            _ => None,
        };
        let advice = advice.map(|advice| format!("; {advice}")).unwrap_or_default();
        WriteError { message: format!("{self}{advice}"), retry: self.retry() }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Settings(_) | Self::Unsupported { .. } => Retry::Never,
            Self::Refused { code, .. } if (400..500).contains(code) && !PASSING.contains(code) => {
                Retry::Never
            }
            _ => Retry::Backoff(None),
        }
    }
}

/// What to do about a registration that the server will always refuse.
fn advice(message: &str, host: &Host) -> Option<String> {
    if message.contains("is persistent service") {
        let why =
            "a service of Nacos holds either persistent or ephemeral instances, and copies are ephemeral";
        Some(format!("{why}: deregister the persistent ones there, or exclude the service from the task"))
    } else if message.contains("Metadata") && message.contains("length") {
        let has = metadata_told(host);
        Some(format!(
            "with Causeway's own it has {has}: shorten it at the source, or raise `nacos.naming.service.metadata.length` \
             of this Nacos"
        ))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: i64, message: &str) -> NacosError {
        NacosError::Refused { server: "n:8848".into(), what: "x".into(), code, message: message.into() }
    }

    fn host() -> Host {
        serde_json::from_value(
            serde_json::json!({ "ip": "a", "port": 1, "metadata": { "k": "v".repeat(1030) } }),
        )
        .unwrap()
    }

    #[test]
    fn what_will_always_be_refused_is_not_tried_again() {
        let (server, what) = ("n:8848".to_owned(), "x".to_owned());
        let cases = [
            (refused(400, "bad"), Retry::Never),
            (refused(429, "slow"), Retry::Backoff(None)),
            (refused(500, "oops"), Retry::Backoff(None)),
            (refused(30_000, "oops"), Retry::Backoff(None)),
            (NacosError::Starting { server: server.clone() }, Retry::Backoff(None)),
            (
                NacosError::Denied { server: server.clone(), what: what.clone(), message: String::new() },
                Retry::Backoff(None),
            ),
            (NacosError::Unsupported { server, what }, Retry::Never),
        ];
        for (error, retry) in cases {
            assert_eq!(error.of_write().retry, retry, "{error}");
        }
    }

    /// The messages are a 3.1.0 server's.
    #[test]
    fn a_person_is_told_what_to_do() {
        let told = |message: &str| refused(400, message).of_registration(&host()).message;
        let clash = told(
            "errCode: 400, errMsg: Current service DEFAULT_GROUP@@s is persistent service, can't register ephemeral instance.",
        );
        assert!(clash.contains("Current service") && clash.contains("exclude the service"), "{clash}");
        let long = told("Param 'Metadata' is illegal, the param length should not exceed 1024.");
        assert!(long.contains("exceed 1024") && long.contains("it has 1031 characters"), "{long}");
        assert_eq!(told("bad"), refused(400, "bad").to_string());
    }
}
