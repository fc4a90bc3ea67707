"""Names of any encoding survive every place where text leaves the program, and harm none."""

import io
import json
import logging
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console
from safetensors.torch import save_file

from tests.data.make_clips import write_clip
from tests.notes import Notes
from videomae_cli import streams
from videomae_cli.checkpoints.reading.files import read_weights
from videomae_cli.cli import console
from videomae_cli.cli.plain_report import PlainReport
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.config.recipe_files import dump_recipe, load_recipe
from videomae_cli.config.transformer import SIZES
from videomae_cli.data.decode import FILE_DECODERS, read_frames
from videomae_cli.data.manifest import CLASSES, DATASET, Video, read_manifest, write_manifest
from videomae_cli.engine.saving.writer import read_tensors, write_tensors
from videomae_cli.errors import DataError
from videomae_cli.grid import TokenGrid
from videomae_cli.report import encodable, format_json, printable, shell_word
from videomae_cli.tasks.convert.export_formats import EXPORT_FORMATS, ExportInput, write_model
from videomae_cli.tasks.diagnose.curves import plot_curves
from videomae_cli.tasks.visualize import visualize
from videomae_cli.tasks.visualize.setup import Options

LATIN = "caf\udce9.mp4"  # b"caf\xe9.mp4" on the disk
HOSTILE = "a\x1b[31mb\nc\rd\x9be\u202ef\u2028g\udce9.mp4"
NAMES = (LATIN, HOSTILE, "\ud800", "é 日本 😀.mp4", "plain.mp4", "C:\\x.mp4", "$a_$", "\x00\x7f")
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\ud800-\udfff]")


@pytest.fixture(autouse=True)
def _leave_the_logger_as_it_was() -> Iterator[None]:
    logger = logging.getLogger("videomae")
    handlers = list(logger.handlers)
    yield
    logger.handlers[:] = handlers


def keep_records_from_pytest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Log to our handlers only: pytest-xdist cannot send records with lone surrogates.

    To be called in the test itself, because pytest listens to what does not propagate before.
    """
    monkeypatch.setattr(logging.getLogger("videomae"), "propagate", False)


def test_each_kind_of_character_has_one_escape() -> None:
    assert printable(LATIN) == r"caf\xe9.mp4"
    assert printable(HOSTILE) == r"a\x1b[31mb\nc\rd\u009be\u202ef\u2028g\xe9.mp4"
    assert printable("\ud800 \udc7f") == r"\ud800 \udc7f"
    assert printable("a\nb\tc", keep_lines=True) == "a\nb\\tc"


@pytest.mark.parametrize("text", ["é 日本 😀", "C:\\x\\xe9", "x\u200dy\xa0z", "·→±"])
def test_text_that_can_be_printed_is_unchanged(text: str) -> None:
    assert printable(text) == encodable(text) == text


@pytest.mark.parametrize("name", NAMES)
def test_json_keeps_every_name_exactly_and_is_harmless(name: str) -> None:
    value = {name: [name, f"\\{name}"]}
    for text in (format_json(value), format_json(value, indent=1)):
        assert not UNSAFE.search(text)
        assert json.loads(text.encode()) == value


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize("name", [LATIN, HOSTILE, "a b'c\\d\udce9'\\", "plain", "it's"])
def test_bash_reads_a_printed_word_as_the_name(name: str) -> None:
    word = shell_word(name)

    script = f"LC_ALL=C.UTF-8; printf %s {word}"
    output = subprocess.run(["bash", "-c", script], capture_output=True, check=True).stdout

    assert printable(word) == word
    assert output == os.fsencode(name)


def stream(encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors=streams.ERRORS, newline="")


def written(one: io.TextIOWrapper) -> str:
    one.flush()
    assert isinstance(one.buffer, io.BytesIO)
    return one.buffer.getvalue().decode(one.encoding)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-8"])
def test_a_terminal_of_any_encoding_shows_everything(encoding: str) -> None:
    streams.make_streams_safe()
    out, err = stream(encoding), stream(encoding)
    report = console.ConsoleReport(
        Console(file=out, width=100, force_terminal=False, highlight=False),
        Console(file=err, width=200, force_terminal=True, highlight=False),
    )
    for name in NAMES:
        report.start(name, total=2, unit="video")
        report.advance(figures=f"12 clips/s · {name}")
        report.finish()
        report.warn(name)
        report.say(f"{name} \u00d7 ±")
        report.table(name, [name, "b"], [[name, "→"]])

    results, progress = written(out), written(err)
    assert not UNSAFE.search(results)
    assert r"caf\xe9.mp4" in results and "plain.mp4" in results
    without_colours = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", progress).replace("\r", "")
    assert not UNSAFE.search(without_colours)
    assert r"warning: a\x1b[31mb\nc" in without_colours
    if encoding == "ascii":
        assert "x +/-" in results and "+--" in results  # a table of ASCII characters
        assert "clips/s - plain.mp4" in progress


def test_plain_reports_print_one_line_for_one_message() -> None:
    lines: list[str] = []
    report = PlainReport(lines.append, lines.append)

    report.say(HOSTILE)
    report.warn(HOSTILE)
    report.start(HOSTILE, total=1)
    report.advance()
    report.finish()
    report.table(HOSTILE, [HOSTILE], [[HOSTILE]])

    assert len(lines) == 6 and not any(UNSAFE.search(line) or "\n" in line for line in lines)


@pytest.mark.parametrize("name", NAMES)
def test_errors_bugs_results_and_logs_are_printed(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_records_from_pytest(monkeypatch)
    console.show_error(DataError(f"{name}: truncated", f"replace {name}"), with_trace=True)
    error = ValueError(name)
    console.show_bug(ValueError, error, None)
    console.make_report()
    logging.getLogger("videomae").warning("%s: read with PyAV", name)
    console.print_text(name)
    console.print_json({"path": name})

    captured = capsys.readouterr()
    assert not UNSAFE.search(captured.out + captured.err)
    assert json.loads(captured.out[captured.out.index("{") :]) == {"path": name}
    assert captured.err.count(printable(name)) >= 4 or "\n" in name


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_forked_process_logs_any_name(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_records_from_pytest(monkeypatch)
    console.make_report()
    process = os.fork()
    if process == 0:
        try:
            logging.getLogger("videomae").warning("%s: damaged", HOSTILE)
        finally:
            os._exit(0)
    os.waitpid(process, 0)

    assert capfd.readouterr().err == f"warning: {printable(HOSTILE)}: damaged\n"


def test_prepared_files_are_json_for_any_reader(tmp_path: Path) -> None:
    video = Video(LATIN, 0, "train", 30, 25.0, 64, 48, "pyav")
    root = tmp_path / "r\udce9"

    manifest = write_manifest(
        tmp_path, root=root, videos=[video], classes=[LATIN, "\ud800"], facts={"source": HOSTILE}
    )

    assert json.loads((tmp_path / CLASSES).read_bytes()) == [LATIN, "\ud800"]
    assert json.loads((tmp_path / DATASET).read_bytes())["source"] == HOSTILE
    assert read_manifest(tmp_path) == manifest
    assert manifest.root == root and manifest.videos[0].path == LATIN
    assert manifest.classes == (r"caf\xe9.mp4", r"\ud800")


def test_classes_written_as_raw_bytes_by_an_earlier_version_are_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    video = Video("a.mp4", 0, "train", 30, 25.0, 64, 48, "pyav")
    expected = write_manifest(tmp_path, root=tmp_path, videos=[video], classes=[LATIN], facts={})
    (tmp_path / CLASSES).write_bytes(b'[\n  "caf\xe9.mp4"\n]\n')

    assert read_manifest(tmp_path) == expected
    assert not caplog.records  # the digest is that of the same names


def test_a_model_of_classes_that_cannot_be_written_is_written() -> None:
    config = ModelConfig(
        kind="classifier",
        encoder=SIZES["micro"],
        grid=TokenGrid(4, 32, 32),
        classes=(LATIN, "ok"),
        recipe={"data": f"/x/{LATIN}", "augment": {"names": [LATIN]}},
        derived_from=(LATIN,),
    ).model_copy(update={"data": f"/x/{LATIN}"})

    read = ModelConfig.model_validate_json(config.to_json(indent=2))

    assert read.classes == (r"caf\xe9.mp4", "ok")
    assert read.data == read.recipe["data"] == r"/x/caf\xe9.mp4"
    assert read.recipe["augment"] == {"names": [r"caf\xe9.mp4"]}


def test_recipes_keep_paths_exactly(tmp_path: Path) -> None:
    data, start = f"/d/{LATIN} 'é' 😀", f"/w/{HOSTILE}"

    recipe = load_recipe(
        "k400-vitb-finetune",
        [f"data={format_json(data)}", f"start={format_json(start)}"],
        "finetune",
    )
    file = tmp_path / "recipe.yaml"
    file.write_text(dump_recipe(recipe), encoding="utf-8")

    assert (str(recipe.data), recipe.start) == (data, start)
    assert load_recipe(str(file)) == recipe
    assert str(load_recipe(str(file), [f"data=/plain/{LATIN}"]).data) == f"/plain/{LATIN}"


def test_weights_are_read_in_directories_of_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "r\udce9"
    folder.mkdir()
    tensors = {"a": torch.arange(3.0)}
    write_tensors(folder / "a.safetensors", tensors)
    save_file(tensors, folder / "b.safetensors", metadata={"key": "value"})
    torch.save(tensors, folder / "c.pth")

    assert torch.equal(read_tensors(folder / "a.safetensors")["a"], tensors["a"])
    for name in ("b.safetensors", "c.pth"):
        weights, _ = read_weights(folder / name)
        assert torch.equal(weights["a"], tensors["a"])
    assert read_weights(folder / "b.safetensors")[1]["key"] == "value"
    with pytest.raises(Exception, match="damaged"):
        (folder / "d.safetensors").write_bytes((8).to_bytes(8, "little") + b"{" * 60)
        read_weights(folder / "d.safetensors")


def test_videos_are_decoded_in_directories_of_any_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_records_from_pytest(monkeypatch)
    video = write_clip(tmp_path / "a.mp4", 6).rename(tmp_path / LATIN)

    frames = [read_frames(video, [0, 5], decoder=decoder) for decoder in FILE_DECODERS]

    assert np.array_equal(*frames)


@pytest.mark.parametrize("to", EXPORT_FORMATS)
def test_models_are_exported_to_directories_of_any_name(to: str, tmp_path: Path) -> None:
    if missing := [name for name in EXPORT_FORMATS[to].packages if find_spec(name) is None]:
        pytest.skip(f"needs {', '.join(missing)}")
    file = tmp_path / f"{LATIN}{EXPORT_FORMATS[to].suffix}"
    model, batch = torch.nn.Linear(3, 2).eval(), torch.rand(2, 3)
    inputs = ExportInput(batch, "logits", is_batch_fixed=False, metadata={"frames": "2"})

    write_model(EXPORT_FORMATS[to], model, inputs, file)

    assert torch.allclose(EXPORT_FORMATS[to].open(file)(batch), model(batch), atol=1e-5)


@pytest.mark.parametrize("name", [LATIN, HOSTILE, "$a_$b^{$", "日本"])
def test_curves_of_a_run_of_any_name_are_drawn(name: str, tmp_path: Path) -> None:
    line = {"step": 1, "loss": 1.0, "lr": 0.1, "grad_norm": 1.0}

    plot_curves([line], name, tmp_path / "curves.png", baseline="the mean")

    with Image.open(tmp_path / "curves.png") as image:
        assert image.width > 100


@pytest.mark.parametrize("stem", ["caf\udce9", "e\x1b[1m\nf", "<b>&'\"", "日本"])
def test_pictures_of_a_video_of_any_name(stem: str, tmp_path: Path) -> None:
    video = write_clip(tmp_path / "a.mp4", 12, height=32, width=32)
    video = video.rename(tmp_path / f"{stem}.mp4")
    options = Options(frames=4, size=32, stride=2, ratio=0.75)
    notes = Notes()

    result = visualize.run(video, notes, out=tmp_path / "o\udce9", options=options)
    page = visualize.run(video, notes, out=tmp_path / f"{stem}.html", options=options)

    assert all(file.stat().st_size > 500 for file in (*result.files, *page.files))
    with Image.open(result.files[0]) as image:
        assert image.info["Title"] == printable(f"{stem}.mp4")
    html = page.files[0].read_text(encoding="utf-8")
    assert not UNSAFE.search(html) and "<b>&" not in html


def test_only_one_place_writes_json_with_other_characters_than_ascii() -> None:
    package = Path(streams.__file__).parent
    places = [
        path.name for path in package.rglob("*.py") if "ensure_ascii=False" in path.read_text()
    ]

    assert sorted(places) == ["bind.py"]  # bind passes it to pydantic, not to a file
