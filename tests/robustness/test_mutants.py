"""A tenth of the mutation testing; the whole is ``python tests/support/mutants.py``."""

from __future__ import annotations

from support.mutants import mutants, sample, tried

PLANTED = {"kind == 'async' → kind != 'async'", "503 → 504"}


def test_the_tests_of_retries_find_the_faults_that_are_planted() -> None:
    chosen = [mutant for mutant in sample("retry", 1_000, 1) if mutant.fault in PLANTED]
    found = {mutant.fault: killed for mutant, killed in tried("retry", chosen)}
    assert found == dict.fromkeys(PLANTED, True)


def test_each_kind_of_fault_is_planted_once_and_leaves_a_module_that_compiles() -> None:
    source = 'def f(a, b):\n    return 1 if not a or a < b else "SELECT a FROM b WHERE a = 1 AND b = 2"\n'
    faults = [mutant.fault for mutant in mutants(source)]
    assert "a < b → a <= b" in faults
    assert "not a → a" in faults
    assert any(" OR b = 2" in fault for fault in faults)
    for mutant in mutants(source):
        compile(mutant.module, "mutant", "exec")
        assert mutant.module != source
