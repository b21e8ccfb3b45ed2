"""Have tensorflow-datasets fetch and prepare a set, or say what to fetch by hand."""

import hashlib
import importlib
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from alexnet_tf.errors import AlexNetError, ConfigError, DataError, some
from alexnet_tf.nearest import nearest

_PATIENCE_SECONDS = 10
_URLS_SHOWN = 6


def prepare(name: str, data_dir: Path, *, builder: str = "") -> Path:
    """Download and prepare a set below `data_dir` and return its folder.

    Files that were fetched by hand into `downloads/manual/` of that folder are used instead of the network,
    once their size and checksum were found right.

    Args:
        name: As tensorflow-datasets knows it.
        data_dir: Made if missing.
        builder: A module to import first, which defines a set that tensorflow-datasets does not bring.

    Raises:
        ConfigError: When tensorflow-datasets knows no such set.
        DataError: When the set cannot be fetched or prepared; says which files to put where.
    """
    import tensorflow_datasets as tfds

    if builder:
        importlib.import_module(builder)
    try:
        found = tfds.builder(name, data_dir=data_dir, file_format="tfrecord")
    except (tfds.core.DatasetNotFoundError, ValueError) as error:
        known = tfds.list_builders(with_community_datasets=False)
        raise ConfigError(
            f"download.source: expected tfds: and the name of a set that tensorflow-datasets knows, found "
            f"{name!r}{nearest(name, known)}"
        ) from error
    manual = data_dir / "downloads" / "manual"
    manual.mkdir(parents=True, exist_ok=True)  # so that what the message names is there to be filled
    _check_obtainable(name, found, manual)
    try:
        found.download_and_prepare(download_dir=manual.parent)
    except AlexNetError:
        raise
    except Exception as error:  # the network's, the disk's, the archives' errors: all mean the same to the user
        raise DataError(
            f"tensorflow-datasets could not prepare {name} in {data_dir} ({type(error).__name__}: {error}); "
            f"{_way_out(found, manual)}"
        ) from error
    return Path(found.data_dir)


def _check_obtainable(name: str, builder, manual: Path) -> None:
    """Fail within seconds where tensorflow-datasets would go on trying for many minutes."""
    instructions = builder.MANUAL_DOWNLOAD_INSTRUCTIONS
    if instructions and not any(manual.glob("*")):
        raise DataError(
            f"The data set {name} has to be fetched by hand, and {manual} is empty: {' '.join(instructions.split())}"
        )
    missing = []
    for url, info in (builder.url_infos or {}).items():
        if info.filename and (manual / info.filename).is_file():
            _check_whole(manual / info.filename, url, info)
        else:
            missing.append(url)
    reason = _unreachable(missing[0]) if missing else None
    if reason:
        raise DataError(
            f"The data set {name} is not prepared in {manual.parents[1]} and "
            f"{urlsplit(missing[0]).hostname} cannot be reached ({reason}); {_way_out(builder, manual)}"
        )


def _check_whole(path: Path, url: str, info) -> None:
    """Find half downloads and other files: tensorflow-datasets takes what was placed by hand as it is.

    Raises:
        DataError: When size or SHA-256 are not those that tensorflow-datasets has on record.
    """
    size = path.stat().st_size
    if info.size and size != info.size:
        half = "a half download" if size < info.size else "another file"
        raise DataError(f"{path}: expected {info.size} bytes, found {size}, so {half}; fetch {url} again.")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != info.checksum:
        raise DataError(
            f"{path}: expected SHA-256 {info.checksum}, found {digest}, so another or a damaged file; "
            f"fetch {url} again."
        )


def _way_out(builder, manual: Path) -> str:
    urls = list(builder.url_infos or ())
    if not urls:
        return f"put what it needs into {manual} and run again."
    return f"fetch {some(urls, _URLS_SHOWN)} elsewhere, put the files into {manual} and run again."


def _unreachable(url: str) -> str | None:
    """Return why a URL cannot be reached, or None: any answer of its server will do."""
    try:
        urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=_PATIENCE_SECONDS).close()
    except urllib.error.HTTPError as error:
        error.close()
    except OSError as error:
        return str(getattr(error, "reason", error))
    return None
