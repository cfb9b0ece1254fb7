"""An address is read as its writer meant it, or refused in a sentence that shows none of it."""

from collections.abc import Callable

import pytest
from sqlalchemy import make_url

from core.addresses import check_database, check_place, check_web, read_broker

SECRETS = [
    "Zq7xxTopSecret#9",
    "Zq7xx/TopSecret",
    "Zq7xx@TopSecret",
    "Zq7xx?TopSecret",
    "12/TopSecret",
    "Zq7[xxTopSecret",
]


def refusal(read: Callable[[str], object], url: str) -> str:
    with pytest.raises(ValueError, match=r"\w") as refused:
        read(url)
    assert refused.value.__context__ is None, "a traceback would show what another library said of it"
    return str(refused.value)


class TestBroker:
    @pytest.mark.parametrize("secret", SECRETS)
    @pytest.mark.parametrize("form", ["redis://:{}@broker/0", "rediss://user:{}@broker:6380", "redis+socket://:{}@/a"])
    def test_a_password_that_is_not_encoded_is_refused_and_not_shown(self, form: str, secret: str) -> None:
        said = refusal(read_broker, form.format(secret))
        assert "percent-encode the user and the password" in said
        assert not any(piece in said for piece in ("Zq7", "xx", "TopSecret", "12"))

    @pytest.mark.parametrize(
        "url",
        [
            *("memory://", "broker:6379", "amqp://u:p@h//", "unix:///x", "redis:///0", "redis://:6379/0"),
            *("redis://h:0x/0", "redis://h:70000", "redis://h/one", "redis://h/0\n", "redis://h/0?ssl=1"),
            *("redis+socket://h/path", "redis+socket://", "redis://a:6379/0;redis://b:6379/0"),
            *("rediss://h?ssl_cert_reqs=never", "rediss://h?ssl_check_hostname=no", "redis://h?ssl_cert_reqs=none"),
        ],
    )
    def test_what_is_no_broker_s_address(self, url: str) -> None:
        assert refusal(read_broker, url)

    def test_its_parts(self) -> None:
        address = read_broker("redis://us%20er:p%40ss%23%2F:;w@broker:6380/3")
        assert (address.scheme, address.place, address.database) == ("redis", "broker:6380", 3)
        assert address.credentials == "us%20er:p%40ss%23%2F%3A%3Bw@"
        assert str(address) == "redis://broker:6380 (database 3)"
        assert "p%40" not in repr(address)

    def test_ipv6_and_the_usual_port(self) -> None:
        assert read_broker("redis://[::1]/0").place == "[::1]:6379"

    def test_a_socket(self) -> None:
        address = read_broker("redis+socket://:secret@/run/my%20broker.sock?virtual_host=2")
        assert (address.place, address.database, address.credentials) == ("/run/my broker.sock", 2, ":secret@")
        assert str(address) == "redis+socket:///run/my broker.sock (database 2)"

    @pytest.mark.parametrize(
        ("query", "demand", "check"),
        [
            ("", "required", True),
            ("?ssl_cert_reqs=CERT_REQUIRED", "required", True),
            ("?ssl_cert_reqs=required", "required", True),
            ("?ssl_cert_reqs=CERT_OPTIONAL", "optional", True),
            ("?ssl_cert_reqs=none", "none", False),
            ("?ssl_cert_reqs=CERT_NONE", "none", False),
            ("?ssl_check_hostname=False", "required", False),
        ],
    )
    def test_certificates_are_verified_unless_told_otherwise(self, query: str, demand: str, check: bool) -> None:
        tls = read_broker(f"rediss://broker:6380/0{query}").tls
        assert tls == {"ssl_cert_reqs": demand, "ssl_check_hostname": check}

    def test_the_files_of_tls(self) -> None:
        tls = read_broker("rediss://broker?ssl_ca_certs=/ca.pem&ssl_certfile=/c.pem&ssl_keyfile=/k.pem").tls
        assert (tls["ssl_ca_certs"], tls["ssl_certfile"], tls["ssl_keyfile"]) == ("/ca.pem", "/c.pem", "/k.pem")
        assert read_broker("redis://broker").tls == {}


class TestDatabase:
    @pytest.mark.parametrize("secret", ["a:b", "a/b", "a#b", "a?b", "a%b", "a b", "p%40ss"])
    def test_what_is_accepted_is_read_as_it_was_meant(self, secret: str) -> None:
        url = f"postgresql+psycopg://user:{secret}@db.fleet:5432/walkaround?sslmode=require"
        check_database(url)
        address = make_url(url)
        assert (address.host, address.port, address.database) == ("db.fleet", 5432, "walkaround")
        assert address.password == secret.replace("%40", "@")

    @pytest.mark.parametrize("secret", ["Zq7xx@TopSecret", "Zq7@w:TopSecret/x", "Zq7/@TopSecret", "Zq7?@TopSecret"])
    def test_a_password_that_is_not_encoded_is_refused_and_not_shown(self, secret: str) -> None:
        said = refusal(check_database, f"postgresql+psycopg://user:{secret}@db/walkaround")
        assert "percent-encode the user and the password" in said
        assert not any(piece in said for piece in ("Zq7", "TopSecret"))

    @pytest.mark.parametrize(
        "url", ["", "secret", "postgres://u:p@h/d", "mysql://u:p@h/d", "sqlite+aiosqlite:///x", "postgresql://h:x/d"]
    )
    def test_what_is_no_database_s_address(self, url: str) -> None:
        assert refusal(check_database, url)

    @pytest.mark.parametrize(
        "url",
        [
            *("sqlite:///x.sqlite", "sqlite:////a@b/c@d#e.sqlite", "sqlite:///file:x?mode=ro&uri=true", "sqlite://"),
            *("postgresql:///walkaround", "postgresql://[::1]:5432/w", "postgresql+psycopg://postgres@/w?host=/run/p"),
        ],
    )
    def test_other_forms(self, url: str) -> None:
        check_database(url)


@pytest.mark.parametrize(
    "url", ["hooks.example/x", "ftp://hooks.example/x", "https://", "http://h:TopSecret/", "https://a b"]
)
def test_what_is_no_web_address(url: str) -> None:
    assert "TopSecret" not in refusal(check_web, url)


def test_a_web_address_may_hold_a_fragment_and_a_user() -> None:
    check_web("https://user:password@hooks.example:8443/services/T0/B0#x")


def test_a_store_s_address_holds_no_keys() -> None:
    for url in ("s3://key:TopSecret@bucket/prefix", "https://key:TopSecret@host/bucket"):
        assert "TopSecret" not in refusal(check_place, url)
    for place in ("s3://bucket/a@b", "photos@home", "/srv/photos", ""):
        check_place(place)
