"""Effects of random single-base changes, by kind, that the effect of a variant is ranked among."""

import json
import logging
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.reading.sequences import reverse_complement
from dnabert_hf.data.variants.alleles import Allele
from dnabert_hf.data.variants.windows import AlleleWindows, WindowCutter
from dnabert_hf.files.atomic import atomic_file
from dnabert_hf.inference.output.writer import check_output
from dnabert_hf.inference.run import Input, Run
from dnabert_hf.inference.variants.allele_scores import JointScorer

__all__ = ["KINDS", "Background", "kind_of", "open_background"]

logger = logging.getLogger(__name__)

_CONTEXTS = [f"{a}{b}{c}" for b in "CT" for a in "ACGT" for c in "ACGT"]
KINDS = [f"{x[0]}[{x[1]}>{alt}]{x[2]}" for x in _CONTEXTS for alt in "ACGT" if alt != x[1]]
_SEED = 0
_SITES = 200  # of each context
_SIZE = "number of places"
_CHUNK_SITES = 256
_BLOCK = 1 << 16  # positions drawn at a time
_DRAWN = 1 << 22  # positions at least that are looked at; a smaller genome is looked at as a whole
_DRAWN_EACH = 1000  # positions for each change asked for: the rarest context is one base in 400

# Random places by context, both strands taken together: contig and base (0-based).
_Sites = Mapping[str, Sequence[tuple[str, int]]]


def kind_of(window: AlleleWindows) -> str | None:
    """Name the kind of a single-base change, None for other changes and at the end of a contig.

    Kinds are the 96 of mutational signatures (Alexandrov et al. 2013): the base that changes as
    pyrimidine, with both neighbours. A change and that of the other strand are one kind.

    Example:
        >>> kind_of(AlleleWindows("ACGTT", "ACATT", 2, Allele("1", 2, "G", "A")))
        'A[C>T]G'
    """
    offset = window.offset
    if not window.is_single_base or not 0 < offset < len(window.ref) - 1:
        return None
    context, alt = window.ref[offset - 1 : offset + 2], window.alt[offset]
    if context[1] in "AG":
        context, alt = reverse_complement(context), reverse_complement(alt)
    return f"{context[0]}[{context[1]}>{alt}]{context[2]}"


def _draw_sites(genome: Genome, cutter: WindowCutter, n_sites: int) -> _Sites:
    """Draw places of each of the 32 contexts at random, none twice, the same in every call.

    Args:
        genome: The genome.
        cutter: Cuts the windows; places whose window it cannot cut are not drawn.
        n_sites: Places of each context, fewer where the genome has no more.

    Returns:
        Contig and base (0-based) by context; the base may be on either strand.
    """
    found: dict[str, list[tuple[str, int]]] = {context: [] for context in _CONTEXTS}
    ends = np.cumsum([contig.length for contig in genome.contigs])
    taken: set[int] = set()
    n_open = len(found)
    for position in _positions(int(ends[-1]), n_sites):
        index = int(np.searchsorted(ends, position, side="right"))
        contig = genome.contigs[index]
        start = position - int(ends[index]) + contig.length
        if position in taken or not 0 < start < contig.length - 1:
            continue
        letters = genome.sequence(contig.name, start - 1, start + 2)
        context = letters if letters[1] in "CT" else reverse_complement(letters)
        sites = found.get(context)
        if sites is None or len(sites) == n_sites:
            continue
        taken.add(position)
        other = "A" if letters[1] != "A" else "C"
        if isinstance(cutter.cut(Allele(contig.name, start, letters[1], other)), str):
            continue
        sites.append((contig.name, start))
        n_open -= len(sites) == n_sites
        if not n_open:
            break
    return found


def _positions(total: int, n_sites: int) -> Iterator[int]:
    """Yield places of a genome in random order."""
    rng = np.random.default_rng(_SEED)
    if total <= _DRAWN:
        yield from rng.permutation(total).tolist()
        return
    for _ in range(max(_DRAWN, _DRAWN_EACH * n_sites) // _BLOCK):
        yield from rng.integers(total, size=_BLOCK).tolist()


def _chunks_of(sites: _Sites, genome: Genome, n_sites: int) -> Iterator[list[Allele]]:
    """Yield the three changes of every site, those of one site together, in chunks.

    Args:
        sites: The sites.
        genome: The genome.
        n_sites: _Sites in a chunk.
    """
    every = (site for of_context in sites.values() for site in of_context)
    while chunk := list(islice(every, n_sites)):
        refs = [genome.sequence(contig, start, start + 1) for contig, start in chunk]
        yield [
            Allele(contig, start, ref, alt)
            for (contig, start), ref in zip(chunk, refs, strict=True)
            for alt in "ACGT"
            if alt != ref
        ]


@dataclass(frozen=True)
class Background:
    """Sizes of the effects of random changes.

    Attributes:
        sizes: By kind, sorted along the first axis, shape (changes, models).
        about: What they were computed with, by name.
    """

    sizes: Mapping[str, np.ndarray]
    about: Mapping[str, str]

    @classmethod
    def of(
        cls, kinds: Sequence[str | None], strengths: np.ndarray, about: Mapping[str, str]
    ) -> "Background":
        """Sort effects by kind.

        Args:
            kinds: Kind of each change.
            strengths: Size of its effect, shape (changes, models).
            about: What they were computed with.
        """
        names = np.array([kind or "" for kind in kinds])
        sizes = {kind: np.sort(strengths[names == kind], axis=0) for kind in KINDS}
        return cls(sizes, about)

    def percentiles(self, windows: Sequence[AlleleWindows], strengths: np.ndarray) -> np.ndarray:
        """Rank effects among those of random changes of the same kind.

        Args:
            windows: The window of each allele.
            strengths: Size of its effect, shape (alleles, models).

        Returns:
            Percent of the random changes with a smaller effect, those with an equal one by half,
            shape (alleles, models); NaN where the kind has no changes, or the allele is of none.
        """
        result = np.full(strengths.shape, np.nan)
        for row, window in enumerate(windows):
            sizes = self.sizes.get(kind_of(window) or "")
            if sizes is None or not len(sizes):
                continue
            for model, size in enumerate(strengths[row]):
                ends = [np.searchsorted(sizes[:, model], size, side=s) for s in ("left", "right")]
                result[row, model] = 50 * sum(ends) / len(sizes)
        return result

    def check(self, about: Mapping[str, str], path: Path) -> None:
        """Refuse a file that was made otherwise.

        Args:
            about: What the effects at hand are computed with; what it leaves out may be any.
            path: The file.

        Raises:
            ValueError: If it was made with something else; the message says what.
        """
        other = [name for name, value in about.items() if self.about.get(name) != value]
        if other:
            name = other[0]
            raise ValueError(
                f"{path} must be made with the same model, genome and options, found another "
                f"{name}: {self.about.get(name)}, where it is {about[name]} now; name a new file, "
                "which is then made"
            )

    def report(self, path: Path, n_sites: int) -> None:
        """Say in a warning which kinds have fewer changes than were asked for."""
        few = {kind: len(sizes) for kind, sizes in self.sizes.items() if len(sizes) < n_sites}
        if few:
            rarest = min(few, key=lambda kind: few[kind])
            logger.warning(
                "%s: %d of %d kinds of changes have fewer than %d places in the genome, the fewest "
                "%s with %d: their percentiles are coarse",
                *(path, len(few), len(KINDS), n_sites, rarest, few[rarest]),
            )

    def write(self, path: Path) -> None:
        """Write a file of NumPy: an array a kind, and what it was made with as JSON."""
        with atomic_file(path) as partial, partial.open("wb") as file:
            about = np.array(json.dumps(dict(self.about)))
            np.savez_compressed(file, allow_pickle=False, about=about, **self.sizes)


def _read(path: Path) -> Background:
    """Read a file that `Background.write` has written.

    Raises:
        ValueError: If it is no such file.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            about = json.loads(str(arrays["about"]))
            return Background({kind: arrays[kind] for kind in KINDS}, about)
    except (KeyError, OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{path} must be a background that this command wrote (.npz), found another file or "
            f"damage ({error}); name a new file, which is then made"
        ) from error


def open_background(
    path: Path,
    n_sites: int | None,
    run: Run,
    scorer: JointScorer,
    cutter: WindowCutter,
    *,
    shifts: Sequence[int],
    about: Mapping[str, object],
) -> Background:
    """Read the effects of random changes from a file, or compute them and write it.

    Args:
        path: The file.
        n_sites: Places of each context; None for those of the file, or 200.
        run: The run, whose engines the scorer uses.
        scorer: Scores alleles.
        cutter: As the one that cuts the windows of the variants.
        shifts: Bases by which further windows are shifted.
        about: What else the effects depend on, by name.

    Raises:
        ValueError: If the file is another's or was made otherwise, or several processes would make
            it.
    """
    if n_sites is not None and n_sites < 1:
        raise ValueError(f"places of each context must be 1 or more, got {n_sites}")
    described = {"weights": run.weights, "genome": cutter.genome.fingerprint}
    described |= {name.replace("_", " "): str(value) for name, value in about.items()}
    if path.exists():
        found = _read(path)
        size = {} if n_sites is None else {_SIZE: str(n_sites)}
        found.check(described | size, path)
        return found
    if run.shard.count > 1:
        raise ValueError(
            f"{path} must be made by one process, found {run.shard.count}; score a small file with "
            "the same options first"
        )
    check_output(path, overwrite=False)
    n_sites = n_sites or _SITES
    sites = _draw_sites(cutter.genome, cutter, n_sites)
    n_drawn = sum(map(len, sites.values()))
    given = Input(
        _chunks_of(sites, cutter.genome, _CHUNK_SITES),
        cutter.genome,
        unit="random changes",
        count=lambda: 3 * n_drawn,
    )
    kinds: list[str | None] = []
    strengths = [np.empty((0, len(scorer.ends)))]
    for chunk in run.follow(given):
        found_windows = [cutter.cut_with_shifts(allele, shifts) for allele in chunk]
        windows = [each for each in found_windows if not isinstance(each, str)]
        kinds += [kind_of(each[0][1]) for each in windows]
        strengths.append(scorer.strengths(scorer.score(windows)))
    made = Background.of(kinds, np.concatenate(strengths), described | {_SIZE: str(n_sites)})
    made.report(path, n_sites)
    made.write(path)
    return made
