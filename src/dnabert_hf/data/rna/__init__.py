"""Data sets of RNA: binding sites on transcripts."""
