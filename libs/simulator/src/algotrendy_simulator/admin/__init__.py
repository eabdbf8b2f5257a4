"""The hand behind the simulation, under ``/admin/``: its clock, its faults, and its own books for comparison."""
