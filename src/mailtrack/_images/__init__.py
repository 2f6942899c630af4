"""Pictures that pixels show: checked, rebuilt without metadata, and cached."""
