"""A Unity animation clip: an .anim asset of blend shape curves, in the YAML that the editor writes.

Curves are bound as Unity binds them: the property blendShape.<name> of the SkinnedMeshRenderer (class 137) at a path
below the object that has the Animator. Weights run from 0 to 100. Keys are joined by straight lines: each key's slopes
are those of the lines beside it, its tangent mode says Linear on both sides, broken.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from config.files import written_whole
from dataset.blendshapes import ARKIT
from dataset.recordings.recording import Recording
from dataset.recordings.timing import USUAL_FPS
from postprocess.export.keyframes import corners, keyframes
from postprocess.face.names import camel_case

_RENDERER = 137  # SkinnedMeshRenderer, in Unity's table of class ids
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
  m_EulerCurves: []
  m_PositionCurves: []
  m_ScaleCurves: []
  m_FloatCurves:
"""
_CURVE_HEAD = """  - curve:
      serializedVersion: 2
      m_Curve:
"""
_KEY = """      - serializedVersion: 3
        time: {time_s:.9g}
        value: {value:.9g}
        inSlope: {slope_in:.9g}
        outSlope: {slope_out:.9g}
        tangentMode: {mode}
        weightedMode: 0
        inWeight: 0.33333334
        outWeight: 0.33333334
"""
_CURVE_TAIL = """      m_PreInfinity: 2
      m_PostInfinity: 2
      m_RotationOrder: 4
    attribute: {attribute}
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


def write_unity(file: Path, recording: Recording, path: Sequence[str] = ("",)) -> None:
    """path: of each renderer below the Animator's object, "" for that object; each gets every curve."""
    times_s, curves = keyframes(recording)
    with written_whole(file) as partial, partial.open("w", encoding="utf-8", newline="\n") as clip:
        clip.write(_HEAD.format(name=json.dumps(file.stem)))
        for renderer in path:
            for name, values in zip(ARKIT, 100 * curves.T, strict=True):
                clip.write(_CURVE_HEAD)
                clip.writelines(_keys(times_s.astype(np.float64), values))
                attribute, place = json.dumps(f"blendShape.{camel_case(name)}"), json.dumps(renderer)
                clip.write(_CURVE_TAIL.format(attribute=attribute, path=place, renderer=_RENDERER))
        clip.write(_TAIL.format(fps=recording.fps or USUAL_FPS, stop_s=times_s[-1]))


def _keys(times_s: np.ndarray, values: np.ndarray) -> Iterator[str]:
    kept = corners(values)
    times_s, values = times_s[kept], values[kept]
    slopes = np.diff(values) / np.diff(times_s)
    before, after = (slopes[:1], slopes), (slopes, slopes[-1:])
    both = zip(np.concatenate(before), np.concatenate(after), strict=True) if len(slopes) else [(0.0, 0.0)]
    for time_s, value, (slope_in, slope_out) in zip(times_s, values, both, strict=True):
        yield _KEY.format(time_s=time_s, value=value, slope_in=slope_in, slope_out=slope_out, mode=_LINEAR)
