"""What a container of TalkingGaussian starts: training in upstream's order, rendering with sound, DeepSpeech features.

For Python 3.8 and newer, with the standard library alone.
"""
