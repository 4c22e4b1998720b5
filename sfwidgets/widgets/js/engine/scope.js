/**
 * The global scope of an AudioWorklet, which TypeScript's library does not describe.
 *
 * @typedef {object} Scope
 * @property {number} sampleRate
 * @property {number} currentTime
 * @property {new (...given: any[]) => { port: MessagePort }} AudioWorkletProcessor
 * @property {(name: string, processor: any) => void} registerProcessor
 * @property {(() => Promise<import("./stretcher.js").Stretcher>) | undefined} sfMakeStretcher Left there by stretcher.js.
 */
export const scope = /** @type {Scope} */ (/** @type {unknown} */ (globalThis));
