from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from perishield.sources.rtsp.auth import Credentials, parse_challenges
from perishield.sources.simulator.gatekeeper import Gatekeeper


def test_the_example_of_the_digest_rfc(monkeypatch):
    """RFC 7616 section 3.9.1, both algorithms."""
    monkeypatch.setattr(
        "perishield.sources.rtsp.auth.secrets.token_hex", lambda size: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    )
    expected = {
        "MD5": "8ca523f5e9506fed4657c9700eebdbec",
        "SHA-256": "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
    }
    for algorithm, response in expected.items():
        credentials = Credentials("Mufasa", "Circle of Life")
        assert credentials.challenge(
            [
                f'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={algorithm}, '
                'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", '
                'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
            ]
        )
        assert f'response="{response}"' in (credentials.authorization("GET", "/dir/index.html") or "")


def test_the_example_of_the_basic_rfc():
    credentials = Credentials("Aladdin", "open sesame")
    assert credentials.challenge(['Basic realm="x"'])
    assert credentials.authorization("DESCRIBE", "rtsp://h/") == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="


def test_several_challenges_in_one_header_and_in_many():
    one = 'Digest realm="a, Basic b", nonce="1", algorithm="sha-256", Basic realm="c"'
    many = parse_challenges([one, 'digest realm=d , nonce=2,stale=TRUE , qop="auth-int"', "Bearer x"])
    assert [(c.scheme, c.realm, c.algorithm) for c in many] == [
        ("digest", "a, Basic b", "SHA-256"),
        ("basic", "c", "MD5"),
        ("digest", "d", "MD5"),
    ]
    assert [c.usable for c in many] == [True, True, False]
    assert many[2].stale


def test_sha256_goes_first_then_md5_then_no_more():
    headers = ['Digest realm="r", nonce="1"', 'Digest realm="r", nonce="1", algorithm=SHA-256', 'Basic realm="r"']
    credentials = Credentials("u", "p")
    assert credentials.challenge(headers)
    assert "SHA-256" in (credentials.authorization("DESCRIBE", "x") or "")
    assert credentials.challenge(headers)
    assert "SHA-256" not in (credentials.authorization("DESCRIBE", "x") or "")
    assert not credentials.challenge(headers)


def test_a_new_nonce_after_success_is_taken_up_once():
    credentials = Credentials("u", "p")
    assert credentials.challenge(['Digest realm="r", nonce="1"'])
    credentials.accepted()
    assert credentials.challenge(['Digest realm="r", nonce="2"'])
    assert 'nonce="2"' in (credentials.authorization("OPTIONS", "x") or "")
    assert not credentials.challenge(['Digest realm="r", nonce="3"'])


def test_nobody_without_credentials_answers():
    assert not Credentials("", "").challenge(['Basic realm="r"'])
    assert Credentials("u", "p").authorization("DESCRIBE", "x") is None


@given(st.text(max_size=30), st.text(max_size=30), st.sampled_from(["basic", "md5", "md5-qop", "md5-sess", "sha256"]))
def test_any_password_opens_its_own_door_and_no_other(username, password, scheme):
    username = username.replace(":", "").replace('"', "").replace("\\", "") + "u"
    keeper = Gatekeeper(username, password, (scheme,))
    for secret, opens in ((password, True), (password + "x", False)):
        credentials = Credentials(username, secret)
        assert credentials.challenge(keeper.challenges())
        header = credentials.authorization("DESCRIBE", "rtsp://h/x") or ""
        assert keeper.admits(header, "DESCRIBE", "rtsp://h/x") is opens


@given(st.lists(st.text(alphabet=st.characters(codec="latin-1"), max_size=120), max_size=4))
def test_any_header_is_some_challenges(headers):
    credentials = Credentials("u", "p")
    for text in headers:
        credentials.challenge([text, f"Digest {text}", f'Basic realm="{text}"'])
        credentials.authorization("DESCRIBE", "rtsp://h/x")
