/** The stem player's widget: one session a model, and a view for every place that shows it. */
import { publish } from "../lib/players.js";
import { kernelBacking } from "./backing.js";
import { whenLost } from "./lost.js";
import { mountPlayer, Session } from "./mount.js";

/** @type {Map<string, Session>} By the model's id. */
const sessions = new Map();

export default {
  /** @param {{ model: import("../lib/channel.js").Model }} given */
  initialize({ model }) {
    const key = model.get("key");
    const session = new Session(model, kernelBacking(model));
    sessions.set(key, session);
    const withdraw = publish(key, session);
    const unwatch = whenLost(model, key, (message) => session.fail(message, () => location.reload()));
    return () => {
      unwatch();
      withdraw();
      sessions.delete(key);
      session.close();
    };
  },

  /** @param {{ model: import("../lib/channel.js").Model, el: HTMLElement }} given */
  render({ model, el }) {
    const session = sessions.get(model.get("key"));
    if (session) return mountPlayer(el, session);
  },
};
