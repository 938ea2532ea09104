"""A fitted model is data: frozen, saved whole or not at all, the same after a round trip, and free of customers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from winprob import Posterior, explain, predict
from winprob.data.schema import validate_deals
from winprob.errors import OutputError, PosteriorError
from winprob.model.features import learn_scaling
from winprob.model.posterior import flatten_chains
from winprob.model.posterior_file import FORMAT, _manifest, parameter_dims
from winprob.model.win.blocks import DIMS, quarter_name
from winprob.settings import Settings


@pytest.fixture(scope="module")
def saved(posterior, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("models") / "model.nc"
    posterior.save(path)
    return path


@pytest.fixture
def copy(saved, tmp_path) -> Path:
    return Path(shutil.copy(saved, tmp_path / "model.nc"))


# --- frozen -------------------------------------------------------------------------------------------------------


def test_a_posterior_is_frozen(posterior):
    with pytest.raises(FrozenInstanceError):
        posterior.terms = ()
    with pytest.raises(FrozenInstanceError):
        posterior.provenance.seed = 3


# --- labels -------------------------------------------------------------------------------------------------------


def test_parameters_are_picked_by_label(posterior):
    picked = posterior.sel("role_weight", role="approver", decision_method="executive")
    np.testing.assert_array_equal(picked, posterior.flat["role_weight"][:, 0, 2])
    np.testing.assert_array_equal(posterior.sel("reliability", coach="validated"), posterior.flat["reliability"][:, 2])
    assert posterior.sel("role_weight", decision_method="unknown").shape == (1000, 5)
    assert posterior.sel("offset", level="seller=S02").shape == (1000,)


@pytest.mark.parametrize("labels", [{"role": "boss"}, {"coach": "none"}])
def test_a_label_that_is_not_there_is_named(posterior, labels):
    with pytest.raises(KeyError, match=r"boss|coach"):
        posterior.sel("role_weight", **labels)


def test_every_dim_has_as_many_labels_as_the_draws_have_entries(posterior):
    for name, dims in DIMS.items():
        assert posterior.flat[name].shape[1:] == tuple(len(posterior.coords[dim]) for dim in dims), name


def test_levels_and_quarters_are_named_as_the_record_names_them(posterior):
    assert {"seller=S01", "competitor=", "segment=finance"} <= set(posterior.coords["level"])
    assert posterior.coords["quarter"][0] == "2024Q3"
    assert posterior.coords["quarter"][-1] == "2026Q2"


def test_quarter_names():
    assert [quarter_name(4 * 2026 + at) for at in (-1, 0, 3)] == ["2025Q4", "2026Q1", "2026Q4"]


def test_chains_are_concatenated():
    draws = np.arange(24).reshape(2, 3, 4)
    np.testing.assert_array_equal(flatten_chains({"x": draws})["x"], np.concatenate([draws[0], draws[1]]))


# --- round trip ---------------------------------------------------------------------------------------------------


def test_a_round_trip_changes_nothing(posterior, saved, team):
    loaded = Posterior.load(saved)
    for group in ("draws", "prior"):
        before, after = getattr(posterior, group), getattr(loaded, group)
        assert set(before) == set(after)
        for name, values in before.items():
            np.testing.assert_array_equal(after[name], values)
    for name in ("terms", "settings", "provenance", "coords"):
        assert getattr(loaded, name) == getattr(posterior, name), name
    pd.testing.assert_frame_equal(predict(loaded, team.open), predict(posterior, team.open))
    deal = team.open["deal_id"].iloc[0]
    pd.testing.assert_frame_equal(explain(loaded, team.open, deal), explain(posterior, team.open, deal))


def test_a_model_without_covariates_makes_the_round_trip(believed, tmp_path, team):
    believed.save(tmp_path / "prior.nc")
    loaded = Posterior.load(tmp_path / "prior.nc")
    assert loaded.provenance.prior_only
    pd.testing.assert_frame_equal(predict(loaded, team.open), predict(believed, team.open))


def test_combinations_make_the_round_trip(posterior, team, tmp_path):
    frame = validate_deals(team.closed)
    frame.attrs["covariates"] = {"varying": ["seller", "product"], "numeric": []}
    scaling = learn_scaling(frame, Settings())
    sizes = {**scaling.layout.sizes, "term": len(posterior.terms)}
    draws, prior = (
        {name: np.zeros((*counts, *(sizes[dim] for dim in parameter_dims(name)))) for name in names}
        for names, counts in ((posterior.draws, (2, 3)), (posterior.prior, (6,)))
    )
    replace(posterior, scaling=scaling, draws=draws, prior=prior).save(tmp_path / "model.nc")
    loaded = Posterior.load(tmp_path / "model.nc").scaling
    assert scaling.pairs is not None
    assert loaded.pairs is not None
    for name in ("level", "field", "mean", "loading"):
        np.testing.assert_array_equal(getattr(loaded.pairs, name), getattr(scaling.pairs, name))
    assert loaded.to_dict() == scaling.to_dict()


def test_saving_again_replaces_the_file_and_leaves_nothing_next_to_it(posterior, believed, tmp_path):
    believed.save(tmp_path / "model.nc")
    posterior.save(tmp_path / "model.nc")
    assert not Posterior.load(tmp_path / "model.nc").provenance.prior_only
    assert os.listdir(tmp_path) == ["model.nc"]


def test_chinese_names_survive(posterior, tmp_path):
    path = tmp_path / "华东 模型.nc"
    renamed = replace(posterior, provenance=replace(posterior.provenance, versions={"说明": "赢率"}))
    renamed.save(path)
    assert Posterior.load(path).provenance.versions == {"说明": "赢率"}


def test_loading_and_predicting_need_no_pymc(saved, team, tmp_path):
    team.open.to_parquet(tmp_path / "open.parquet")
    code = (
        "import sys; sys.modules['pymc'] = sys.modules['pytensor'] = sys.modules['nutpie'] = None\n"
        "import pandas as pd\nfrom winprob import Posterior, predict\n"
        "print(predict(Posterior.load(sys.argv[1]), pd.read_parquet(sys.argv[2]))['mean'].sum())"
    )
    command = [sys.executable, "-W", "error", "-c", code, str(saved), str(tmp_path / "open.parquet")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(done.stdout) == pytest.approx(predict(Posterior.load(saved), team.open)["mean"].sum(), rel=1e-6)


def test_no_customer_is_in_the_file(saved, team):
    """Neither in its bytes nor in what its compressed arrays and attributes unpack to."""
    unpacked = [saved.read_bytes()]
    with h5py.File(saved) as file:
        unpacked += [str(value).encode() for value in file.attrs.values()]
        file.visititems(lambda _, item: unpacked.append(item[()].tobytes()) if hasattr(item, "dtype") else None)
    everything = b"\n".join(unpacked)
    for column in ("deal_id", "account"):
        assert not [text for text in team.closed[column] if text.encode() in everything]
    assert b"S01" in everything


def test_the_file_is_netcdf_that_xarray_reads(saved, posterior):
    import xarray as xr

    with xr.open_dataset(saved, group="posterior", engine="h5netcdf") as found:
        assert found["role_weight"].dims == ("chain", "draw", "role", "decision_method")
        np.testing.assert_array_equal(found["role_weight"], posterior.draws["role_weight"])


# --- files that are no model --------------------------------------------------------------------------------------


def test_a_missing_file_names_the_command_that_creates_one(tmp_path):
    with pytest.raises(PosteriorError, match="winprob train"):
        Posterior.load(tmp_path / "none.nc")


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(PosteriorError, match="folder"):
        Posterior.load(tmp_path)


@pytest.mark.parametrize(("found", "words"), [(FORMAT + 1, "Update winprob"), (FORMAT - 1, "old format")])
def test_another_format_names_the_remedy(posterior, tmp_path, monkeypatch, found, words):
    copy = tmp_path / "model.nc"
    with monkeypatch.context() as patched:
        patched.setattr("winprob.model.posterior_file.FORMAT", found)
        posterior.save(copy)
    with pytest.raises(PosteriorError, match=words):
        Posterior.load(copy)


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_damaged(copy, share):
    whole = copy.read_bytes()
    copy.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(PosteriorError, match="damaged or is not a model"):
        Posterior.load(copy)


@pytest.mark.parametrize("content", [b"", b"deal_id,outcome\n", b"\x89HDF\r\n\x1a\n" + bytes(600), os.urandom(5000)])
def test_any_other_file_is_no_model(tmp_path, content):
    (tmp_path / "model.nc").write_bytes(content)
    with pytest.raises(PosteriorError, match="not a model"):
        Posterior.load(tmp_path / "model.nc")


def test_an_hdf5_file_of_another_kind_is_no_model(tmp_path):
    with h5py.File(tmp_path / "model.nc", "w") as file:
        file["data"] = np.arange(4)
    with pytest.raises(PosteriorError, match="not a model"):
        Posterior.load(tmp_path / "model.nc")


def test_a_model_that_keeps_other_facts_under_the_same_format_is_no_model(posterior, tmp_path, monkeypatch):
    """As an unreleased version might have written it: whole, its checksum right, its provenance another."""
    manifest = _manifest(posterior)
    monkeypatch.setattr("winprob.model.posterior_file._manifest", lambda _: manifest)
    del manifest["provenance"]["counted"]
    posterior.save(tmp_path / "model.nc")
    with pytest.raises(PosteriorError, match="not a model"):
        Posterior.load(tmp_path / "model.nc")


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_a_byte_that_was_changed_is_noticed(copy, share):
    content = bytearray(copy.read_bytes())
    content[int(share * (len(content) - 100))] ^= 1
    copy.write_bytes(content)
    with pytest.raises(PosteriorError, match="changed after it was written"):
        Posterior.load(copy)


@pytest.mark.parametrize("lost", ["prior", "posterior/role_weight", "posterior/offset"])
def test_a_part_that_is_gone_is_noticed(copy, lost):
    with h5py.File(copy, "a") as file:
        del file[lost]
    with pytest.raises(PosteriorError, match="damaged"):
        Posterior.load(copy)


def test_flipped_bytes_are_noticed_or_harmless(saved, tmp_path, posterior):
    """Anywhere in the file: an error a user can read, or, in bytes that mean nothing, the same model."""
    whole, rng = saved.read_bytes(), np.random.default_rng(0)
    for at in rng.integers(0, len(whole), 150):
        damaged = bytearray(whole)
        damaged[at] ^= 0xFF
        (tmp_path / "model.nc").write_bytes(damaged)
        try:
            loaded = Posterior.load(tmp_path / "model.nc")
        except PosteriorError:
            continue
        for name, values in posterior.draws.items():
            np.testing.assert_array_equal(loaded.draws[name], values)


# --- places that cannot be written --------------------------------------------------------------------------------


def test_a_folder_that_is_not_there_cannot_be_written_to(posterior, tmp_path):
    with pytest.raises(OutputError, match="there is no folder"):
        posterior.save(tmp_path / "absent" / "model.nc")
    assert os.listdir(tmp_path) == []


def test_a_folder_in_the_place_of_the_file_is_kept_and_nothing_is_left_next_to_it(posterior, tmp_path):
    (tmp_path / "model.nc").mkdir()
    with pytest.raises(OutputError, match="it is a folder"):
        posterior.save(tmp_path / "model.nc")
    assert os.listdir(tmp_path) == ["model.nc"]


def test_a_disk_that_fills_up_leaves_the_old_model_and_nothing_else(saved, tmp_path):
    """The process may write no file above 64 kB; the model is far larger."""
    shutil.copy(saved, tmp_path / "model.nc")
    code = (
        "import resource, signal, sys\nfrom winprob import Posterior\nfrom winprob.errors import OutputError\n"
        "model = Posterior.load(sys.argv[1])\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))\n"
        "try:\n    model.save(sys.argv[1])\nexcept OutputError as error:\n    print('refused:', error)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "model.nc")], capture_output=True, text=True)
    assert done.stdout.startswith("refused:"), done.stderr
    assert os.listdir(tmp_path) == ["model.nc"]
    assert (tmp_path / "model.nc").read_bytes() == saved.read_bytes()


def test_others_may_read_a_saved_model_as_they_may_any_new_file(posterior, tmp_path):
    posterior.save(tmp_path / "model.nc")
    (tmp_path / "plain").touch()
    assert (tmp_path / "model.nc").stat().st_mode == (tmp_path / "plain").stat().st_mode


# --- ArviZ --------------------------------------------------------------------------------------------------------


def test_arviz_summarises_a_posterior(posterior):
    import arviz as az

    tree = posterior.to_datatree()
    assert set(tree.children) == {"posterior", "prior"}
    summary = az.summary(tree, var_names=["reliability"])
    assert summary.index.tolist() == [f"reliability[{c}]" for c in ("none", "unvalidated", "validated", "unknown")]
    wanted = posterior.flat["reliability"].mean(axis=0)
    np.testing.assert_allclose(summary["mean"].astype(float), wanted, atol=0.01)


def test_a_datatree_carries_labels(posterior):
    weight = posterior.to_datatree()["posterior"]["role_weight"]
    got = weight.sel(role="evaluator", decision_method="scoring").to_numpy().ravel()
    np.testing.assert_array_equal(got, posterior.sel("role_weight", role="evaluator", decision_method="scoring"))


def test_a_model_without_covariates_makes_a_datatree(believed):
    assert believed.to_datatree()["posterior"].sizes["draw"] == Settings().sampler.kept
