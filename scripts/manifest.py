"""List every photograph, decode it once, and refuse by name what cannot be trained on."""

from pathlib import Path

from florilegium.audit import NAMED, audited
from florilegium.datasets import list_photographs, passed_over
from florilegium.duplicates import across_splits, near_groups
from florilegium.files import write_json, written_whole
from florilegium.listing import states
from florilegium.provenance import digest_of
from florilegium.splits import SPLITS, folds_of, protocol
from florilegium.step import log, run_step

COLUMNS = ["path", "label", "class_name", "split", "fold", "sha256", "width", "height", "converted"]


def main(job):
    settings = job.params.settings
    listing = {"fingerprint": settings.get("photographs"), "files": {}}
    if listing["fingerprint"]:  # before the files are read: a later change will show
        listing["files"] = states(settings["root"])
    kind, root, split = settings["kind"], Path(settings["root"]), settings["split"]
    listed = list_photographs(kind, root, split, settings["class_names"] and Path(settings["class_names"]))
    table, skipped = audited(listed, job.threads, settings["on_bad_image"], split["folds"])
    table["fold"] = folds_of(table, split)
    table["near"] = near_groups(table["hash"])
    for row in skipped.head(NAMED).itertuples():
        log.warning("skipped %s: %s", row.path, row.problem)
    dataset = describe(table, split["folds"]) | {
        "kind": kind,
        "skipped": skipped.to_dict("records"),
        "passed_over": passed_over(kind, root),
    }
    for group in dataset["duplicates_across_splits"][:NAMED]:
        places = " and ".join(f"{picture['path']} ({picture['part']})" for picture in group)
        log.warning("the same picture lies in two splits: %s", places)
    if near := len(dataset["near_duplicates_across_splits"]):
        log.warning("%d picture(s) have nearly the same picture in another split: see the audit", near)
    with written_whole(job.output.manifest) as partial:
        table[COLUMNS].to_csv(partial, index=False)
    write_json(job.output.dataset, dataset)
    write_json(job.output.listing, listing)
    log.info("%d classes, images: %s, skipped: %d", len(dataset["class_names"]), dataset["images"], len(skipped))


def describe(table, folds):
    """What dataset.json says of the photographs that are used."""
    not_exact = table.groupby("near")["sha256"].transform("nunique") > 1
    identity = ["sha256", "label", "split", *(["fold"] if folds else [])]
    return {
        "class_names": table.drop_duplicates("label").sort_values("label")["class_name"].tolist(),
        "images": {split: int((table["split"] == split).sum()) for split in SPLITS},
        "folds": folds,
        "protocol": protocol(folds),
        "fingerprint": digest_of(table[identity].astype(object).where(table[identity].notna(), None).values.tolist()),
        "converted": table["converted"].loc[table["converted"] != ""].value_counts().to_dict(),
        "duplicates_across_splits": across_splits(table, "sha256"),
        "near_duplicates_across_splits": across_splits(table[not_exact], "near"),
    }


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
