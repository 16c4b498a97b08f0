"""A secret of the user's own is told by its name and by its looks, and hidden wherever it would be shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from las_jupyter.core.launch import LaunchSpec
from las_jupyter.core.secrecy import (
    MASK,
    hide_in,
    hide_values,
    hide_words,
    kept_apart,
    looks_secret,
    parts_to_hide,
    secret_variables,
)
from las_jupyter.core.states import Mode

NAMES = [
    *(
        "DB_PASS",
        "MYPASS",
        "PGPASSWORD",
        "password",
        "POSTGRES_PASSWORD",
        "HF_TOKEN",
        "OPENAI_API_KEY",
        "apiKey",
        "SECRET",
    ),
    *(
        "SECRET",
        "WEBUI_SECRET_KEY",
        "SENTRY_DSN",
        "AUTH_COOKIE",
        "SESSION",
        "AWS_CREDENTIALS",
        "DB_PWD",
        "HTTP_AUTH",
        "KEY2",
    ),
    *("QDRANT__SERVICE__API_KEY", "aws.secret.access.key"),
]
HARMLESS = [
    *[("TOKENIZERS_PARALLELISM", "false"), ("MAX_TOKENS", "4096"), ("SESSION_TIMEOUT", "30s"), ("PWD", "/home/me")],
    *[("KEYBOARD", "de"), ("POSTGRES_HOST_AUTH_METHOD", "trust"), ("PASSWORD_FILE", "/run/secret"), ("PATH", "/bin")],
    *[("AWS_ACCESS_KEY_ID", "x"), ("WEBUI_AUTH", "False"), ("OLLAMA_HOST", "http://127.0.0.1:11434")],
    *[("URL", "http://h:8080/a@b"), ("OMP_NUM_THREADS", "4")],
]
VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="@'\"&#"), min_size=4).filter(
    lambda value: not value.isdigit() and value.lower() not in ("true", "false", "none", "auto")
)


@pytest.mark.parametrize("name", NAMES)
def test_a_variable_that_is_called_like_a_secret_is_hidden(name: str) -> None:
    assert hide_values({name: "SuperPw99"}) == {name: MASK}


@pytest.mark.parametrize(("name", "value"), HARMLESS)
def test_what_only_sounds_like_a_secret_is_shown(name: str, value: str) -> None:
    assert hide_values({name: value}) == {name: value}


@pytest.mark.parametrize(
    "value",
    ["postgres://u:SuperPw99@h/db", "redis://:SuperPw99@h", "amqp://u:Sup/erPw99@h", "https://h/?api_key=SuperPw99&b=1",
     '{"password": "SuperPw99"}', "x sk-SuperPw99SuperPw99", "Bearer SuperPw99", "hf_SuperPw99SuperPw99"],
)  # fmt: skip
def test_a_value_that_looks_like_a_secret_is_hidden_whatever_it_is_called(value: str) -> None:
    assert looks_secret("PLAIN", value)
    assert "SuperPw99" not in hide_in(value)


@pytest.mark.parametrize(
    "words",
    [["--api-key", "SuperPw99"], ["--api-key=SuperPw99"], ["--requirepass", "SuperPw99"], ["--requirepass SuperPw99"],
     ["-c", "password=SuperPw99"], ["--db", "postgres://u:SuperPw99@h"], ["--db=postgres://u:SuperPw99@h"],
     ["-c", "primary_conninfo=host=h user=u password=SuperPw99"], ["--header", "Authorization: Bearer SuperPw99"],
     ["--config", '{"token": "SuperPw99"}'], ["--password", "-SuperPw99"], ["API_KEY=SuperPw99"]],
)  # fmt: skip
def test_a_secret_among_the_words_of_a_command_is_hidden(words: list[str]) -> None:
    assert "SuperPw99" not in " ".join(hide_words(["serve", *words, "--verbose"]))
    assert hide_words(["serve", *words, "--verbose"])[-1] == "--verbose"


def test_other_words_of_a_command_are_shown() -> None:
    words = (
        *(
            "serve",
            "--ctx-size",
            "8192",
            "--api-key-file",
            "{secret_file:api_key}",
            "--host=127.0.0.1",
            "-m",
            "/a b/c.gguf",
        ),
        *("/a b/c.gguf", "--max-tokens", "5", "--no-auth", "--key", "--verbose", "--system-prompt", "you are  kind"),
    )

    assert hide_words(words) == words


@given(name=st.sampled_from(NAMES), value=VALUES, words=st.lists(st.sampled_from(["serve", "--a", "-b", "c=d"])))
def test_no_spelling_of_an_option_shows_its_secret(name: str, value: str, words: list[str]) -> None:
    for spelled in ([f"--{name}={value}"], [f"{name}={value}"], [f"--{name}", f"v{value}"]):
        told = hide_words([*words, *spelled])
        assert told[: len(words)] == tuple(words)
        assert value not in told[-1] or value in f"--{name}={MASK}"


@given(value=VALUES.filter(lambda value: not value[0].isdigit()))
def test_the_password_of_an_address_is_hidden_in_logs_by_itself(value: str) -> None:
    assert value in list(parts_to_hide([f"postgres://user:{value}@host/db"]))


def test_a_password_written_in_percent_is_hidden_as_it_is_meant() -> None:
    assert list(parts_to_hide(["pg://u:p%40ss@h", "x"])) == ["pg://u:p%40ss@h", "p%40ss", "p@ss", "x"]


@given(st.dictionaries(st.sampled_from(NAMES + [name for name, _ in HARMLESS]), VALUES))
def test_a_spec_names_its_secrets_and_holds_none_of_their_values(env: dict[str, str]) -> None:
    spec = LaunchSpec("chat", "m", Mode.NATIVE, "native", ("x",), env={"KEPT": "1", **env})

    secret = secret_variables(spec.env, ("KEPT",))
    apart = kept_apart(spec, secret)

    assert {use.env: secret[use.name] for use in apart.secrets} | apart.env == spec.env
    assert not any(looks_secret(name, value) for name, value in apart.env.items())
    assert "KEPT" not in apart.env
