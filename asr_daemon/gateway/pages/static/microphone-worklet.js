// @ts-check
/**
 * In the browser's sound thread: what the microphone gives as int16 at 16 kHz, in pieces of a tenth of a second.
 * Where the browser cannot give that rate, it is made here: a windowed sinc (Hann), cut off below 8 kHz.
 */
const scope = /** @type {any} */ (globalThis);
const RATE = 16000;
const PIECE = 1600;
const LOBES = 12;
const CUTOFF = 0.9;

class Microphone extends scope.AudioWorkletProcessor {
  constructor() {
    super();
    this.piece = new Int16Array(PIECE);
    this.filled = 0;
    this.peak = 0;
    this.step = scope.sampleRate / RATE;
    this.reach = Math.ceil(LOBES * Math.max(1, this.step));
    /** @type {number[]} */
    this.kept = new Array(this.reach).fill(0);
    this.at = this.reach; // where in `kept` the next sample is made
  }

  /** @param {number} value */
  put(value) {
    this.peak = Math.max(this.peak, Math.abs(value));
    this.piece[this.filled++] = Math.max(-32768, Math.min(32767, Math.round(value * 32767)));
    if (this.filled < PIECE) return;
    this.port.postMessage({ sound: this.piece.buffer, peak: this.peak }, [this.piece.buffer]);
    this.piece = new Int16Array(PIECE);
    this.filled = this.peak = 0;
  }

  /** @param {Float32Array} samples */
  resample(samples) {
    for (const sample of samples) this.kept.push(sample);
    const wide = CUTOFF / Math.max(1, this.step);
    while (this.at + this.reach < this.kept.length) {
      const first = Math.ceil(this.at - this.reach);
      let value = 0;
      for (let place = first; place <= this.at + this.reach; place++) {
        const away = place - this.at;
        const x = Math.PI * away * wide;
        const sinc = x === 0 ? 1 : Math.sin(x) / x;
        value += (this.kept[place] ?? 0) * sinc * wide * (0.5 + 0.5 * Math.cos((Math.PI * away) / this.reach));
      }
      this.put(value);
      this.at += this.step;
    }
    const spent = Math.floor(this.at - this.reach);
    this.kept.splice(0, spent);
    this.at -= spent;
  }

  /** @param {Float32Array[][]} inputs */
  process(inputs) {
    const samples = inputs[0]?.[0];
    if (!samples) return true;
    if (this.step === 1) for (const sample of samples) this.put(sample);
    else this.resample(samples);
    return true;
  }
}

scope.registerProcessor("microphone", Microphone);
