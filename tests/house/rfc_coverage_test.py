#!/usr/bin/env python3
"""Which requirement of RFC 9293 is proven by which test: makes and holds docs/rfc-coverage.md.

docs/rfc9293-requirements.tsv names the 119 numbered requirements. A test proves one by carrying its id
in its name, "(MUST-17)" or "[MUST-17]"; docs/rfc9293-reasons.tsv says of the others why no test does.
It is an error when an id has neither or both, when a name carries an id that does not exist, and when
the document is out of date: with WEFT_REWRITE_GOLDEN=1 in the environment it is written instead.
"""

import os
import re
import sys

REQUIREMENTS = "docs/rfc9293-requirements.tsv"
REASONS = "docs/rfc9293-reasons.tsv"
DOCUMENT = "docs/rfc-coverage.md"
KINDS = {"MUST": 69, "SHLD": 31, "MAY": 18, "REC": 1}
WORDS = {"MUST": "MUST", "SHLD": "SHOULD", "MAY": "MAY", "REC": "RECOMMENDED"}

LITERAL = r'"(?:[^"\\]|\\.)*"'
CASE = re.compile(rf"^[ \t]*TEST_CASE\(\s*((?:{LITERAL}\s*)+)([^\n]*)", re.M)
ID = re.compile(r"\b(?:MUST|SHLD|MAY|REC)-\d+\b")
BRACKETS = re.compile(r"\s*[\[(][^\[\]()]*\b(?:MUST|SHLD|MAY|REC)-\d+[^\[\]()]*[\])]")


def rows(text, columns):
    for number, line in enumerate(text.splitlines(), 1):
        if line and not line.startswith("#"):
            cells = line.split("\t")
            if len(cells) != columns or not all(c.strip() for c in cells):
                raise ValueError(f"line {number} does not have {columns} columns: {line}")
            yield cells


def test_names(text):
    """The names of a source's test cases; one that is skipped proves nothing."""
    for literals, rest in CASE.findall(text):
        if "doctest::skip" not in rest and "should_fail" not in rest:
            yield "".join(s[1:-1] for s in re.findall(LITERAL, literals)).replace('\\"', '"')


def is_test(path):
    return path.startswith("tests/") and path.endswith("_test.cpp")


def proofs_in(tree):
    """id -> (file, the test's name without ids), in the order of the tree."""
    proofs = {}
    for path in sorted(filter(is_test, tree)):
        for name in test_names(tree[path]):
            for requirement in dict.fromkeys(ID.findall(name)):
                proofs.setdefault(requirement, []).append((path, BRACKETS.sub("", name).strip()))
    return proofs


def check(tree):
    """Complaints, and the document as it should be (None where the data is unusable)."""
    complaints = []
    requirements = {}
    try:
        for requirement, section, text in rows(tree.get(REQUIREMENTS, ""), 3):
            if requirement in requirements:
                complaints.append(f"{REQUIREMENTS}: {requirement} stands there twice")
            requirements[requirement] = (section, text)
        reasons = {}
        for requirement, reason in rows(tree.get(REASONS, ""), 2):
            if requirement in reasons:
                complaints.append(f"{REASONS}: {requirement} stands there twice")
            reasons[requirement] = reason
    except ValueError as broken:
        return [str(broken)], None
    expected = [f"{kind}-{n}" for kind, count in KINDS.items() for n in range(1, count + 1)]
    if sorted(requirements) != sorted(expected):
        wrong = sorted(set(requirements) ^ set(expected))
        return complaints + [f"{REQUIREMENTS}: missing or unknown: {', '.join(wrong)}"], None

    proofs = proofs_in(tree)
    for requirement in sorted(proofs.keys() - requirements.keys()):
        complaints.append(f"{proofs[requirement][0][0]}: there is no {requirement}")
    for requirement in sorted(reasons.keys() - requirements.keys()):
        complaints.append(f"{REASONS}: there is no {requirement}")
    for requirement in expected:
        if requirement in proofs and requirement in reasons:
            complaints.append(f"{REASONS}: {requirement} has a test, {proofs[requirement][0]}")
        if requirement not in proofs and requirement not in reasons:
            complaints.append(f"{requirement} has neither a test nor a reason: {requirements[requirement][1]}")
    return complaints, document(expected, requirements, proofs, reasons)


def document(expected, requirements, proofs, reasons):
    out = [
        "# RFC 9293, requirement by requirement",
        "",
        "Generated from the names of the tests and from [the reasons](rfc9293-reasons.tsv) why some",
        "requirements have none, by tests/house/rfc_coverage_test.py, which fails when one of the",
        "[119](rfc9293-requirements.tsv) has neither; with `WEFT_REWRITE_GOLDEN=1` in the environment",
        "it writes this file. The wording of the requirements is ours.",
        "",
        "| | ids | tested | with a reason |",
        "|---|---|---|---|",
    ]
    for kind in KINDS:
        of_kind = [r for r in expected if r.startswith(kind + "-")]
        tested = sum(r in proofs for r in of_kind)
        excused = sum(r in reasons and r not in proofs for r in of_kind)
        out.append(f"| {WORDS[kind]} | {len(of_kind)} | {tested} | {excused} |")
    for kind in KINDS:
        out += ["", f"## {WORDS[kind]}", "", "| id | § | what it asks for | proven by |", "|---|---|---|---|"]
        for requirement in expected:
            if not requirement.startswith(kind + "-"):
                continue
            section, text = requirements[requirement]
            cell = "<br>".join(
                f"[{os.path.basename(path).removesuffix('_test.cpp')}](../{path}): {name}"
                for path, name in proofs.get(requirement, []))
            if not cell:
                cell = "no test: " + reasons.get(requirement, "and no reason")
            line = f"| {requirement} | {section} | {text} | {cell} |"
            out.append(line.replace("\n", " "))
    return "\n".join(out) + "\n"


# ---- the checks check

def sample(**changes):
    """A small tree in which every requirement has a test but MAY-1, which has a reason."""
    ids = [f"{kind}-{n}" for kind, count in KINDS.items() for n in range(1, count + 1)]
    tree = {
        REQUIREMENTS: "".join(f"{r}\t3.1\ttext\n" for r in ids),
        REASONS: "MAY-1\tnot offered\n",
        "tests/a/b_test.cpp": "".join(f'TEST_CASE("it works [{r}]") {{\n}}\n' for r in ids if r != "MAY-1"),
    }
    tree.update({path: text(tree.get(path, "")) for path, text in changes.pop("of", {}).items()})
    return tree


def self_test():
    test = "tests/a/b_test.cpp"
    broken = {
        "an id with neither": {test: lambda t: t.replace("[MUST-7]", "")},
        "a reason beside a test": {REASONS: lambda t: t + "MUST-1\tadvice\n"},
        "an unknown id in a name": {test: lambda t: t + 'TEST_CASE("x (MUST-70)") {\n}\n'},
        "an unknown id in a reason": {REASONS: lambda t: t + "MAY-19\tadvice\n"},
        "a reason without words": {REASONS: lambda t: "MAY-1\t \n"},
        "a requirement that is missing": {REQUIREMENTS: lambda t: t.replace("MUST-69\t3.1\ttext\n", "")},
        "a test that is skipped": {test: lambda t: t.replace('[MUST-7]")', '[MUST-7]" * doctest::skip())')},
        "a test that is commented out": {test: lambda t: t.replace(
            'TEST_CASE("it works [MUST-7]', '// TEST_CASE("it works [MUST-7]')},
    }
    for what, change in broken.items():
        if not check(sample(of=change))[0]:
            yield f"this is let pass: {what}"
    complaints, text = check(sample())
    yield from complaints
    if text is None or "| MUST | 69 | 69 | 0 |" not in text or "| MAY | 18 | 17 | 1 |" not in text:
        yield "the counts of the sample are wrong"
    split = 'TEST_CASE(\n    "a name "\n    "of two (MUST-1) [MAY-2, SHLD-3]") {'
    if list(test_names(split)) != ["a name of two (MUST-1) [MAY-2, SHLD-3]"]:
        yield "a name of two literals is not read"
    if set(proofs_in({test: split})) != {"MUST-1", "MAY-2", "SHLD-3"}:
        yield "ids in brackets of either kind are not read"


def read_tree(root):
    tree = {}
    for folder, _, names in os.walk(os.path.join(root, "tests")):
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), root)
            if is_test(path):
                with open(os.path.join(root, path), encoding="utf-8") as file:
                    tree[path] = file.read()
    for path in (REQUIREMENTS, REASONS, DOCUMENT):
        try:
            with open(os.path.join(root, path), encoding="utf-8") as file:
                tree[path] = file.read()
        except FileNotFoundError:
            pass
    return tree


def main():
    root = os.path.abspath(
        os.environ.get("WEFT_SOURCE_DIR") or os.path.join(os.path.dirname(__file__), "../.."))
    complaints = list(self_test())
    tree = read_tree(root)
    found, text = check(tree)
    complaints += found
    if text is not None and tree.get(DOCUMENT) != text:
        if os.environ.get("WEFT_REWRITE_GOLDEN") and not found:
            with open(os.path.join(root, DOCUMENT), "w", encoding="utf-8") as file:
                file.write(text)
        else:
            complaints.append(f"{DOCUMENT} is out of date; run {os.path.relpath(__file__, root)} with "
                              "WEFT_REWRITE_GOLDEN=1")
    for complaint in complaints:
        print(complaint)
    if text is not None:
        print("\n".join(line for line in text.splitlines()[7:13]))
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
