"""From peaks, promoters or a labelled table to one page: commands in a row, each done once."""
