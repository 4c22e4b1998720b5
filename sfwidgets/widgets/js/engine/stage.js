/**
 * Takes hold of the class that the package signalsmith-stretch would register as an AudioWorklet processor of its own: its
 * WebAssembly stretches blocks, and our processor is the one to feed it. Must be imported before the package.
 */
import { scope } from "./scope.js";

const { AudioWorkletProcessor, registerProcessor } = scope;

/** @type {{ processor: any }} */
export const taken = { processor: null };

/** What the package's class stands on instead of a real processor: its messages come to `heard`. */
export class StandIn {
  port = { onmessage: null, postMessage: (/** @type {any} */ message) => this.heard(message) };
  /** @param {any} _message */
  heard(_message) {}
}

scope.AudioWorkletProcessor = /** @type {any} */ (StandIn);
scope.registerProcessor = (_name, processor) => {
  taken.processor = processor;
};

/** Give the scope back what it had. */
export function restore() {
  scope.AudioWorkletProcessor = AudioWorkletProcessor;
  scope.registerProcessor = registerProcessor;
}
