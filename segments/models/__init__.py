"""What is understood about shoppers, and the groups made from it."""

from segments.models.clusters import Cluster, Clustering, ClusteringTurn
from segments.models.history import SegmentAlert, SegmentMembers, StageHistory, StageSnapshot
from segments.models.predictions import Prediction, PredictionRun, PredictionTrack
from segments.models.profiles import Profile, ProfileRefresh, UsualPrice
from segments.models.sampling import Sample
from segments.models.segments import Segment, SegmentSize, ShopperList, ShopperListMember

__all__ = [
    "Cluster",
    "Clustering",
    "ClusteringTurn",
    "Prediction",
    "PredictionRun",
    "PredictionTrack",
    "Profile",
    "ProfileRefresh",
    "Sample",
    "Segment",
    "SegmentAlert",
    "SegmentMembers",
    "SegmentSize",
    "ShopperList",
    "ShopperListMember",
    "StageHistory",
    "StageSnapshot",
    "UsualPrice",
]
