"""Have tensorflow-datasets fetch and prepare a set, or say what to fetch by hand."""

import difflib
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from alexnet_tf.errors import ConfigError, DataError

_PATIENCE_SECONDS = 10
_URLS_SHOWN = 6


def prepare(name: str, data_dir: Path) -> Path:
    """Download and prepare a set below `data_dir` and return its folder.

    Files that were fetched by hand into `downloads/manual/` of that folder are used instead of the network.

    Raises:
        ConfigError: When tensorflow-datasets knows no such set.
        DataError: When the set cannot be fetched or prepared; says which files to put where.
    """
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(name, data_dir=data_dir, file_format="tfrecord")
    except (tfds.core.DatasetNotFoundError, ValueError) as error:
        near = difflib.get_close_matches(name, tfds.list_builders(with_community_datasets=False), 1)
        raise ConfigError(
            f"download.source: expected tfds: and the name of a set that tensorflow-datasets knows, found "
            f"{name!r}{f'; did you mean {near[0]!r}?' if near else '.'}"
        ) from error
    manual = data_dir / "downloads" / "manual"
    _check_obtainable(name, builder, manual)
    try:
        builder.download_and_prepare(download_dir=manual.parent)
    except Exception as error:  # the network's, the disk's, the archives' errors: all mean the same to the user
        raise DataError(
            f"tensorflow-datasets could not prepare {name} in {data_dir} ({type(error).__name__}: {error}); "
            f"{_way_out(builder, manual)}"
        ) from error
    return Path(builder.data_dir)


def _check_obtainable(name: str, builder, manual: Path) -> None:
    """Fail within seconds where tensorflow-datasets would go on trying for many minutes."""
    instructions = builder.MANUAL_DOWNLOAD_INSTRUCTIONS
    if instructions and not any(manual.glob("*")):
        raise DataError(
            f"The data set {name} has to be fetched by hand, and {manual} is empty: {' '.join(instructions.split())}"
        )
    missing = [url for url, info in builder.url_infos.items() if not (manual / (info.filename or "")).is_file()]
    reason = _unreachable(missing[0]) if missing else None
    if reason:
        raise DataError(
            f"The data set {name} is not prepared in {manual.parents[1]} and "
            f"{urlsplit(missing[0]).hostname} cannot be reached ({reason}); {_way_out(builder, manual)}"
        )


def _way_out(builder, manual: Path) -> str:
    urls = list(builder.url_infos)
    if not urls:
        return f"put what it needs into {manual} and run again."
    more = f" and {len(urls) - _URLS_SHOWN} more" if len(urls) > _URLS_SHOWN else ""
    return f"fetch {', '.join(urls[:_URLS_SHOWN])}{more} elsewhere, put the files into {manual} and run again."


def _unreachable(url: str) -> str | None:
    """Return why a URL cannot be reached, or None: any answer of its server will do."""
    try:
        urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=_PATIENCE_SECONDS).close()
    except urllib.error.HTTPError as error:
        error.close()
    except OSError as error:
        return str(getattr(error, "reason", error))
    return None
