import pytest

from dnabert_hf.interpretation.pages.browsers import browser_links


@pytest.mark.parametrize(
    ("contig", "build", "ucsc", "ensembl"),
    [
        ("chr20", "GRCh38", "db=hg38&position=chr20:51-152", "www.ensembl.org|r=20:51-152"),
        ("NC_000023.10", "GRCh37", "db=hg19&position=chrX:51-152", "grch37.ensembl.org|r=X:51-152"),
        ("MT", "GRCh38", "db=hg38&position=chrM:51-152", "www.ensembl.org|r=MT:51-152"),
    ],
)
def test_places_are_named_as_each_browser_does(contig, build, ucsc, ensembl):
    links = browser_links(contig, 100, 102, build)
    assert [link.text for link in links] == ["UCSC", "Ensembl"]
    assert links[0].address.endswith(ucsc)
    host, place = ensembl.split("|")
    assert links[1].address.startswith(f"https://{host}/Homo_sapiens/Location/View?")
    assert links[1].address.endswith(place)


def test_the_begin_of_a_contig_is_base_one():
    assert "chr1:1-51" in browser_links("chr1", 0, 1, "GRCh38")[0].address
