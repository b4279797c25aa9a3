"""A Unity animation clip: an .anim asset of blend shape curves, in the YAML that the editor writes.

Curves are bound as Unity binds them: the property blendShape.<name> of the SkinnedMeshRenderer (class 137) at a path
below the object that has the Animator. Weights run from 0 to 100. Keys are joined by straight lines: each key's slopes
are those of the lines beside it, its tangent mode says Linear on both sides, broken. A head's turns are Euler angles,
which Unity applies as z, then x, then y, on axes whose x runs against glTF's: turning.rotation's own order.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from config.files import written_whole
from dataset.blendshapes import ARKIT
from dataset.recordings.recording import Recording
from dataset.recordings.timing import USUAL_FPS
from postprocess.export.keyframes import corners, keyframes, turn_keys
from postprocess.face.names import camel_case

_RENDERER = 137  # SkinnedMeshRenderer, in Unity's table of class ids
_EULER, _EULER_SIGNS = (1, 0, 2), (-1, -1, 1)  # x, y, z of yaw, pitch, roll: up, to the own left, to the left shoulder
_FREE = 0  # tangent mode of a key of three numbers, whose slopes stand as they are
_LINEAR = 69  # AnimationUtility.TangentMode.Linear (2) for the left (bits 1 to 4) and right (5 to 8); bit 0: broken

_HEAD = """%YAML 1.1
%TAG !u! tag:unity3d.com,2011:
--- !u!74 &7400000
AnimationClip:
  m_ObjectHideFlags: 0
  m_CorrespondingSourceObject: {{fileID: 0}}
  m_PrefabInstance: {{fileID: 0}}
  m_PrefabAsset: {{fileID: 0}}
  m_Name: {name}
  serializedVersion: 6
  m_Legacy: 0
  m_Compressed: 0
  m_UseHighQualityCurve: 1
  m_RotationCurves: []
  m_CompressedRotationCurves: []
"""
_FLOAT_CURVES = """  m_PositionCurves: []
  m_ScaleCurves: []
  m_FloatCurves:
"""
_CURVE_HEAD = """  - curve:
      serializedVersion: 2
      m_Curve:
"""
_KEY = """      - serializedVersion: 3
        time: {time_s:.9g}
        value: {value}
        inSlope: {slope_in}
        outSlope: {slope_out}
        tangentMode: {mode}
        weightedMode: 0
        inWeight: {weight}
        outWeight: {weight}
"""
_CURVE_END = """      m_PreInfinity: 2
      m_PostInfinity: 2
      m_RotationOrder: 4
"""
_BINDING = """    attribute: {attribute}
    path: {path}
    classID: {renderer}
    script: {{fileID: 0}}
"""
_TAIL = """  m_PPtrCurves: []
  m_SampleRate: {fps:.9g}
  m_WrapMode: 0
  m_Bounds:
    m_Center: {{x: 0, y: 0, z: 0}}
    m_Extent: {{x: 0, y: 0, z: 0}}
  m_ClipBindingConstant:
    genericBindings: []
    pptrCurveMapping: []
  m_AnimationClipSettings:
    serializedVersion: 2
    m_AdditiveReferencePoseClip: {{fileID: 0}}
    m_AdditiveReferencePoseTime: 0
    m_StartTime: 0
    m_StopTime: {stop_s:.9g}
    m_OrientationOffsetY: 0
    m_Level: 0
    m_CycleOffset: 0
    m_HasAdditiveReferencePose: 0
    m_LoopTime: 0
    m_LoopBlend: 0
    m_LoopBlendOrientation: 0
    m_LoopBlendPositionY: 0
    m_LoopBlendPositionXZ: 0
    m_KeepOriginalOrientation: 0
    m_KeepOriginalPositionY: 1
    m_KeepOriginalPositionXZ: 0
    m_HeightFromFeet: 0
    m_Mirror: 0
  m_EditorCurves: []
  m_EulerEditorCurves: []
  m_HasGenericRootTransform: 0
  m_HasMotionFloatCurves: 0
  m_Events: []
"""


def write_unity(file: Path, recording: Recording, path: Sequence[str] = ("",), bone: str | None = None) -> None:
    """path: of each renderer below the Animator's object, "" for that object; each gets every curve.

    bone: the path of what turns by the head's angles, if they are known: an object that at rest is turned as its holder
    is, with the face's axes, x to its own right, y up, z ahead.
    """
    times_s, curves = keyframes(recording)
    turns = None if bone is None else turn_keys(recording)
    with written_whole(file) as partial, partial.open("w", encoding="utf-8", newline="\n") as clip:
        clip.write(_HEAD.format(name=json.dumps(file.stem)))
        if turns is None:
            clip.write("  m_EulerCurves: []\n")
        else:
            clip.write("  m_EulerCurves:\n")
            clip.writelines(_curve(times_s, turns[:, _EULER] * _EULER_SIGNS, _vector, _FREE))
            clip.write(f"    path: {json.dumps(bone)}\n")
        clip.write(_FLOAT_CURVES)
        for renderer in path:
            for name, values in zip(ARKIT, 100 * curves.T, strict=True):
                clip.writelines(_curve(times_s, values[:, None], _number, _LINEAR))
                attribute, place = json.dumps(f"blendShape.{camel_case(name)}"), json.dumps(renderer)
                clip.write(_BINDING.format(attribute=attribute, path=place, renderer=_RENDERER))
        clip.write(_TAIL.format(fps=recording.fps or USUAL_FPS, stop_s=times_s[-1]))


def _curve(times_s: np.ndarray, values: np.ndarray, write: Callable[[np.ndarray], str], mode: int) -> Iterator[str]:
    """values: (keys, numbers of a key)."""
    kept = corners(values)
    times_s, values = times_s[kept].astype(np.float64), values[kept]
    slopes = np.diff(values, axis=0) / np.diff(times_s)[:, None]
    sides = np.pad(slopes, ((1, 1), (0, 0)), "edge") if len(slopes) else np.zeros((2, values.shape[1]))
    weight = write(np.full(values.shape[1], 1 / 3, np.float32))
    yield _CURVE_HEAD
    for time_s, value, slope_in, slope_out in zip(times_s, values, sides[:-1], sides[1:], strict=True):
        yield _KEY.format(
            time_s=time_s,
            value=write(value),
            slope_in=write(slope_in),
            slope_out=write(slope_out),
            mode=mode,
            weight=weight,
        )
    yield _CURVE_END


def _number(value: np.ndarray) -> str:
    return f"{value[0]:.9g}"


def _vector(value: np.ndarray) -> str:
    return "{{x: {:.9g}, y: {:.9g}, z: {:.9g}}}".format(*value)
