"""What an attempt uses: seconds, memory, energy, FLOPs, latency."""
