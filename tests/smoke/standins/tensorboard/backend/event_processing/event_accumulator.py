"""Stands in for tensorboard's reader."""

import pickle
from pathlib import Path
from types import SimpleNamespace


class EventAccumulator:
    def __init__(self, folder):
        self.path = Path(folder, "events")

    def Reload(self):
        self.kept = pickle.loads(self.path.read_bytes())

    def Scalars(self, tag):
        step, value = self.kept[tag]
        return [SimpleNamespace(step=step, value=value)]

    def Histograms(self, tag):
        number, low, high = self.kept[tag]
        return [SimpleNamespace(histogram_value=SimpleNamespace(num=number, min=low, max=high))]

    def Images(self, tag):
        return [SimpleNamespace(encoded_image_string=pickle.dumps(self.kept[tag]))]
