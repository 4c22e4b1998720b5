/** Notices a kernel that was stopped or restarted: the widget's channel is closed then. */

import { lostSession } from "../lib/channel.js";

const LOST = "The kernel behind this player was stopped or restarted. Run the cell again.";

/** @param {import("../lib/channel.js").Model} model @param {string} key The model's id. @param {(message: string) => void} lost */
export function whenLost(model, key, lost) {
  const manager = /** @type {any} */ (model).widget_manager;
  const look = async () => {
    const found = await manager?.get_model?.(key);
    if (found && found.comm_live === false) lost(lostSession(LOST));
  };
  model.on("comm_live_update", look);
  return () => model.off("comm_live_update", look);
}
