/**
 * What the engine and its audio thread tell one another. Lanes go by their index, places by frames.
 *
 * @typedef {object} Options How the processor is made.
 * @property {number} lanes
 * @property {number} frames
 * @property {number} chunk Frames in a chunk.
 *
 * @typedef {object} Told To the audio thread; each field is one thing to do, in this order.
 * @property {{ index: number, lanes: Int16Array[] }} [put] A chunk of all lanes.
 * @property {MessagePort} [nowhere] A port whose other end is closed: what is sent there is gone.
 * @property {number[]} [drop] Chunks to forget.
 * @property {Float32Array} [gains] `[l0, r0, …]`.
 * @property {boolean} [cut] With `gains`: be heard at once, even behind a stretcher that is fed ahead.
 * @property {number} [volume] Master volume.
 * @property {number} [click] The click's volume; 0 is off.
 * @property {{ frames: Float64Array, accents: Uint8Array }} [beats]
 * @property {import("./reader.js").Loop} [loop]
 * @property {{ speed: number, semitones: number }} [stretch] Other than 1 and 0 only after `loaded`.
 * @property {{ frame: number, epoch: number }} [seek]
 * @property {boolean} [playing]
 * @property {true} [load] Make a stretcher: its module is there.
 * @property {true} [close]
 * @property {number} [ask] Answer with a report.
 *
 * @typedef {object} Report From the audio thread.
 * @property {number} epoch Of the last seek that it has taken.
 * @property {number} frame What the next sample is of.
 * @property {number} time The context's time of that sample.
 * @property {number} rate Frames of the track for each frame of output.
 * @property {boolean} sounding False while it is paused, and while it waits for audio.
 * @property {boolean} playing
 * @property {boolean} ended
 * @property {Float32Array} peaks Of each lane and side since the last report, after its gain.
 * @property {Float32Array} master Of the output.
 * @property {number} [answer]
 * @property {boolean} [loaded] The stretcher is there.
 */
export {};
