"""Each guard of the models that make evidence, switched off: its case then goes wrong."""

import pytest
from evidence_cases import MODELS, resolve_exports
from evidence_guards import GUARDS
from metrics_bench import Project, compile_project
from person_cases import DECLARED

from zhongtai.settings import load_settings


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return compile_project(
        load_settings(home=tmp_path_factory.mktemp("evidence"), threads=2), MODELS
    )


@pytest.mark.parametrize("name", GUARDS)
def test_breaking_a_guard_of_the_evidence_is_noticed(project: Project, name: str) -> None:
    guard = GUARDS[name]
    sound = resolve_exports(project, guard.staged, DECLARED)
    assert guard.holds(sound), sound
    broken = resolve_exports(project, guard.staged, DECLARED, guard.breaks)
    assert not guard.holds(broken), broken
