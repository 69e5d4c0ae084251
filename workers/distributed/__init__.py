"""An attempt on several devices: process groups, sharding."""
