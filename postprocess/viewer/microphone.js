// The microphone's samples as they come, at a rate of ours.
const TAKER = `registerProcessor("taker", class extends AudioWorkletProcessor {
  process([[samples]]) {
    if (samples) this.port.postMessage(samples.slice());
    return true;
  }
});`;
const TROUBLES = {
  NotAllowedError: "The microphone was refused: allow it for this page beside the browser's address, and try again.",
  NotFoundError: "There is no microphone: plug one in, or drop a sound file.",
  NotReadableError: "The microphone cannot be read: another program may hold it.",
  NotSupportedError:
    "This browser gives the microphone at its own rate alone: open the page in Chrome, Edge or Safari.",
};

export class Microphone {
  // heard: told a Float32Array at rateHz, again and again. Rejects with an Error that says in words what is wrong.
  static async open(rateHz, heard) {
    if (!navigator.mediaDevices) throw new Error("This browser gives no microphone to such a page: drop a sound file.");
    const microphone = new Microphone();
    try {
      await microphone.start(rateHz, heard);
    } catch (error) {
      microphone.close();
      throw new Error(TROUBLES[error.name] ?? `The microphone cannot be opened: ${error.message}`);
    }
    return microphone;
  }

  async start(rateHz, heard) {
    const audio = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: true };
    this.stream = await navigator.mediaDevices.getUserMedia({ audio });
    this.context = new AudioContext({ sampleRate: rateHz });
    // Not as a Blob: a page that was opened from a file has no origin that a Blob's address could share.
    await this.context.audioWorklet.addModule(`data:text/javascript,${encodeURIComponent(TAKER)}`);
    const taker = new AudioWorkletNode(this.context, "taker", {
      numberOfOutputs: 0,
      channelCount: 1,
      channelCountMode: "explicit",
    });
    taker.port.onmessage = ({ data }) => heard(data);
    this.context.createMediaStreamSource(this.stream).connect(taker);
    await this.context.resume();
  }

  close() {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.context?.close();
  }
}
