"""What the image installs of pyproject.toml: the dependencies, and the extras given as arguments."""

import sys
import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
chosen = [project["optional-dependencies"][extra] for extra in sys.argv[1:]]
print("\n".join(requirement for part in (project["dependencies"], *chosen) for requirement in part))
