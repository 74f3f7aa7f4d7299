"""How probable does dnabert-6-mini find each base of a sequence, and each change of one?

    python examples/score_a_variant.py ACGTTGCAACGTAGCTAGGATCCGATTACA

Hides one base at a time and prints the probabilities of A, C, G and T there, 0-based, with the
log2 ratio of the least and the most probable change to the base that stands there.
"""

import argparse
import math

from transformers import AutoModelForMaskedLM, AutoTokenizer, pipeline

import dnabert_hf


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sequence", nargs="?", default="TTGACGTCATTGCGCAATCCGGAAGTGACGTCAC")
    sequence = parser.parse_args().sequence.upper()

    start = dnabert_hf.checkpoint("dnabert-6-mini")
    fill = pipeline(
        "fill-mask",
        model=AutoModelForMaskedLM.from_pretrained(start),
        tokenizer=AutoTokenizer.from_pretrained(start),
        pipeline_class=dnabert_hf.FillBasePipeline,
    )
    masked = [f"{sequence[:i]}[MASK]{sequence[i + 1 :]}" for i in range(len(sequence))]
    print("position  base  A     C     G     T     least probable change, most probable change")
    for position, (base, answers) in enumerate(zip(sequence, fill(masked), strict=True)):
        # Near the ends, no k-mer shows the bases beside a masked one: they are answered for, too.
        answer = next(each for each in answers if each["position"] == position)
        shares = [answer[letter] for letter in "ACGT"]
        ratios = sorted(
            (math.log2(answer[other] / answer[base]), f"{base}>{other}")
            for other in "ACGT"
            if other != base
        )
        changes = ", ".join(f"{name} {ratio:+.2f}" for ratio, name in (ratios[0], ratios[-1]))
        print(f"{position:8}  {base}     " + "  ".join(f"{p:.2f}" for p in shares) + f"  {changes}")


if __name__ == "__main__":
    main()
