"""The embedded stack: real servers out of registry packages, the simulator and the six services, on one machine."""
