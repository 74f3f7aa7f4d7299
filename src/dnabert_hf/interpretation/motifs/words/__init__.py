"""Words that a model looks at: exact ones, as published, and gapped ones."""
