import "./style.css";
import { Channel } from "../lib/channel.js";
import { followTheme, h, keepKeys } from "../lib/dom.js";
import { jobView } from "./job.js";
import { queueView } from "./queue.js";

/** @param {{ model: import("../lib/channel.js").Model, el: HTMLElement }} given */
function render({ model, el }) {
  const channel = new Channel(model);
  const view = model.get("view") === "queue" ? queueView(model, channel) : jobView(model, channel);
  const root = h("div", { class: "sf sf-jobs-view" }, view.element);
  el.append(root);
  keepKeys(root);
  const unfollow = followTheme(root);
  return () => {
    unfollow();
    view.close();
    channel.close();
  };
}

export default { render };
