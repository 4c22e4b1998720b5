import { FADE } from "./reader.js";

/** What still sounds, for a moment, of what was left by a pause, a seek or a change of path; and how far in the next one is. */
export class Fade {
  constructor() {
    this.left = new Float32Array(FADE);
    this.right = new Float32Array(FADE);
    this.scratchLeft = new Float32Array(FADE);
    this.scratchRight = new Float32Array(FADE);
    this.at = FADE;
    this.risen = 0;
  }

  /** Leave a path: take its next frames, and let them die away. @param {import("./paths.js").Path} path */
  leave(path) {
    this.left.copyWithin(0, this.at).fill(0, FADE - this.at);
    this.right.copyWithin(0, this.at).fill(0, FADE - this.at);
    path.read(this.scratchLeft, this.scratchRight, FADE);
    for (let i = 0; i < FADE; i++) {
      const share = (this.risen / FADE) * (1 - (i + 1) / FADE);
      this.left[i] += share * this.scratchLeft[i];
      this.right[i] += share * this.scratchRight[i];
    }
    this.at = 0;
    this.risen = 0;
  }

  /** Let what is new come in. @param {Float32Array} left @param {Float32Array} right */
  enter(left, right) {
    for (let i = 0; i < left.length && this.risen < FADE; i++, this.risen++) {
      left[i] *= this.risen / FADE;
      right[i] *= this.risen / FADE;
    }
  }

  /** Add what is left of the old. @param {Float32Array} left @param {Float32Array} right */
  add(left, right) {
    for (let i = 0; i < left.length && this.at < FADE; i++, this.at++) {
      left[i] += this.left[this.at];
      right[i] += this.right[this.at];
    }
  }
}
