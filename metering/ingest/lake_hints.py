"""What to do about a place that Spark cannot read, by what Spark says of it."""

import re

from metering.ingest.columns import FACTS_HINT

SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*:(//[^/]*)?", re.IGNORECASE)
# How Spark names text that is no UTF-8.
NO_UTF8 = "INVALID_UTF8_STRING"
# What reads an object store, by the scheme of its URLs; Spark comes with none of them.
_AWS, _AZURE = "org.apache.hadoop:hadoop-aws", "org.apache.hadoop:hadoop-azure"
_CONNECTORS = {
    "s3": _AWS, "s3a": _AWS, "abfs": _AZURE, "abfss": _AZURE, "wasb": _AZURE, "wasbs": _AZURE,
    "gs": "com.google.cloud.bigdataoss:gcs-connector",
}  # fmt: skip
_NO_CONNECTOR = re.compile(r"No FileSystem for scheme|FileSystem\S* not found")
_CREDENTIALS = "give Spark credentials that may read it, as its connector takes them"
_REFUSED = r"AccessDenied|AccessControlException|Forbidden|Credentials|Unauthorized|NoAuth"
# What Spark says, of which places, and what to do; the first that fits counts.
_HINTS = [
    (re.compile(said), re.compile(place, re.IGNORECASE), hint)
    for said, place, hint in (
        (
            "PARQUET_TYPE_ILLEGAL|INT96|UNSUPPORTED_TIME_TYPE|DECIMAL_PRECISION_EXCEEDS",
            "",
            "write that column as text, as `metering export facts` does",
        ),
        (NO_UTF8, "", "write it again, its text in UTF-8"),
        ("URISyntaxException", r"^[a-z][a-z0-9+.-]*:([^/]|$)", "write it as {scheme}://PLACE/FOLDER"),
        ("URISyntaxException", ":[^/]*$", "give it a name without ':', with which Spark opens no file of this machine"),
        ("no host", "", "name the host too, as in {scheme}://HOST:PORT/FOLDER"),
        ("Wrong FS: file:", "", "a file:// URL names no machine: write file:///FOLDER"),
        (
            "UNSUPPORTED_FILE_SYSTEM",
            "",
            "{scheme}:// cannot list what a folder holds: copy the facts to this machine, or to a store that can",
        ),
        (
            "ConnectException|UnknownHostException|NoRouteToHostException|SocketTimeoutException|ConnectTimeout",
            "",
            "see that its host is spelled right, runs, and can be reached from where Spark is",
        ),
        (_REFUSED, "^s3a?:", f"{_CREDENTIALS} (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment)"),
        (_REFUSED, "", _CREDENTIALS),
        ("", "", FACTS_HINT),
    )
]


def hint(shown: str, said: str) -> str:
    """Tell what to do about what Spark says of a place."""
    found = SCHEME.match(shown)
    scheme = found[0].partition(":")[0] if found else ""
    if _NO_CONNECTOR.search(said):
        return _of_connector(scheme)
    told = next(told for of_said, of_shown, told in _HINTS if of_said.search(said) and of_shown.search(shown))
    return told.format(scheme=scheme)


def _of_connector(scheme: str) -> str:
    """Tell how Spark gets what reads URLs of a scheme; it knows schemes in small letters only."""
    if scheme != scheme.lower():
        return f"write {scheme.lower()}:// in small letters"
    if scheme == "s3n":
        return "write s3a:// in its place"
    connector = _CONNECTORS.get(scheme)
    jars = f', such as "spark.jars.packages" = "{connector}:VERSION"' if connector else ""
    of_hadoop = " (the version of Spark's Hadoop)" if connector in (_AWS, _AZURE) else ""
    return f"Spark has no connector for {scheme}://; name one in [spark.conf] of metering.toml{jars}{of_hadoop}"
