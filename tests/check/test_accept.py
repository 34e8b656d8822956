"""A finding is accepted with a reason, stays visible, and never fails; what may not be accepted stays an error."""

import json
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from builder.check import check
from builder.cli import program
from builder.commands._common import Given
from builder.errors import InputError
from builder.lock.inputs import digest
from builder.settings import Settings
from builder.spec.stacks import load_stack
from builder.ui import Ui

from .conftest import lock_of

TODAY = date(2026, 11, 21)
OLD = {"python": "3.8", "torch": "1.12.1+cu113"}
WHY = "the H100 runs the CPU part alone"


def levels(stack, lock=None) -> dict[str, str]:
    return {one.key: one.level for one in check(stack, lock, TODAY)}


def test_an_accepted_finding_shows_its_reason_and_does_not_fail(stack_of) -> None:
    stack = stack_of({"gpus": ["9.0"], "accept": {"torch_gpus": WHY}}, OLD)
    (found,) = check(stack, None, TODAY)
    assert (found.level, found.accepted) == ("accepted", WHY)
    assert found.text.splitlines()[2] == f"accepted: {WHY}"


def test_a_key_with_what_it_is_about_accepts_nothing_else(stack_of) -> None:
    stack = stack_of({"gpus": ["9.0", "12.0"], "accept": {"torch_gpus/9.0": WHY}}, OLD)
    assert levels(stack) == {"torch_gpus/9.0": "accepted", "torch_gpus/12.0": "error"}


def test_the_narrower_reason_is_shown(stack_of) -> None:
    accept = {"torch_gpus": "a wide reason of ours", "torch_gpus/9.0": WHY}
    stack = stack_of({"gpus": ["9.0", "12.0"], "accept": accept}, OLD)
    reasons = {one.key: one.accepted for one in check(stack, None, TODAY)}
    assert reasons == {"torch_gpus/9.0": WHY, "torch_gpus/12.0": "a wide reason of ours"}


def test_an_accept_that_names_nothing_is_a_warning_once_there_is_a_lock(stack_of) -> None:
    stack = stack_of({"packages": ["numpy"], "accept": {"torch_gpus/9.0": WHY}}, OLD)
    assert levels(stack) == {}
    assert levels(stack, lock_of("numpy==1.24.4")) == {"accept/torch_gpus/9.0": "warning"}


def test_an_accept_of_no_rule_is_a_warning_at_once(stack_of) -> None:
    (found,) = check(stack_of({"accept": {"torch_gpu/9.0": WHY}}), None, TODAY)
    assert (found.level, found.fix) == ("warning", "did you mean torch_gpus?")


def test_terms_of_weights_cannot_be_accepted(stack_of) -> None:
    weights = [{"url": "https://example.org/01_MorphableModel.mat", "into": "/w"}]
    stack = stack_of({"weights": weights, "accept": {"unbakeable_weights": WHY}})
    (found,) = check(stack, None, TODAY)
    assert (found.level, found.accepted) == ("error", "")
    assert found.fix.endswith("`accept` has no say here")


def test_terms_that_nobody_has_read_can(stack_of) -> None:
    weights = [{"url": "https://example.org/79999_iter.pth", "into": "/w"}]
    stack = stack_of({"weights": weights, "accept": {"unbakeable_weights/79999_iter.pth": WHY}})
    assert levels(stack) == {"unbakeable_weights/79999_iter.pth": "accepted"}


@pytest.mark.parametrize("reason", ["", "because", "          ", "two\nlines of reason"])
def test_a_reason_is_written_out(stack_of, reason: str) -> None:
    with pytest.raises(InputError, match="is not a reason"):
        stack_of({"accept": {"torch_gpus": reason}})


def test_accepting_changes_no_digest(stack_of) -> None:
    assert digest(stack_of({"accept": {"torch_gpus": WHY}})) == digest(stack_of())


def test_json_carries_each_part_and_only_errors_fail(stack_of, tmp_path: Path) -> None:
    stack_of({"gpus": ["9.0", "12.0"], "accept": {"torch_gpus/9.0": WHY}}, OLD)

    def run() -> tuple[object, list[dict[str, object]]]:
        done = CliRunner().invoke(program, ["--json", "--stacks", str(tmp_path), "check", "mine"], obj=Given(Ui()))
        return done.exception, json.loads(done.stdout)["stacks"]["mine"]

    error, (accepted, refused) = run()
    assert isinstance(error, InputError)
    assert set(accepted) == {"rule", "about", "level", "problem", "cause", "fix", "source", "unverified", "accepted"}
    assert (accepted["level"], accepted["accepted"]) == ("accepted", WHY)
    assert (refused["rule"], refused["about"], refused["level"]) == ("torch_gpus", "12.0", "error")
    path = tmp_path / "mine" / "stack.yaml"
    path.write_text(path.read_text().replace("torch_gpus/9.0", "torch_gpus"))
    assert load_stack("mine", Settings(home=tmp_path, stacks=(tmp_path,))).accept == {"torch_gpus": WHY}
    error, findings = run()
    assert error is None
    assert {one["level"] for one in findings} == {"accepted"}


def test_an_accept_of_weights_that_a_site_mounts_is_left_alone(stack_of) -> None:
    weights = [{"name": "79999_iter.pth", "bake": False, "into": "/w"}]
    stack = stack_of({"weights": weights, "accept": {"unbakeable_weights/79999_iter.pth": WHY}})
    assert levels(stack, lock_of("numpy==1.24.4")) == {}
