"""Writes a LivePortrait in small: modules of upstream's names and interface, with numpy in the place of torch.

  make.py FOLDER       the checkout: inference.py, src/ and a `torch` of six functions
  make.py video FILE FRAMES WxH [dark=N]   a video with a bright square; dark: frames without one at the beginning

Its networks are a few sums, so a frame takes milliseconds; its `execute` holds the whole video, as upstream's does.
"""

# ruff: noqa: E501  (the text of small programs)

from __future__ import annotations

import sys
from pathlib import Path

TORCH = '''
"""Six functions of torch, of numpy arrays."""
import numpy as np
__version__ = "0.double"
class Tensor(np.ndarray):
    def clone(self): return self.copy()
    def permute(self, *axes): return self.transpose(*axes)
    def fill_(self, value): self[...] = value
    def to(self, *_, **__): return self
    def detach(self): return self
    def cpu(self): return self
    def numpy(self): return np.asarray(self)
    device = "cpu"
def tensor(value, dtype=None, device=None): return np.array(value, dtype=np.float32).view(Tensor)
def from_numpy(array): return array.view(Tensor)
def cat(parts): return np.concatenate(parts).view(Tensor)
def frombuffer(*_, **__): raise NotImplementedError
def empty(*_, **__): raise NotImplementedError
'''

IO = """
import pickle
import cv2, imageio, numpy as np
def load_image_rgb(path): return cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB)
def load_video(path): return [one for one in imageio.get_reader(path, "ffmpeg")]
def resize_to_limit(image, most, division): return image
def contiguous(image): return np.ascontiguousarray(image)
def dump(path, value): pickle.dump(value, open(path, "wb"))
def load(path): return pickle.load(open(path, "rb"))
"""

VIDEO = """
import hashlib, json, os, time
import cv2, imageio, numpy as np
def images2video(images, wfp, fps):
    writer = imageio.get_writer(wfp, fps=fps, format="mp4", codec="libx264", quality=None, pixelformat="yuv420p",
                                macro_block_size=2, ffmpeg_params=["-crf", "18", "-preset", "ultrafast", "-threads", "1"])
    log = open(os.environ["FRAMES"], "a") if os.environ.get("FRAMES") else None
    for place in range(len(images)):
        frame = np.ascontiguousarray(images[place])
        if log:
            log.write(json.dumps([os.path.basename(wfp), place, hashlib.sha256(frame).hexdigest()]) + "\\n")
            log.flush()
        writer.append_data(frame)
    writer.close()
def concat_frames(driving, source, made):
    found = []
    for place, frame in enumerate(made):
        parts = [] if driving is None else [driving[place]]
        parts += [source[place if len(source) > 1 else 0], frame]
        found.append(np.hstack([cv2.resize(np.asarray(one), (64, 64)) for one in parts]))
    return found
def get_fps(path): return cv2.VideoCapture(path).get(cv2.CAP_PROP_FPS) or 25
def has_audio_stream(path): return bool(os.environ.get("SOUND")) and path.endswith(".mp4")
def add_audio_to_video(silent, sound, out):
    if os.environ["SOUND"] != "broken":
        open(out, "wb").write(open(silent, "rb").read())
def video2gif(path): return path
"""

CROP = """
import cv2, numpy as np
def crop_image(image, points, dsize, scale, **_):
    x, y = points.mean(axis=0) - 24
    there = np.array([[1, 0, -x], [0, 1, -y]], dtype=np.float32)
    back = np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], dtype=np.float32)
    return {"img_crop": cv2.warpAffine(image, there, (48, 48)), "pt_crop": points + there[:, 2], "M_c2o": back}
def crop_image_by_bbox(image, box, lmk=None, **_):
    left, top = int(box[0]), int(box[1])
    return {"img_crop": np.ascontiguousarray(image[top:top + 40, left:left + 40]), "lmk_crop": None if lmk is None else lmk - [left, top]}
def parse_bbox_from_landmark(points, **_):
    x, y = points.min(axis=0)
    return {"bbox": np.array([[x, y], [x + 9, y], [x + 9, y + 9], [x, y + 9]], dtype=np.float32)}
def average_bbox_lst(boxes): return np.mean(np.array(boxes), axis=0).tolist() if len(boxes) else None
def prepare_paste_back(mask, back, dsize): return cv2.warpAffine(mask, back[:2], dsize).astype(np.float32) / 255
def paste_back(face, back, image, mask):
    size = (image.shape[1], image.shape[0])
    return np.clip(mask * cv2.warpAffine(np.asarray(face), back[:2], size) + (1 - mask) * image, 0, 255).astype(np.uint8)
"""

HELPER = """
import os
def basename(path): return os.path.basename(path).rpartition(".")[0]
def remove_suffix(path): return path.rpartition(".")[0]
def is_image(path): return path.endswith((".png", ".jpg"))
def is_video(path): return path.endswith(".mp4")
def is_template(path): return path.endswith(".pkl")
def is_square_video(path):
    import cv2
    video = cv2.VideoCapture(path)
    return video.get(cv2.CAP_PROP_FRAME_WIDTH) == video.get(cv2.CAP_PROP_FRAME_HEIGHT)
def mkdir(path): os.makedirs(path, exist_ok=True)
def calc_motion_multiplier(one, other): return 1.0
def dct2device(values, device): return values
"""

FILTER = """
import numpy as np, torch
from pykalman import KalmanFilter
def smooth(rows, shape, device, observation_variance=3e-7, process_variance=1e-5):
    stacked = np.vstack([one.reshape(-1) for one in rows])
    size = stacked.shape[1]
    kalman = KalmanFilter(initial_state_mean=stacked[0], n_dim_obs=size, transition_covariance=process_variance * np.eye(size),
                          observation_covariance=observation_variance * np.eye(size))
    return [torch.tensor(one.reshape(shape[-2:])) for one in kalman.smooth(stacked)[0]]
"""

WRAPPER = """
import os, time
from types import SimpleNamespace
import cv2, numpy as np, torch
from .utils.camera import get_rotation_matrix
class OutOfMemoryError(RuntimeError): pass
class LivePortraitWrapper:
    def __init__(self, args):
        self.device = "cpu"
        self.calls = 0
        mask = np.zeros((48, 48, 3), dtype=np.uint8)
        mask[6:42, 6:42] = 255
        self.inference_cfg = SimpleNamespace(**vars(args), mask_crop=mask, lip_array=np.zeros((21, 3), dtype=np.float32),
            source_video_eye_retargeting_threshold=0.18, lip_normalize_threshold=0.03, output_fps=25, checkpoint_F="", checkpoint_M="",
            checkpoint_G="", checkpoint_W="", checkpoint_S="")
    def prepare_source(self, image): return torch.from_numpy(image[None].astype(np.float32) / 255)
    def prepare_videos(self, images):
        images = np.array(images)[..., np.newaxis] if isinstance(images, list) else images
        return torch.from_numpy((images.astype(np.float32) / 255)[..., 0][:, None])
    def get_kp_info(self, image):
        mean = np.float32(np.asarray(image).mean())
        cells = np.asarray(image)[0, :252:12, :9:3, 0].reshape(1, 21, 3)
        one = lambda value: np.full((1, 1), value, dtype=np.float32)
        values = {"pitch": one(mean), "yaw": one(mean / 2), "roll": one(mean / 3), "scale": one(1 + mean), "exp": cells,
                  "t": np.full((1, 3), mean, dtype=np.float32), "kp": cells * 2}
        return {key: np.array(value).view(torch.Tensor) for key, value in values.items()}
    def transform_keypoint(self, info): return info["kp"] * info["scale"] + info["exp"]
    def extract_feature_3d(self, image): return image[:, ::64, ::64].copy()
    def calc_ratio(self, points):
        return [np.full((1, 2), one.std() / 100) for one in points], [np.full((1, 1), one.std() / 90) for one in points]
    def calc_combined_lip_ratio(self, c, points): return np.full((1, 2), points.std(), dtype=np.float32).view(torch.Tensor)
    calc_combined_eye_ratio = calc_combined_lip_ratio
    def retarget_lip(self, points, ratio): return points * 0 + ratio[0, 0]
    retarget_eye = retarget_lip
    def stitching(self, source, target): return target + source * np.float32(0.01)
    def warp_decode(self, features, source, target):
        self.calls += 1
        if len(target) > int(os.environ.get("FITS", 1000)) or str(self.calls) in os.environ.get("OOM", "").split(","):
            raise OutOfMemoryError("CUDA out of memory")
        if self.calls == int(os.environ.get("FAILS", 0)):
            raise RuntimeError("a network failed")
        time.sleep(float(os.environ.get("PACE", 0)))
        ground = np.linspace(0, 1, 48, dtype=np.float32)
        lines = np.asarray(target)[:, :16].reshape(len(target), 48, 1, 1) + np.asarray(source)[:, :1, :1, None]
        light = np.asarray(features).mean(axis=(1, 2, 3)).reshape(-1, 1, 1, 1)
        picture = np.sin(lines * 7 + ground.reshape(1, 1, 48, 1) * 5 + light) * 0.5 + 0.5
        return {"out": np.repeat(picture, 3, axis=3).transpose(0, 3, 1, 2).astype(np.float32)}
    def parse_output(self, out): return (np.clip(np.asarray(out).transpose(0, 2, 3, 1), 0, 1) * 255).astype(np.uint8)
"""

CROPPER = """
from types import SimpleNamespace
import cv2, numpy as np
from .crop import crop_image, crop_image_by_bbox, parse_bbox_from_landmark, average_bbox_lst
class Detector:
    def get(self, image, **_):
        found = np.argwhere(image[..., 0] > 128)
        if not len(found): return []
        return [SimpleNamespace(landmark_2d_106=np.float32([[-9, -9], [9, -9], [9, 9], [-9, 9]]) + found.mean(axis=0)[::-1])]
class Runner:
    def run(self, image, guess):
        x, y = np.clip(guess.mean(axis=0), 12, 30).astype(int)
        return (guess + image[y - 9:y + 9, x - 9:x + 9].mean() / 900 - 0.1).astype(np.float32)
class Cropper:
    def __init__(self, args):
        self.crop_cfg = SimpleNamespace(dsize=48, scale=2.3, vx_ratio=0, vy_ratio=0, flag_do_rot=True, direction="large-small", max_face_num=0,
            scale_crop_driving_video=2.2, vx_ratio_crop_driving_video=0, vy_ratio_crop_driving_video=0, landmark_ckpt_path="", insightface_root="")
        self.face_analysis_wrapper, self.human_landmark_runner = Detector(), Runner()
    def follow(self, frames, needed=False):
        last = None
        for frame in frames:
            guess = last
            if guess is None:
                faces = self.face_analysis_wrapper.get(frame[..., ::-1])
                if not faces:
                    if needed: raise Exception("No face detected")
                    continue
                guess = faces[0].landmark_2d_106
            last = self.human_landmark_runner.run(frame, guess)
            yield frame, last
    def cut(self, image, points):
        config = self.crop_cfg
        made = crop_image(image, points, dsize=config.dsize, scale=config.scale)
        small = cv2.resize(made["img_crop"], (256, 256), interpolation=cv2.INTER_AREA)
        return small, made["pt_crop"] * 256 / config.dsize, made["M_c2o"]
    def crop_source_image(self, image, config):
        faces = self.face_analysis_wrapper.get(image[..., ::-1])
        if not faces: return None
        small, _, back = self.cut(image, faces[0].landmark_2d_106)
        return {"img_crop_256x256": small, "lmk_crop": self.human_landmark_runner.run(image, faces[0].landmark_2d_106), "M_c2o": back}
    def calc_lmk_from_cropped_image(self, image): return next(self.follow([image]))[1]
"""

PIPELINE = """
import os
import cv2, numpy as np, torch
from .live_portrait_wrapper import LivePortraitWrapper
from .utils.cropper import Cropper
from .utils import crop, filter, helper, io, video
from .utils.camera import get_rotation_matrix
def turned(i): return get_rotation_matrix(i["pitch"], i["yaw"], i["roll"])
class LivePortraitPipeline:
    def __init__(self, args): self.live_portrait_wrapper, self.cropper = LivePortraitWrapper(args), Cropper(args)
    def make_motion_template(self, images, eyes, lips, **more):
        motion = []
        for image in images:
            i = self.live_portrait_wrapper.get_kp_info(image)
            row = {"scale": i["scale"], "R": turned(i), "exp": i["exp"], "t": i["t"], "kp": i["kp"], "x_s": self.live_portrait_wrapper.transform_keypoint(i)}
            motion.append({key: np.asarray(value) for key, value in row.items()})
        return {"n_frames": len(images), **more, "motion": motion, "c_eyes_lst": eyes, "c_lip_lst": lips}
    def execute(self, args):
        w, c = self.live_portrait_wrapper, self.cropper
        moving = helper.is_video(args.source)
        frames = io.load_video(args.source) if moving else [io.load_image_rgb(args.source)]
        driving = io.load_video(args.driving)
        if moving: driving = driving[:min(len(frames), len(driving))]
        n = len(driving)
        if not helper.is_square_video(args.driving):
            pairs = list(c.follow(driving))
            boxes = [crop.parse_bbox_from_landmark(l)["bbox"][[0, 0, 2, 2], [0, 1, 0, 1]] for _, l in pairs]
            box = crop.average_bbox_lst(boxes)
            made = [crop.crop_image_by_bbox(f, box, lmk=l) for f, l in pairs]
            small, marks = [cv2.resize(m["img_crop"], (256, 256)) for m in made], [m["lmk_crop"] for m in made]
            n = min(n, len(small))
        else:
            marks = [l for _, l in c.follow(driving, needed=True)]
            small = [cv2.resize(f, (256, 256)) for f in driving]
        eyes, lips = w.calc_ratio(marks)
        fps = int(video.get_fps(args.driving))
        d = self.make_motion_template(w.prepare_videos(small), eyes, lips, output_fps=fps)
        io.dump(helper.remove_suffix(args.driving) + ".pkl", d)
        d = d["motion"]
        if moving:
            fps = int(video.get_fps(args.source))
            cuts = [c.cut(f, l) for f, l in c.follow(frames[:n])]
            n = min(n, len(cuts))
            s = self.make_motion_template(w.prepare_videos([one[0] for one in cuts]), *w.calc_ratio([one[1] for one in cuts]))["motion"]
            exp = filter.smooth([s[i]["exp"] + d[i]["exp"] - d[0]["exp"] for i in range(n)], (21, 3), "cpu")
            turn = filter.smooth([np.dot(d[i]["R"], d[0]["R"].transpose(0, 2, 1)) @ s[i]["R"] for i in range(n)], (3, 3), "cpu")
        else:
            cut = c.crop_source_image(frames[0], c.crop_cfg)
            if cut is None: raise Exception("No face detected in the source image!")
            cuts = [(cut["img_crop_256x256"], cut["lmk_crop"], cut["M_c2o"])] * n
            s = self.make_motion_template(w.prepare_source(cuts[0][0])[None], [0], [0])["motion"] * n
        whole, faces = [], []
        for i in range(n):
            a, b, z = s[i], d[i], d[0]
            if moving:
                delta = a["exp"].copy()
                for k in (1, 2, 6, *range(11, 21)): delta[:, k, :] = exp[i][k]
                for k, x in ((slice(3, 5), 1), (5, 2), (8, 2), (9, slice(1, None))): delta[:, k, x] = exp[i][k, x]
                R, scale, t = turn[i], a["scale"], a["t"].copy()
            else:
                delta, R = a["exp"] + (b["exp"] - z["exp"]), (b["R"] @ z["R"].transpose(0, 2, 1)) @ a["R"]
                scale, t = a["scale"] * (b["scale"] / z["scale"]), a["t"] + (b["t"] - z["t"])
            t[..., 2] = 0
            target = w.stitching(a["x_s"], scale * (a["kp"] @ R + delta) + t)
            target = a["x_s"] + (target - a["x_s"]) * args.driving_multiplier
            image = w.prepare_videos([cuts[i][0]])[0]
            out = w.warp_decode(w.extract_feature_3d(image), a["x_s"], target)
            faces.append(w.parse_output(out["out"])[0])
            frame = frames[i if moving else 0]
            mask = crop.prepare_paste_back(w.inference_cfg.mask_crop, cuts[i][2], (frame.shape[1], frame.shape[0]))
            whole.append(crop.paste_back(faces[-1], cuts[i][2], frame, mask))
        helper.mkdir(args.output_dir)
        name = os.path.join(args.output_dir, helper.basename(args.source) + "--" + helper.basename(args.driving))
        video.images2video(video.concat_frames(small, [one[0] for one in cuts], faces), wfp=name + "_concat.mp4", fps=fps)
        video.images2video(whole, wfp=name + ".mp4", fps=fps)
        return name + ".mp4", name + "_concat.mp4"
"""

CAMERA = """
import numpy as np, torch
def get_rotation_matrix(pitch, yaw, roll):
    found = np.zeros((1, 3, 3), dtype=np.float32)
    found[0] = np.eye(3) + np.outer([pitch[0, 0], yaw[0, 0], roll[0, 0]], [0.1, 0.2, 0.3])
    return found.transpose(0, 2, 1).view(torch.Tensor)
"""

PROGRAM = """
import argparse
from src.live_portrait_pipeline import LivePortraitPipeline
parser = argparse.ArgumentParser()
parser.add_argument("-s", dest="source")
parser.add_argument("-d", dest="driving")
parser.add_argument("-o", dest="output_dir")
parser.add_argument("--driving-multiplier", type=float, default=1.0)
args = parser.parse_args()
vars(args).update(flag_relative_motion=True, animation_region="all", driving_option="pose-friendly", flag_stitching=True, flag_pasteback=True,
    flag_do_crop=True, flag_normalize_lip=False, flag_eye_retargeting=False, flag_lip_retargeting=False, flag_crop_driving_video=False,
    flag_source_video_eye_retargeting=False, source_max_dim=1280, source_division=2, driving_smooth_observation_variance=3e-7, audio_priority="driving")
LivePortraitPipeline(args).execute(args)
"""

FILES = {
    "torch.py": TORCH,
    "inference.py": PROGRAM,
    "src/__init__.py": "",
    "src/live_portrait_pipeline.py": PIPELINE,
    "src/live_portrait_wrapper.py": WRAPPER,
    "src/utils/__init__.py": "",
    "src/utils/camera.py": CAMERA,
    "src/utils/crop.py": CROP,
    "src/utils/cropper.py": CROPPER,
    "src/utils/filter.py": FILTER,
    "src/utils/helper.py": HELPER,
    "src/utils/io.py": IO,
    "src/utils/rprint.py": "def rlog(text, **_): print(text)\n",
    "src/utils/video.py": VIDEO,
}


def video(target: Path, frames: int, size: str, *words: str) -> None:
    """A bright square that wanders; dark: frames before it comes. One frame alone where FILE is no .mp4."""
    import imageio
    import numpy as np

    options = dict(word.partition("=")[::2] for word in words)
    width, height = (int(one) for one in size.split("x"))
    pictures = []
    for place in range(frames):
        picture = np.full((height, width, 3), 20 + place % 40, dtype=np.uint8)
        if place >= int(options.get("dark", 0)):
            x, y = (int(limit / 2 - 12 + 4 * np.sin(place / 3 + limit)) for limit in (width, height))
            picture[y : y + 24, x : x + 24] = (230, 200 - place % 50, 180)
        pictures.append(picture)
    if target.suffix != ".mp4":
        imageio.imwrite(target, pictures[0])
        return
    writer = imageio.get_writer(str(target), fps=25, macro_block_size=2, ffmpeg_params=["-crf", "20"])
    for picture in pictures:
        writer.append_data(picture)
    writer.close()


def main(words: list[str]) -> None:
    """A checkout or a video."""
    if words[0] == "video":
        return video(Path(words[1]), int(words[2]), words[3], *words[4:])
    for name, text in FILES.items():
        path = Path(words[0]) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return None


if __name__ == "__main__":
    main(sys.argv[1:])
