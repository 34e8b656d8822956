"""LivePortrait's animation of a video of any length: a few passes, none of which holds the video.

1. The source video is read frame by frame: face, crop and motion of each go into a table on disk.
2. The driving video likewise.
3. The smoothing filter runs over the whole sequence of small arrays.
4. The frames are made and go straight into encoders; each finished stretch is a segment, joined at the end.

Upstream's modules do the work of each frame; their files are not edited, and a name that is not there stops the run.
"""
