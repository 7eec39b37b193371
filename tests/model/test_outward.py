"""Where a node connects to on somebody's word, and where not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from perishield.model.outward import OutwardError, checked, system_resolve


async def _names(host: str) -> Sequence[str]:
    known = {
        "hooks.example.org": ["93.184.216.34"],
        "nas.site": ["192.168.7.20"],
        "rebound.example.org": ["93.184.216.34", "127.0.0.1"],
        "six.example.org": ["2606:2800:220:1:248:1893:25c8:1946"],
        "empty.example.org": [],
    }
    if host not in known:
        raise OSError("no such name")
    return known[host]


async def test_a_public_name_is_resolved_once_to_address_port_and_host() -> None:
    assert await checked("https://hooks.example.org/a?b=c", resolve=_names) == (
        "93.184.216.34",
        443,
        "hooks.example.org",
    )
    assert (await checked("http://hooks.example.org:8080", resolve=_names)).port == 8080
    assert (await checked("https://six.example.org", resolve=_names)).ip == "2606:2800:220:1:248:1893:25c8:1946"


@pytest.mark.parametrize("lan", [False, True])
@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.8.8.8",
        "[::1]",
        "169.254.169.254",
        "169.254.1.1",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "100.100.100.200",
        "224.0.0.1",
        "[ff02::1]",
        "0.0.0.0",
        "[::]",
        "255.255.255.255",
        "240.0.0.1",
        "[::ffff:127.0.0.1]",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
    ],
)
async def test_no_setting_lets_it_connect_to_itself_or_to_a_clouds_secrets(host: str, lan: bool) -> None:
    with pytest.raises(OutwardError) as caught:
        await checked(f"http://{host}:80/", lan=lan, resolve=_names)
    assert caught.value.code == "address_refused"


@pytest.mark.parametrize("host", ["10.0.0.4", "172.16.0.1", "192.168.7.20", "100.64.0.1", "[fd12::1]", "nas.site"])
async def test_private_networks_are_for_cameras_and_for_whom_the_settings_allow_them(host: str) -> None:
    assert (await checked(f"rtsp://{host}/ch1", lan=True, resolve=_names)).port == 554
    with pytest.raises(OutwardError):
        await checked(f"https://{host}/", resolve=_names)


async def test_a_name_with_one_address_inside_is_refused_whole() -> None:
    with pytest.raises(OutwardError):
        await checked("https://rebound.example.org/", lan=True, resolve=_names)


@pytest.mark.parametrize("url", ["", "no address", "https://", "http://host:99999/", "gopher://host/", "http://[::1"])
async def test_what_is_no_address_is_told_apart(url: str) -> None:
    with pytest.raises(OutwardError) as caught:
        await checked(url, resolve=_names)
    assert caught.value.code in ("address_invalid", "address_unknown")


@pytest.mark.parametrize("host", ["nobody.example.org", "empty.example.org"])
async def test_a_name_without_addresses_is_unknown(host: str) -> None:
    with pytest.raises(OutwardError) as caught:
        await checked(f"https://{host}/", resolve=_names)
    assert caught.value.code == "address_unknown"


async def test_the_systems_resolver_knows_this_host() -> None:
    assert (await checked("http://localhost:81/", loopback=True, resolve=system_resolve)).port == 81
    with pytest.raises(OutwardError):
        await checked("http://localhost:81/")
