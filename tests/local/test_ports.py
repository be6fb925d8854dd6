import socket

import pytest

from quire_local.errors import LocalError, PortTaken
from quire_local.ports import Ports, free_ports, is_free, require_free


async def test_a_taken_port_is_named_with_who_needs_it_and_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=rf"port {port} is taken, and kafka needs it.*--port-offset"):
            await require_free([(port, "kafka")], within=0)


async def test_every_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
        taken = [(first.getsockname()[1], "kafka"), (second.getsockname()[1], "postgres")]
        with pytest.raises(PortTaken, match=r"kafka needs it; .* postgres needs it"):
            await require_free(taken, within=0)


def test_free_ports_are_free_and_different() -> None:
    ports = free_ports(5)
    assert len(set(ports)) == 5
    assert all(map(is_free, ports))


def wanted(offset: int) -> set[int]:
    ports = Ports.at(offset)
    return {port for port, _ in [*ports.of_infrastructure(), *ports.of_services(64)]}


def test_no_two_offsets_give_the_same_port() -> None:
    offsets = range(0, 54_001, 100)
    assert sum(len(wanted(offset)) for offset in offsets) == len(set().union(*map(wanted, offsets)))


def test_without_an_offset_the_ports_are_the_well_known_ones() -> None:
    assert Ports.at(0) == Ports()
    assert wanted(0) >= {5433, 8000, 8001, 9000, 9092, 9100, 9101, 9111}


def test_no_two_parts_want_the_same_port() -> None:
    ports = [port for port, _ in [*Ports().of_infrastructure(), *Ports().of_services(64)]]
    assert len(ports) == len(set(ports))


@pytest.mark.parametrize("offset", [-100, 1, 150, 60_000])
def test_an_offset_that_could_collide_is_refused(offset: int) -> None:
    with pytest.raises(LocalError, match=f"--port-offset {offset}"):
        Ports.at(offset)
