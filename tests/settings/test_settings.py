"""The levels of settings, what is refused in them, and the addresses they lead to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from builder.errors import InputError, InputErrors
from builder.settings import ClientCertificate, GitSsh, Settings, load
from tests.conftest import cli, document


@pytest.fixture
def place(tmp_path):
    """Writes the user's and the project's file and loads with a given environment; gives back the loader."""
    project = tmp_path / "project"
    (project / "below").mkdir(parents=True)

    def run(user: str = "", own: str = "", given: tuple[str, ...] = (), **environ: str) -> Settings:
        (tmp_path / "modelstacks").mkdir(exist_ok=True)
        (tmp_path / "modelstacks" / "modelstacks.toml").write_text(user)
        (project / "modelstacks.toml").write_text(own)
        environ = {"XDG_CONFIG_HOME": str(tmp_path), **environ}
        return load(environ=environ, folder=project / "below", given=given)

    return run


def test_each_level_wins_over_the_one_before_and_is_named(place, tmp_path):
    user = 'jobs = 2\nindex = "https://user.example/simple"\n[mirrors]\ndebian = "https://u.example/debian"\n'
    levels = [
        (place(user), 2, f"{tmp_path}/modelstacks/modelstacks.toml:1"),
        (place(user, "# mine\njobs = 3\n"), 3, f"{tmp_path}/project/modelstacks.toml:2"),
        (place(user, "jobs = 3", MODELSTACKS_JOBS="4"), 4, "MODELSTACKS_JOBS"),
        (place(user, "jobs = 3", MODELSTACKS_JOBS="4", given=("jobs=5",)), 5, "--set jobs"),
    ]
    assert [(found.jobs, found.sources["jobs"]) for found, _, _ in levels] == [row[1:] for row in levels]
    assert {found.index for found, _, _ in levels} == {"https://user.example/simple"}, "what no later level says stays"
    assert levels[0][0].mirrors == {"debian": "https://u.example/debian"}
    assert levels[0][0].sources["mirrors.debian"].endswith("modelstacks.toml:4")
    bare = place()
    assert (bare.jobs, bare.sources["jobs"], bare.tls) == (8, "default", "verify")


def test_every_setting_reaches_its_place(place, tmp_path):
    text = """
home = "data"
cache = "/var/cache/modelstacks"
stacks = ["mine"]
ca-bundle = ["site.pem", "/etc/site"]
mount-weights = ["alexnet-*.pth"]
tls = "hash-locked"
engine = "tcp://build.example:2376"
image-prefix = "registry.example:5000/team"
files = "registry.example:5000/team/files"
builder = "farm"
build-cache = "registry.example:5000/team/cache"
security = "on"
[rewrites]
"https://files.example/whl" = ["https://a.example/whl", "https://b.example/whl/"]
"https://git.example/" = "https://nexus.example/git/"
[images]
"docker.io" = "harbor.example/hub"
[mirrors]
ubuntu = ["http://one.example/ubuntu", "http://two.example/ubuntu"]
[tokens]
"NEXUS.example" = "NEXUS_TOKEN"
[client-certificates."nexus.example:8443"]
cert = "client.pem"
[git-ssh."git.example"]
key = "deploy"
known-hosts = "/etc/known"
[timeouts]
read = 5
"""
    found = place(own=text, CA_BUNDLE="/tmp/other.pem", MODELSTACKS_MOUNT_WEIGHTS="a?c:*.onnx")
    project = tmp_path / "project"
    assert found.home == project / "data"
    assert found.cache_folder == Path("/var/cache/modelstacks")
    assert found.stacks[1:] == (project / "mine",)
    assert found.ca_bundle == (project / "site.pem", Path("/etc/site"), Path("/tmp/other.pem")), "each level adds"
    assert found.mount_weights == ("alexnet-*.pth", "a?c", "*.onnx")
    assert found.sources["mount-weights"] == f"{project}/modelstacks.toml:6, MODELSTACKS_MOUNT_WEIGHTS"
    assert (found.tls, found.read_timeout, found.connect_timeout) == ("hash-locked", 5, 15)
    assert found.engine_environment({}) == {"DOCKER_HOST": "tcp://build.example:2376"}
    assert found.engine_environment({"DOCKER_CONTEXT": "mine"}) == {}
    assert found.image("gsplat") == "registry.example:5000/team/gsplat:latest"
    assert found.files == "registry.example:5000/team/files"
    assert (found.builder, found.build_cache) == ("farm", "registry.example:5000/team/cache")
    assert found.tokens == {"nexus.example": "NEXUS_TOKEN"}
    client = project / "client.pem"
    assert found.client_certificates == {"nexus.example:8443": ClientCertificate(cert=client, key=client)}
    assert found.security
    ssh = GitSsh(key=project / "deploy", known_hosts=Path("/etc/known"))
    assert found.git_ssh == {"git.example": ssh}
    assert found.ssh("https://git.example/team/x") == ssh
    assert found.ssh("https://other.example/team/x") is None
    assert found.mirrors == {"ubuntu": "http://one.example/ubuntu"}
    assert found.mirrored("http://one.example/ubuntu/dists/x") == [
        f"http://{host}.example/ubuntu/dists/x" for host in ("one", "two")
    ]
    assert found.image_mirrors("debian:12") == ["harbor.example/hub/library/debian:12"]


def test_a_project_entry_stands_in_place_of_the_users_and_the_rest_stays(place):
    user = '[rewrites]\n"https://a.example" = "https://one.example"\n"https://b.example" = "https://one.example/b"\n'
    found = place(user, '[rewrites]\n"https://a.example" = "https://two.example"\n')
    assert found.mirrored("https://a.example/x") == ["https://two.example/x"]
    assert found.mirrored("https://b.example/x") == ["https://one.example/b/x"]


@pytest.mark.parametrize(
    ("text", "line", "says", "fix"),
    [
        ("jbos = 4", 1, "there is no setting `jbos`", "did you mean `jobs`?"),
        ("\nca_bundle = 'x'", 2, "there is no setting `ca_bundle`", "did you mean `ca-bundle`?"),
        ("[mirrors]\ndebain = 'https://x.example/debian'", 2, "`mirrors.debain`", "did you mean `debian`?"),
        ("[archives]\ndebian = 'https://x.example'", 1, "there is no setting `archives`", "under [mirrors] now"),
        ("[mirrors]\n'https://a.example' = 'https://b.example'", 2, "https://a.example`", "under [rewrites] now"),
        ("jobs = 'four'", 1, "`jobs`: input should be a valid integer", "1 to 64"),
        ("jobs = 0", 1, "`jobs`: input should be greater than or equal to 1", "1 to 64"),
        ("tls = 'off'", 1, "`tls`: input should be 'verify' or 'hash-locked'", "hash-locked"),
        ("index = 'files.example'", 1, "not an http(s) address", "https://HOST/PATH"),
        ("[rewrites]\n'https://a.example' = 'http://b.example'", 2, "has no TLS", "https://b.example"),
        ("[rewrites]\n'https://a.example' = []", 2, "at least 1 item", "docs/settings.md"),
        ("[images]\n'docker.io' = 'https://harbor.example'", 2, "beginning of an image name", "without https://"),
        ("image-prefix = 'Team'", 1, "beginning of an image name", "registry.example.org:5000/team"),
        ("[tokens]\n'a.example' = 'glpat-secret'", 2, "not the name of an environment variable", "not the token"),
        ("[tokens]\n'https://a.example' = 'A'", 2, "it is not a host", "nexus.example.org"),
        ("[timeouts]\nread = -1", 2, "`timeouts.read`: input should be greater than 0", "seconds"),
        ("[client-certificates.'a.example']\nkey = 'k'", 1, "`client-certificates.a.example.cert`: field required", ""),
        ("jobs =", 1, "are not TOML", ""),
        ("jobs = 1\njobs = 2", 2, "are not TOML", ""),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_its_line(place, tmp_path, text, line, says, fix):
    with pytest.raises(InputError) as caught:
        place(own=text)
    assert caught.value.where == f"{tmp_path}/project/modelstacks.toml:{line}"
    assert says in caught.value.problem
    assert fix in caught.value.fix
    assert "secret" not in str(caught.value)


def test_several_faults_are_told_together_and_variables_by_name(place):
    with pytest.raises(InputErrors) as caught:
        place(own="jbos = 1\ntls = 'no'\n")
    assert len(caught.value.errors) == 2
    with pytest.raises(InputError) as one:
        place(MODELSTACKS_JOBS="many")
    assert (one.value.where, one.value.exit_code) == ("MODELSTACKS_JOBS", 2)
    with pytest.raises(InputError, match="--set jbos names no setting"):
        place(given=("jbos=1",))
    with pytest.raises(InputError) as old:
        place(given=("archives.debian=https://x.example/debian",))
    assert old.value.fix == "it is called mirrors.debian now"


def test_a_file_of_another_user_is_refused(place, tmp_path):
    place(own="jobs = 1")
    if os.geteuid():
        pytest.skip("giving a file away needs root")
    os.chown(tmp_path / "project" / "modelstacks.toml", 12345, -1)
    with pytest.raises(InputError, match="belong to another user"):
        load(environ={}, folder=tmp_path / "project")


@pytest.mark.parametrize(
    ("url", "first"),
    [
        ("https://files.example/whl/cu118/torch.whl", "https://m.example/whl/cu118/torch.whl"),
        ("https://FILES.example:443/whl/x", "https://m.example/whl/x"),
        ("https://files.example/whl", "https://m.example/whl"),
        ("https://files.example/whl?a=1", "https://m.example/whl?a=1"),
        ("https://files.example/whl/deep/x", "https://deep.example/x"),
        ("https://files.example/whlx", "https://files.example/whlx"),
        ("https://files.example.evil.example/whl/x", "https://files.example.evil.example/whl/x"),
        ("https://files.example@evil.example/whl/x", "https://files.example@evil.example/whl/x"),
        ("http://files.example/whl/x", "http://files.example/whl/x"),
    ],
)
def test_the_longest_prefix_that_ends_where_a_part_ends_is_replaced(url, first):
    rewrites = {
        "https://files.example/whl/": ("https://m.example/whl",),
        "https://files.example/whl/deep": ("https://deep.example/",),
    }
    assert Settings(home=Path("/x"), stacks=(), rewrites=rewrites).mirrored(url) == [first]


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("nvidia/cuda:12.9.1", ["harbor.example/nv/cuda:12.9.1", "backup.example/cuda:12.9.1"]),
        ("docker.io/library/debian@sha256:1", ["harbor.example/hub/library/debian@sha256:1"]),
        ("debian", ["harbor.example/hub/library/debian"]),
        ("ghcr.io/org/app:1", ["ghcr.io/org/app:1"]),
        ("localhost:5000/app", ["localhost:5000/app"]),
        ("docker.io.evil.example/app", ["docker.io.evil.example/app"]),
    ],
)
def test_image_names_are_rewritten_by_part(reference, found):
    images = {"docker.io": ("harbor.example/hub",), "docker.io/nvidia": ("harbor.example/nv", "backup.example")}
    assert Settings(home=Path("/x"), stacks=(), images=images).image_mirrors(reference) == found


def test_a_token_is_for_its_host_and_port_over_https_alone():
    settings = Settings(home=Path("/x"), stacks=(), tokens={"a.example": "A", "a.example:8443": "B"})
    asked = {
        "https://a.example/x": "A",
        "https://a.example:443/x": "A",
        "https://A.EXAMPLE/x": "A",
        "https://a.example:8443/x": "B",
        "https://a.example:9000/x": "",
        "http://a.example/x": "",
        "https://b.a.example/x": "",
        "https://a.example@b.example/x": "",
    }
    assert {url: settings.token_variable(url) for url in asked} == asked


def test_the_command_line_reads_them(tmp_path):
    (tmp_path / "modelstacks").mkdir()
    (tmp_path / "modelstacks" / "modelstacks.toml").write_text('stacks = "none"\njbos = 1\n')
    done = cli("--json", "list", env={"XDG_CONFIG_HOME": str(tmp_path)})
    (error,) = document(done, code=2)["errors"]
    assert error["where"] == f"{tmp_path}/modelstacks/modelstacks.toml:2"
    warned = cli("--set", "tls=hash-locked", "list")
    assert warned.returncode == 0
    assert warned.stderr.count("hash-locked") == 1
    assert "hash-locked" not in cli("list").stderr
