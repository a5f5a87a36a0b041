"""The frame of the back office: what every page for staff has in common."""
