"""Lists of networks for the judge: their sources, how they are fetched and checked, and where they are stored."""
