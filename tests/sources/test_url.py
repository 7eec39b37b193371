from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perishield.model.errors import SourceError
from perishield.sources.rtsp.url import (
    base_url,
    control_candidates,
    parse_url,
    resolve_control,
    resolve_control_strictly,
)


@pytest.mark.parametrize(
    ("url", "host", "port", "request_url", "username", "password"),
    [
        ("rtsp://10.0.0.4/ch1", "10.0.0.4", 554, "rtsp://10.0.0.4/ch1", "", ""),
        ("RTSP://cam:8554", "cam", 8554, "rtsp://cam:8554", "", ""),
        ("rtsp://admin:p@ss@10.0.0.4/ch1", "10.0.0.4", 554, "rtsp://10.0.0.4/ch1", "admin", "p@ss"),
        ("rtsp://admin:a%40b%2Fc@10.0.0.4:99/", "10.0.0.4", 99, "rtsp://10.0.0.4:99/", "admin", "a@b/c"),
        ("rtsp://admin:a/b?c#d@10.0.0.4/ch1?x=1", "10.0.0.4", 554, "rtsp://10.0.0.4/ch1?x=1", "admin", "a/b?c#d"),
        ("rtsp://[fe80::1]:554/x", "fe80::1", 554, "rtsp://[fe80::1]:554/x", "", ""),
        ("rtsp://cam/a b#frag", "cam", 554, "rtsp://cam/a%20b", "", ""),
        ("rtsp://cam/mail@home", "cam", 554, "rtsp://cam/mail@home", "", ""),
    ],
)
def test_addresses_as_people_type_them(url, host, port, request_url, username, password):
    endpoint = parse_url(url)
    assert (endpoint.host, endpoint.port, endpoint.url) == (host, port, request_url)
    assert (endpoint.username, endpoint.password) == (username, password)


@pytest.mark.parametrize(
    ("url", "port", "request_url"),
    [
        ("rtsps://cam/x", 322, "rtsps://cam/x"),
        ("RTSPS://cam:7441/x?enableSrtp", 7441, "rtsps://cam:7441/x"),
        ("rtspx://cam:7441/x?enableSrtp=1&a=b", 7441, "rtsps://cam:7441/x?a=b"),
        ("rtspx://u:p@cam/x?a=b&enableSrtp", 322, "rtsps://cam/x?a=b"),
    ],
)
def test_addresses_inside_tls(url, port, request_url):
    endpoint = parse_url(url)
    assert (endpoint.port, endpoint.url, endpoint.tls) == (port, request_url, True)
    assert endpoint.origin == request_url.split("/x")[0]
    assert base_url(endpoint, "rtsp://10.0.0.1/y/") == f"{endpoint.origin}/y/"


def test_a_track_is_looked_for_in_several_places():
    endpoint = parse_url("rtsp://cam/live/ch1?user=1")
    assert control_candidates(endpoint, endpoint.url, "trackID=1") == [
        "rtsp://cam/live/ch1?user=1/trackID=1",
        "rtsp://cam/live/trackID=1",
        "rtsp://cam/live/ch1/trackID=1?user=1",
    ]
    assert control_candidates(endpoint, "rtsp://cam/live/", "*") == ["rtsp://cam/live/"]


def test_credentials_beside_the_address_win():
    endpoint = parse_url("rtsp://a:b@cam/", "c", "d")
    assert (endpoint.username, endpoint.password) == ("c", "d")
    assert (
        "d" not in repr(endpoint).replace("Endpoint", "").replace("cam", "").replace("rtsp", "").split("password")[-1]
    )


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_a_source_error(text):
    for candidate in (text, f"rtsp://{text}", f"rtspx://{text}"):
        with contextlib.suppress(SourceError):
            endpoint = parse_url(candidate)
            assert "\r" not in endpoint.url
            assert "\n" not in endpoint.url
            assert 0 < endpoint.port < 65536
            for answer in (text, f"/{text}", f"?{text}"):
                base = base_url(endpoint, answer)
                assert base.startswith(endpoint.origin)
                assert resolve_control(endpoint, base, answer).startswith(endpoint.origin)
                assert resolve_control_strictly(endpoint, base, answer).startswith(endpoint.origin)
                assert all(one.startswith(endpoint.origin) for one in control_candidates(endpoint, base, answer))


@pytest.mark.parametrize(
    ("offered", "base"),
    [
        ("rtsp://192.0.2.7/live/ch1/", "rtsp://cam:8554/live/ch1/"),
        ("rtsp://rtsp://192.0.2.7/live/", "rtsp://cam:8554/live/"),
        ("192.0.2.7:554/live/", "rtsp://cam:8554/live/"),
        ("rtsp://::ffff:192.0.2.9/live/", "rtsp://cam:8554/live/"),
        ("", "rtsp://cam:8554/ch1?x=1"),
        (None, "rtsp://cam:8554/ch1?x=1"),
    ],
)
def test_bases_keep_our_host_and_their_path(offered, base):
    assert base_url(parse_url("rtsp://cam:8554/ch1?x=1"), offered) == base


@pytest.mark.parametrize(
    ("base", "control", "url"),
    [
        ("rtsp://cam/ch1/", "trackID=1", "rtsp://cam/ch1/trackID=1"),
        ("rtsp://cam/ch1", "trackID=1", "rtsp://cam/ch1/trackID=1"),
        ("rtsp://cam/ch1/", "/trackID=1", "rtsp://cam/ch1/trackID=1"),
        ("rtsp://cam/ch1", "/trackID=1", "rtsp://cam/ch1/trackID=1"),
        ("rtsp://cam/ch1", "?track=1", "rtsp://cam/ch1?track=1"),
        ("rtsp://cam/ch1?sub=0", "trackID=1", "rtsp://cam/ch1?sub=0/trackID=1"),
        ("rtsp://cam/ch1", "*", "rtsp://cam/ch1"),
        ("rtsp://cam/ch1", "", "rtsp://cam/ch1"),
        ("rtsp://cam/ch1", "rtsp://10.9.9.9/ch1/trackID=1 \r", "rtsp://cam/ch1/trackID=1"),
    ],
)
def test_controls_are_appended(base, control, url):
    assert resolve_control(parse_url("rtsp://cam/ch1"), base, control) == url


def test_the_strict_reading_replaces_the_last_segment():
    endpoint = parse_url("rtsp://cam/live/ch1?x=1")
    assert resolve_control_strictly(endpoint, endpoint.url, "trackID=1") == "rtsp://cam/live/trackID=1"
