"""How other programs hear of opens: the feed of events, and what follows it."""
