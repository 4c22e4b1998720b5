/** The click track: a short tone on every beat, higher and louder on the first of a bar. */

const LENGTH = 0.04;

/** @param {number} rate @param {number} hertz @param {number} loudness */
function tone(rate, hertz, loudness) {
  return Float32Array.from({ length: Math.round(LENGTH * rate) }, (_, i) => {
    const time = i / rate;
    return loudness * Math.cos(2 * Math.PI * hertz * time) * Math.exp(-time / 0.008) * (1 - time / LENGTH);
  });
}

export class Click {
  /** @param {number} rate */
  constructor(rate) {
    this.tones = [tone(rate, 1000, 0.5), tone(rate, 1500, 0.9)];
    this.volume = 0;
    /** @type {Float64Array} */
    this.beats = new Float64Array(0);
    /** @type {Uint8Array} */
    this.accents = new Uint8Array(0);
    /** @type {{ tone: Float32Array, at: number, volume: number }[]} */
    this.sounding = [];
  }

  /** @param {Float64Array} beats Frames, ascending. @param {Uint8Array} accents */
  set(beats, accents) {
    this.beats = beats;
    this.accents = accents;
  }

  /**
   * Begin the clicks of the beats in [from, to).
   * @param {number} from @param {number} to Frames of the track.
   * @param {number} offset The frame of the output that `from` is heard in.
   * @param {number} rate Frames of the track for each of the output.
   */
  pass(from, to, offset, rate) {
    if (this.volume === 0) return;
    let low = 0;
    for (let high = this.beats.length; low < high; ) {
      const middle = (low + high) >> 1;
      if (this.beats[middle] < from) low = middle + 1;
      else high = middle;
    }
    for (; low < this.beats.length && this.beats[low] < to; low++) {
      const at = Math.round(offset + (this.beats[low] - from) / rate);
      this.sounding.push({ tone: this.tones[this.accents[low]], at: -at, volume: this.volume });
    }
  }

  /** @param {Float32Array} left @param {Float32Array} right */
  add(left, right) {
    if (this.sounding.length === 0) return;
    for (const voice of this.sounding) {
      const { tone: samples, volume } = voice;
      for (let i = Math.max(0, -voice.at); i < left.length && voice.at + i < samples.length; i++) {
        left[i] += volume * samples[voice.at + i];
        right[i] += volume * samples[voice.at + i];
      }
      voice.at += left.length;
    }
    this.sounding = this.sounding.filter((voice) => voice.at < voice.tone.length);
  }
}
