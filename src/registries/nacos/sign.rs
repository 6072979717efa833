//! Aliyun's signatures for naming requests (Nacos client, `auth/ram`): HMAC-SHA1 over the time and the service, and with a
//! region a key derived for the day by HMAC-SHA256 (V4).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};

use crate::config::Secret;

const V4_PREFIX: &str = "aliyun_v4";
const V4_PRODUCT: &str = "mse-nacos";
const V4_REQUEST: &str = "aliyun_v4_request";

/// An access key that signs.
#[derive(Clone, Debug)]
pub(super) struct AccessKey {
    pub(super) id: Secret,
    pub(super) secret: Secret,
    pub(super) region: Option<String>,
}

impl AccessKey {
    /// What a naming request carries: about `resource` (`group@@service`, or nothing) at `millis` since 1970.
    pub(super) fn sign(&self, resource: &str, millis: u64) -> Vec<(&'static str, String)> {
        let data = if resource.is_empty() { millis.to_string() } else { format!("{millis}@@{resource}") };
        let key = match &self.region {
            None => self.secret.expose().to_owned(),
            Some(region) => day_key(self.secret.expose(), &utc_date(millis), region),
        };
        let signature = STANDARD.encode(mac::<Hmac<sha1::Sha1>>(key.as_bytes(), &data));
        let mut signed = vec![("ak", self.id.expose().to_owned()), ("data", data), ("signature", signature)];
        if self.region.is_some() {
            signed.push(("signatureVersion", "v4".to_owned()));
        }
        signed
    }
}

/// The V4 key of a day, in base64: the text itself is the key.
fn day_key(secret: &str, date: &str, region: &str) -> String {
    let sha256 = |key: &[u8], text: &str| mac::<Hmac<sha2::Sha256>>(key, text);
    let day = sha256(format!("{V4_PREFIX}{secret}").as_bytes(), date);
    let product = sha256(&sha256(&day, region), V4_PRODUCT);
    STANDARD.encode(sha256(&product, V4_REQUEST))
}

fn mac<M: Mac + KeyInit>(key: &[u8], text: &str) -> Vec<u8> {
    // HMAC takes keys of any length, so there is always one to update.
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else { return Vec::new() };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// `yyyyMMdd` in UTC, by Howard Hinnant's `civil_from_days`.
fn utc_date(millis: u64) -> String {
    let days = millis / 86_400_000 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}{month:02}{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(region: Option<&str>, resource: &str, millis: u64) -> (String, String) {
        let key = AccessKey {
            id: Secret::new("LTAI-example"),
            secret: Secret::new("s3cr3t-key"),
            region: region.map(str::to_owned),
        };
        let signed = key.sign(resource, millis);
        let of = |name: &str| signed.iter().find(|(key, _)| *key == name).unwrap().1.clone();
        assert_eq!(of("ak"), "LTAI-example");
        assert_eq!(
            signed.iter().any(|pair| *pair == ("signatureVersion", "v4".to_owned())),
            region.is_some()
        );
        (of("data"), of("signature"))
    }

    /// The expected values are Python's, see `vectors.py` beside this file.
    #[test]
    fn signs_as_python_computes_it() {
        for line in include_str!("vectors.tsv").lines() {
            let [region, resource, millis, data, wanted] = line.split('\t').collect::<Vec<_>>()[..] else {
                panic!("five fields: {line}")
            };
            let region = Some(region).filter(|region| !region.is_empty());
            let (got_data, got) = signature(region, resource, millis.parse().unwrap());
            assert_eq!((got_data.as_str(), got.as_str()), (data, wanted));
        }
    }

    #[test]
    fn dates_are_right_around_leap_days() {
        assert_eq!(utc_date(0), "19700101");
        assert_eq!(utc_date(951_782_399_999), "20000228");
        assert_eq!(utc_date(951_782_400_000), "20000229");
        assert_eq!(utc_date(1_709_251_200_000), "20240301");
        assert_eq!(utc_date(1_798_761_599_000), "20261231");
    }
}
