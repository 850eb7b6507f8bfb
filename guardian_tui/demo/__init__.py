"""A simulated fleet: real SSH servers on loopback that speak the probe's protocol, with faults to order."""
