"""`frontier doctor --strict`, and the gate of sweeps over sensitive data: is patient text safe here?"""
