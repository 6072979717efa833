//! Polaris' codes and the words that it has for them. The HTTP status is the code's first three digits.

pub(super) const OK: u32 = 200_000;
pub(super) const UNCHANGED_DATA: u32 = 200_001;
pub(super) const NO_NEED_TO_UPDATE: u32 = 200_002;
pub(super) const BAD_REQUEST: u32 = 400_000;
pub(super) const UNDECODABLE: u32 = 400_001;
pub(super) const EMPTY_REQUEST: u32 = 400_002;
pub(super) const TOO_MANY: u32 = 400_003;
pub(super) const BAD_DISCOVER: u32 = 400_004;
pub(super) const BAD_PARAMETER: u32 = 400_103;
pub(super) const EMPTY_QUERY: u32 = 400_104;
pub(super) const HALF_QUERY: u32 = 400_105;
pub(super) const BAD_NAMESPACE: u32 = 400_110;
pub(super) const BAD_SERVICE: u32 = 400_120;
pub(super) const BAD_HOST: u32 = 400_131;
pub(super) const BAD_PORT: u32 = 400_132;
pub(super) const BAD_ISOLATE: u32 = 400_139;
pub(super) const BAD_METADATA: u32 = 400_150;
pub(super) const EXISTS: u32 = 400_201;
pub(super) const NOT_FOUND: u32 = 400_202;
pub(super) const HAS_SERVICES: u32 = 400_203;
pub(super) const HAS_INSTANCES: u32 = 400_204;
pub(super) const SAME_INSTANCE: u32 = 400_208;
pub(super) const NO_INSTANCE: u32 = 400_303;
pub(super) const NO_USER: u32 = 400_312;
pub(super) const DENIED: u32 = 401_001;

/// The words for a code.
pub(super) fn info(code: u32) -> &'static str {
    match code {
        OK => "execute success",
        UNCHANGED_DATA => "discover data is no change",
        NO_NEED_TO_UPDATE => "update data is no change, no need to update",
        BAD_REQUEST => "bad request",
        EMPTY_REQUEST => "empty request",
        TOO_MANY => "batch size over the limit",
        BAD_DISCOVER => "invalid discover resource",
        BAD_PARAMETER => "invalid parameter",
        EMPTY_QUERY => "query instance parameter is empty",
        HALF_QUERY => "query instance, service or namespace or host is required",
        BAD_NAMESPACE => "invalid namespace name",
        BAD_SERVICE => "invalid service name",
        BAD_HOST => "invalid instance host",
        BAD_PORT => "invalid instance port",
        BAD_ISOLATE => "invalid instance isolate",
        BAD_METADATA => "the length of metadata is too long or metadata contains invalid characters",
        EXISTS => "existed resource",
        NOT_FOUND => "not found resource",
        HAS_SERVICES => "some services existed in namespace",
        HAS_INSTANCES => "some instances existed in service",
        SAME_INSTANCE => "the same instance request",
        NO_INSTANCE => "not found instances",
        NO_USER => "not found user",
        DENIED => "access is not approved",
        _ => "",
    }
}
