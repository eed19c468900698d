"""How data frames are stored in governed runs: as parquet, described by numbers, and without showing their rows."""

from governance_core.materializers.frames import PERSONAL_DATA, GovernedDataFrameMaterializer, governed_frames

__all__ = ["PERSONAL_DATA", "GovernedDataFrameMaterializer", "governed_frames"]
