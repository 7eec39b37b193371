"""Sessions are kept alive by what each server understands."""

from __future__ import annotations

import pytest

from perishield.sources.rtsp import keep_alive
from perishield.sources.rtsp.keep_alive import KeepAlive
from perishield.sources.simulator import Faults


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("abc;timeout=60", 25),
        ("abc;timeout=15", 7.5),
        ("abc; timeout = 30 ", 15),
        ('abc;timeout="20"', 10),
        ("abc;timeout=0", 25),
        ("abc;timeout=soon", 25),
        ("abc", 25),
        ("", 25),
        ("abc;timeout=99999999999999", 25),
    ],
)
def test_half_the_timeout_and_25_seconds_at_most(header, seconds):
    kept = KeepAlive("h:554", "rtsp://h/", frozenset())
    kept.session(header)
    assert kept.every_s == seconds


def test_what_the_server_lists_is_used_where_nothing_is_known():
    assert KeepAlive("a:1", "", frozenset(("OPTIONS",))).method == "OPTIONS"
    assert KeepAlive("a:1", "", frozenset(("GET_PARAMETER",))).method == "GET_PARAMETER"


async def test_a_method_that_is_swallowed_is_given_up_and_the_server_remembered(farm, watch, until):
    simulator = await farm(Faults(session_timeout_s=1, get_parameter="ignore"))
    watched = watch(f"rtsp://127.0.0.1:{simulator.port}/plain")
    await until(lambda: any(client.requests.count("OPTIONS") >= 3 for client in simulator.clients), "keep-alives")
    assert [client.requests.count("GET_PARAMETER") for client in simulator.clients] == [1]
    simulator.drop_clients()
    await until(lambda: not simulator.clients, "the end of the connection")
    await until(lambda: any(client.requests.count("OPTIONS") >= 3 for client in simulator.clients), "again")
    assert [client.requests.count("GET_PARAMETER") for client in simulator.clients] == [0]
    assert "timeout" not in watched.codes


async def test_a_method_that_ends_the_connection_is_not_used_again(farm, watch, until):
    simulator = await farm(Faults(session_timeout_s=1, get_parameter="close"))
    watched = watch(f"rtsp://127.0.0.1:{simulator.port}/plain")
    await until(lambda: any(client.requests.count("OPTIONS") >= 4 for client in simulator.clients), "keep-alives")
    assert watched.state.reconnects == 1
    assert keep_alive._known[f"127.0.0.1:{simulator.port}"] == "OPTIONS"


@pytest.mark.parametrize("which", ["first", "latest"])
async def test_keep_alives_bear_the_session_that_the_server_knows(farm, watch, until, which):
    simulator = await farm(Faults(session_timeout_s=1, session_ids=which, enforce_timeout=True))
    watched = watch(f"rtsp://127.0.0.1:{simulator.port}/plain")
    await until(lambda: any(client.requests.count("GET_PARAMETER") >= 4 for client in simulator.clients), "keep-alives")
    assert not any(watched.codes)
    await watched.stop()
    await until(lambda: not simulator.clients, "goodbye")


async def test_challenges_to_keep_alives_are_answered(farm, watch, until):
    faults = Faults(session_timeout_s=1, rotate_nonce_after=2, enforce_timeout=True)
    simulator = await farm(faults, username="admin", password="x")
    watched = watch(f"rtsp://127.0.0.1:{simulator.port}/plain", username="admin", password="x")
    await until(lambda: any(client.requests.count("GET_PARAMETER") >= 6 for client in simulator.clients), "keep-alives")
    assert not any(watched.codes)


def test_only_so_many_servers_are_remembered(monkeypatch):
    monkeypatch.setattr(keep_alive, "_known", {})
    for number in range(5_000):
        KeepAlive(f"h:{number}", "", frozenset())._switch("test")
    assert len(keep_alive._known) == 4_096
    assert KeepAlive("h:4999", "", frozenset()).method == "GET_PARAMETER"
