// A living upper face from the sound as it comes in, as postprocess/life/enlivener.py makes it: its constants come from
// postprocess/life/constants.py. It needs nothing of a page.
import { Blinks } from "./blinks.js";
import { Brows } from "./brows.js";
import { Gaze } from "./gaze.js";
import { HeadTurns } from "./head_turns.js";
import { Ear, VoiceFollower } from "./prosody.js";
import { Seeded } from "./seeded.js";

export class Enlivener {
  // life: the constants. seed, clip: equal ones give equal faces. manner: {blinks, gaze, brows, head}, times the usual.
  // mood: {name, strength}, of all the clip.
  constructor(life, { seed, clip, fps, manner, mood }) {
    const random = (stream) => new Seeded(life, `${seed}/${clip}/${stream}`);
    Object.assign(this, life.enlivener, { fps, manner, steps: 0, frames: 0, samples: 0 });
    [this.ear, this.voice] = [new Ear(life), new VoiceFollower(life)];
    this.blinks = new Blinks(life, random("blinks"), manner.blinks);
    this.gaze = new Gaze(life, random("gaze"), manner.gaze);
    this.brows = new Brows(life, random("brows"), manner.brows);
    this.head = new HeadTurns(life, random("head"), manner.head);
    this.pose = Object.entries(life.mood.POSES[mood.name]).map(([name, value]) => [name, mood.strength * value]);
  }

  // samples: a Float32Array at 16 kHz, after those before → the frames now known, each of LIVING's values.
  hear(samples) {
    this.samples += samples.length;
    return [...this.follow(samples)];
  }

  // The rest of a clip of so many frames in all, in silence after the last sample.
  finish(frames) {
    const needed = Math.round((frames / this.fps + 2 * this.DELAY_S) * this.SAMPLE_RATE);
    const rest = Math.max(0, frames - this.frames);
    return [...this.follow(new Float32Array(Math.max(0, needed - this.samples)))].slice(0, rest);
  }

  *follow(samples) {
    for (const heard of this.ear.hear(samples)) {
      const cue = this.voice.follow(heard);
      const now = (this.steps - this.AHEAD_STEPS) * this.STEP_S;
      const shift = this.gaze.step(now, cue.speaking);
      this.blinks.step(now, cue.speaking, cue.ends > 0, shift > this.SHIFT_DEG);
      this.brows.step(now, cue);
      this.head.step(now, cue);
      this.steps += 1;
      for (; this.frames / this.fps <= now; this.frames++) yield this.frame(this.frames / this.fps);
    }
  }

  frame(time) {
    const face = Object.fromEntries(this.LIVING.map((name) => [name, 0]));
    const turns = this.turns(time);
    for (const [axis, name] of this.HEAD.entries()) face[name] = (turns[axis] * Math.PI) / 180;
    if (this.manner.gaze) {
      const [yaw, pitch] = this.gaze.at(time);
      this.look(face, yaw - turns[0], pitch - turns[1]);
    }
    this.addLids(face, time);
    [face.BrowInnerUp, face.BrowOuterUpLeft, face.BrowOuterUpRight] = this.brows.at(time);
    for (const [name, value] of this.pose) face[name] += value;
    return this.LIVING.map((name) => face[name]);
  }

  // The head's, degrees.
  turns(time) {
    const [yaw, pitch, roll] = this.head.at(time);
    if (!this.manner.head || !this.manner.gaze) return [yaw, pitch, roll];
    const [followYaw, followPitch] = this.gaze.headAt(time);
    return [yaw + this.manner.head * followYaw, pitch + this.manner.head * followPitch, roll];
  }

  // Both eyes turned alike: yaw to the own left, pitch upwards, degrees.
  look(face, yaw, pitch) {
    const set = (name, deg, most) => {
      face[name] = Math.min(Math.max(deg, 0) / most, 1);
    };
    for (const [side, outwards] of [
      ["Left", yaw],
      ["Right", -yaw],
    ]) {
      set(`EyeLookUp${side}`, pitch, this.LOOK_DEG.Up);
      set(`EyeLookDown${side}`, -pitch, this.LOOK_DEG.Down);
      set(`EyeLookOut${side}`, outwards, this.LOOK_DEG.Out);
      set(`EyeLookIn${side}`, -outwards, this.LOOK_DEG.In);
    }
  }

  // Lids follow the eyes, and what blinks takes squint and brow along.
  addLids(face, time) {
    const shut = this.manner.blinks ? this.blinks.at(time) : [0, 0];
    for (const [place, side] of ["Left", "Right"].entries()) {
      const [closed, lowered] = [shut[place], this.LID_DOWN * face[`EyeLookDown${side}`]];
      face[`EyeBlink${side}`] = lowered + (1 - lowered) * closed;
      face[`EyeWide${side}`] = this.LID_UP * face[`EyeLookUp${side}`] * (1 - closed);
      face[`EyeSquint${side}`] = this.BLINK_SQUINT * closed;
      face[`BrowDown${side}`] = this.BLINK_BROW * closed * Math.min(this.manner.brows, 1);
    }
  }
}
