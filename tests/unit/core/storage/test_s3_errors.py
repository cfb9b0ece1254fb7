"""botocore's errors in our words: who can help, and what to do."""

import pytest
from botocore import exceptions as botocore

from core.errors import NeedsOperator, PhotoChanged, PhotoMissing, Refusal, Transient
from core.storage.s3_errors import refusal_of, translate

PLACE = "s3://returns/a.jpg"


def answer(code: str, status: int = 400) -> botocore.ClientError:
    return botocore.ClientError(
        {"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "GetObject",
    )


@pytest.mark.parametrize(
    ("error", "expected", "words"),
    [
        (answer("NoSuchKey", 404), PhotoMissing, "there is no photo"),
        (answer("PreconditionFailed", 412), PhotoChanged, "replaced"),
        (answer("ExpiredToken"), NeedsOperator, "renew"),
        (answer("AccessDenied", 403), NeedsOperator, "s3:GetObject"),
        (answer("KMS.DisabledException"), NeedsOperator, "KMS.DisabledException"),
        (answer("KMS.ThrottlingException"), Transient, "asked again"),
        (answer("SlowDown", 503), Transient, "asked again"),
        (answer("Anything", 500), Transient, "asked again"),
        (botocore.NoCredentialsError(), NeedsOperator, "WALKAROUND_S3_ACCESS_KEY_ID"),
        (botocore.NoRegionError(), NeedsOperator, "WALKAROUND_S3_REGION"),
        (botocore.EndpointConnectionError(endpoint_url="http://x"), Transient, "WALKAROUND_S3_ENDPOINT_URL"),
        (botocore.SSLError(endpoint_url="http://x", error=OSError("e")), NeedsOperator, "WALKAROUND_S3_CA_BUNDLE"),
        (ValueError("not a URL"), NeedsOperator, "not a URL"),
    ],
)
def test_each_error_says_who_can_help(error: Exception, expected: type[Exception], words: str) -> None:
    translated = translate(error, PLACE)
    assert isinstance(translated, expected)
    assert PLACE in str(translated)
    assert words in str(translated)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("InvalidObjectState", Refusal.ARCHIVED),
        ("AccessDenied", Refusal.ACCESS_DENIED),
        ("KMS.NotFoundException", Refusal.ACCESS_DENIED),
        ("InvalidRequest", Refusal.ACCESS_DENIED),
        ("KMS.ThrottlingException", None),
        ("ExpiredToken", None),
        ("NoSuchKey", None),
        ("SlowDown", None),
    ],
)
def test_what_may_concern_one_object_alone(code: str, reason: Refusal | None) -> None:
    assert refusal_of(answer(code)) is reason
