/** One Tab stop for a row of buttons: the arrow keys, Home and End go from one to the next. */

/**
 * @param {HTMLElement} row
 * @param {string} selector Of the buttons in it.
 * @param {(button: HTMLElement) => void} [arrived] Called with the button that an arrow key reached.
 */
export function roving(row, selector, arrived = () => {}) {
  const all = () => /** @type {HTMLElement[]} */ ([...row.querySelectorAll(selector)]);
  row.addEventListener("keydown", (event) => {
    const buttons = all();
    const at = buttons.indexOf(/** @type {HTMLElement} */ (event.target));
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (at < 0 || to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    const next = buttons[Math.min(buttons.length - 1, Math.max(0, to))];
    stop(row, selector, next);
    next.focus();
    arrived(next);
  });
  if (!row.querySelector(`${selector}[tabindex="0"]`)) stop(row, selector, all()[0]);
}

/** Make `button` the one at which Tab stops. @param {HTMLElement} row @param {string} selector @param {HTMLElement} [button] */
export function stop(row, selector, button) {
  row.querySelectorAll(`${selector}[tabindex="0"]`).forEach((old) => old.setAttribute("tabindex", "-1"));
  button?.setAttribute("tabindex", "0");
}
