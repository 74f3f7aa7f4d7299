"""Variants on a genome: VCF files, alleles, windows around them, databases of what is known."""
