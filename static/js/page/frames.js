// @ts-check
// Drawing once a frame, however often it is asked for, and not at all while
// nobody can see the page: what is drawn then is what holds on coming back.

/** @param {(elapsed: number) => boolean|void} work elapsed: milliseconds since the last time; true: again next frame */
export function frames(work) {
  let waiting = false, last = 0;
  const ask = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame((now) => {
      waiting = false;
      const elapsed = last ? Math.min(250, now - last) : 16;
      last = now;
      if (work(elapsed)) ask();
      else last = 0;
    });
  };
  return ask;
}
