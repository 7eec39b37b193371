"""RTSPS against the camera farm: trusted, pinned, or not spoken to."""

from __future__ import annotations

import functools
import ssl

import pytest

from perishield.model.errors import SourceError
from perishield.model.site import Transport
from perishield.sources.rtsp import tls
from perishield.sources.simulator.certificate import Certificate, self_signed


@pytest.fixture(scope="module")
def certificate() -> Certificate:
    return self_signed("127.0.0.1")


@pytest.fixture
async def secure(farm, certificate):
    simulator = await farm(tls=certificate.context)
    assert simulator.urls[0].startswith("rtsps://")
    return simulator


@pytest.mark.parametrize("scheme", ["rtsps", "rtspx"])
@pytest.mark.parametrize("shape", ["{}", "SHA256 Fingerprint={}", " {} "])
async def test_a_pinned_certificate_opens_the_stream(secure, certificate, watch, until, scheme, shape):
    pin = shape.format(":".join(certificate.fingerprint[n : n + 2] for n in range(0, 64, 2)).upper())
    watched = watch(f"{scheme}://127.0.0.1:{secure.port}/plain?enableSrtp", tls_fingerprint=pin)
    await until(lambda: len(watched.sink.packets) >= 30, "packets")
    assert watched.reception.transport == "tls"
    assert watched.sink.discontinuities == []
    assert watched.sink.decode() >= len(watched.sink.packets) - 1


async def test_a_certificate_that_nobody_vouches_for_is_refused_with_its_fingerprint(secure, certificate, watch, until):
    watched = watch(f"rtsps://127.0.0.1:{secure.port}/plain")
    await until(lambda: any(watched.codes), "code")
    assert watched.state.code == "tls_untrusted"
    assert certificate.fingerprint in watched.state.message
    assert "pin" in watched.state.message
    assert all(not client.requests for client in secure.clients), "nothing was sent"


async def test_another_certificate_than_the_pinned_one_is_refused(secure, certificate, watch, until):
    watched = watch(f"rtsps://127.0.0.1:{secure.port}/plain", tls_fingerprint="ab" * 32)
    await until(lambda: any(watched.codes), "code")
    assert watched.state.code == "tls_untrusted"
    assert certificate.fingerprint in watched.state.message
    assert all(not client.requests for client in secure.clients), "nothing was sent"


async def test_a_fingerprint_that_is_none_is_named(secure, watch, until):
    watched = watch(f"rtsps://127.0.0.1:{secure.port}/plain", tls_fingerprint="abc")
    await until(lambda: any(watched.codes), "code")
    assert watched.state.code == "tls_untrusted"
    assert "64 hexadecimal" in watched.state.message


async def test_an_authority_that_is_trusted_suffices(secure, certificate, watch, until, monkeypatch):
    def trusting(*, pinned: bool) -> ssl.SSLContext:
        assert not pinned
        return ssl.create_default_context(cadata=certificate.pem.decode())

    monkeypatch.setattr(tls, "context", functools.cache(trusting))
    watched = watch(f"rtsps://127.0.0.1:{secure.port}/plain")
    await until(lambda: watched.sink.packets, "packets")


async def test_the_name_must_be_the_certificates(secure, certificate, watch, until, monkeypatch):
    pem, real = certificate.pem.decode(), tls.context
    monkeypatch.setattr(
        tls,
        "context",
        lambda *, pinned: real(pinned=True) if pinned else ssl.create_default_context(cadata=pem),
    )
    watched = watch(f"rtsps://localhost:{secure.port}/plain")
    await until(lambda: any(watched.codes), "code")
    assert watched.state.code == "tls_untrusted"


async def test_a_port_without_tls_is_named(farm, watch, until):
    simulator = await farm()
    watched = watch(f"rtsps://127.0.0.1:{simulator.port}/plain", connect_s=2, tls_fingerprint="ab" * 32)
    await until(lambda: any(watched.codes), "code")
    assert watched.state.code in ("tls_failed", "timeout", "gone")


async def test_plain_rtsp_to_a_tls_port_is_no_video(secure, watch, until):
    watched = watch(f"rtsp://127.0.0.1:{secure.port}/plain")
    await until(lambda: any(watched.codes), "code")
    assert watched.state.code in ("not_a_video", "gone")


async def test_video_is_never_asked_for_outside_the_tunnel(secure, certificate, watch, until):
    watched = watch(
        f"rtsps://127.0.0.1:{secure.port}/plain",
        tls_fingerprint=certificate.fingerprint,
        transport=Transport.UDP,
    )
    await until(lambda: any(watched.codes), "code")
    assert watched.state.code == "protocol"
    assert "RTSPS" in watched.state.message
    assert not secure.clients


async def test_a_refusal_of_tcp_inside_tls_does_not_lead_out_of_it(farm, certificate, watch, until):
    simulator = await farm(tls=certificate.context)
    url = f"rtsps://127.0.0.1:{simulator.port}/plain?fault=tcp-refused"
    watched = watch(url, tls_fingerprint=certificate.fingerprint)
    await until(lambda: any(watched.codes), "code")
    assert watched.state.code == "protocol"
    assert watched.sink.packets == []


async def test_a_redirect_out_of_tls_is_not_followed(farm, certificate, watch, until):
    simulator = await farm(tls=certificate.context)
    plain = await farm()
    url = f"rtsps://127.0.0.1:{simulator.port}/plain?fault=redirect-to:rtsp://127.0.0.1:{plain.port}/plain"
    watched = watch(url, tls_fingerprint=certificate.fingerprint)
    await until(lambda: any(watched.codes), "code")
    assert watched.state.code == "protocol"
    assert "out of TLS" in watched.state.message
    assert not plain.clients


@pytest.mark.parametrize("text", ["", "abc", "g" * 64, "a" * 63, "a" * 65])
def test_what_is_no_fingerprint(text):
    with pytest.raises(SourceError) as caught:
        tls.clean_fingerprint(text)
    assert caught.value.code == "tls_untrusted"
