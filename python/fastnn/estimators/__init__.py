"""Estimators with scikit-learn's manners, built on the public model API."""

from fastnn.estimators.classifier import MLPClassifier
from fastnn.estimators.regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]
