"""Estimators with scikit-learn's manners, built on the public model API."""

from fastnn.estimators.autoencoder import Autoencoder
from fastnn.estimators.classifier import MLPClassifier
from fastnn.estimators.conv import ConvClassifier, ConvRegressor
from fastnn.estimators.ranker import RankingRecommender
from fastnn.estimators.recommender import RatingRecommender
from fastnn.estimators.regressor import MLPRegressor

__all__ = [
    "Autoencoder",
    "ConvClassifier",
    "ConvRegressor",
    "MLPClassifier",
    "MLPRegressor",
    "RankingRecommender",
    "RatingRecommender",
]
