"""Links from places of the human genome to genome browsers."""

from dnabert_hf.data.genome.contig_names import bare_name
from dnabert_hf.interpretation.pages.page import Link

__all__ = ["browser_links"]

_UCSC = {"GRCh37": "hg19", "GRCh38": "hg38"}
_ENSEMBL = {"GRCh37": "grch37.ensembl.org", "GRCh38": "www.ensembl.org"}
_MARGIN = 50  # bases shown on either side


def browser_links(contig: str, start: int, end: int, build: str | None) -> tuple[Link, ...]:
    """Link a place to UCSC's and Ensembl's genome browsers.

    Args:
        contig: Name of the contig, by whatever convention.
        start: First base, 0-based.
        end: Base after the last one.
        build: "GRCh37" or "GRCh38"; None where it is neither, and there is nothing to link to.

    Example:
        >>> for link in browser_links("chr7", 999, 1000, "GRCh38"):
        ...     print(link.address)
        https://genome.ucsc.edu/cgi-bin/hgTracks?db=hg38&position=chr7:950-1050
        https://www.ensembl.org/Homo_sapiens/Location/View?r=7:950-1050
        >>> browser_links("chr7", 999, 1000, None)
        ()
    """
    if build is None:
        return ()
    name = bare_name(contig).upper()
    first_1based, last = max(1, start + 1 - _MARGIN), end + _MARGIN
    ucsc = "M" if name == "MT" else name
    place = f"{first_1based}-{last}"
    return (
        Link(
            "UCSC",
            "https://genome.ucsc.edu/cgi-bin/hgTracks"
            f"?db={_UCSC[build]}&position=chr{ucsc}:{place}",
        ),
        Link("Ensembl", f"https://{_ENSEMBL[build]}/Homo_sapiens/Location/View?r={name}:{place}"),
    )
