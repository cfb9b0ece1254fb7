"""botocore's errors in our words: what happened, to which bucket or key, and what to do."""

import re

from botocore import exceptions as botocore

from core.errors import PhotoChanged, PhotoMissing, Refusal, StoreRefused, StoreUnavailable, WalkaroundError

_CREDENTIALS = "set WALKAROUND_S3_ACCESS_KEY_ID and WALKAROUND_S3_SECRET_ACCESS_KEY, or AWS's own variables or profile"
_REGION = "set WALKAROUND_S3_REGION to the bucket's region"

# What to do, by S3's error code (docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html) or, for an answer to
# HEAD, which has no body, by its HTTP status.
_REFUSALS = {
    "NoSuchBucket": "there is no such bucket; check its name and the endpoint",
    "404": "there is no such bucket; check its name and the endpoint",
    "InvalidBucketName": "this is not a bucket's name; check it",
    "AccessDenied": "access denied; allow s3:ListBucket and s3:GetObject to them, s3:PutObject where they write",
    "400": "the request was not accepted; check that the credentials have not expired, and the region",
    "403": "access denied; check the credentials, and allow s3:ListBucket and s3:GetObject to them",
    "AllAccessDisabled": "access is disabled for the whole account; ask its owner",
    "AccountProblem": "the account has a problem; ask its owner",
    "ExpiredToken": "the credentials have expired; renew them",
    "ExpiredTokenException": "the credentials have expired; renew them",
    "TokenRefreshRequired": "the credentials must be refreshed; renew them",
    "InvalidToken": "the session token is not valid; renew the credentials",
    "InvalidAccessKeyId": f"the access key is not known there; {_CREDENTIALS}",
    "SignatureDoesNotMatch": "the secret key does not belong to the access key; check both",
    "AuthorizationHeaderMalformed": f"the request was signed for another region; {_REGION}",
    "PermanentRedirect": f"the bucket lies in another region; {_REGION}",
    "301": f"the bucket lies in another region; {_REGION}",
    "IllegalLocationConstraintException": f"the bucket lies in another region; {_REGION}",
    "RequestTimeTooSkewed": "this machine's clock is wrong; correct it",
    "InvalidObjectState": "the object is archived; restore it from its storage class first",
    "MethodNotAllowed": "the endpoint does not allow this; check that it is an S3 endpoint",
}
# An answer to a GET of one object that may be about this object alone: kept in an archive, its key or its encryption
# denied. The codes of KMS begin with `KMS.`; an object under a customer's own key (SSE-C) is an InvalidRequest.
_ARCHIVED = "InvalidObjectState"
_DENIED = re.compile(r"AccessDenied|403|AllAccessDisabled|InvalidRequest|KMS\.(?!Throttling|Internal).*")

_THROTTLED = (
    "KMS.ThrottlingException",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequests",
    "RequestTimeout",
    "RequestLimitExceeded",
    "ConditionalRequestConflict",  # two created one object at the same moment
)

_NO_CREDENTIALS = (
    botocore.NoCredentialsError,
    botocore.PartialCredentialsError,
    botocore.CredentialRetrievalError,
    botocore.ProfileNotFound,
    botocore.ConfigNotFound,
    botocore.TokenRetrievalError,
    botocore.UnauthorizedSSOTokenError,
    botocore.SSOTokenLoadError,
)
_PASSING = (
    botocore.ConnectionError,
    botocore.HTTPClientError,
    botocore.IncompleteReadError,
)


def refusal_of(error: botocore.ClientError) -> Refusal | None:
    """The reason if the store may refuse one object alone: ACCESS_DENIED stands only if it gives others."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    if code == _ARCHIVED:
        return Refusal.ARCHIVED
    return Refusal.ACCESS_DENIED if _DENIED.fullmatch(code) else None


def translate(error: Exception, place: str) -> WalkaroundError:
    """The error to raise instead of botocore's; `place` is the object's or bucket's address."""
    if isinstance(error, botocore.ClientError):
        return _translate_answer(error, place)
    if isinstance(error, _NO_CREDENTIALS):
        return StoreRefused(f"{place}: no credentials for it ({error}); {_CREDENTIALS}")
    if isinstance(error, botocore.NoRegionError):
        return StoreRefused(f"{place}: the region is not known; {_REGION}")
    if isinstance(error, botocore.SSLError):
        return StoreRefused(
            f"{place}: the server's certificate is not trusted ({error}); set WALKAROUND_S3_CA_BUNDLE to its CA"
        )
    if isinstance(error, _PASSING):
        return StoreUnavailable(f"{place}: no whole answer ({error}); if this lasts, check WALKAROUND_S3_ENDPOINT_URL")
    return StoreRefused(f"{place}: {error}; check the bucket's name and the WALKAROUND_S3_ settings")


def _translate_answer(error: botocore.ClientError, place: str) -> WalkaroundError:
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    message = error.response.get("Error", {}).get("Message", "")
    if code == "NoSuchKey":
        return PhotoMissing(f"there is no photo {place}")
    if code in ("PreconditionFailed", "412"):
        return PhotoChanged(f"{place} was replaced since it was listed; it will be ingested again")
    if code in _REFUSALS:
        return StoreRefused(f"{place}: {_REFUSALS[code]}")
    if status >= 500 or status == 429 or code in _THROTTLED:
        return StoreUnavailable(f"{place}: the server could not answer now ({code} {message}); it will be asked again")
    return StoreRefused(f"{place}: the server refused ({code} {message}); check the WALKAROUND_S3_ settings")
