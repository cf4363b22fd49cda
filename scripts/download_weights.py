"""Download one torchvision weights file and check it against the hash in its name; runs on the submitting host."""

import socket
from urllib.error import URLError

from florilegium.errors import UserError
from florilegium.files import file_digest, written_whole
from florilegium.networks import weights_url
from florilegium.step import log, run_step

TIMEOUT = 20  # seconds without a byte


def main(job):
    from torch.hub import download_url_to_file

    socket.setdefaulttimeout(TIMEOUT)
    target, url = job.output.weights, weights_url(job.wildcards.architecture, job.wildcards.entry)
    expected = url.rsplit("-", 1)[1].removesuffix(".pth")
    advice = (
        f"{url} with sha256 {expected}…; download it elsewhere and put it at {target}, or name a local file in "
        f"weights.{job.wildcards.architecture}, or set it to none"
    )
    with written_whole(target) as partial:
        try:
            download_url_to_file(url, str(partial), hash_prefix=expected)
        except (URLError, OSError, RuntimeError) as error:
            raise UserError(
                f"weights.{job.wildcards.architecture}: download failed ({error}); expected {advice}"
            ) from error
    log.info("%s: sha256 %s", target, file_digest(target))


if __name__ == "__main__":
    run_step(main, globals().get("snakemake"))
