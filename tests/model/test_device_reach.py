"""Where cameras and recorders may be."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from ipaddress import ip_address

import pytest

from perishield.model.device_reach import FORBIDDEN, DeviceReach, check_allowed, is_own, judged, literal
from perishield.model.errors import SourceError

CLOSED = DeviceReach(own_ports=(8480, 8554))


def answering(*addresses: str) -> Callable[[str], object]:
    async def resolve(host: str) -> Sequence[str]:
        return addresses

    return resolve


@pytest.mark.parametrize("host", ["10.0.0.4", "192.168.1.40", "172.16.5.5", "100.64.0.9", "8.8.8.8", "fd00::7"])
def test_every_network_that_is_routed_is_open(host: str) -> None:
    assert CLOSED.refusal(ip_address(host), 554) == ""


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.9.9.9",
        "::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "169.254.7.7",
        "fe80::1",
        "169.254.169.254",
        "fd00:ec2::254",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "240.0.0.1",
    ],
)
def test_the_node_itself_and_what_is_no_host_is_closed(host: str) -> None:
    assert CLOSED.refusal(ip_address(host), 554)


def test_the_settings_open_addresses_networks_and_single_doors() -> None:
    opened = DeviceReach(allowed=("127.0.0.1", "169.254.0.0/16", "[::1]:8655"), own_ports=(8480,))
    assert opened.refusal(ip_address("127.0.0.1"), 554) == ""
    assert opened.refusal(ip_address("127.0.0.2"), 554)
    assert opened.refusal(ip_address("169.254.9.9"), 554) == ""
    assert opened.refusal(ip_address("::1"), 8655) == ""
    assert opened.refusal(ip_address("::1"), 8656)
    assert opened.refusal(ip_address("169.254.169.254"), 80), "where clouds keep secrets nothing opens"
    assert opened.refusal(ip_address("0.0.0.0"), 80)


def test_a_nodes_own_port_is_opened_by_its_door_alone() -> None:
    wide = DeviceReach(allowed=("127.0.0.0/8",), own_ports=(8480, 8554))
    assert "itself" in wide.refusal(ip_address("127.0.0.1"), 8480)
    assert wide.refusal(ip_address("127.0.0.1"), 8655) == ""
    door = DeviceReach(allowed=("127.0.0.0/8", "127.0.0.1:8480"), own_ports=(8480, 8554))
    assert door.refusal(ip_address("127.0.0.1"), 8480) == ""
    assert door.refusal(ip_address("127.0.0.1"), 8554)
    assert wide.refusal(ip_address("203.0.113.9"), 8480) == "", "somebody else's port of that number"


def test_this_hosts_own_addresses_are_known_by_binding_to_them() -> None:
    assert is_own(ip_address("127.0.0.1"))
    assert is_own(ip_address("127.8.8.8"))
    assert not is_own(ip_address("203.0.113.9"))
    assert not is_own(ip_address("2001:db8::9"))


@pytest.mark.parametrize(
    "entry", ["", "camera", "10.0.0.0/99", "127.0.0.1:x", "127.0.0.1:0", "127.0.0.1:70000", "[::1", "[::1]8080"]
)
def test_an_entry_that_is_no_address_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        check_allowed(entry)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("10.0.0.4", "10.0.0.4"),
        ("2130706433", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("localhost", "127.0.0.1"),
        ("Camera.LOCALHOST.", "127.0.0.1"),
        ("fe80::1%eth0", "fe80::1"),
        ("camera.example", None),
    ],
)
def test_a_host_is_read_as_resolvers_read_it(host: str, address: str | None) -> None:
    assert literal(host) == (None if address is None else ip_address(address))


async def test_a_name_is_judged_by_all_that_it_leads_to() -> None:
    inside = answering("10.0.0.4", "10.0.0.5")
    assert await judged("camera.example", 554, CLOSED, resolve=inside) == "10.0.0.4"  # type: ignore[arg-type]
    for addresses in (("127.0.0.1",), ("10.0.0.4", "127.0.0.1"), ("fe80::1%eth0",), ("169.254.169.254",)):
        with pytest.raises(SourceError) as refused:
            await judged("camera.example", 554, CLOSED, resolve=answering(*addresses))  # type: ignore[arg-type]
        assert refused.value.code == FORBIDDEN
        assert refused.value.retry_after_s > 0
    with pytest.raises(socket.gaierror):
        await judged("camera.example", 554, CLOSED, resolve=answering())  # type: ignore[arg-type]


async def test_what_is_written_as_an_address_is_asked_of_nobody() -> None:
    async def never(host: str) -> Sequence[str]:
        raise AssertionError(host)

    assert await judged("10.0.0.4", 554, CLOSED, resolve=never) == "10.0.0.4"
    with pytest.raises(SourceError):
        await judged("0x7f000001", 554, CLOSED, resolve=never)
