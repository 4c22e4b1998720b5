"""The views: everything that a person sees and presses, in a notebook or on a dashboard."""
