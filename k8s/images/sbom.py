"""Print what is installed beside this Python as a bill of materials, CycloneDX 1.6."""

import json
import sys
from importlib.metadata import Distribution, distributions


def licence(found: Distribution) -> str:
    """Return its licence in the package's own words: an expression, else classifiers, else the first line."""
    told = found.metadata
    classified = [
        c.rpartition(" :: ")[2] for c in told.get_all("Classifier") or [] if c.startswith("License ::")
    ]
    words = told.get("License-Expression") or "; ".join(classified) or told.get("License") or ""
    return words.strip().partition("\n")[0]


def components() -> list[dict[str, object]]:
    """Return one entry per package, by name."""
    by_name = {found.metadata["Name"].lower(): found for found in distributions()}
    return [
        {
            "type": "library",
            "name": name,
            "version": found.version,
            "purl": f"pkg:pypi/{name.replace('_', '-')}@{found.version}",
            "licenses": [{"license": {"name": words}}] if (words := licence(found)) else [],
        }
        for name, found in sorted(by_name.items())
    ]


if __name__ == "__main__":
    whole = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": components()}
    json.dump(whole, sys.stdout, indent=1)
    print()
