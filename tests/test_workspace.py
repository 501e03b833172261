"""Texts over the disk, what cannot be read, and which files a workspace has."""

from __future__ import annotations

import subprocess

import pytest

from metalens.workspace.documents import MAX_BYTES, Unreadable, Workspace
from trees import names_below, tree, write_tree


def names(workspace):
    return names_below(workspace.root, workspace.python_files())


def unreadable(workspace, name):
    with pytest.raises(Unreadable) as problem:
        workspace.text(str(workspace.root / name))
    return problem.value.reason


class TestTexts:
    def test_the_editor_is_laid_over_the_disk(self, tmp_path):
        workspace = tree(tmp_path, {"a.py": "disk\n"})
        file = str(tmp_path / "a.py")
        assert (workspace.text(file), workspace.version(file), workspace.overlay()) == ("disk\n", None, {})
        workspace.open(file, "disk\n", 1)
        assert (workspace.version(file), workspace.overlay()) == (1, {})
        workspace.open(file, "editor\n", 2)
        assert (workspace.text(file), workspace.version(file)) == ("editor\n", 2)
        assert workspace.overlay() == {file: "editor\n"}
        workspace.close(file)
        assert (workspace.text(file), workspace.version(file), workspace.overlay()) == ("disk\n", None, {})

    def test_a_new_file_of_the_editor_is_readable(self, tmp_path):
        workspace, file = Workspace(tmp_path), str(tmp_path / "new.py")
        workspace.open(file, "x = 1\n", 1)
        assert workspace.overlay() == {file: workspace.text(file)} == {file: "x = 1\n"}

    def test_line_ends_do_not_make_a_difference(self, tmp_path):
        workspace, file = tree(tmp_path, {"a.py": b"a\r\nb\r\n"}), str(tmp_path / "a.py")
        workspace.open(file, "a\nb\n", 1)
        assert workspace.overlay() == {}
        workspace.open(file, "a\r\nb\r\n", 2)
        assert workspace.overlay() == {}

    def test_a_change_on_disk_is_seen(self, tmp_path):
        workspace, file = tree(tmp_path, {"a.py": "one\n"}), tmp_path / "a.py"
        before = workspace.stamp(str(file))
        assert workspace.text(str(file)) == "one\n"
        file.write_text("three\n")
        assert workspace.text(str(file)) == "three\n"
        assert workspace.stamp(str(file)) != before

    def test_the_stamp_is_of_the_text_while_it_is_open(self, tmp_path):
        workspace, file = tree(tmp_path, {"a.py": "x\n"}), str(tmp_path / "a.py")
        stamps = []
        for version, text in enumerate(["one\n", "two\n", "one\n"]):
            workspace.open(file, text, version)
            stamps.append(workspace.stamp(file))
        assert stamps[0] == stamps[2] != stamps[1]
        assert workspace.stamp(str(tmp_path / "none.py")) is None

    def test_a_coding_line_is_honoured(self, tmp_path):
        text = "# -*- coding: latin-1 -*-\nname = 'Gauß'\n"
        workspace = tree(tmp_path, {"a.py": text.encode("latin-1"), "b.py": b"\xef\xbb\xbfx = 1\n"})
        assert workspace.text(str(tmp_path / "a.py")) == text
        assert workspace.text(str(tmp_path / "b.py")) == "x = 1\n"

    @pytest.mark.parametrize("content", [b"name = 'Gau\xdf'\n", b"# coding: nonsense\n", b"\xff\xfex\x00"])
    def test_what_is_not_utf8_says_so(self, tmp_path, content):
        assert "not UTF-8" in unreadable(tree(tmp_path, {"a.py": content}), "a.py")

    def test_what_is_gone_too_large_or_a_folder_says_so(self, tmp_path):
        workspace = tree(tmp_path, {"large.py": b"#" * (MAX_BYTES + 1), "folder/a.py": "", "gone.py": "x = 1\n"})
        assert workspace.text(str(tmp_path / "gone.py"))
        (tmp_path / "gone.py").unlink()
        assert unreadable(workspace, "gone.py") == "gone.py does not exist any more."
        assert unreadable(workspace, "large.py") == "large.py is larger than 2 MiB and is left alone."
        assert unreadable(workspace, "folder").startswith("folder cannot be read")

    def test_the_memory_for_texts_is_bounded(self, tmp_path, monkeypatch):
        monkeypatch.setattr("metalens.workspace.documents._REMEMBERED", 1000)
        workspace = tree(tmp_path, {f"f{number}.py": f"{number}" * 400 for number in range(5)})
        for number in (0, 1, 2, 3, 4, 0):
            assert workspace.text(str(tmp_path / f"f{number}.py"))[0] == str(number)
        assert len(workspace._texts) == 2


class TestWalk:
    def test_foreign_hidden_and_generated_folders_are_left_out(self, tmp_path):
        left_out = [
            *(".hidden/a.py", ".a.py", "env/pyvenv.cfg", "env/lib/a.py", "conda/conda-meta/x", "conda/a.py"),
            *("node_modules/a.py", "__pycache__/a.py", "build/lib/a.py", "dist/a.py", "x.egg-info/a.py", "a.txt"),
        ]
        kept = ["a.py", "build_tools/a.py", "pkg/build/__init__.py", "pkg/build/a.py", "pkg/z/y/x.py"]
        assert names(tree(tmp_path, dict.fromkeys([*left_out, *kept], ""))) == kept

    def test_gitignore_is_read_as_git_reads_it(self, tmp_path):
        patterns = {
            ".gitignore": "*.gen.py\n/data\nlogs/\n!keep.gen.py\n# comment\n",
            "pkg/.gitignore": "/local.py\n!special.gen.py\n",
        }
        paths = [
            *(
                "a.py",
                "b.gen.py",
                "keep.gen.py",
                "data/a.py",
                "pkg/data/a.py",
                "logs/a.py",
                "pkg/logs/a.py",
                "pkg/logs.py",
            ),
            *("pkg/local.py", "pkg/sub/local.py", "pkg/special.gen.py", "pkg/other.gen.py"),
        ]
        write_tree(tmp_path, {**patterns, **dict.fromkeys(paths, "")})
        subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
        listing = ["git", "-C", str(tmp_path), "ls-files", "--others", "--exclude-standard", "*.py"]
        by_git = subprocess.run(listing, check=True, capture_output=True, text=True).stdout.split()
        assert names(Workspace(tmp_path)) == sorted(by_git)

    def test_rules_above_the_workspace_count(self, tmp_path):
        write_tree(tmp_path, {".gitignore": "*.gen.py\n", ".git/HEAD": "", "sub/a.py": "", "sub/b.gen.py": ""})
        assert names(Workspace(tmp_path / "sub")) == ["a.py"]

    def test_a_folder_named_by_the_user_is_walked_though_it_is_ignored(self, tmp_path):
        workspace = tree(tmp_path, {".gitignore": "scratch/\n", ".git/HEAD": "", "scratch/a.py": "", "b.py": ""})
        assert names(workspace) == ["b.py"]
        assert names_below(tmp_path, workspace.walk(tmp_path / "scratch")) == ["scratch/a.py"]
        assert names_below(tmp_path, workspace.walk(tmp_path / "scratch" / "a.py")) == ["scratch/a.py"]

    def test_a_path_that_does_not_exist_is_a_problem(self, tmp_path):
        with pytest.raises(Unreadable, match="does not exist"):
            Workspace(tmp_path).walk(tmp_path / "none")

    def test_a_repository_within_has_its_own_rules(self, tmp_path):
        files = {".git/HEAD": "", ".gitignore": "a.py\n", "module/.git": "gitdir: x\n", "module/a.py": "", "a.py": ""}
        assert names(tree(tmp_path, files)) == ["module/a.py"]

    def test_links_in_a_circle_end(self, tmp_path):
        workspace = tree(tmp_path, {"pkg/a.py": ""})
        (tmp_path / "pkg" / "up").symlink_to(tmp_path, target_is_directory=True)
        (tmp_path / "pkg" / "dead.py").symlink_to("nowhere.py")
        assert names(workspace) == ["pkg/a.py"]

    def test_what_changes_is_seen(self, tmp_path):
        workspace = tree(tmp_path, {"pkg/a.py": ""})
        assert names(workspace) == ["pkg/a.py"]
        write_tree(tmp_path, {"pkg/b.py": "", "new/c.py": ""})
        assert names(workspace) == ["new/c.py", "pkg/a.py", "pkg/b.py"]
        write_tree(tmp_path, {".gitignore": "b.py\n"})
        assert names(workspace) == ["new/c.py", "pkg/a.py"]
        write_tree(tmp_path, {".gitignore": "a.py\nc.py\n"})
        assert names(workspace) == ["pkg/b.py"]

    def test_pages_are_listed_apart(self, tmp_path):
        workspace = tree(tmp_path, dict.fromkeys(["README.md", "n.ipynb", "docs/a.rst", "a.py", ".git/x.md"], ""))
        assert names(workspace) == ["a.py"]
        assert names_below(tmp_path, workspace.pages()) == ["README.md", "docs/a.rst", "n.ipynb"]
