"""Files and the environment: atomic writing, YAML, versions."""
