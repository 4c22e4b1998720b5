/**
 * Call `act` now and every so often while an element is looked at: on the screen, in a page that is in front. A call waits
 * for the one before it. While the channel is silent, only `now` calls.
 * @param {HTMLElement} element @param {number} every Milliseconds. @param {() => Promise<void>} act
 * @param {import("../lib/channel.js").Channel} channel
 */
export function whileSeen(element, every, act, channel) {
  let visible = false;
  let busy = false;
  let last = 0;
  const now = async () => {
    if (busy) return;
    busy = true;
    try {
      await act();
    } finally {
      busy = false;
      last = Date.now();
    }
  };
  const tick = () => {
    if (visible && !document.hidden && !channel.silent && Date.now() - last >= every) now();
  };
  const watch = new IntersectionObserver((entries) => {
    visible = entries[entries.length - 1].isIntersecting;
    tick();
  });
  watch.observe(element);
  const timer = setInterval(tick, Math.min(every, 500));
  document.addEventListener("visibilitychange", tick);
  return {
    now,
    close: () => {
      watch.disconnect();
      clearInterval(timer);
      document.removeEventListener("visibilitychange", tick);
    },
  };
}
