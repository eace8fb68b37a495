"""Estimators with scikit-learn's manners, built on the public model API."""

from fastnn.estimators.autoencoder import Autoencoder
from fastnn.estimators.classifier import MLPClassifier
from fastnn.estimators.recommender import RatingRecommender
from fastnn.estimators.regressor import MLPRegressor

__all__ = ["Autoencoder", "MLPClassifier", "MLPRegressor", "RatingRecommender"]
