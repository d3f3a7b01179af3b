// @ts-check
// Tabs as ARIA describes them: one is in the tab order, arrow keys move.
import { must } from './dom.js';

/** @param {HTMLElement} tablist @param {(name: string) => void} shown after a change; name without 'tab-' */
export function tabs(tablist, shown) {
  const all = /** @type {HTMLElement[]} */ ([...tablist.querySelectorAll('[role="tab"]')]);

  /** @param {HTMLElement} chosen @param {boolean} focus */
  function choose(chosen, focus) {
    for (const tab of all) {
      const on = tab === chosen;
      tab.setAttribute('aria-selected', String(on));
      tab.tabIndex = on ? 0 : -1;
      must(tab.getAttribute('aria-controls') ?? '', HTMLElement).hidden = !on;
    }
    if (focus) chosen.focus();
    shown(chosen.id.replace('tab-', ''));
  }

  for (const tab of all) tab.addEventListener('click', () => choose(tab, false));
  tablist.addEventListener('keydown', (e) => {
    const open = all.filter((tab) => !tab.hidden), now = open.findIndex((tab) => tab === document.activeElement);
    const next = { ArrowRight: now + 1, ArrowLeft: now - 1, Home: 0, End: open.length - 1 }[e.key];
    if (now < 0 || next === undefined) return;
    e.preventDefault();
    choose(open[(next + open.length) % open.length], true);
  });
}
