"""Devices, optimizer, schedule, state, loop."""
