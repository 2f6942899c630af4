"""Strategies for the state machine: places in its lists, times, opens and judgements."""

from typing import Any

from hypothesis import strategies as st

KINDS = ["human", "proxy", "prefetch", "scanner", "bot", "unknown"]
EMAILS = [f"{name}@example.org" for name in ("ann", "bob", "cem", "dee", "eve", "Ann")]
_new_recipient: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "email": st.sampled_from(EMAILS),
        "ref": st.sampled_from([None, "INV-1", "inv-1"]),
        "data": st.none() | st.just({}) | st.just({"name": "Ann", "paid": [1, None]}),
    }
)
new_recipients = st.lists(_new_recipient, unique_by=lambda one: (one["email"].lower(), one["ref"]))
pixel_changes = st.fixed_dictionaries(
    {
        "name": st.none() | st.sampled_from(["Pixel 12", "Renamed"]),
        "archived": st.none() | st.booleans(),
        "note": st.none() | st.sampled_from(["", "Two\nlines"]),
    }
)

place = st.integers(0, 9)  # of something in a list, from its end, around and around
limit = st.integers(1, 4)
minutes = st.integers(-180, 180)
opens = st.lists(
    st.fixed_dictionaries(
        {
            "pixel": place,
            "recipient": st.none() | place,
            "id": st.integers(0, 30),
            "minutes": minutes,
            "kind": st.sampled_from(KINDS),
            "vendor": st.sampled_from([None, "Google", "Apple"]),
            "client": st.sampled_from(["unknown", "Outlook", "Thunderbird"]),
            "os": st.sampled_from(["unknown", "Linux"]),
            "device": st.sampled_from(["unknown", "mobile"]),
            "repeat": st.booleans(),
            "counted": st.booleans(),
        }
    ),
    max_size=8,
)
judgements = st.lists(
    st.fixed_dictionaries(
        {
            "open": place,
            "kind": st.sampled_from(KINDS),
            "vendor": st.sampled_from([None, "Yahoo"]),
            "client": st.sampled_from(["Outlook", "K-9 Mail"]),
            "os": st.sampled_from(["Linux", "Android"]),
            "device": st.sampled_from(["mobile", "tablet"]),
            "counted": st.booleans(),
            "repeat": st.booleans(),
        }
    ),
    max_size=5,  # of one open, now and then, two: the later stands
)
