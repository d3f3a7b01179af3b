// @ts-check
// The commands to type in a terminal, filled in as the run tells its addresses.
import { isPublished } from '../run/lanes.js';
import { copyButtons } from './copy.js';
import { say } from './dom.js';

/** Whether there is still somebody to be reached. @param {boolean} running */
export function reachable(running) {
  const over = document.getElementById('commands-over');
  if (over) over.hidden = running;
}

/** @returns {(event: import('../inspect/recorder.js').Event) => void} takes the events of the run */
export function commands() {
  const box = document.querySelector('.commands');
  if (!(box instanceof HTMLElement)) return () => {};
  copyButtons(box);
  /** @type {Map<string, string>} */
  const live = new Map();
  return (event) => {
    if (!isPublished(event) || !event.name) return;
    live.set(event.name, event.text ?? '');
    for (const item of box.querySelectorAll('.command')) fill(/** @type {HTMLElement} */ (item), live);
  };
}

/** @param {HTMLElement} item @param {Map<string, string>} live */
function fill(item, live) {
  for (const part of item.querySelectorAll('[data-template]')) {
    const line = part.matches('code'); // the other one is the note
    let ready = true;
    const text = (/** @type {HTMLElement} */ (part).dataset.template ?? '').replace(/\{([a-z0-9-]+(?:\.[a-z0-9-]+)?)\}/g, (whole, name) => {
      const value = live.get(name);
      if (!value) ready = false;
      return value || whole;
    });
    say(part, text);
    if (!line) continue;
    item.dataset.ready = String(ready);
    const button = item.querySelector('button');
    if (!button) continue;
    button.disabled = !ready;
    button.dataset.copy = text;
  }
}
