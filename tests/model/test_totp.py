"""One-time codes, by the vectors of the RFCs."""

from __future__ import annotations

import base64
from urllib.parse import parse_qs, urlsplit

import pytest

from perishield.model.totp import code_at, enrolment_uri, matching_step, new_secret, recovery_codes

SHA1 = b"12345678901234567890"
SHA256 = b"12345678901234567890123456789012"
SHA512 = b"1234567890123456789012345678901234567890123456789012345678901234"


@pytest.mark.parametrize(
    ("count", "code"),
    list(
        enumerate(["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"])
    ),
)
def test_codes_by_count_are_those_of_rfc_4226_appendix_d(count: int, code: str) -> None:
    assert code_at(SHA1, count) == code


@pytest.mark.parametrize(
    ("moment", "sha1", "sha256", "sha512"),
    [
        (59, "94287082", "46119246", "90693936"),
        (1111111109, "07081804", "68084774", "25091201"),
        (1111111111, "14050471", "67062674", "99943326"),
        (1234567890, "89005924", "91819424", "93441116"),
        (2000000000, "69279037", "90698825", "38618901"),
        (20000000000, "65353130", "77737706", "47863826"),
    ],
)
def test_codes_by_time_are_those_of_rfc_6238_appendix_b(moment: int, sha1: str, sha256: str, sha512: str) -> None:
    step = moment // 30
    assert code_at(SHA1, step, digits=8) == sha1
    assert code_at(SHA256, step, digits=8, algorithm="sha256") == sha256
    assert code_at(SHA512, step, digits=8, algorithm="sha512") == sha512


def test_clocks_may_differ_by_a_step_and_not_by_two() -> None:
    secret = base64.b32encode(SHA1).decode()
    now = 1_234_567_890.0
    step = int(now // 30)
    for away in (-1, 0, 1):
        assert matching_step(secret, code_at(SHA1, step + away), now) == step + away
    for away in (-2, 2):
        assert matching_step(secret, code_at(SHA1, step + away), now) is None
    code = code_at(SHA1, step)
    assert matching_step(secret.lower(), f"{code[:3]} {code[3:]}", now) == step


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "１２３４５６", "-12345", "\ud800" * 6])
def test_what_is_no_code_matches_nothing(code: str) -> None:
    assert matching_step(base64.b32encode(SHA1).decode(), code, 0.0) is None


def test_a_secret_that_is_none_matches_nothing() -> None:
    assert matching_step("not base32!", "755224", 0.0) is None


def test_an_enrolment_address_says_what_apps_ask_for() -> None:
    secret = new_secret()
    assert len(base64.b32decode(secret)) == 20
    parts = urlsplit(enrolment_uri(secret, "ann & bob", "PyPeriShield"))
    assert (parts.scheme, parts.netloc, parts.path) == ("otpauth", "totp", "/PyPeriShield%3Aann%20%26%20bob")
    query = {key: value[0] for key, value in parse_qs(parts.query).items()}
    assert query == {
        "secret": secret,
        "issuer": "PyPeriShield",
        "algorithm": "SHA1",
        "digits": "6",
        "period": "30",
    }


def test_recovery_codes_differ() -> None:
    codes = recovery_codes()
    assert len(set(codes)) == 10
    assert all(len(code) == 11 and code[5] == "-" for code in codes)
