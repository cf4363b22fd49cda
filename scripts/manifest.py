"""List every photograph, decode it once, and refuse by name what cannot be trained on."""

from pathlib import Path

from florilegium.audit import audited, duplicates_across_splits
from florilegium.datasets import list_photographs
from florilegium.files import write_json, written_whole
from florilegium.provenance import digest_of
from florilegium.step import log, run_step


def main(job):
    settings = job.params.settings
    listed = list_photographs(settings["kind"], Path(settings["root"]), settings["split"])
    table = audited(listed, job.threads)
    names = table.drop_duplicates("label").sort_values("label")["class_name"].tolist()
    duplicates = duplicates_across_splits(table)
    dataset = {
        "kind": settings["kind"],
        "class_names": names,
        "images": table["split"].value_counts().to_dict(),
        "fingerprint": digest_of(table[["sha256", "label", "split"]].values.tolist()),
        "converted_from": table["mode"].value_counts().drop("RGB", errors="ignore").to_dict(),
        "duplicates_across_splits": duplicates,
    }
    for pair in duplicates:
        log.warning("the same picture lies in two splits: %s", " and ".join(pair))
    with written_whole(job.output.manifest) as partial:
        columns = ["path", "label", "class_name", "split", "sha256", "width", "height"]
        table[columns].to_csv(partial, index=False)
    write_json(job.output.dataset, dataset)
    log.info("%d classes, images: %s", len(names), dataset["images"])


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
