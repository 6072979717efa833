"""Prints vectors.tsv: region, resource, milliseconds, signed data, signature. By Python's own hmac, from the Nacos
client's description of its signatures, so that the Rust code isn't its own judge."""
import base64, datetime, hashlib, hmac

SECRET = "s3cr3t-key"


def digest(key, text, algorithm):
    return hmac.new(key, text.encode(), algorithm).digest()


for region, resource, millis in [
    ("", "DEFAULT_GROUP@@orders", 1_700_000_000_000),
    ("", "", 1_700_000_000_001),
    ("", "TRADE@@providers:com.foo.Bar:1.0.0:", 1_763_683_200_000),
    ("cn-hangzhou", "DEFAULT_GROUP@@orders", 1_700_000_000_000),
    ("cn-hangzhou", "", 1_709_251_199_999),
    ("ap-southeast-1", "DEFAULT_GROUP@@orders", 1_709_164_800_000),
]:
    data = f"{millis}@@{resource}" if resource else str(millis)
    key = SECRET
    if region:
        date = datetime.datetime.fromtimestamp(millis // 1000, datetime.timezone.utc).strftime("%Y%m%d")
        chain = ("aliyun_v4" + SECRET).encode()
        for part in (date, region, "mse-nacos", "aliyun_v4_request"):
            chain = digest(chain, part, hashlib.sha256)
        key = base64.b64encode(chain).decode()
    signature = base64.b64encode(digest(key.encode(), data, hashlib.sha1)).decode()
    print(region, resource, millis, data, signature, sep="\t")
