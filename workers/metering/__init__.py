"""What an attempt takes: seconds, memory, energy, FLOPs, latency."""
