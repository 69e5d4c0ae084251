"""What the commands for Kubernetes do."""
