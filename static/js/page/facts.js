// @ts-check
// Results side by side: a small label, a value with its unit.
import { el, say } from './dom.js';

/** @param {HTMLElement} list a dl @param {[string, string][]} entries */
export function facts(list, entries) {
  if (list.children.length !== entries.length) {
    list.replaceChildren(...entries.map(() => el('div', {}, el('dt'), el('dd'))));
  }
  entries.forEach(([label, value], i) => {
    const [dt, dd] = list.children[i].children;
    say(dt, label);
    say(dd, value);
  });
}
