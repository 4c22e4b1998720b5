/** The time-stretcher, a worklet module of its own: fetched by the audio thread only when speed or pitch is changed. */
import { restore, taken } from "./stage.js";
import "signalsmith-stretch";
import { scope } from "./scope.js";

restore();

/** No block, in or out, is longer (frames); the longest is the history that a seek needs, at 192 kHz. */
const LONGEST = 32768;
/** Above it, a higher pitch keeps more of the timbre than of the tuning (Hz); the package's default. */
const TONALITY = 8000;

/** Signalsmith Stretch on one stereo signal: blocks in and out through arrays in the memory of its WebAssembly. */
export class Stretcher {
  /** @param {any} wasm */
  constructor(wasm) {
    this.wasm = wasm;
    wasm._presetDefault(2, scope.sampleRate);
    this.inputLatency = wasm._inputLatency();
    this.outputLatency = wasm._outputLatency();
    /** Frames that `seek` wants. */
    this.history = wasm._blockSamples() + wasm._intervalSamples();
    const first = wasm._setBuffers(2, LONGEST);
    const { buffer } = wasm.exports ? wasm.exports.memory : wasm.HEAP8;
    const array = (/** @type {number} */ index) => new Float32Array(buffer, first + index * LONGEST * 4, LONGEST);
    this.inLeft = array(0);
    this.inRight = array(1);
    this.outLeft = array(2);
    this.outRight = array(3);
  }

  /** @param {number} semitones */
  transpose(semitones) {
    this.wasm._setTransposeSemitones(semitones, TONALITY / scope.sampleRate);
  }

  /** Begin anew behind the `count` frames that stand in the input. @param {number} count @param {number} rate */
  seek(count, rate) {
    this.wasm._reset();
    this.wasm._seek(count, rate);
  }

  /** @param {number} input @param {number} output */
  process(input, output) {
    this.wasm._process(input, output);
  }
}

scope.sfMakeStretcher = () =>
  new Promise((resolve) => {
    const host = new taken.processor({ numberOfOutputs: 1, outputChannelCount: [2] });
    host.heard = (/** @type {any[]} */ [message]) => {
      if (message === "ready") resolve(new Stretcher(host.wasmModule));
    };
  });
