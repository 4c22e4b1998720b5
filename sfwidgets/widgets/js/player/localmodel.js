/** A model for a page without a kernel: it keeps its values, and tells who listens. */

/** @param {Record<string, any>} values @returns {import("../lib/channel.js").Model} */
export function localModel(values) {
  const kept = { ...values };
  /** @type {Map<string, Set<(...given: any[]) => void>>} */
  const listeners = new Map();
  return {
    get: (name) => kept[name],
    set(name, value) {
      kept[name] = value;
      for (const listener of listeners.get(`change:${name}`) ?? []) listener();
    },
    save_changes() {},
    on(event, callback) {
      if (!listeners.has(event)) listeners.set(event, new Set());
      listeners.get(event)?.add(callback);
    },
    off(event, callback) {
      if (event && callback) listeners.get(event)?.delete(callback);
    },
    send() {
      throw new Error("This page has no kernel.");
    },
  };
}
