// The time: the sound's while it plays, for the page's length is the sound's; else where it was put.
export const SPEEDS = [0.1, 0.25, 0.5, 0.75, 1, 1.5, 2];

export class Clock {
  constructor(sound, about) {
    this.fps = about.fps;
    this.frames = about.frames;
    this.time = 0; // s
    this.range = null; // [from, to] in s: played over and over
    this.audio = new Audio(URL.createObjectURL(new Blob([sound], { type: "audio/flac" })));
    this.audio.preload = "auto";
    this.wanted = false;
    this.ticked = 0; // ms, of the last tick
  }

  get playing() {
    return this.wanted;
  }

  get duration() {
    return this.frames / this.fps;
  }

  // The frame that is shown, whole.
  get frame() {
    return Math.min(this.frames - 1, Math.floor(this.time * this.fps + 1e-6));
  }

  async play() {
    if (this.frame >= this.frames - 1 || this.audio.ended) this.put(0);
    if (this.range && (this.time < this.range[0] || this.time >= this.range[1])) this.put(this.range[0]);
    this.wanted = true;
    this.ticked = performance.now();
    try {
      await this.audio.play();
    } catch (error) {
      if (error.name !== "AbortError") this.wanted = false; // a pause that came before the sound began
      if (error.name !== "AbortError") throw error;
    }
  }

  // Stops on a whole frame, so that what is seen is what the file holds.
  pause() {
    this.wanted = false;
    this.audio.pause();
    this.put(this.frame / this.fps);
  }

  put(time) {
    this.time = Math.max(0, Math.min(time, (this.frames - 1) / this.fps));
    this.audio.currentTime = this.time;
  }

  seek(frame) {
    this.put(Math.round(Math.max(0, Math.min(frame, this.frames - 1))) / this.fps);
  }

  set speed(speed) {
    this.audio.playbackRate = speed;
  }

  get speed() {
    return this.audio.playbackRate;
  }

  // Some browsers tell the sound's time in steps of many frames: the time runs on between them, and is led back.
  tick(now) {
    if (!this.wanted) return;
    const passed = ((now - this.ticked) / 1000) * this.speed;
    this.ticked = now;
    if (this.audio.ended) {
      if (!this.range) return this.end();
      this.put(this.range[0]);
      this.audio.play();
    }
    const heard = this.audio.currentTime;
    const running = this.time + (this.audio.paused || this.audio.seeking ? 0 : passed);
    this.time = Math.abs(heard - running) > 0.1 ? heard : running + 0.1 * (heard - running);
    if (this.range && this.time >= this.range[1]) this.put(this.range[0]);
    this.time = Math.max(0, Math.min(this.time, (this.frames - 1) / this.fps));
  }

  end() {
    this.wanted = false;
    this.time = (this.frames - 1) / this.fps;
  }
}
