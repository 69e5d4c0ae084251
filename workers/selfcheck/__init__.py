"""The checks that show whether Frontier works on the GPU of this machine.

    python -m workers.selfcheck [--rehearse] [--doctor] [--minutes M] [--out FOLDER]

`make check-gpu` runs all of them, `frontier doctor --gpu` those of the first minute. With `--rehearse` the
checks that need no GPU run on the CPU, at a small size; the others say so.
"""
