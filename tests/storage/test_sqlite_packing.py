"""What is packed into an open's row is unpacked as it was, whatever its form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtrack.storage._sqlite.packing import pack_id, pack_ip, unpack_id, unpack_ip

AT = 0xABCDEF123456
REST = "0a" * 10


@pytest.mark.parametrize(
    "open_id",
    [
        f"abcdef123456{REST}",
        f"000000000000{REST}",
        f"ABCDEF123456{REST}",
        f"abcdef123456{REST.upper()}",
        f"abcdef123456{REST[:-2]}",
        f"abcdef123456{REST[:-2]} a",
        "",
        "an id",
    ],
)
def test_an_id_is_unpacked_as_it_was(open_id: str) -> None:
    assert unpack_id(AT, *pack_id(open_id, AT)) == open_id


@given(
    time=st.text("0aA", min_size=12, max_size=12) | st.text("0aAxX_+- ", min_size=12, max_size=12),
    off=st.integers(-2, 2),
)
def test_an_id_that_begins_with_nearly_a_time_is_unpacked_as_it_was(time: str, off: int) -> None:
    try:
        at = int(time, 16) + off
    except ValueError:
        at = AT
    assert unpack_id(at, *pack_id(time + REST, at)) == time + REST


@given(st.ip_addresses().map(str) | st.text("0123456789abcdefABCDEF.:%"))
def test_an_address_is_unpacked_as_it_was(ip: str) -> None:
    assert unpack_ip(pack_ip(ip)) == ip
