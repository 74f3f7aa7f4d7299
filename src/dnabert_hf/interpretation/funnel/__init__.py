"""The variant funnel: from many variants to a few."""
