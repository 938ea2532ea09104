"""A model file made with intent, its seal right, is refused with one message before any of it is used."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from winprob import Posterior, predict
from winprob.errors import PosteriorError
from winprob.model.posterior_file import FORMAT, _seal
from winprob.simulation import simulate

MODEL = Path(__file__).parents[1] / "golden" / "v1" / "model.nc"
CONTENT = MODEL.read_bytes()[: -len(_seal(FORMAT, b""))]
INTERCEPT = "posterior/intercept"


def forge(path: Path, change: Callable[[Any], None]) -> Path:
    buffer = io.BytesIO(CONTENT)
    with h5py.File(buffer, "r+") as file:
        change(file)
    data = buffer.getvalue()
    path.write_bytes(data + _seal(FORMAT, data))
    return path


def replaced(file: Any, name: str = INTERCEPT, **how: Any) -> None:
    shape = file[name].shape
    del file[name]
    file.create_dataset(name, **{"shape": shape, "dtype": "f4", **how})


def virtual(file: Any) -> None:
    shape = file[INTERCEPT].shape
    layout = h5py.VirtualLayout(shape, "f4")
    layout[...] = h5py.VirtualSource("/tmp/other.h5", "data", shape=shape)
    del file[INTERCEPT]
    file.create_virtual_dataset(INTERCEPT, layout)


def linked(link: Any) -> Callable[[Any], None]:
    def change(file: Any) -> None:
        del file[INTERCEPT]
        file[INTERCEPT] = link

    return change


def spoiled(value: float, name: str = INTERCEPT) -> Callable[[Any], None]:
    def change(file: Any) -> None:
        values = file[name][()]
        values.flat[3] = value
        file[name][...] = values

    return change


FORGED: dict[str, Callable[[Any], None]] = {
    "external storage": lambda file: replaced(file, external=[("/etc/hostname", 0, 400)]),
    "virtual dataset": virtual,
    "soft link": linked(h5py.SoftLink("/posterior/log_prior")),
    "external link": linked(h5py.ExternalLink("/tmp/other.h5", "/data")),
    "loop of groups": lambda file: file["posterior"].__setitem__("again", file["/"]),
    "other filter": lambda file: replaced(file, fletcher32=True, chunks=True, data=np.zeros((2, 50), "f4")),
    "other shape": lambda file: replaced(file, shape=(2, 51), data=np.zeros((2, 51), "f4")),
    "fewer dims": lambda file: replaced(file, shape=(100,), data=np.zeros(100, "f4")),
    "text": lambda file: replaced(file, dtype="S3"),
    "integers": lambda file: replaced(file, dtype="i4", data=np.ones((2, 50), "i4")),
    "complex": lambda file: replaced(file, dtype="c8", data=np.ones((2, 50), "c8")),
    "nothing stored": lambda file: replaced(file, chunks=True),
    "a group": lambda file: (file.__delitem__(INTERCEPT), file.create_group(INTERCEPT)),
    "nan": spoiled(np.nan),
    "infinite": spoiled(np.inf),
    "nan in the prior": spoiled(np.nan, "prior/intercept"),
    "nan hazard": spoiled(np.nan, "hazards/effect"),
    "reliability above one": spoiled(1.5, "posterior/reliability"),
    "negative weight": spoiled(-2.0, "posterior/role_weight"),
    "interaction of no level": spoiled(4000, "pairs/level"),
}


@pytest.mark.parametrize("kind", FORGED)
def test_arrays_that_are_not_what_a_model_has_are_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(PosteriorError, match="damaged or is not a model"):
        Posterior.load(forge(tmp_path / "model.nc", FORGED[kind]))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("scaling", "tier_counts"), [[1, 2, 3, 4]]),
        (("scaling", "tier_counts", 0, 0), float("nan")),
        (("scaling", "tier_counts", 0, 0), -1),
        (("scaling", "report_bias"), [[3, "x"]]),
        (("scaling", "fields"), []),
        (("scaling", "fields", 0, "levels"), [1, 2, 3]),
        (("scaling", "numeric", 0, "sd"), 0),
        (("scaling", "numeric", 0, "transform"), "eval"),
        (("scaling", "first_quarter"), "2026"),
        (("scaling", "fiscal_year_start_month"), 13),
        (("scaling", "salt"), 7),
        (("terms",), [["a"]]),
        (("terms",), 5),
        (("shapes", "posterior", "intercept"), [1, 100]),
        (("shapes", "prior", "offset"), [100, 10**12]),
        (("provenance", "deals"), -1),
        (("provenance", "gates"), [1]),
        (("hazards", "known_on"), 20260701),
        (("hazards", "scaling", "numbers"), "x"),
        (("arrivals", "seasons"), [9]),
        (("arrivals", "counts", 0, 0), -1),
        (("arrivals", "amounts"), {"CNY": [[1, 2, 3]]}),
        (("revisions", "variance"), float("inf")),
        (("settings", "sampler"), None),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(tmp_path: Path, place: tuple[Any, ...], value: Any) -> None:
    def change(file: Any) -> None:
        manifest = node = json.loads(file.attrs["manifest"])
        for key in place[:-1]:
            node = node[key]
        node[place[-1]] = value
        file.attrs["manifest"] = json.dumps(manifest)

    with pytest.raises(PosteriorError, match="damaged or is not a model"):
        Posterior.load(forge(tmp_path / "model.nc", change))


@pytest.mark.parametrize("text", ["[" * 30_000, '{"terms": ' + "9" * 5000 + "}", "[]", "7", ""])
def test_a_manifest_of_deep_huge_or_other_json_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(PosteriorError, match="damaged or is not a model"):
        Posterior.load(forge(tmp_path / "model.nc", lambda file: file.attrs.__setitem__("manifest", text)))


def test_random_bytes_in_a_sealed_file_are_refused_or_still_a_model(tmp_path: Path) -> None:
    rng, team = np.random.default_rng(5), simulate(5, 5, seed=1).open
    refused = 0
    for _ in range(150):
        data = bytearray(CONTENT)
        for at in rng.integers(0, len(data), rng.integers(1, 8)):
            data[at] = rng.integers(256)
        (tmp_path / "model.nc").write_bytes(bytes(data) + _seal(FORMAT, bytes(data)))
        try:
            chances = predict(Posterior.load(tmp_path / "model.nc"), team)
        except PosteriorError:
            refused += 1
        else:
            assert chances["mean"].between(0, 1).all()
    assert refused > 50
