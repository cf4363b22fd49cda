"""Download one torchvision weights file and check it against the hash in its name; runs on the submitting host."""

from florilegium.downloads import download
from florilegium.files import file_digest
from florilegium.networks import weights_url
from florilegium.step import log, run_step


def main(job):
    target, architecture = job.output.weights, job.wildcards.architecture
    url = weights_url(architecture, job.wildcards.entry)
    sha256 = url.rsplit("-", 1)[1].removesuffix(".pth")
    advice = (
        f"download {url} (sha256 {sha256}…) elsewhere and put it at {target}, "
        f"or name a local file in weights.{architecture}, or set it to none"
    )
    download(url, target, "sha256", sha256, advice)
    log.info("%s: sha256 %s", target, file_digest(target))


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
