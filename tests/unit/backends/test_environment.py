"""A native module sees the GPUs it was given and no other, and none of the secrets around it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from las_jupyter.backends.environment import environment
from las_jupyter.core.launch import Gpus, LaunchSpec, SecretUse
from las_jupyter.core.states import Mode


@pytest.mark.parametrize(
    ("gpus", "cuda", "hip", "rocr"),
    [
        (Gpus(), "", "", ""),
        (Gpus(("1",), "nvidia"), "1", "1", "1"),
        (Gpus(("1", "3"), "amd"), "0,1", "0,1", "1,3"),
    ],
    ids=["none", "NVIDIA's by number", "AMD's are counted anew by the second layer"],
)
def test_only_the_gpus_it_was_given_are_seen(gpus, cuda, hip, rocr):
    inherited = dict.fromkeys(("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"), "7")

    found = environment(inherited, LaunchSpec("x", "x", Mode.NATIVE, "native", ("x",), gpus=gpus), {})

    names = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")
    assert [found[name] for name in names] == [cuda, hip, rocr]


def given_to(base: dict[str, str], **spec: object) -> dict[str, str]:
    return environment(base, LaunchSpec("x", "x", Mode.NATIVE, "native", ("x",))._replace(**spec), {"api_key": "ours"})  # type: ignore[arg-type]


NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,8}(_[A-Za-z0-9]{1,8}){0,3}", fullmatch=True)
SECRETS = st.sampled_from(["TOKEN", "SECRET", "PASSWORD", "KEY", "token", "Secret", "PASSWD", "PASSPHRASE"])


@given(NAMES, SECRETS, st.text())
def test_no_secret_of_the_surroundings_reaches_a_server_whoever_gave_it_its_name(name, kind, value):
    for secret in (f"{name}_{kind}", f"{name}{kind}", f"{name}_{kind}_FILE", kind):
        if secret.upper() not in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
            assert secret not in given_to({secret: value}), secret
            assert secret not in given_to({secret: value}, model="hf:a/b"), secret


@pytest.mark.parametrize(
    "name",
    [
        "JUPYTERHUB_API_TOKEN", "JPY_API_TOKEN", "JUPYTER_TOKEN", "JUPYTERHUB_USER", "JUPYTERHUB_OAUTH_SCOPES",
        "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "GOOGLE_APPLICATION_CREDENTIALS", "AZURE_CLIENT_SECRET", "OPENAI_API_KEY", "GITHUB_TOKEN", "GH_PAT", "MYPASS",
        "DB_PASS", "PGPASSWORD", "PGPASSFILE", "SENTRY_DSN", "SSH_AUTH_SOCK", "KUBECONFIG", "WANDB_API_KEY",
        "NGC_API_KEY", "hf_token", "HF_TOKEN",
    ],
)  # fmt: skip
def test_keys_that_notebooks_have_around_them_are_not_handed_on(name):
    assert name not in given_to({name: "value"})


@pytest.mark.parametrize(
    "name",
    [
        "PATH", "HOME", "PWD", "OLDPWD", "LANG", "USER", "LD_LIBRARY_PATH", "CONDA_PREFIX", "VIRTUAL_ENV", "TMPDIR",
        "CUDA_HOME", "CUDA_CACHE_PATH", "NCCL_DEBUG", "OMP_NUM_THREADS", "TOKENIZERS_PARALLELISM", "HF_HOME",
        "HF_HUB_OFFLINE", "HF_ENDPOINT", "VLLM_USE_V1", "LLAMA_ARG_CTX_SIZE", "XDG_CACHE_HOME", "SSL_CERT_FILE",
        "REQUESTS_CA_BUNDLE", "http_proxy", "HTTPS_PROXY", "NO_PROXY", "PYTORCH_CUDA_ALLOC_CONF", "XDG_SESSION_ID",
        "TERM", "MAX_TOKENS",
    ],
)  # fmt: skip
def test_what_programs_need_to_work_is_handed_on(name):
    assert given_to({name: "http://me:word@proxy:3128"} if "proxy" in name.lower() else {name: "value"})[name]


def test_an_address_with_a_password_is_a_secret_whatever_its_name():
    assert "DATABASE_URL" not in given_to({"DATABASE_URL": "postgres://me:word@host/db"})
    assert given_to({"DATABASE_URL": "postgres://host/db", "SITE": "https://me@host/a:b@c"}).keys() >= {
        "DATABASE_URL",
        "SITE",
    }


@pytest.mark.parametrize("name", ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"])
def test_the_token_of_the_hub_of_models_is_for_servers_of_a_model(name):
    assert given_to({name: "hf_x"}, model="hf:meta/gated")[name] == "hf_x"
    assert name not in given_to({name: "hf_x"})


def test_what_is_asked_for_and_what_is_its_own_is_given_under_any_name():
    secret = SecretUse("api_key", env="ENGINE_API_KEY")

    found = given_to(
        {"MY_TOKEN": "around", "ENGINE_API_KEY": "around"}, env={"MY_TOKEN": "asked for"}, secrets=(secret,)
    )

    assert (found["MY_TOKEN"], found["ENGINE_API_KEY"]) == ("asked for", "ours")
