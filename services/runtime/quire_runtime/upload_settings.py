"""The limits of an upload. Ingest enforces them, and the notifier tells clients about them. Both
must have the same settings.
"""

from typing import Annotated

from msgspec import Meta

from quire_schemas.events import MAX_BATCH_SIZE
from quire_schemas.views import Config, UploadLimits

MIB = 1024 * 1024

BatchSize = Annotated[int, Meta(ge=1, le=MAX_BATCH_SIZE, description="Files of a batch at most.")]
MaxFileMib = Annotated[int, Meta(ge=1, le=65_536, description="Size of a file at most, in MiB.")]
MaxRequestMib = Annotated[int, Meta(ge=1, description="Size of an upload at most, in MiB, all files together.")]
MaxFiles = Annotated[int, Meta(ge=1, le=1_000_000, description="Files of an upload at most.")]
BATCH_SIZE = Config().batch_size
MAX_FILE_MIB = UploadLimits().max_file_bytes // MIB
MAX_REQUEST_MIB = UploadLimits().max_request_bytes // MIB
MAX_FILES = UploadLimits().max_files
