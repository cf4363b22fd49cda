"""What is known of the terms that a trained network is under: facts for the model card, and no legal advice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from florilegium.markdown import cell

# What is known of the photographs' terms, by kind of dataset; sources: the authors' page and paper, and our own code.
PHOTOGRAPHS = {
    "flowers102": "Oxford Flowers102 (Nilsback and Zisserman, *Automated flower classification over a large number of "
    "classes*, 2008): most photographs were collected from the web, and their authors keep their rights. The dataset's "
    "page (<https://www.robots.ox.ac.uk/~vgg/data/flowers/102/>) grants no licence for them; whether a use other than "
    "research is allowed is for you to find out.",
    "garden": "The pictures were drawn by this workflow; nobody else has rights in them.",
}
YOUR_PHOTOGRAPHS = "The photographs are the user's own: their terms are not known to this workflow."


def licences(facts: Mapping[str, Any]) -> str:
    """What is known of the terms; no legal advice."""
    weights = facts["weights"]
    if not facts["pretrained"]:
        text = "No pretrained weights were used."
    elif weights.startswith("file "):
        text = f"The backbone's weights come from a local file ({cell(weights)}): their terms are not known here."
    else:
        text = (
            f"The backbone's weights are torchvision's `{weights}`. torchvision says that pretrained models may have "
            "terms of their own that derive from the training data. ImageNet is given out for non-commercial research "
            "and education; whether that binds weights trained on it is not settled."
        )
        text += " The SWAG weights are CC-BY-NC 4.0." if "SWAG" in weights else ""
    return f"""## Licences

Facts, and no legal advice:

- **Architecture:** torchvision's code, BSD 3-Clause.
- **Weights:** {text}
- **Photographs:** {PHOTOGRAPHS.get(facts["data"]["kind"], YOUR_PHOTOGRAPHS)}"""
